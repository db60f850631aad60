//! Repair, and the rare changes of who claims how: docs/design.md, sections 4 (switch), 5 (switch) and 8.
//!
//! Everything here runs under the registry lock, and every step can be done again, since whoever does it may be killed.
//! That a member is dead is the caller's knowledge (he holds its lock byte); a leaving member is released the same way.

use crate::group::make_explicit;
use crate::layout::{Age, Claiming, IDLE, Kind, MemberState, Role, claim, stamp};
use crate::ring::{Ring, Span};
use crate::sync::{Relaxed, SeqCst, fence, order, recheck};

/// What a repair found to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Repaired {
    /// Unfinished claims turned into padding.
    pub holes: u64,
    /// Messages given back to their group.
    pub given_back: u64,
    /// Rows freed.
    pub members: u64,
}

impl core::ops::AddAssign for Repaired {
    fn add_assign(&mut self, other: Self) {
        self.holes += other.holes;
        self.given_back += other.given_back;
        self.members += other.members;
    }
}

impl Ring<'_> {
    pub(crate) fn member_state(&self, row: usize) -> MemberState {
        self.members.get(row).map_or(MemberState(0), |member| {
            MemberState(member.info.state.load(order!("member.state", Acquire)))
        })
    }

    fn set_member_state(&self, row: usize, state: MemberState) {
        if let Some(member) = self.members.get(row) {
            member.info.state.store(state.0, order!("member.set_state", Release));
        }
    }

    /// Members of a role, by row.
    fn members_with(&self, wanted: impl Fn(Role) -> bool) -> impl Iterator<Item = usize> {
        (0..self.members.len())
            .filter(move |row| self.member_state(*row).role().is_some_and(&wanted))
    }

    pub(crate) fn producers(&self) -> impl Iterator<Item = usize> {
        self.members_with(|role| role == Role::Producer)
    }

    pub(crate) fn consumers_of(&self, group: usize) -> impl Iterator<Item = usize> {
        self.members_with(move |role| role == Role::Consumer { group })
    }

    /// Takes a free row for a member whose lock byte the caller holds.
    pub(crate) fn join(&self, row: usize, role: Role) -> Option<()> {
        let member = self.members.get(row)?;
        member.hot.announced.store(IDLE, order!("join.idle", Release));
        member.hot.count.store(0, Relaxed);
        member.info.bell.store(0, Relaxed);
        self.set_member_state(row, self.member_state(row).joined(role));
        if role == Role::Producer { self.settle_producers() } else { Some(()) }
    }

    /// Gives back all that a dead or leaving member has, and frees its row.
    pub(crate) fn release(&self, row: usize) -> Option<Repaired> {
        let mut repaired = Repaired { members: 1, ..Repaired::default() };
        match self.member_state(row).role() {
            Some(Role::Producer) => {
                repaired.holes = self.release_claim(row)?;
                self.free_row(row, &self.control.totals.sent);
                self.settle_producers()?;
            }
            Some(Role::Consumer { group }) => {
                repaired.given_back = self.release_messages(row, group)?;
                // It may lag behind what he has acked, and nobody else may be there to look.
                self.help_floor(group);
                self.free_row(row, &self.control.totals.received);
            }
            None => return Some(Repaired::default()),
        }
        Some(repaired)
    }

    fn free_row(&self, row: usize, total: &crate::sync::AtomicU64) {
        if let Some(member) = self.members.get(row) {
            // A kill between the two lines counts twice; the figure is for people.
            total.fetch_add(member.hot.count.load(Relaxed), Relaxed);
        }
        self.set_member_state(row, self.member_state(row).left());
    }

    /// A producer's unfinished claim becomes padding, all of it: stamps of later messages may stand in it already. Returns how
    /// many there were.
    fn release_claim(&self, row: usize) -> Option<u64> {
        let solitary = matches!(self.mode().claiming(), Claiming::Sole(sole) | Claiming::Switching(sole) if sole == row);
        let mut holes = 0;
        if let Some(start) = self.announced_claim(row) {
            let word = self.entry(start).stamp.load(order!("release.stamp", Acquire));
            // A sole producer's claim has no stamp: his announcement is the claim.
            let open = solitary && stamp::age(word, self.lap(start)) == Age::Older;
            if open || word == stamp::word(self.lap(start), row, stamp::CLAIMED) {
                let blocks =
                    self.members.get(row)?.hot.blocks.load(order!("release.blocks", Acquire));
                if blocks == 0 || blocks > self.geometry.ring() {
                    return None;
                }
                self.pad(start, blocks);
                holes = 1;
            }
        }
        if solitary {
            let frontier = self.frontier(0)?;
            self.control.tail.fetch_max(frontier, order!("tail.release", AcqRel));
            self.set_mode(self.mode().next(Claiming::Vacant));
        }
        Some(holes)
    }

    /// Ends a sole producer's solitude: what he has announced becomes a claim that everybody sees.
    fn end_solitude(&self, former: usize) -> Option<()> {
        self.set_mode(self.mode().next(Claiming::Switching(former)));
        if recheck!("switch.fence") {
            (self.heavy_fence)();
        }
        let frontier = if recheck!("switch.look") {
            self.frontier(0)?
        } else {
            self.control.tail.load(Relaxed)
        };
        self.control.tail.fetch_max(frontier, order!("tail.switch", AcqRel));
        if let Some(start) = self.announced_claim(former).filter(|start| *start == frontier) {
            let entry = self.entry(start);
            let seen = entry.stamp.load(order!("switch.stamp", Acquire));
            if stamp::age(seen, self.lap(start)) == Age::Older {
                let his = stamp::word(self.lap(start), former, stamp::CLAIMED);
                let _ = entry.stamp.compare_exchange(
                    seen,
                    his,
                    order!("switch.convert", AcqRel),
                    Relaxed,
                );
            }
        }
        self.set_mode(self.mode().next(Claiming::Shared));
        Some(())
    }

    /// Makes the producers' mode fit who is there. Also finishes what a killed registry holder left undone.
    pub(crate) fn settle_producers(&self) -> Option<()> {
        let mut producers = self.producers();
        let (first, more) = (producers.next(), producers.next().is_some());
        let mode = self.mode();
        match (mode.claiming(), first) {
            (Claiming::Sole(row), Some(only)) if row == only && !more => {}
            (Claiming::Sole(row) | Claiming::Switching(row), _) => self.end_solitude(row)?,
            _ => {}
        }
        if mode.is_closed() {
            return self.finish_close();
        }
        let mode = self.mode();
        match (mode.claiming(), first) {
            (Claiming::Vacant | Claiming::Shared, Some(only)) if !more && !self.geometry.fenced => {
                self.set_mode(mode.next(Claiming::Sole(only)));
            }
            (Claiming::Vacant, Some(_)) => self.set_mode(mode.next(Claiming::Shared)),
            (Claiming::Shared, None) => self.set_mode(mode.next(Claiming::Vacant)),
            _ => {}
        }
        Some(())
    }

    /// Closes the queue to producers.
    pub(crate) fn close(&self) -> Option<()> {
        if let Claiming::Sole(row) | Claiming::Switching(row) = self.mode().claiming() {
            self.end_solitude(row)?;
        }
        self.set_mode(self.mode().next(Claiming::Shared).closed());
        self.finish_close()
    }

    fn finish_close(&self) -> Option<()> {
        let end = &self.control.doors.end;
        if end.load(order!("end.load", Acquire)) == IDLE {
            if recheck!("close.heavy") {
                (self.heavy_fence)();
            }
            end.store(self.frontier(0)?, order!("end.store", Release));
        }
        Some(())
    }

    /// A consumer's un-acked messages become free. Returns how many there were.
    fn release_messages(&self, row: usize, group: usize) -> Option<u64> {
        let state = self.groups.get(group)?;
        match state.kind() {
            Some(Kind::Named) => {}
            // The row of a group may have a new life already: at exit the kernel frees the registry before the dead member's byte.
            Some(_) => {
                let claiming = state.mode().claiming();
                let another = matches!(claiming, Claiming::Sole(owner) | Claiming::Switching(owner) if owner != row);
                if !another {
                    self.free_group(group);
                }
                return Some(0);
            }
            // Killed between taking its row and finishing its group.
            None => {
                self.stop_gating(group);
                return Some(0);
            }
        }
        match state.mode().claiming() {
            Claiming::Sole(sole) | Claiming::Switching(sole) if sole == row => {
                self.release_sole(row, group)
            }
            Claiming::Switching(former) => {
                make_explicit(self, group, former, claim::TAKEN).map(|_| 0)
            }
            _ => self.release_taken(row, group),
        }
    }

    /// A sole member with nothing un-acked leaves its group vacant; otherwise its messages become free, delivered once.
    fn release_sole(&self, row: usize, group: usize) -> Option<u64> {
        let state = self.groups.get(group)?;
        let announced =
            self.members.get(row)?.hot.announced.load(order!("group.announced", Acquire));
        if announced <= state.floor() && matches!(state.mode().claiming(), Claiming::Sole(_)) {
            state.set_mode(state.mode().next(Claiming::Vacant));
            return Some(0);
        }
        let freed = make_explicit(self, group, row, claim::FREE)?;
        // Words that somebody had made explicit for him before he died.
        Some(freed + self.release_taken(row, group)?)
    }

    fn release_taken(&self, row: usize, group: usize) -> Option<u64> {
        let state = self.groups.get(group)?;
        let mut given_back = 0;
        let mut at = state.floor();
        for _ in 0..self.patience() {
            let span = self.span(at);
            if let Span::Message { .. } = span {
                let word = self.claim_word(group, at)?;
                let seen = word.load(order!("release.load", Acquire));
                let his = claim::age(seen, self.lap(at)) == Age::Current
                    && claim::state(seen) == claim::TAKEN
                    && claim::owner(seen) == row;
                if his {
                    let free = claim::word(self.lap(at), claim::count(seen), row, claim::FREE);
                    word.store(free, order!("release.free", Release));
                    given_back += 1;
                }
            }
            // What others have acked below may be overwritten while we walk.
            let floor = state.floor();
            at = match span {
                _ if floor > at => floor,
                Span::Message { blocks, .. }
                | Span::Pad { blocks }
                | Span::Claimed { blocks, .. } => at.wrapping_add(blocks),
                Span::Open => break,
                Span::Passed | Span::Damaged => return None,
            };
        }
        // Even if there was nothing: he, or an earlier repairer, may have been killed between freeing a word and this.
        state.info.rewinds.fetch_add(1, order!("release.rewind", AcqRel));
        Some(given_back)
    }

    /// Frees a group's row: it gates nobody from now on.
    pub(crate) fn free_group(&self, group: usize) {
        let Some(row) = self.groups.get(group) else { return };
        self.stop_gating(group);
        row.set_mode(row.mode().next(Claiming::Vacant));
        let generation = row.info.state.load(Relaxed) >> 8;
        row.info.state.store(generation.wrapping_add(1) << 8, order!("group.free", Release));
    }

    fn stop_gating(&self, group: usize) {
        if let Some(word) = self.control.gating.get(group / 64) {
            word.fetch_and(!(1 << (group % 64)), order!("gating.clear", AcqRel));
        }
    }

    /// Makes a group gate producers, then visible. Returns where it really starts: the gate may have moved on.
    pub(crate) fn activate_group(&self, group: usize, kind: Kind, start: u64) -> Option<u64> {
        let row = self.groups.get(group)?;
        let mut start = start;
        row.floor.store(start, order!("join.floor", Release));
        row.info.bells.store(0, Relaxed);
        row.set_mode(row.mode().next(Claiming::Vacant));
        if kind != Kind::Lossy {
            self.control
                .gating
                .get(group / 64)?
                .fetch_or(1 << (group % 64), order!("join.gating", AcqRel));
            if recheck!("join.fence") {
                fence(SeqCst);
            }
            let gate = self.control.gate.load(order!("join.gate", Acquire));
            if recheck!("join.recheck") && gate > start {
                row.floor.store(gate, order!("join.raise", Release));
                start = gate;
            }
        }
        let generation = row.info.state.load(Relaxed) >> 8;
        row.info.state.store(generation << 8 | kind.bits(), order!("join.state", Release));
        Some(start)
    }
}
