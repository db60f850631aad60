//! Groups: one member's reading side, claims, acks, and the switch between a sole member and several.
//! The protocol and why it holds: docs/design.md, section 5.

// Paths are spelt out for the loom suite, which includes this file from elsewhere.
#[path = "group/fast.rs"]
mod fast;
#[path = "group/solitude.rs"]
mod solitude;

pub(crate) use solitude::make_explicit;

use core::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};

use crate::layout::{Age, Extent, Group, Kind, MemberHot, claim};
use crate::ring::{Ring, Span};
use crate::sync::{Relaxed, light_fence, order, recheck};
use fast::{NO_PASS, Usual};

/// A message in a member's hands. Acking it also acks what lies between `from` and `first`: padding, and messages that the
/// filter passed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    pub from: u64,
    pub first: u64,
    pub end: u64,
    pub extent: Extent,
    /// Deliveries of this message to this group, this one included.
    pub count: u64,
}

/// Why there is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pause {
    /// Nothing published yet.
    Nothing,
    /// A claim that its owner has not finished.
    Hole {
        owner: usize,
    },
    Damaged,
}

/// What became of an ack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// In shared memory. `moved`: the floor has moved, so that producers may have room.
    Done { moved: bool },
    /// The group must be made explicit first (it is sole, and this is not the oldest message).
    NeedsExplicit,
}

/// One member's reading side. Its owner is one thread at a time (`Cell`s).
pub(crate) struct Reader {
    row: usize,
    group: usize,
    kind: Kind,
    /// Where to look next.
    cursor: Cell<u64>,
    /// Sole: how many blocks right below the cursor were passed over behind a message in hand.
    passed: Cell<u64>,
    /// Sole: the group's floor.
    floor: Cell<u64>,
    /// The mode word under which this member is sole; 0 when it is not.
    sole: Cell<u64>,
    rewinds: Cell<u64>,
    /// Anonymous readers: ranges acked ahead of the floor, and messages to be delivered again.
    early: RefCell<BTreeMap<u64, u64>>,
    again: RefCell<VecDeque<Taken>>,
    /// `pass`, if this member is sole, with no filter, nothing acked early or to be delivered again, nothing passed over; else `NO_PASS`.
    fast: Cell<u32>,
    pass: u32,
    /// `pass`, if this member may take messages the usual way whenever it is not sole.
    among: u32,
    plain: bool,
    usual: Usual,
}

/// A group's word for a message of a lap.
#[inline(always)]
fn taken_word(ring: &Ring, position: u64, count: u64, owner: usize, state: u64) -> u64 {
    claim::word(ring.lap(position), count, owner, state)
}

impl Reader {
    /// A member's view from `cursor`. `plain`: it takes every message as it comes. `pass`: what has to be shown to be let in the fast way.
    pub(crate) fn new(
        ring: &Ring,
        (row, group, kind): (usize, usize, Kind),
        cursor: u64,
        plain: bool,
        pass: u32,
    ) -> Self {
        let rewinds = ring
            .groups
            .get(group)
            .map_or(0, |row| row.info.rewinds.load(order!("rewinds.load", Acquire)));
        Self {
            row,
            group,
            kind,
            cursor: Cell::new(cursor),
            passed: Cell::new(0),
            floor: Cell::new(cursor),
            sole: Cell::new(0),
            rewinds: Cell::new(rewinds),
            early: RefCell::default(),
            again: RefCell::default(),
            fast: Cell::new(NO_PASS),
            pass,
            among: if plain && kind == Kind::Named { pass } else { NO_PASS },
            plain,
            usual: Usual::new(),
        }
    }

    pub(crate) fn group(&self) -> usize {
        self.group
    }
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }
    pub(crate) fn cursor(&self) -> u64 {
        self.cursor.get()
    }
    /// A lossy reader that was overrun goes on here.
    pub(crate) fn jump(&self, position: u64) {
        self.cursor.set(position);
    }

    /// Sole: everything taken so far is below, `[floor, chain)` is covered by messages in hand.
    fn chain(&self) -> u64 {
        self.cursor.get().wrapping_sub(self.passed.get())
    }

    /// The next message that `accept` lets through; messages that it does not are acked on the way.
    #[inline(never)]
    pub(crate) fn take(
        &self,
        ring: &Ring,
        accept: impl Fn(u64, Extent) -> bool,
    ) -> Result<Taken, Pause> {
        let group = ring.groups.get(self.group).ok_or(Pause::Damaged)?;
        if let Some(taken) = self.take_again() {
            return Ok(taken);
        }
        if self.sole.get() == 0 {
            return self.take_shared(ring, group, accept);
        }
        // Bounded by the ring: a cursor can pass each block once before it meets its own lap again.
        for _ in 0..ring.patience() {
            let position = self.cursor.get();
            let span = ring.span(position);
            // Producers move a floor over padding, and then overwrite it while we read. Nothing is in hand then.
            let floor = group.floor();
            if recheck!("sole.floor") && floor > position {
                self.skip_to(floor);
                continue;
            }
            let (end, extent) = match span {
                Span::Message { extent, blocks } => (position.wrapping_add(blocks), extent),
                Span::Pad { blocks } => {
                    self.skip_pad(group, position, position.wrapping_add(blocks));
                    continue;
                }
                // Others may have come and gone on from here long ago.
                _ if recheck!("sole.stale") && !self.is_sole(group) => {
                    self.end_solitude(ring);
                    return self.take_shared(ring, group, accept);
                }
                Span::Open => return Err(Pause::Nothing),
                Span::Claimed { owner, .. } => return Err(Pause::Hole { owner }),
                Span::Passed | Span::Damaged => return Err(Pause::Damaged),
            };
            let hot = &ring.members.get(self.row).ok_or(Pause::Damaged)?.hot;
            if !self.announce_and_look(group, hot, end) {
                return self.take_announced(ring, group, position, end, extent, accept);
            }
            let from = self.chain();
            if !accept(position, extent) {
                self.pass_over(end);
                if self.floor.get() == from {
                    self.raise_floor(group, end);
                }
                continue;
            }
            self.cursor.set(end);
            self.passed.set(0);
            self.look_for_fast();
            return Ok(Taken { from, first: position, end, extent, count: 1 });
        }
        Err(Pause::Damaged)
    }

    /// True: still sole, the message that ends there is ours.
    #[inline(always)]
    fn announce_and_look(&self, group: &Group, hot: &MemberHot, end: u64) -> bool {
        hot.announced.store(end, order!("reader.announce", Release));
        if recheck!("reader.fence") {
            // Nobody is sole in a queue whose fences are real ones.
            light_fence(false);
        }
        !recheck!("reader.look") || self.is_sole(group)
    }

    #[inline(always)]
    fn is_sole(&self, group: &Group) -> bool {
        group.info.mode.load(order!("reader.mode", Acquire)) == self.sole.get()
    }

    /// Only padding: nothing protects it from a helper that moves the floor too, hence the CAS.
    #[cold]
    fn skip_pad(&self, group: &Group, from: u64, to: u64) {
        if self.floor.get() == from {
            let _ = group.floor.compare_exchange(from, to, order!("floor.pad", AcqRel), Relaxed);
            self.skip_to(to);
        } else {
            self.pass_over(to);
        }
    }

    /// Goes on behind a message in hand, which takes what is passed over with it.
    fn pass_over(&self, to: u64) {
        self.passed.set(to.wrapping_sub(self.chain()));
        self.cursor.set(to);
        self.fast.set(NO_PASS);
    }

    /// A sole member with nothing in hand goes on from here.
    fn skip_to(&self, position: u64) {
        self.cursor.set(position);
        self.passed.set(0);
        self.floor.set(position);
    }

    /// Everything below `end` is done, and was ours: nobody else can have moved the floor that far.
    fn raise_floor(&self, group: &Group, end: u64) {
        if self.cursor.get() == end {
            self.passed.set(0);
        }
        self.set_floor(group, end);
    }

    #[inline(always)]
    fn set_floor(&self, group: &Group, end: u64) {
        self.floor.set(end);
        group.floor.store(end, order!("floor.sole", Release));
    }

    fn take_again(&self) -> Option<Taken> {
        if self.kind == Kind::Named {
            return None;
        }
        let mut again = self.again.borrow_mut();
        let mut taken = again.pop_front()?;
        drop(again);
        self.look_for_fast();
        taken.count += 1;
        Some(taken)
    }

    #[cold]
    fn take_shared(
        &self,
        ring: &Ring,
        group: &Group,
        accept: impl Fn(u64, Extent) -> bool,
    ) -> Result<Taken, Pause> {
        // An anonymous group has no words; only damage ends its solitude.
        if self.kind != Kind::Named {
            return Err(Pause::Damaged);
        }
        let rewinds = group.info.rewinds.load(order!("rewinds.look", Acquire));
        if self.rewinds.replace(rewinds) != rewinds {
            self.cursor.set(group.floor());
        }
        for _ in 0..ring.patience() {
            let position = self.cursor.get();
            let span = ring.span(position);
            let word = ring.claim_word(self.group, position).ok_or(Pause::Damaged)?;
            let seen = word.load(order!("shared.load", Acquire));
            // Only what the floor has not passed was surely still there when we read it.
            let floor = group.floor();
            if recheck!("shared.floor") && floor > position {
                self.cursor.set(floor);
                continue;
            }
            let (extent, blocks) = match span {
                Span::Message { extent, blocks } => (extent, blocks),
                Span::Pad { blocks } => {
                    self.cursor.set(position.wrapping_add(blocks));
                    if floor == position {
                        ring.help_floor(self.group);
                    }
                    continue;
                }
                Span::Open => {
                    ring.help_floor(self.group);
                    return Err(Pause::Nothing);
                }
                Span::Claimed { owner, .. } => return Err(Pause::Hole { owner }),
                Span::Passed | Span::Damaged => return Err(Pause::Damaged),
            };
            let end = position.wrapping_add(blocks);
            let count = match (claim::age(seen, ring.lap(position)), claim::state(seen)) {
                (Age::Older, _) => 1,
                (Age::Current, claim::FREE) => claim::count(seen) + 1,
                _ => {
                    self.cursor.set(end);
                    continue;
                }
            };
            let mine = taken_word(ring, position, count, self.row, claim::TAKEN);
            if word.compare_exchange(seen, mine, order!("shared.claim", AcqRel), Relaxed).is_err() {
                continue;
            }
            self.cursor.set(end);
            let taken = Taken { from: position, first: position, end, extent, count };
            if accept(position, extent) {
                return Ok(taken);
            }
            self.ack_shared(ring, &taken);
        }
        Err(Pause::Damaged)
    }

    /// Acks a message. When this says `Done` it is in shared memory: no crash brings the message back.
    pub(crate) fn ack(&self, ring: &Ring, taken: &Taken) -> Settled {
        let Some(group) = ring.groups.get(self.group) else {
            return Settled::Done { moved: false };
        };
        if self.sole.get() != 0 && self.is_sole(group) {
            return self.ack_alone(group, taken);
        }
        if self.kind != Kind::Named {
            return Settled::Done { moved: false };
        }
        self.leave_solitude(ring);
        Settled::Done { moved: self.ack_shared(ring, taken) }
    }

    fn ack_alone(&self, group: &Group, taken: &Taken) -> Settled {
        let oldest = self.floor.get() == taken.from;
        if self.kind == Kind::Named && !oldest {
            return Settled::NeedsExplicit;
        }
        if self.kind == Kind::Named {
            // Nothing in hand: what was passed over since is done too.
            let last = taken.end == self.chain();
            self.raise_floor(group, if last { self.cursor.get() } else { taken.end });
            return Settled::Done { moved: true };
        }
        if oldest {
            self.raise_floor(group, taken.end);
            self.absorb_early(group);
        } else {
            self.early.borrow_mut().insert(taken.from, taken.end);
            self.fast.set(NO_PASS);
        }
        Settled::Done { moved: oldest }
    }

    /// An anonymous reader's floor goes over what was acked early.
    fn absorb_early(&self, group: &Group) {
        let mut early = self.early.borrow_mut();
        let mut floor = self.floor.get();
        while let Some(end) = early.remove(&floor) {
            floor = end;
        }
        if floor == self.chain() {
            floor = self.cursor.get();
        }
        if floor != self.floor.get() {
            self.raise_floor(group, floor);
        }
    }

    /// True if the floor moved.
    fn ack_shared(&self, ring: &Ring, taken: &Taken) -> bool {
        self.mark_acked(ring, taken.from, taken.first);
        self.ack_word(ring, taken.first, taken.end, taken.count)
    }

    /// Acks one message. The floor may lag a little behind: whoever needs it helps it.
    #[inline(always)]
    fn ack_word(&self, ring: &Ring, first: u64, end: u64, count: u64) -> bool {
        if let Some(word) = ring.claim_word(self.group, first) {
            let acked = taken_word(ring, first, count, self.row, claim::ACKED);
            word.store(acked, order!("ack.shared", Release));
        }
        ring.is_floor_wanted(self.group, end) && ring.help_floor(self.group)
    }

    /// Gives a message back; it is delivered again, with its count kept. `undelivered`: the application never saw it.
    pub(crate) fn give_back(&self, ring: &Ring, taken: Taken, undelivered: bool) -> Settled {
        let Some(group) = ring.groups.get(self.group) else {
            return Settled::Done { moved: false };
        };
        if self.kind != Kind::Named {
            self.again.borrow_mut().push_back(taken);
            self.fast.set(NO_PASS);
            return Settled::Done { moved: false };
        }
        if self.sole.get() != 0 && self.is_sole(group) {
            return Settled::NeedsExplicit;
        }
        self.leave_solitude(ring);
        self.mark_acked(ring, taken.from, taken.first);
        let count = if undelivered { taken.count - 1 } else { taken.count };
        if let Some(word) = ring.claim_word(self.group, taken.first) {
            let free = taken_word(ring, taken.first, count, self.row, claim::FREE);
            word.store(free, order!("give_back.free", Release));
        }
        group.info.rewinds.fetch_add(1, order!("give_back.rewind", AcqRel));
        Settled::Done { moved: false }
    }

    /// Is everything below `end` acked, but for what this member holds itself?
    pub(crate) fn drained(&self, ring: &Ring, end: u64) -> bool {
        let Some(group) = ring.groups.get(self.group) else { return true };
        ring.help_floor(self.group);
        let mut at = group.floor();
        while at < end {
            match ring.span(at) {
                Span::Pad { blocks } => at = at.wrapping_add(blocks),
                Span::Message { blocks, .. } if self.is_settled(ring, at) => {
                    at = at.wrapping_add(blocks)
                }
                _ => return false,
            }
        }
        true
    }

    fn is_settled(&self, ring: &Ring, position: u64) -> bool {
        if self.sole.get() != 0 {
            return position < self.cursor.get();
        }
        let Some(word) = ring.claim_word(self.group, position) else { return false };
        let word = word.load(order!("shared.load", Acquire));
        let mine = claim::state(word) == claim::TAKEN && claim::owner(word) == self.row;
        claim::age(word, ring.lap(position)) == Age::Current
            && (mine || claim::state(word) == claim::ACKED)
    }
}
