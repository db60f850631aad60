//! The limit of one-way traffic: a ring of slots with a stamp and a payload each, for one sender and one receiver, with nothing
//! around it. The receiver says how far it is every eighth of the ring; the sender looks when it has used up what it knew. One way, a
//! receiver that has caught up lets the sender get ahead before it looks again: both at the same line cost each other the most.

use std::sync::Arc;
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Release},
};

use crate::message::Message;
use crate::peer::{Pause, Peer, Receiver, Sender, Setup};
use crate::{Result, sys};

/// What lies before the slots: how far the receiver is.
const HEADER: usize = 128;
const STAMP: usize = size_of::<AtomicU64>();
/// Enough for some lines.
const PATIENCE: u32 = 128;

/// A ring for each link.
pub struct Slots(Vec<Ring>);

/// One end, either one.
#[derive(Clone)]
pub struct Ring {
    map: Arc<memmap2::MmapRaw>,
    /// A power of two.
    slots: u64,
    size: usize,
    /// Messages sent, or received.
    at: u64,
    /// The sender's: messages that there is room for.
    limit: u64,
    /// Turns of a spin loop before a receiver that has found nothing looks again.
    patience: u32,
    pause: Pause,
}

impl Ring {
    #[inline(always)]
    fn word(&self, at: usize) -> &AtomicU64 {
        let at = self.map.as_mut_ptr().wrapping_add(at).cast::<AtomicU64>();
        // SAFETY: inside the mapping and aligned, mapped as long as `self`; everybody uses atomics only.
        unsafe { &*at }
    }
    #[inline(always)]
    fn read_so_far(&self) -> &AtomicU64 {
        self.word(0)
    }
    #[inline(always)]
    fn slot(&self) -> usize {
        HEADER + (self.at & (self.slots - 1)) as usize * (STAMP + self.size)
    }
    #[inline(always)]
    fn payload(&self) -> *mut u8 {
        self.map.as_mut_ptr().wrapping_add(self.slot() + STAMP)
    }

    /// The payload of the next slot, when there is room.
    #[inline(always)]
    fn claim(&mut self, size: usize) -> &mut [u8] {
        if self.at == self.limit {
            let mut limit = self.limit;
            self.pause.until(|| {
                limit = self.read_so_far().load(Acquire) + self.slots;
                limit != self.limit
            });
            self.limit = limit;
        }
        // SAFETY: the receiver has read this slot, and touches it no more before its stamp says so.
        unsafe { std::slice::from_raw_parts_mut(self.payload(), size) }
    }
    #[inline(always)]
    fn publish(&mut self) {
        let sent = self.at + 1;
        self.word(self.slot()).store(sent, Release);
        self.at = sent;
    }
}

impl<M: Message> Peer<M> for Slots {
    type Tx = Ring;
    type Rx = Ring;

    fn create(setup: &Setup) -> Result<Self> {
        <Self as Peer<M>>::open(setup)
    }
    fn open(setup: &Setup) -> Result<Self> {
        let slots = setup.slots.next_power_of_two();
        let (patience, pause) = (if setup.links == 1 { PATIENCE } else { 1 }, setup.pause);
        let ring = |link| {
            let map = sys::map(&setup.link(link), HEADER + slots * (STAMP + M::SIZE))?;
            let (map, slots) = (Arc::new(map), slots as u64);
            Ok(Ring { map, slots, size: M::SIZE, at: 0, limit: slots, patience, pause })
        };
        Ok(Self((0..setup.links).map(ring).collect::<Result<_>>()?))
    }
    fn sender(&self, link: usize) -> Result<Ring> {
        Ok(self.0[link].clone())
    }
    fn receiver(&self, link: usize, _: usize) -> Result<Ring> {
        Ok(self.0[link].clone())
    }
}

impl<M: Message> Sender<M> for Ring {
    #[inline(always)]
    fn send(&mut self, message: &[u8]) {
        self.claim(M::SIZE).copy_from_slice(&message[..M::SIZE]);
        self.publish();
    }
    #[inline(always)]
    fn send_in_place(&mut self, write: impl FnOnce(&mut [u8])) {
        write(self.claim(M::SIZE));
        self.publish();
    }
}

impl Receiver for Ring {
    #[inline(always)]
    fn poll(&mut self, read: &mut impl FnMut(&[u8])) -> bool {
        let new = self.word(self.slot()).load(Acquire) == self.at + 1;
        if new {
            // SAFETY: the stamp says that it is written, and it is not written again before `read_so_far` says so.
            read(unsafe { std::slice::from_raw_parts(self.payload(), self.size) });
            self.at += 1;
            if self.at.is_multiple_of(self.slots / 8) {
                self.read_so_far().store(self.at, Release);
            }
        }
        new
    }
    #[inline(always)]
    fn wait(&mut self, _: Pause, read: &mut impl FnMut(&[u8])) {
        while !self.poll(read) {
            (0..self.patience).for_each(|_| std::hint::spin_loop());
        }
    }
}
