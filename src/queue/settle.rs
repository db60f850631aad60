//! What becomes of a message: ack, give back, put aside.

use super::consumer::Consumer;
use super::dead::{self, DeadLetter};
use super::inflight::Slot;
use crate::error::{AckError, JoinError};
use crate::group::{Settled, Taken, make_explicit};
use crate::layout::{Claiming, claim};
use crate::sync::Relaxed;
use crate::sys::fork;
use crate::wait::NOT_FENCED;

impl Consumer {
    /// Acks the message of a slot.
    #[inline(always)]
    pub(super) fn ack(&self, slot: &Slot) -> Result<(), AckError> {
        let (from, _, end) = slot.range();
        if self.reader.ack_oldest(self.group, from, end, fork::generation()) {
            self.inflight.release(slot);
            self.ring().wake_producers(self.group, NOT_FENCED, &*self.member.shared);
            return Ok(());
        }
        self.ack_closely(slot)
    }

    #[inline(never)]
    fn ack_closely(&self, slot: &Slot) -> Result<(), AckError> {
        if let Some(moved) = self.ack_among(slot) {
            self.inflight.release(slot);
            self.floor_moved(moved);
            return Ok(());
        }
        if self.member.shared.forked() {
            return Err(AckError::Forked);
        }
        let taken = self.let_go(slot);
        self.ack_taken(taken)
    }

    #[inline(always)]
    fn ack_among(&self, slot: &Slot) -> Option<bool> {
        self.reader.ack_among(self.ring(), slot.range(), slot.deliveries(), fork::generation())
    }

    /// Acks a message that is not kept as one in hand.
    #[inline(always)]
    pub(super) fn ack_lent(&self, slot: &Slot) -> Result<(), AckError> {
        match self.ack_among(slot) {
            Some(moved) => {
                self.floor_moved(moved);
                Ok(())
            }
            None if self.member.shared.forked() => Err(AckError::Forked),
            None => self.ack_taken(slot.taken()),
        }
    }

    fn let_go(&self, slot: &Slot) -> Taken {
        if self.is_lossy() {
            self.inflight.release_copy(slot);
        } else {
            self.inflight.release(slot);
        }
        slot.taken()
    }

    pub(super) fn ack_taken(&self, taken: Taken) -> Result<(), AckError> {
        if self.is_lossy() {
            return Ok(());
        }
        let settled = match self.reader.ack(self.ring(), &taken) {
            Settled::NeedsExplicit => self.explicitly(|| self.reader.ack(self.ring(), &taken))?,
            done => done,
        };
        self.floor_moved(settled == (Settled::Done { moved: true }));
        Ok(())
    }

    #[inline(always)]
    fn floor_moved(&self, moved: bool) {
        if moved {
            let ring = self.ring();
            ring.wake_producers(self.group, ring.geometry.fenced, &*self.member.shared);
        }
    }

    /// Gives the message of a slot back.
    #[cold]
    #[inline(never)]
    pub(super) fn retry(&self, slot: &Slot) -> Result<(), AckError> {
        if self.member.shared.forked() {
            return Err(AckError::Forked);
        }
        let taken = self.let_go(slot);
        self.give_back(taken, false)
    }

    /// `undelivered`: the application never saw it.
    pub(super) fn give_back(&self, taken: Taken, undelivered: bool) -> Result<(), AckError> {
        if self.member.shared.forked() {
            return Err(AckError::Forked);
        }
        if self.is_lossy() {
            return Ok(());
        }
        if let Some(label) = self.label().filter(|_| !undelivered) {
            label.redelivered.fetch_add(1, Relaxed);
        }
        let give_back = || self.reader.give_back(self.ring(), taken, undelivered);
        if give_back() == Settled::NeedsExplicit {
            self.explicitly(give_back)?;
        }
        self.ring().wake_group(self.reader.group(), 1, &*self.member.shared);
        Ok(())
    }

    /// Does what needs the group's words, once they tell everything.
    fn explicitly(&self, again: impl Fn() -> Settled) -> Result<Settled, AckError> {
        loop {
            self.make_explicit()?;
            let settled = again();
            if settled != Settled::NeedsExplicit {
                return Ok(settled);
            }
        }
    }

    /// Gives up solitude by ourselves: from now on the group's claim words tell everything.
    #[cold]
    fn make_explicit(&self) -> Result<(), AckError> {
        let shared = &self.member.shared;
        let registry = shared.registry().map_err(|error| match error {
            JoinError::Forked => AckError::Forked,
            JoinError::Timeout => AckError::Timeout,
            JoinError::Os(error) => AckError::Os(error),
            _ => AckError::Corrupt,
        })?;
        let ring = self.ring();
        if let Claiming::Sole(former) | Claiming::Switching(former) = self.group.mode().claiming() {
            make_explicit(ring, self.reader.group(), former, claim::TAKEN)
                .ok_or(AckError::Corrupt)?;
        }
        drop(registry);
        self.reader.leave_solitude(ring);
        Ok(())
    }

    /// Puts a message aside; without a dead-letter queue it is only counted.
    pub(crate) fn dead_letter(&self, taken: Taken, reason: &str) -> Result<(), AckError> {
        if self.member.shared.forked() {
            return Err(AckError::Forked);
        }
        let Some(label) = self.label() else { return Err(AckError::Corrupt) };
        let totals = &self.ring().control.totals;
        let Some(name) = &self.dead_letter else {
            label.dropped.fetch_add(1, Relaxed);
            totals.dropped.fetch_add(1, Relaxed);
            return Ok(());
        };
        let [low, high] = self.member.shared.header.id;
        let letter = DeadLetter {
            queue_id: u128::from(low) | u128::from(high) << 64,
            position: taken.first,
            deliveries: taken.count as u32,
            group: label.name.get().unwrap_or_default(),
            reason: reason.to_owned(),
        };
        let bytes = self.bytes(&taken);
        let (payload, rest) =
            bytes.split_at_checked(taken.extent.len()).ok_or(AckError::Corrupt)?;
        let event = rest.get(..taken.extent.event()).ok_or(AckError::Corrupt)?;
        let mut dead = self.dead.borrow_mut();
        let producer = match &mut *dead {
            Some(producer) => producer,
            none => {
                none.insert(dead::open(&self.member.shared, name).map_err(AckError::DeadLetter)?)
            }
        };
        dead::send(producer, &letter, event, payload).map_err(AckError::DeadLetter)?;
        label.dead_lettered.fetch_add(1, Relaxed);
        totals.dead_lettered.fetch_add(1, Relaxed);
        Ok(())
    }
}
