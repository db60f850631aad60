//! A message that is written where it is going to lie.

use std::ops::{Deref, DerefMut};

use super::Producer;
use crate::layout::Extent;
use crate::ring::Claim;

/// Space for a message, to be written in place. Dropped without [`commit`](Reservation::commit) it is given up: consumers skip it.
/// Until then messages of other producers behind it wait, so be quick.
pub struct Reservation<'p> {
    pub(super) claim: Claim,
    pub(super) bytes: *mut [u8],
    pub(super) len: usize,
    pub(super) event: usize,
    pub(super) producer: &'p mut Producer,
}

impl Reservation<'_> {
    /// Publishes the first `len` bytes as a message; more than were reserved means all of them. Returns the message's position.
    #[inline(always)]
    pub fn commit(self, len: usize) -> u64 {
        let len = len.min(self.len);
        let (event, whole) = (self.event, self.len);
        let position = self.claim.first;
        let mut this = std::mem::ManuallyDrop::new(self);
        if this.producer.member.shared.forked() {
            return position;
        }
        if event != 0 {
            // SAFETY: the reservation's own bytes, still exclusively ours.
            let bytes = unsafe { &mut *this.bytes };
            bytes.copy_within(whole..whole + event, len);
        }
        let claim = this.claim;
        let ring = &this.producer.member.ring_copy();
        ring.publish(&claim, Extent::new(len, event, 0));
        let fenced = ring.geometry.fenced;
        this.producer.sent(1, fenced);
        position
    }

    /// Gives the space up, as dropping it does.
    pub fn abort(self) {}

    /// Where the message will be.
    pub fn position(&self) -> u64 {
        self.claim.first
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        let shared = &self.producer.member.shared;
        if !shared.forked() {
            let ring = shared.ring();
            ring.pad(self.claim.start, self.claim.end.wrapping_sub(self.claim.start));
            // Whoever waits behind it can go on.
            ring.wake_consumers(1, ring.geometry.fenced, &**shared);
        }
    }
}

impl Deref for Reservation<'_> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: the reservation's own bytes; shared while `self` is.
        let bytes = unsafe { &*self.bytes };
        bytes.get(..self.len).unwrap_or(&[])
    }
}

impl DerefMut for Reservation<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: the reservation's own bytes; exclusive while `self` is.
        let bytes = unsafe { &mut *self.bytes };
        bytes.get_mut(..self.len).unwrap_or(&mut [])
    }
}

impl std::fmt::Debug for Reservation<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reservation")
            .field("position", &self.claim.first)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}
