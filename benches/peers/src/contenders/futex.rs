//! The limit of a wake-up: a word in shared memory that the receiver sleeps on, and a wake after each change of it.

use std::sync::Arc;
use std::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

use crate::message::{Message, first};
use crate::peer::{Peer, Receiver, Sender, Setup};
use crate::{Result, sys};

/// The only link.
pub struct Futex(End);

/// One end, either one.
#[derive(Clone)]
pub struct End {
    map: Arc<memmap2::MmapRaw>,
    seen: u32,
}

impl End {
    /// How many messages there were.
    fn count(&self) -> &AtomicU32 {
        // SAFETY: the page is mapped as long as `self`, and everybody uses atomics only.
        unsafe { &*self.map.as_mut_ptr().cast::<AtomicU32>() }
    }
    fn stamp(&self) -> &AtomicU64 {
        let at = self.map.as_mut_ptr().wrapping_add(8).cast::<AtomicU64>();
        // SAFETY: as above.
        unsafe { &*at }
    }
}

impl<M: Message> Peer<M> for Futex {
    type Tx = End;
    type Rx = End;

    fn create(setup: &Setup) -> Result<Self> {
        <Self as Peer<M>>::open(setup)
    }
    fn open(setup: &Setup) -> Result<Self> {
        Ok(Self(End { map: Arc::new(sys::map(&setup.link(0), 4096)?), seen: 0 }))
    }
    fn sender(&self, _: usize) -> Result<End> {
        Ok(self.0.clone())
    }
    fn receiver(&self, _: usize, _: usize) -> Result<End> {
        Ok(self.0.clone())
    }
}

impl<M: Message> Sender<M> for End {
    fn send(&mut self, message: &[u8]) {
        self.stamp().store(first(message), Relaxed);
        self.count().fetch_add(1, Release);
        // SAFETY: a word of ours.
        unsafe { libc::syscall(libc::SYS_futex, self.count().as_ptr(), libc::FUTEX_WAKE, 1) };
    }
}

impl Receiver for End {
    /// Sleeps until there is something.
    fn poll(&mut self, read: &mut impl FnMut(&[u8])) -> bool {
        let count = self.count().load(Acquire);
        if count == self.seen {
            let forever = std::ptr::null::<libc::timespec>();
            let word = self.count().as_ptr();
            // SAFETY: a word of ours; no time-out.
            unsafe { libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAIT, count, forever) };
            return false;
        }
        self.seen = count;
        read(&self.stamp().load(Relaxed).to_ne_bytes());
        true
    }
}
