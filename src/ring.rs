//! The ring: publish, the gate, and looking at what lies at a position. Over borrowed rows; it knows no file, clock or
//! process. The protocol and why it holds: docs/design.md, sections 3, 4 and 6.

// Paths are spelt out for the loom suite, which includes this file from elsewhere.
#[path = "ring/gate.rs"]
mod gate;
#[path = "ring/publisher.rs"]
mod publisher;

pub(crate) use publisher::Publisher;

use crate::blocks::Blocks;
use crate::layout::{
    Age, Claiming, Control, Entry, Extent, Geometry, Group, IDLE, Kind, Member, Mode, stamp,
};
use crate::sync::{AtomicU64, Relaxed, fence, light_fence, order, recheck, spin_loop};

/// All that the protocol works on. Copies of the borrows, and the geometry in private memory.
#[derive(Clone, Copy)]
pub(crate) struct Ring<'a> {
    pub control: &'a Control,
    pub groups: &'a [Group],
    pub members: &'a [Member],
    entries: &'a [Entry],
    /// All groups' claim words, `claims_stride` words a group.
    claims: &'a [AtomicU64],
    claims_stride: usize,
    /// Of a position, its index.
    mask: u64,
    pub blocks: Blocks<'a>,
    pub geometry: Geometry,
    /// The cold side of an asymmetric pair of fences.
    pub heavy_fence: fn(),
}

/// What lies at a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Span {
    /// Nobody has claimed it in this lap.
    Open,
    Message {
        extent: Extent,
        blocks: u64,
    },
    Pad {
        blocks: u64,
    },
    Claimed {
        owner: usize,
        blocks: u64,
    },
    /// Overwritten: of a later lap.
    Passed,
    /// No honest participant writes this.
    Damaged,
}

/// A producer's blocks `[start, end)`, of which the message takes those from `first`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub start: u64,
    pub first: u64,
    pub end: u64,
}

/// Why no claim was had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Full,
    Closed,
    Damaged,
}

impl<'a> Ring<'a> {
    /// `None` if the parts do not have the sizes that the geometry says.
    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of one file, told apart by their types"
    )]
    pub(crate) fn new(
        control: &'a Control,
        groups: &'a [Group],
        members: &'a [Member],
        entries: &'a [Entry],
        (claims, claims_stride): (&'a [AtomicU64], usize),
        blocks: Blocks<'a>,
        geometry: Geometry,
        heavy_fence: fn(),
    ) -> Option<Self> {
        let ring = usize::try_from(geometry.ring()).ok()?;
        let fits = entries.len() == ring
            && groups.len() == geometry.max_groups as usize
            && members.len() == geometry.max_members as usize
            && claims_stride >= ring
            && claims.len() >= claims_stride.checked_mul(groups.len())?;
        fits.then_some(Self {
            control,
            groups,
            members,
            entries,
            claims,
            claims_stride,
            mask: geometry.ring() - 1,
            blocks,
            geometry,
            heavy_fence,
        })
    }

    #[inline(always)]
    pub(crate) fn light_fence(&self) {
        light_fence(self.geometry.fenced);
    }

    /// The lap of a position, from one.
    #[inline(always)]
    pub(crate) fn lap(&self, position: u64) -> u64 {
        (position >> self.geometry.ring_shift).wrapping_add(1)
    }

    /// Where a position lies: below the ring's size.
    #[inline(always)]
    pub(crate) fn index(&self, position: u64) -> usize {
        (position & self.mask) as usize
    }

    #[inline(always)]
    pub(crate) fn entry(&self, position: u64) -> &'a Entry {
        let index = self.index(position);
        // SAFETY: an index is below the ring's size, which `new` found to be the number of entries.
        unsafe { self.entries.get_unchecked(index) }
    }

    /// A group's claim word for the message at a position. `group` is below `max_groups`.
    #[inline(always)]
    pub(crate) fn claim_word(&self, group: usize, position: u64) -> Option<&'a AtomicU64> {
        self.claims.get(group * self.claims_stride + self.index(position))
    }

    /// How often a loop that others can send round again may go round: more than any honest contention needs.
    pub(crate) fn patience(&self) -> u64 {
        self.geometry.ring() + (1 << 16)
    }

    #[inline(always)]
    pub(crate) fn mode(&self) -> Mode {
        Mode(self.control.doors.mode.load(order!("mode.load", Acquire)))
    }

    pub(crate) fn set_mode(&self, mode: Mode) {
        self.control.doors.mode.store(mode.0, order!("mode.store", Release));
    }

    /// The message at a position, if there is a finished one: the fast half of `span`.
    #[inline(always)]
    pub(crate) fn message_at(&self, position: u64) -> Option<(Extent, u64)> {
        let extent = self.extent_at(position, 0, || 1)?;
        let blocks = self.geometry.blocks(extent.bytes());
        self.fits(position, blocks).then_some((extent, blocks))
    }

    /// The extent of the message at a position, if there is a finished one, or if one comes while this looks `turns` times more, after as long a
    /// pause each time as `pause` says. What it says may not fit into the ring.
    #[inline(always)]
    pub(crate) fn extent_at(
        &self,
        position: u64,
        mut turns: u32,
        pause: impl Fn() -> u32,
    ) -> Option<Extent> {
        let entry = self.entry(position);
        let lap = self.lap(position);
        let ready = stamp::word(lap, 0, stamp::READY);
        loop {
            let word = entry.stamp.load(order!("message.stamp", Acquire));
            if word == ready {
                return Some(Extent(entry.extent.load(order!("message.extent", Acquire))));
            }
            if turns == 0 || stamp::age(word, lap) != Age::Older {
                return None;
            }
            turns -= 1;
            (0..pause()).for_each(|_| spin_loop());
        }
    }

    /// Do so many blocks, one at least, end before the lap does?
    #[inline(always)]
    pub(crate) fn fits(&self, position: u64, blocks: u64) -> bool {
        self.index(position) as u64 + (blocks - 1) <= self.mask
    }

    /// Has nobody claimed the position in this lap?
    #[inline(always)]
    pub(crate) fn is_open(&self, position: u64) -> bool {
        let word = self.entry(position).stamp.load(order!("open.stamp", Acquire));
        stamp::age(word, self.lap(position)) == Age::Older
    }

    /// What lies at a position. The extent of a message that the caller does not lease can be that of a later lap: he checks
    /// afterwards that the position had not been passed.
    #[inline]
    pub(crate) fn span(&self, position: u64) -> Span {
        let entry = self.entry(position);
        let lap = self.lap(position);
        let ring = self.geometry.ring();
        // A claim's stamp changes once in a lap; whoever changes it more often is not honest.
        for _ in 0..4 {
            let word = entry.stamp.load(order!("span.stamp", Acquire));
            match stamp::age(word, lap) {
                Age::Older => return Span::Open,
                Age::Newer => return Span::Passed,
                Age::Current => {}
            }
            match stamp::state(word) {
                stamp::READY => {
                    let extent = Extent(entry.extent.load(order!("span.extent", Acquire)));
                    let blocks = self.geometry.blocks(extent.bytes());
                    if self.index(position) as u64 + blocks > ring {
                        return self.unless_passed(position, word);
                    }
                    return Span::Message { extent, blocks };
                }
                stamp::PAD => {
                    let blocks = entry.extent.load(order!("span.pad", Acquire));
                    if blocks == 0 || blocks > ring {
                        return self.unless_passed(position, word);
                    }
                    return Span::Pad { blocks };
                }
                stamp::CLAIMED => {
                    let owner = stamp::owner(word);
                    let Some(member) = self.members.get(owner) else { return Span::Damaged };
                    let blocks = member.hot.blocks.load(order!("span.blocks", Acquire));
                    // He may have finished and gone on to another claim between the two loads.
                    if recheck!("span.owner") && entry.stamp.load(Relaxed) != word {
                        continue;
                    }
                    if blocks == 0 || blocks > ring {
                        return Span::Damaged;
                    }
                    return Span::Claimed { owner, blocks };
                }
                _ => return Span::Damaged,
            }
        }
        Span::Damaged
    }

    /// An extent that makes no sense is damage, unless the next lap's writer is just at it.
    #[cold]
    fn unless_passed(&self, position: u64, word: u64) -> Span {
        fence(order!("passed.fence", Acquire));
        let passed = self.control.gate.load(Relaxed) > position
            || self.entry(position).stamp.load(Relaxed) != word;
        if passed { Span::Passed } else { Span::Damaged }
    }

    /// The claim of `blocks` at a start: over the rest of the lap too, if they do not fit before its end.
    #[inline(always)]
    fn place(&self, start: u64, blocks: u64) -> Claim {
        let ring = self.geometry.ring();
        let left = ring - (start & (ring - 1));
        let first = if blocks <= left { start } else { start.wrapping_add(left) };
        Claim { start, first, end: first.wrapping_add(blocks) }
    }

    /// The first position that nobody has claimed, found by walking from the best hint: `known` is a boundary, or zero. `None` if the chain is
    /// damaged.
    pub(crate) fn frontier(&self, known: u64) -> Option<u64> {
        let gate = || self.control.gate.load(order!("gate.load", Acquire));
        let tail = self.control.tail.load(order!("tail.load", Acquire));
        let mut at = known.max(tail).max(gate());
        if let Claiming::Sole(row) | Claiming::Switching(row) = self.mode().claiming() {
            at = at.max(self.announced_claim(row).unwrap_or(at));
        }
        for _ in 0..self.patience() {
            let span = self.span(at);
            // What lies below the gate may have been overwritten while we read.
            let gate = gate();
            if recheck!("frontier.gate") && gate > at {
                at = gate;
                continue;
            }
            match span {
                Span::Open => return Some(at),
                Span::Message { blocks, .. }
                | Span::Pad { blocks }
                | Span::Claimed { blocks, .. } => at = at.wrapping_add(blocks),
                Span::Passed | Span::Damaged => return None,
            }
        }
        None
    }

    /// Where a producer announced its current or last claim; `None` if it never did, or if it cannot be true.
    pub(crate) fn announced_claim(&self, row: usize) -> Option<u64> {
        let announced =
            self.members.get(row)?.hot.announced.load(order!("announced.load", Acquire));
        let gate = self.control.gate.load(Relaxed);
        let plausible = announced != IDLE && announced.wrapping_sub(gate) <= self.geometry.ring();
        plausible.then_some(announced)
    }

    /// After a claim up to `end`: moves the tail, once it lags. Members share its line, and moving it is a read-modify-write.
    #[inline(always)]
    fn move_tail(&self, end: u64) {
        let tail = &self.control.tail;
        let seen = tail.load(order!("tail.lag", Acquire));
        if end.saturating_sub(seen) > self.slack() {
            let _ = tail.compare_exchange(seen, end, order!("tail.move", Release), Relaxed);
        }
    }

    /// How far, in blocks, the tail may be behind the frontier, and a floor behind the acks: whoever needs to know better walks so far.
    #[inline(always)]
    fn slack(&self) -> u64 {
        (self.geometry.ring() / 16).min(64)
    }

    /// Turns a whole claim into padding.
    pub(crate) fn pad(&self, start: u64, blocks: u64) {
        let entry = self.entry(start);
        entry.extent.store(blocks, order!("pad.extent", Release));
        let word = stamp::word(self.lap(start), 0, stamp::PAD);
        entry.stamp.store(word, order!("pad.stamp", Release));
    }

    /// Makes one message of a claim visible, padding what it leaves over; `first` of the claim's messages last.
    #[inline(always)]
    pub(crate) fn publish(&self, claim: &Claim, extent: Extent) {
        let end = claim.first.wrapping_add(self.geometry.blocks(extent.bytes()));
        if end != claim.end {
            self.pad(end, claim.end.wrapping_sub(end));
        }
        self.ready(claim.first, extent);
        if claim.first != claim.start {
            self.pad(claim.start, claim.first.wrapping_sub(claim.start));
        }
    }

    /// Writes one message's bookkeeping.
    #[inline(always)]
    pub(crate) fn ready(&self, position: u64, extent: Extent) {
        self.ready_with(position, self.ready_word(position), extent);
    }

    /// The same, with the word that is that of all finished messages of a lap.
    #[inline(always)]
    pub(crate) fn ready_with(&self, position: u64, word: u64, extent: Extent) {
        let entry = self.entry(position);
        entry.extent.store(extent.0, order!("ready.extent", Release));
        entry.stamp.store(word, order!("ready.stamp", Release));
    }

    #[inline(always)]
    pub(crate) fn ready_word(&self, position: u64) -> u64 {
        stamp::word(self.lap(position), 0, stamp::READY)
    }
}

impl Group {
    pub(crate) fn mode(&self) -> Mode {
        Mode(self.info.mode.load(order!("group.mode", Acquire)))
    }
    pub(crate) fn set_mode(&self, mode: Mode) {
        self.info.mode.store(mode.0, order!("group.set_mode", Release));
    }
    #[inline(always)]
    pub(crate) fn floor(&self) -> u64 {
        self.floor.load(order!("group.floor", Acquire))
    }
    pub(crate) fn kind(&self) -> Option<Kind> {
        Kind::from_state(self.info.state.load(order!("group.state", Acquire)))
    }
}
