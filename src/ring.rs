//! The ring: publish, the gate, and looking at what lies at a position. Over borrowed rows; it knows no file, clock or
//! process. The protocol and why it holds: docs/design.md, sections 3, 4 and 6.

use crate::blocks::Blocks;
use crate::layout::{
    Age, Claiming, Control, Entry, Extent, Geometry, Group, IDLE, Kind, Member, Mode, claim, stamp,
};
use crate::sync::{AtomicU64, Relaxed, SeqCst, fence, light_fence, order, recheck};

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

    #[inline(always)]
    pub(crate) fn entry(&self, position: u64) -> &'a Entry {
        let index = self.geometry.index(position);
        // SAFETY: an index is below the ring's size, which `new` found to be the number of entries.
        unsafe { self.entries.get_unchecked(index) }
    }

    /// A group's claim word for the message at a position. `group` is below `max_groups`.
    #[inline(always)]
    pub(crate) fn claim_word(&self, group: usize, position: u64) -> Option<&'a AtomicU64> {
        self.claims.get(group * self.claims_stride + self.geometry.index(position))
    }

    /// How often a loop that others can send round again may go round: more than any honest contention needs.
    pub(crate) fn patience(&self) -> u64 {
        self.geometry.ring() + (1 << 16)
    }

    pub(crate) fn mode(&self) -> Mode {
        Mode(self.control.doors.mode.load(order!("mode.load", Acquire)))
    }

    pub(crate) fn set_mode(&self, mode: Mode) {
        self.control.doors.mode.store(mode.0, order!("mode.store", Release));
    }

    /// The message at a position, if there is a finished one: the fast half of `span`.
    #[inline(always)]
    pub(crate) fn message_at(&self, position: u64) -> Option<(Extent, u64)> {
        let entry = self.entry(position);
        let ready = stamp::word(self.lap(position), 0, stamp::READY);
        if entry.stamp.load(order!("message.stamp", Acquire)) != ready {
            return None;
        }
        let extent = Extent(entry.extent.load(order!("message.extent", Acquire)));
        let blocks = self.geometry.blocks(extent.bytes());
        (self.geometry.index(position) as u64 + blocks <= self.geometry.ring())
            .then_some((extent, blocks))
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
                    if self.geometry.index(position) as u64 + blocks > ring {
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

    /// The first position that nobody has claimed, found by walking from the best hint. `None` if the chain is damaged.
    pub(crate) fn frontier(&self) -> Option<u64> {
        for _ in 0..4 {
            let gate = self.control.gate.load(order!("gate.load", Acquire));
            let mut at = self.control.tail.load(order!("tail.load", Acquire)).max(gate);
            if let Claiming::Sole(row) | Claiming::Switching(row) = self.mode().claiming() {
                at = at.max(self.announced_claim(row).unwrap_or(gate));
            }
            for _ in 0..self.patience() {
                match self.span(at) {
                    Span::Open => return Some(at),
                    Span::Message { blocks, .. }
                    | Span::Pad { blocks }
                    | Span::Claimed { blocks, .. } => at = at.wrapping_add(blocks),
                    // The hint was overtaken: take a newer one.
                    Span::Passed => break,
                    Span::Damaged => return None,
                }
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

    /// Moves tail over a finished or known claim. False if the chain is damaged there.
    fn help_tail(&self, tail: u64) -> bool {
        match self.span(tail) {
            Span::Message { blocks, .. } | Span::Pad { blocks } | Span::Claimed { blocks, .. } => {
                self.move_tail(tail, tail.wrapping_add(blocks));
                true
            }
            Span::Open | Span::Passed => true,
            // Damaged as we saw it; if the tail moved meanwhile we saw another lap.
            Span::Damaged => self.control.tail.load(Relaxed) != tail,
        }
    }

    fn move_tail(&self, from: u64, to: u64) {
        let tail = &self.control.tail;
        let _ = tail.compare_exchange(from, to, order!("tail.move", Release), Relaxed);
    }

    /// The oldest position that somebody reliable still needs: the least floor, or the claimer's own start.
    fn oldest_needed(&self, start: u64) -> u64 {
        let floors = self.gating_groups().filter_map(|group| self.groups.get(group));
        floors.fold(start, |oldest, row| oldest.min(row.floor.load(order!("floor.gate", Acquire))))
    }

    /// Moves a group's floor over padding and acked messages. True if it moved.
    pub(crate) fn help_floor(&self, group: usize) -> bool {
        let Some(row) = self.groups.get(group) else { return false };
        let mut moved = false;
        for _ in 0..self.patience() {
            let floor = row.floor();
            let mut at = floor;
            // A stretch at a time: the CAS shows that all that was read was still in place.
            for _ in 0..1024 {
                match self.span(at) {
                    Span::Pad { blocks } => at = at.wrapping_add(blocks),
                    Span::Message { blocks, .. } if self.is_acked(group, at) => {
                        at = at.wrapping_add(blocks)
                    }
                    _ => break,
                }
            }
            if at == floor {
                return moved;
            }
            let swap = row.floor.compare_exchange(floor, at, order!("floor.help", AcqRel), Relaxed);
            moved |= swap.is_ok();
        }
        moved
    }

    /// Has a named group acked a message? The words of others have no memory.
    pub(crate) fn is_acked(&self, group: usize, position: u64) -> bool {
        if self.groups.get(group).and_then(Group::kind) != Some(Kind::Named) {
            return false;
        }
        let Some(word) = self.claim_word(group, position) else { return false };
        let word = word.load(order!("acked.load", Acquire));
        claim::age(word, self.lap(position)) == Age::Current && claim::state(word) == claim::ACKED
    }

    /// The groups that gate producers.
    fn gating_groups(&self) -> impl Iterator<Item = usize> {
        self.control.gating.iter().enumerate().flat_map(|(i, word)| {
            let mut bits = word.load(order!("gating.load", Acquire));
            core::iter::from_fn(move || {
                let at = bits.trailing_zeros() as usize;
                bits &= bits.wrapping_sub(1);
                (at < 64).then_some(i * 64 + at)
            })
        })
    }

    /// Floors that nobody has moved over what is done already, for want of a member who looks: a producer that needs room does.
    #[cold]
    fn help_floors_below(&self, needed: u64) {
        for group in self.gating_groups() {
            if self.groups.get(group).is_some_and(|row| row.floor() < needed) {
                self.help_floor(group);
            }
        }
    }

    /// Walks the gate on to a message boundary at or above `wanted`, and a little further, but never above `allowed` or over a
    /// claim that is still being written. Returns where it is then.
    fn advance_gate(&self, wanted: u64, allowed: u64) -> Result<u64, Refused> {
        let goal = allowed.min(wanted.saturating_add((self.geometry.ring() / 8).min(256)));
        let word = &self.control.gate;
        for _ in 0..self.patience() {
            let before = word.load(order!("gate.load", Acquire));
            if before >= wanted {
                return Ok(before);
            }
            let walked = self.walk(before, goal, allowed);
            // Only if the gate has not moved was all that we walked over still there.
            match word.compare_exchange(
                before,
                walked.unwrap_or(before),
                order!("gate.publish", AcqRel),
                Relaxed,
            ) {
                Ok(_) => return walked.ok_or(Refused::Damaged),
                Err(_) => continue,
            }
        }
        Err(Refused::Damaged)
    }

    /// The last boundary of finished claims from `from` that is not above `limit`; stops once past `goal`. `None`: damaged, if
    /// nobody has overwritten it meanwhile.
    fn walk(&self, from: u64, goal: u64, limit: u64) -> Option<u64> {
        let mut at = from;
        while at < goal {
            match self.span(at) {
                Span::Message { blocks, .. } | Span::Pad { blocks }
                    if at.wrapping_add(blocks) <= limit =>
                {
                    at = at.wrapping_add(blocks)
                }
                Span::Damaged | Span::Passed => return None,
                _ => break,
            }
        }
        Some(at)
    }

    /// How far a producer that starts at `start` and needs all up to `end` may write from now on.
    fn limit(&self, start: u64, end: u64) -> Result<u64, Refused> {
        let ring = self.geometry.ring();
        let wanted = end.saturating_sub(ring);
        let mut gate = self.control.gate.load(order!("gate.load", Acquire));
        if gate < wanted {
            let mut allowed = self.oldest_needed(start).saturating_sub(self.geometry.retain);
            if allowed < wanted {
                self.help_floors_below(wanted.saturating_add(self.geometry.retain));
                allowed = self.oldest_needed(start).saturating_sub(self.geometry.retain);
            }
            if allowed < wanted {
                return Err(Refused::Full);
            }
            gate = self.advance_gate(wanted, allowed)?;
        }
        // A group that joined meanwhile either sees this gate or is seen by this second scan.
        if recheck!("gate.fence") {
            fence(SeqCst);
        }
        let oldest = if recheck!("gate.rescan") { self.oldest_needed(start) } else { gate };
        let limit = gate.min(oldest).saturating_add(ring);
        if end <= limit { Ok(limit) } else { Err(Refused::Full) }
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
        let entry = self.entry(position);
        entry.extent.store(extent.0, order!("ready.extent", Release));
        let word = stamp::word(self.lap(position), 0, stamp::READY);
        entry.stamp.store(word, order!("ready.stamp", Release));
    }
}

impl Group {
    pub(crate) fn mode(&self) -> Mode {
        Mode(self.info.mode.load(order!("group.mode", Acquire)))
    }
    pub(crate) fn set_mode(&self, mode: Mode) {
        self.info.mode.store(mode.0, order!("group.set_mode", Release));
    }
    pub(crate) fn floor(&self) -> u64 {
        self.floor.load(order!("group.floor", Acquire))
    }
    pub(crate) fn kind(&self) -> Option<Kind> {
        Kind::from_state(self.info.state.load(order!("group.state", Acquire)))
    }
}

/// One producer's side: what it may keep in private memory.
pub(crate) struct Publisher {
    row: usize,
    /// Where the next claim starts, while sole.
    tail: u64,
    /// How far this producer may write without looking at the gate.
    limit: u64,
    /// The mode word under which this producer is sole; 0 (vacant) when it is not.
    sole: u64,
}

impl Publisher {
    pub(crate) fn new(row: usize) -> Self {
        Self { row, tail: 0, limit: 0, sole: 0 }
    }

    /// A sole producer's usual case: there is room. `None` says nothing but that `claim` must look closer; it does so even if the
    /// claim stands announced already, since it announces the same one again.
    #[inline(always)]
    pub(crate) fn claim_fast(&mut self, ring: &Ring, blocks: u64) -> Option<Claim> {
        let claim = ring.place(self.tail, blocks);
        let usual =
            self.sole != 0 && claim.end <= self.limit && self.announce_and_look(ring, &claim);
        usual.then_some(claim)
    }

    /// Claims contiguous blocks. What is claimed must be published or padded: others wait for it.
    pub(crate) fn claim(&mut self, ring: &Ring, blocks: u64) -> Result<Claim, Refused> {
        let claim = ring.place(self.tail, blocks);
        if self.sole == 0 || claim.end > self.limit {
            return self.claim_slowly(ring, blocks);
        }
        if self.announce_and_look(ring, &claim) {
            Ok(claim)
        } else {
            self.claim_announced(ring, claim)
        }
    }

    /// Step 1 and 2 of a sole claim. False: not sole any more, and the claim stands announced.
    #[inline(always)]
    fn announce_and_look(&mut self, ring: &Ring, claim: &Claim) -> bool {
        self.announce(ring, claim);
        if recheck!("sole.fence") {
            ring.light_fence();
        }
        if recheck!("sole.look")
            && ring.control.doors.mode.load(order!("sole.mode", Acquire)) != self.sole
        {
            return false;
        }
        self.tail = claim.end;
        true
    }

    #[inline(always)]
    fn announce(&self, ring: &Ring, claim: &Claim) {
        if let Some(member) = ring.members.get(self.row) {
            let hot = &member.hot;
            hot.blocks
                .store(claim.end.wrapping_sub(claim.start), order!("announce.blocks", Release));
            hot.announced.store(claim.start, order!("announce.start", Release));
        }
    }

    /// A claim that was announced in a solitude that has ended: ours, unless somebody got there first.
    #[cold]
    fn claim_announced(&mut self, ring: &Ring, claim: Claim) -> Result<Claim, Refused> {
        self.sole = 0;
        ring.control.tail.fetch_max(claim.start, order!("tail.switch", AcqRel));
        if self.take(ring, &claim)? {
            Ok(claim)
        } else {
            self.claim_slowly(ring, claim.end.wrapping_sub(claim.first))
        }
    }

    #[cold]
    fn claim_slowly(&mut self, ring: &Ring, blocks: u64) -> Result<Claim, Refused> {
        for _ in 0..ring.patience() {
            let mode = ring.mode();
            if mode.is_closed() {
                return Err(Refused::Closed);
            }
            if mode.claiming() == Claiming::Sole(self.row) {
                if self.sole != mode.0 {
                    self.tail = ring.frontier().ok_or(Refused::Damaged)?;
                    self.sole = mode.0;
                }
                let claim = ring.place(self.tail, blocks);
                self.make_room(ring, &claim)?;
                if self.announce_and_look(ring, &claim) {
                    return Ok(claim);
                }
                self.sole = 0;
                ring.control.tail.fetch_max(claim.start, order!("tail.switch", AcqRel));
                if self.take(ring, &claim)? {
                    return Ok(claim);
                }
                continue;
            }
            self.sole = 0;
            let tail = ring.control.tail.load(order!("tail.load", Acquire));
            let word = ring.entry(tail).stamp.load(order!("claim.stamp", Acquire));
            if stamp::age(word, ring.lap(tail)) != Age::Older {
                if !ring.help_tail(tail) {
                    return Err(Refused::Damaged);
                }
                continue;
            }
            let claim = ring.place(tail, blocks);
            self.make_room(ring, &claim)?;
            self.announce(ring, &claim);
            if self.take(ring, &claim)? {
                return Ok(claim);
            }
        }
        Err(Refused::Damaged)
    }

    /// The floor that makes it worth waking a producer who waits for so many blocks: his claim's need and an eighth of the ring.
    pub(crate) fn wanted_floor(&self, ring: &Ring, blocks: u64) -> u64 {
        let start = if self.sole != 0 {
            self.tail
        } else {
            ring.control.tail.load(order!("tail.load", Acquire))
        };
        let size = ring.geometry.ring();
        ring.place(start, blocks)
            .end
            .saturating_sub(size)
            .saturating_add(ring.geometry.retain + size / 8)
    }

    fn make_room(&mut self, ring: &Ring, claim: &Claim) -> Result<(), Refused> {
        if claim.end > self.limit {
            self.limit = ring.limit(claim.start, claim.end)?;
        }
        Ok(())
    }

    /// Takes an announced claim by CAS on its first stamp. False if another producer was first.
    fn take(&mut self, ring: &Ring, claim: &Claim) -> Result<bool, Refused> {
        let stamp = &ring.entry(claim.start).stamp;
        let lap = ring.lap(claim.start);
        let mine = stamp::word(lap, self.row, stamp::CLAIMED);
        let seen = stamp.load(order!("take.stamp", Acquire));
        let taken = match stamp::age(seen, lap) {
            // Whoever ended our solitude may have claimed on our behalf.
            Age::Older => match stamp.compare_exchange(
                seen,
                mine,
                order!("take.claim", AcqRel),
                order!("take.lost", Acquire),
            ) {
                Ok(_) => true,
                Err(now) => now == mine,
            },
            _ => seen == mine,
        };
        if !taken {
            return Ok(false);
        }
        if recheck!("close.fence") {
            ring.light_fence();
        }
        if recheck!("close.look") && ring.mode().is_closed() {
            ring.pad(claim.start, claim.end.wrapping_sub(claim.start));
            return Err(Refused::Closed);
        }
        ring.move_tail(claim.start, claim.end);
        self.tail = claim.end;
        Ok(true)
    }
}
