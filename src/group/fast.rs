//! The usual cases. A sole member's, without a call: the next message is there, and then it is the oldest one not acked (docs/decisions/0008).
//! One's among several: the next message that nobody has had is there (docs/decisions/0011).

use core::cell::Cell;

use super::{Reader, Taken, taken_word};
use crate::layout::{Age, Extent, Group, MemberHot, claim};
use crate::ring::Ring;
use crate::sync::{Relaxed, order, recheck};

/// Never a pass.
pub(super) const NO_PASS: u32 = u32::MAX;

/// The last message's extent, and how many blocks it took. The next one's are mostly the same: then the processor, which predicts so, looks at the
/// message after it before this one's extent has arrived.
pub(super) struct Usual {
    extent: Cell<Extent>,
    blocks: Cell<u64>,
    /// Where this reader had caught up, the last time.
    caught_up: Cell<u64>,
    /// Messages that came one at a time since it last looked away from one, after how many of them it does so, and whether it has just done so.
    lone: Cell<u32>,
    patience: Cell<u32>,
    tried: Cell<bool>,
}

/// A reader that has caught up with a stream looks away for so many turns of a spin loop, at most: a microsecond or two.
const LONGEST_PAUSE: u64 = 128;
/// So many messages without a wait are a stream.
const STREAM: u64 = 4;
/// Messages one at a time after which it looks away as from a stream, at first and at most.
const LEAST_PATIENCE: u32 = 16;
const MOST_PATIENCE: u32 = 1 << 16;

impl Usual {
    /// An empty message takes one block.
    pub(super) fn new() -> Self {
        Self {
            extent: Cell::default(),
            blocks: Cell::new(1),
            caught_up: Cell::new(0),
            lone: Cell::new(0),
            patience: Cell::new(LEAST_PATIENCE),
            tried: Cell::new(false),
        }
    }

    /// How long to look away from a position where nothing is yet. Whoever looks at the line that is being written takes it from the writer, and the
    /// more came without a wait the more will come: let it. One at a time is waited for closely; but a sender that is followed so closely may send one
    /// at a time for that reason alone, so look away now and then, and the more seldom the more often that was in vain.
    fn pause(&self, at: u64) -> u32 {
        let streak = at.wrapping_sub(self.caught_up.replace(at));
        let (messages, tried) = (streak / self.blocks.get(), self.tried.replace(false));
        if messages >= STREAM {
            if tried {
                self.patience.set(LEAST_PATIENCE);
            }
            return streak.min(LONGEST_PAUSE) as u32;
        }
        if messages == 1 {
            self.lone.set(self.lone.get() + 1);
        }
        if messages != 1 || self.lone.get() < self.patience.get() {
            return messages.max(1) as u32;
        }
        self.lone.set(0);
        self.patience.set((self.patience.get() * 2).min(MOST_PATIENCE));
        self.tried.set(true);
        LONGEST_PAUSE as u32
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

    /// After `take_fast` or `take_among` found none: is it that nobody has claimed what comes next?
    #[inline(always)]
    pub(crate) fn sees_nothing(&self, ring: &Ring) -> bool {
        let usual = self.fast.get() != NO_PASS
            || self.is_among(self.pass)
                && ring.groups.get(self.group).is_some_and(|group| !self.is_rewound(group));
        usual && ring.is_open(self.cursor.get())
    }

    /// Has a message become free again since this member last looked, maybe below its cursor?
    #[inline(always)]
    fn is_rewound(&self, group: &Group) -> bool {
        group.info.rewinds.load(order!("among.rewinds", Acquire)) != self.rewinds.get()
    }

    /// One of several members, that takes every message as it comes?
    #[inline(always)]
    fn is_among(&self, pass: u32) -> bool {
        self.sole.get() == 0 && self.among == pass
    }

    /// The usual case of one among several: the next message that no other has taken is there, or comes while this looks `turns` times more, and
    /// it was never delivered. `None` says nothing but that `take` must look closer.
    #[inline(always)]
    pub(crate) fn take_among(
        &self,
        ring: &Ring,
        group: &Group,
        pass: u32,
        turns: u32,
    ) -> Option<Taken> {
        if !self.is_among(pass) {
            return None;
        }
        // Bounded by the ring: past that the others have lapped us, and the floor says so.
        for _ in 0..ring.patience() {
            let first = self.cursor.get();
            let extent = ring.extent_at(first, turns, || self.usual.pause(first))?;
            let word = ring.claim_word(self.group, first)?;
            let seen = word.load(order!("among.load", Acquire));
            // Only what the floor has not passed was surely still there when we read it.
            let passed = recheck!("among.floor") && group.floor() > first;
            let blocks = self.usual.blocks(ring, extent);
            if passed || self.is_rewound(group) || !ring.fits(first, blocks) {
                return None;
            }
            let end = first.wrapping_add(blocks);
            match claim::age(seen, ring.lap(first)) {
                Age::Older => {
                    let mine = taken_word(ring, first, 1, self.row, claim::TAKEN);
                    let swap =
                        word.compare_exchange(seen, mine, order!("among.claim", AcqRel), Relaxed);
                    if swap.is_ok() {
                        self.cursor.set(end);
                        return Some(Taken { from: first, first, end, extent, count: 1 });
                    }
                }
                Age::Current if claim::state(seen) != claim::FREE => self.cursor.set(end),
                _ => return None,
            }
        }
        None
    }

    /// The usual ack of one among several. `None`: `ack` must look closer. True if the floor has moved.
    #[inline(always)]
    pub(crate) fn ack_among(
        &self,
        ring: &Ring,
        (from, first, end): (u64, u64, u64),
        count: u64,
        pass: u32,
    ) -> Option<bool> {
        let usual = self.is_among(pass) && from == first;
        usual.then(|| self.ack_word(ring, first, end, count))
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
