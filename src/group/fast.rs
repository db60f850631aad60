//! A sole member's usual case, without a call: the next message is there, and then it is the oldest one not acked. docs/decisions/0008.

use core::cell::Cell;

use super::{Reader, Taken};
use crate::layout::{Extent, Group, MemberHot};
use crate::ring::Ring;

/// Never a pass.
pub(super) const NO_PASS: u32 = u32::MAX;

/// The last message's extent, and how many blocks it took. The next one's are mostly the same: then the processor, which predicts so, looks at the
/// message after it before this one's extent has arrived.
pub(super) struct Usual {
    extent: Cell<Extent>,
    blocks: Cell<u64>,
    /// Where this reader had caught up, the last time.
    caught_up: Cell<u64>,
}

/// A reader that has caught up with a stream looks away for so many turns of a spin loop, at most: a few microseconds.
const LONGEST_PAUSE: u64 = 128;

impl Usual {
    /// An empty message takes one block.
    pub(super) fn new() -> Self {
        Self { extent: Cell::default(), blocks: Cell::new(1), caught_up: Cell::new(0) }
    }

    /// How long to look away from a position where nothing is yet. Whoever looks at the line that is being written takes it from the writer, and the
    /// more messages came without a wait the more will come: let them. One at a time is waited for closely.
    fn pause(&self, at: u64) -> u32 {
        let streak = at.wrapping_sub(self.caught_up.replace(at));
        if streak <= self.blocks.get() {
            return 1;
        }
        (streak / self.blocks.get()).min(LONGEST_PAUSE) as u32
    }

    #[inline(always)]
    fn blocks(&self, ring: &Ring, extent: Extent) -> u64 {
        if self.extent.get() != extent {
            self.extent.set(extent);
            self.blocks.set(ring.geometry.blocks(extent.bytes()));
        }
        self.blocks.get()
    }
}

impl Reader {
    /// A sole member's usual case: the next message is there, or comes while this looks `turns` times more. `None` says nothing but that `take`
    /// must look closer.
    #[inline(always)]
    pub(crate) fn take_fast(
        &self,
        ring: &Ring,
        group: &Group,
        hot: &MemberHot,
        pass: u32,
        turns: u32,
    ) -> Option<Taken> {
        if self.fast.get() != pass {
            return None;
        }
        let first = self.cursor.get();
        let extent = ring.extent_at(first, turns, || self.usual.pause(first))?;
        let blocks = self.usual.blocks(ring, extent);
        let end = first.wrapping_add(blocks);
        if !ring.fits(first, blocks) || !self.announce_and_look(group, hot, end) {
            return None;
        }
        self.cursor.set(end);
        Some(Taken { from: first, first, end, extent, count: 1 })
    }

    /// After `take_fast` found none: is it that nobody has claimed what comes next?
    #[inline(always)]
    pub(crate) fn sees_nothing(&self, ring: &Ring) -> bool {
        let at = self.cursor.get();
        self.fast.get() != NO_PASS && ring.is_open(at)
    }

    /// A sole member's usual case: acks the oldest un-acked message. False says nothing but that `ack` must look closer.
    ///
    /// A plain store, even if this solitude has ended: until it is acked nobody can move the floor over this message, and nothing
    /// was passed over behind it.
    #[inline(always)]
    pub(crate) fn ack_oldest(&self, group: &Group, from: u64, end: u64, pass: u32) -> bool {
        let usual = self.fast.get() == pass && self.floor.get() == from;
        if usual {
            self.set_floor(group, end);
        }
        usual
    }

    /// May the next message be taken the fast way?
    pub(super) fn look_for_fast(&self) {
        let usual = self.plain
            && self.sole.get() != 0
            && self.passed.get() == 0
            && self.again.borrow().is_empty()
            && self.early.borrow().is_empty();
        self.fast.set(if usual { self.pass } else { NO_PASS });
    }
}
