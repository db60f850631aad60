//! How a producer claims blocks, alone or among others. docs/design.md, section 4.

use super::{Claim, Refused, Ring};
use crate::layout::{Age, Claiming, IDLE, MemberHot, stamp};
use crate::sync::{light_fence, order, recheck};

/// One producer's side: what it may keep in private memory.
pub(crate) struct Publisher {
    row: usize,
    /// Where the next claim starts, while sole.
    tail: u64,
    /// How far this producer may write, in this lap, without looking at the gate. Never beyond the lap's end, so that a claim up to it is in
    /// one piece.
    limit: u64,
    /// The mode word under which this producer is sole, or `NOT_SOLE`.
    sole: u64,
    marks: Marks,
}

/// No mode is ever this one.
const NOT_SOLE: u64 = u64::MAX;

/// Message boundaries that this producer has seen in its last lap, one a stride: where it wanted to claim, and somebody did. They spare
/// it the walk over all that it is going to overwrite. Not kept for rings so small that the walk is short.
#[derive(Default)]
struct Marks(Vec<u64>);

const MARKED_RING: u64 = 512;

impl Marks {
    /// Notes where a claim begins. Returns where the next note is due, at the latest.
    fn note(&mut self, ring: &Ring, claim: &Claim) -> u64 {
        if ring.geometry.ring() < MARKED_RING {
            return u64::MAX;
        }
        let count = ring.geometry.ring() / ring.stride() + 1;
        self.0.resize(count as usize, IDLE);
        if let Some(mark) = self.0.get_mut((claim.start / ring.stride() % count) as usize) {
            *mark = claim.start;
        }
        claim.end.max(claim.start.wrapping_add(ring.stride()))
    }

    /// The first from a position on, unless that is far.
    fn find(&self, ring: &Ring, from: u64) -> Option<u64> {
        let first = from / ring.stride();
        (first..first.saturating_add(3)).find_map(|stride| {
            let slot = stride.checked_rem(self.0.len() as u64)?;
            let mark = *self.0.get(slot as usize)?;
            (mark / ring.stride() == stride && mark >= from).then_some(mark)
        })
    }
}

impl Publisher {
    pub(crate) fn new(row: usize) -> Self {
        Self { row, tail: 0, limit: 0, sole: NOT_SOLE, marks: Marks::default() }
    }

    /// A sole producer's usual case: there is room, in one piece. Returns the claim's start. `None` says nothing but that `claim` must look
    /// closer; it does so even if the claim stands announced already, since it announces the same one again.
    #[inline(always)]
    pub(crate) fn claim_fast(&mut self, ring: &Ring, hot: &MemberHot, blocks: u64) -> Option<u64> {
        let start = self.tail;
        let end = start.wrapping_add(blocks);
        let usual = end <= self.limit
            && self.announce_and_look(ring, hot, &Claim { start, first: start, end });
        usual.then_some(start)
    }

    /// Claims contiguous blocks. What is claimed must be published or padded: others wait for it.
    pub(crate) fn claim(&mut self, ring: &Ring, blocks: u64) -> Result<Claim, Refused> {
        let claim = ring.place(self.tail, blocks);
        if self.sole == NOT_SOLE || claim.end > self.limit {
            return self.claim_slowly(ring, blocks);
        }
        if self.announce_and_look(ring, self.hot(ring)?, &claim) {
            Ok(claim)
        } else {
            self.claim_announced(ring, claim)
        }
    }

    /// Step 1 and 2 of a sole claim. False: not sole any more, and the claim stands announced.
    #[inline(always)]
    fn announce_and_look(&mut self, ring: &Ring, hot: &MemberHot, claim: &Claim) -> bool {
        announce(hot, claim);
        if recheck!("sole.fence") {
            // Nobody is sole in a queue whose fences are real ones.
            light_fence(false);
        }
        if recheck!("sole.look")
            && ring.control.doors.mode.load(order!("sole.mode", Acquire)) != self.sole
        {
            return false;
        }
        self.tail = claim.end;
        true
    }

    fn hot<'r>(&self, ring: &'r Ring) -> Result<&'r MemberHot, Refused> {
        ring.members.get(self.row).map(|member| &*member.hot).ok_or(Refused::Damaged)
    }

    /// A claim that was announced in a solitude that has ended: ours, unless somebody got there first.
    #[cold]
    fn claim_announced(&mut self, ring: &Ring, claim: Claim) -> Result<Claim, Refused> {
        self.sole = NOT_SOLE;
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
                    // It may be of a later lap than the new tail.
                    self.limit = 0;
                    self.sole = mode.0;
                }
                let claim = ring.place(self.tail, blocks);
                self.make_room(ring, &claim)?;
                if self.announce_and_look(ring, self.hot(ring)?, &claim) {
                    return Ok(claim);
                }
                self.sole = NOT_SOLE;
                ring.control.tail.fetch_max(claim.start, order!("tail.switch", AcqRel));
                if self.take(ring, &claim)? {
                    return Ok(claim);
                }
                continue;
            }
            self.sole = NOT_SOLE;
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
            announce(self.hot(ring)?, &claim);
            if self.take(ring, &claim)? {
                return Ok(claim);
            }
        }
        Err(Refused::Damaged)
    }

    /// The floor that makes it worth waking a producer who waits for so many blocks: his claim's need and an eighth of the ring.
    pub(crate) fn wanted_floor(&self, ring: &Ring, blocks: u64) -> u64 {
        let start = if self.sole != NOT_SOLE {
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
            let next_note = self.marks.note(ring, claim);
            let limit = ring.limit(claim.start, claim.end, |from| self.marks.find(ring, from))?;
            let lap_end = (claim.end.wrapping_sub(1) | ring.mask).wrapping_add(1);
            self.limit = limit.min(lap_end).min(next_note);
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

#[inline(always)]
fn announce(hot: &MemberHot, claim: &Claim) {
    hot.blocks.store(claim.end.wrapping_sub(claim.start), order!("announce.blocks", Release));
    hot.announced.store(claim.start, order!("announce.start", Release));
}
