//! The gate: what may be overwritten, and the floors that it follows. docs/design.md, section 6.

use super::{Refused, Ring, Span};
use crate::layout::{Age, Group, Kind, ROOM, claim};
use crate::sync::{Relaxed, SeqCst, fence, order, recheck};

impl Ring<'_> {
    /// How far a producer that starts at `start` and needs all up to `end` may write from now on. `boundary` finds a message boundary at or
    /// a little above a position, if the producer knows one.
    pub(super) fn limit(
        &self,
        start: u64,
        end: u64,
        boundary: impl Fn(u64) -> Option<u64>,
    ) -> Result<u64, Refused> {
        let ring = self.geometry.ring();
        let wanted = end.saturating_sub(ring);
        let lead = self.lead(end.saturating_sub(start));
        let mut gate = self.control.gate.load(order!("gate.load", Acquire));
        if gate < wanted {
            gate = self.advance_gate(start, (wanted, lead), boundary(wanted))?;
        }
        if gate < wanted {
            self.help_floors_below(start);
            gate = self.advance_gate(start, (wanted, lead), None)?;
        }
        // A group that joined meanwhile either sees this gate or is seen by this second scan.
        if recheck!("gate.fence") {
            fence(SeqCst);
        }
        let oldest = if recheck!("gate.rescan") { self.oldest_needed(start) } else { gate };
        let limit = gate.min(oldest).saturating_add(ring);
        if end <= limit { Ok(limit) } else { Err(Refused::Full) }
    }

    /// How far a gate, or a limit, goes on at a time, for a claim of so many blocks: a stride, or eight of them, but no more than an eighth of the ring.
    pub(super) fn lead(&self, blocks: u64) -> u64 {
        let most = (self.geometry.ring() / 8).max(1);
        blocks.saturating_mul(8).min(most).max(self.stride())
    }

    /// How far apart marks are: a power of two.
    pub(super) fn stride(&self) -> u64 {
        let ring = self.geometry.ring();
        (ring / 8).min((ring / 32).max(256)).max(1)
    }

    /// The oldest position that somebody reliable still needs: the least floor, or the claimer's own start.
    fn oldest_needed(&self, start: u64) -> u64 {
        self.least_floor().map_or(start, |floor| floor.min(start))
    }

    /// `None` if no group gates producers.
    fn least_floor(&self) -> Option<u64> {
        let floors = self.gating_groups().filter_map(|group| self.groups.get(group));
        floors.map(|row| row.floor.load(order!("floor.gate", Acquire))).min()
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

    /// Walks the gate on to a message boundary at or above `wanted`, and a little further, but never above what somebody needs or over
    /// a claim that is still being written. Returns where it is then, which may be below `wanted`.
    ///
    /// A boundary that is known is taken instead of the walk, if it lies below a floor: all below a floor is finished.
    fn advance_gate(
        &self,
        start: u64,
        (wanted, lead): (u64, u64),
        known: Option<u64>,
    ) -> Result<u64, Refused> {
        let floor = self.least_floor();
        let oldest = floor.map_or(start, |floor| floor.min(start));
        let allowed = oldest.saturating_sub(self.geometry.retain);
        // A floor is a boundary, too.
        let edge = (self.geometry.retain == 0 && allowed <= wanted.saturating_add(lead))
            .then_some(allowed);
        let usable = |at: &u64| floor.is_some() && (wanted..=allowed).contains(at);
        let known = known.filter(usable).or(edge.filter(usable));
        let word = &self.control.gate;
        for _ in 0..self.patience() {
            let before = word.load(order!("gate.load", Acquire));
            if before >= wanted || allowed < wanted {
                return Ok(before);
            }
            let walked = known.or_else(|| self.walk(before, (wanted, lead), allowed, oldest));
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

    /// The last boundary of finished claims from `from` that is not above `allowed`; a little past `wanted` is enough. If there is none at
    /// or above `wanted`, the message over that edge is given up too: history is cut by less than one message, `oldest` is kept.
    /// `None`: damaged, if nobody has overwritten it meanwhile.
    fn walk(
        &self,
        from: u64,
        (wanted, lead): (u64, u64),
        allowed: u64,
        oldest: u64,
    ) -> Option<u64> {
        let goal = allowed.min(wanted.saturating_add(lead));
        let mut at = from;
        while at < goal {
            let end = match self.message_at(at) {
                Some((_, blocks)) => at.wrapping_add(blocks),
                None => match self.span(at) {
                    Span::Message { blocks, .. } | Span::Pad { blocks } => at.wrapping_add(blocks),
                    Span::Damaged | Span::Passed => return None,
                    Span::Open | Span::Claimed { .. } => break,
                },
            };
            if end > allowed && (at >= wanted || end > oldest) {
                break;
            }
            at = end;
        }
        Some(at)
    }

    /// After an ack up to `end`: is it time to move the group's floor? Not for each message, since members share its line and moving it is a
    /// read-modify-write; but when it lags, or a producer waits for room. Without a fence: he wants more room than a floor may lag, so that one of the
    /// acks that make it finds the floor lagging.
    #[inline(always)]
    pub(crate) fn is_floor_wanted(&self, group: usize, end: u64) -> bool {
        let lags = |row: &Group| end.saturating_sub(row.floor()) > self.slack();
        self.control.doors.sleepers.load(Relaxed) & ROOM != 0
            || self.groups.get(group).is_some_and(lags)
    }

    /// Moves a group's floor over padding and acked messages. True if it moved.
    pub(crate) fn help_floor(&self, group: usize) -> bool {
        let Some(row) = self.groups.get(group) else { return false };
        let named = row.kind() == Some(Kind::Named);
        let is_done = |at| named && self.has_acked_word(group, at);
        let mut moved = false;
        for _ in 0..self.patience() {
            let floor = row.floor();
            let mut at = floor;
            // A stretch at a time: the CAS shows that all that was read was still in place.
            for _ in 0..1024 {
                at = match self.message_at(at) {
                    Some((_, blocks)) if is_done(at) => at.wrapping_add(blocks),
                    Some(_) => break,
                    None => match self.span(at) {
                        Span::Pad { blocks } => at.wrapping_add(blocks),
                        Span::Message { blocks, .. } if is_done(at) => at.wrapping_add(blocks),
                        _ => break,
                    },
                };
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
        self.groups.get(group).and_then(Group::kind) == Some(Kind::Named)
            && self.has_acked_word(group, position)
    }

    #[inline(always)]
    fn has_acked_word(&self, group: usize, position: u64) -> bool {
        let Some(word) = self.claim_word(group, position) else { return false };
        let word = word.load(order!("acked.load", Acquire));
        claim::age(word, self.lap(position)) == Age::Current && claim::state(word) == claim::ACKED
    }
}
