//! The limit of a round trip with a payload: a flag, and the payload behind it, copied in and read in place. The answer says
//! that the mailbox is free again.

use std::sync::Arc;
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Release},
};

use crate::message::Message;
use crate::peer::{Peer, Receiver, Sender, Setup};
use crate::{Result, sys};

/// A letter for each link.
pub struct Mailbox(Vec<Letter>);

/// Flag and payload lie one behind the other.
#[derive(Clone)]
pub struct Letter {
    map: Arc<memmap2::MmapRaw>,
    count: u64,
    size: usize,
}

impl Letter {
    #[inline(always)]
    fn flag(&self) -> &AtomicU64 {
        // SAFETY: the page is mapped as long as `self`, and everybody uses atomics only.
        unsafe { &*self.map.as_mut_ptr().cast::<AtomicU64>() }
    }
    #[inline(always)]
    fn payload(&self) -> *mut u8 {
        self.map.as_mut_ptr().wrapping_add(size_of::<AtomicU64>())
    }
}

impl<M: Message> Peer<M> for Mailbox {
    type Tx = Letter;
    type Rx = Letter;

    fn create(setup: &Setup) -> Result<Self> {
        <Self as Peer<M>>::open(setup)
    }
    fn open(setup: &Setup) -> Result<Self> {
        let letter = |link| {
            let map = Arc::new(sys::map(&setup.link(link), size_of::<AtomicU64>() + M::SIZE)?);
            Ok(Letter { map, count: 0, size: M::SIZE })
        };
        Ok(Self((0..setup.links).map(letter).collect::<Result<_>>()?))
    }
    fn sender(&self, link: usize) -> Result<Letter> {
        Ok(self.0[link].clone())
    }
    fn receiver(&self, link: usize, _: usize) -> Result<Letter> {
        Ok(self.0[link].clone())
    }
}

impl<M: Message> Sender<M> for Letter {
    #[inline(always)]
    fn send(&mut self, message: &[u8]) {
        let message = &message[..M::SIZE];
        // SAFETY: as long as the mapping's payload; the receiver has answered the last letter and reads no more.
        unsafe { self.payload().copy_from_nonoverlapping(message.as_ptr(), M::SIZE) };
        self.count += 1;
        self.flag().store(self.count, Release);
    }
}

impl Receiver for Letter {
    #[inline(always)]
    fn poll(&mut self, read: &mut impl FnMut(&[u8])) -> bool {
        let new = self.flag().load(Acquire) != self.count;
        if new {
            self.count += 1;
            // SAFETY: written before the flag, and not again before the answer that `read` or a later step sends.
            read(unsafe { std::slice::from_raw_parts(self.payload(), self.size) });
        }
        new
    }
}
