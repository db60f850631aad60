//! How a producer claims blocks, alone or among others. docs/design.md, section 4.

use super::{Claim, Refused, Ring};
use crate::layout::{Age, Claiming, IDLE, MemberHot, stamp};
use crate::sync::{AtomicU64, light_fence, order, recheck};

/// One producer's side: what it may keep in private memory.
pub(crate) struct Publisher {
    row: usize,
    /// Where this producer's last claim ended: while it is sole the next one starts there.
    tail: u64,
    /// The mode word under which it claimed last, or `NO_MODE`.
    mode: u64,
    /// How far this producer may write, in this lap, without looking at the gate: as a sole one, and as one among several. One of the two is
    /// zero. Never beyond the lap's end, so that a claim up to it is in one piece.
    alone: u64,
    among: u64,
    marks: Marks,
}

/// No mode is ever this one.
const NO_MODE: u64 = u64::MAX;

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
        let lead = ring.lead(claim.end.wrapping_sub(claim.start));
        claim.end.max(claim.start.wrapping_add(lead))
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
        Self { row, tail: 0, mode: NO_MODE, alone: 0, among: 0, marks: Marks::default() }
    }

    /// Under another mode limits begin anew: the old ones may be of a later lap than the tail is.
    fn enter(&mut self, mode: u64) {
        self.mode = mode;
        self.alone = 0;
        self.among = 0;
    }

    /// A sole producer's usual case: there is room, in one piece. Returns the claim's start. `None` says nothing but that `claim` must look
    /// closer; it does so even if the claim stands announced already, since it announces the same one again.
    ///
    /// Who is not sole announces nothing here: whoever takes him to be sole, which he may be without knowing it, would claim it on his behalf.
    #[inline(always)]
    pub(crate) fn claim_fast(&mut self, ring: &Ring, hot: &MemberHot, blocks: u64) -> Option<u64> {
        let start = self.tail;
        let end = start.wrapping_add(blocks);
        let usual = end <= self.alone
            && self.announce_and_look(ring, hot, &Claim { start, first: start, end });
        usual.then_some(start)
    }

    /// Claims contiguous blocks. What is claimed must be published or padded: others wait for it.
    pub(crate) fn claim(&mut self, ring: &Ring, blocks: u64) -> Result<Claim, Refused> {
        if let Some(start) = self.claim_among(ring, blocks) {
            return Ok(Claim { start, first: start, end: start.wrapping_add(blocks) });
        }
        let claim = ring.place(self.tail, blocks);
        if claim.end > self.alone {
            return self.claim_slowly(ring, blocks);
        }
        if self.announce_and_look(ring, self.hot(ring)?, &claim)
            || self.take_announced(ring, &claim)?
        {
            return Ok(claim);
        }
        self.claim_slowly(ring, blocks)
    }

    /// The usual case of one among several: there is room, in one piece, and nobody has claimed what comes next. Returns the claim's start. `None`
    /// says nothing but that `claim` must look closer.
    ///
    /// Nobody else has claimed behind this producer's own last claim if the stamp there is an older one, however far behind the tail is.
    #[inline(always)]
    pub(crate) fn claim_among(&mut self, ring: &Ring, blocks: u64) -> Option<u64> {
        let start = self.tail.max(ring.control.tail.load(order!("tail.load", Acquire)));
        let claim = Claim { start, first: start, end: start.wrapping_add(blocks) };
        if claim.end > self.among {
            return None;
        }
        let stamp = &ring.entry(start).stamp;
        let lap = ring.lap(start);
        let seen = stamp.load(order!("claim.stamp", Acquire));
        if stamp::age(seen, lap) != Age::Older {
            return None;
        }
        announce(self.hot(ring).ok()?, &claim);
        let mine = stamp::word(lap, self.row, stamp::CLAIMED);
        if !win(stamp, seen, mine) {
            return None;
        }
        if recheck!("close.fence") {
            ring.light_fence();
        }
        if recheck!("close.look") && ring.mode().0 != self.mode {
            return self.claimed_in_another_mode(ring, claim);
        }
        ring.move_tail(claim.end);
        self.tail = claim.end;
        Some(start)
    }

    /// Closed meanwhile, or alone from now on.
    #[cold]
    fn claimed_in_another_mode(&mut self, ring: &Ring, claim: Claim) -> Option<u64> {
        self.enter(NO_MODE);
        if ring.mode().is_closed() {
            ring.pad(claim.start, claim.end.wrapping_sub(claim.start));
            return None;
        }
        self.tail = claim.end;
        Some(claim.start)
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
            && ring.control.doors.mode.load(order!("sole.mode", Acquire)) != self.mode
        {
            return false;
        }
        self.tail = claim.end;
        true
    }

    fn hot<'r>(&self, ring: &'r Ring) -> Result<&'r MemberHot, Refused> {
        ring.members.get(self.row).map(|member| &*member.hot).ok_or(Refused::Damaged)
    }

    /// A claim that was announced in a solitude that has ended. True if it is ours: nobody got there first.
    #[cold]
    fn take_announced(&mut self, ring: &Ring, claim: &Claim) -> Result<bool, Refused> {
        self.enter(NO_MODE);
        ring.control.tail.fetch_max(claim.start, order!("tail.switch", AcqRel));
        self.take(ring, claim)
    }

    #[cold]
    fn claim_slowly(&mut self, ring: &Ring, blocks: u64) -> Result<Claim, Refused> {
        for _ in 0..ring.patience() {
            let mode = ring.mode();
            if mode.is_closed() {
                return Err(Refused::Closed);
            }
            if self.mode != mode.0 {
                self.enter(mode.0);
            }
            if self.alone == 0 {
                self.tail = ring.frontier(self.tail).ok_or(Refused::Damaged)?;
            }
            let claim = ring.place(self.tail, blocks);
            let taken = if mode.claiming() == Claiming::Sole(self.row) {
                if claim.end > self.alone {
                    self.alone = self.room(ring, &claim)?;
                }
                self.announce_and_look(ring, self.hot(ring)?, &claim)
                    || self.take_announced(ring, &claim)?
            } else {
                if claim.end > self.among {
                    self.among = self.room(ring, &claim)?;
                }
                announce(self.hot(ring)?, &claim);
                self.take(ring, &claim)?
            };
            if taken {
                return Ok(claim);
            }
        }
        Err(Refused::Damaged)
    }

    /// The floor that makes it worth waking a producer who waits for so many blocks: his claim's need and an eighth of the ring.
    pub(crate) fn wanted_floor(&self, ring: &Ring, blocks: u64) -> u64 {
        let start = self.tail.max(ring.control.tail.load(order!("tail.load", Acquire)));
        let size = ring.geometry.ring();
        ring.place(start, blocks)
            .end
            .saturating_sub(size)
            .saturating_add(ring.geometry.retain + size / 8)
    }

    /// How far this producer may write if it begins with this claim.
    fn room(&mut self, ring: &Ring, claim: &Claim) -> Result<u64, Refused> {
        let next_note = self.marks.note(ring, claim);
        let limit = ring.limit(claim.start, claim.end, |from| self.marks.find(ring, from))?;
        let lap_end = (claim.end.wrapping_sub(1) | ring.mask).wrapping_add(1);
        Ok(limit.min(lap_end).min(next_note))
    }

    /// Takes an announced claim by CAS on its first stamp. False if another producer was first.
    fn take(&mut self, ring: &Ring, claim: &Claim) -> Result<bool, Refused> {
        let stamp = &ring.entry(claim.start).stamp;
        let lap = ring.lap(claim.start);
        let mine = stamp::word(lap, self.row, stamp::CLAIMED);
        let seen = stamp.load(order!("take.stamp", Acquire));
        let taken = match stamp::age(seen, lap) {
            Age::Older => win(stamp, seen, mine),
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
        ring.move_tail(claim.end);
        self.tail = claim.end;
        Ok(true)
    }
}

/// Takes an announced claim, whose first stamp was `seen` to be of an earlier lap. Whoever has ended our solitude may have done so on our behalf.
#[inline(always)]
fn win(stamp: &AtomicU64, seen: u64, mine: u64) -> bool {
    let swap = stamp.compare_exchange(
        seen,
        mine,
        order!("take.claim", AcqRel),
        order!("take.lost", Acquire),
    );
    swap.is_ok() || recheck!("take.ours") && swap == Err(mine)
}

#[inline(always)]
fn announce(hot: &MemberHot, claim: &Claim) {
    hot.blocks.store(claim.end.wrapping_sub(claim.start), order!("announce.blocks", Release));
    hot.announced.store(claim.start, order!("announce.start", Release));
}
