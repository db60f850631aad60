//! What becomes of a message: ack, give back, put aside.

use super::consumer::Consumer;
use super::dead::{self, DeadLetter};
use crate::error::{AckError, JoinError};
use crate::group::{Settled, Taken, make_explicit};
use crate::layout::{Claiming, Kind, claim};
use crate::sync::Relaxed;

impl Consumer {
    #[inline(always)]
    pub(crate) fn ack(&self, taken: Taken) -> Result<(), AckError> {
        if self.member.shared.forked() {
            return Err(AckError::Forked);
        }
        if self.reader.kind() == Kind::Lossy {
            return Ok(());
        }
        let settled = self.reader.ack(self.ring(), taken);
        self.settle(settled, || self.reader.ack(self.ring(), taken))
    }

    pub(crate) fn give_back(&self, taken: Taken, undelivered: bool) -> Result<(), AckError> {
        if self.member.shared.forked() {
            return Err(AckError::Forked);
        }
        if self.reader.kind() == Kind::Lossy {
            return Ok(());
        }
        if let Some(label) = self.label().filter(|_| !undelivered) {
            label.redelivered.fetch_add(1, Relaxed);
        }
        let settled = self.reader.give_back(self.ring(), taken, undelivered);
        self.settle(settled, || self.reader.give_back(self.ring(), taken, undelivered))?;
        self.ring().wake_group(self.reader.group(), 1, &*self.member.shared);
        Ok(())
    }

    /// What follows an ack: a switch to the shared protocol if it was needed, and room for producers.
    #[inline(always)]
    fn settle(&self, settled: Settled, again: impl Fn() -> Settled) -> Result<(), AckError> {
        let settled = match settled {
            Settled::NeedsExplicit => self.settle_explicitly(again)?,
            done => done,
        };
        if settled == (Settled::Done { moved: true }) {
            let ring = self.ring();
            let floor =
                ring.groups.get(self.reader.group()).map_or(0, |group| group.floor.load(Relaxed));
            ring.wake_producers(floor, &*self.member.shared);
        }
        Ok(())
    }

    #[cold]
    fn settle_explicitly(&self, again: impl Fn() -> Settled) -> Result<Settled, AckError> {
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
        let group = ring.groups.get(self.reader.group()).ok_or(AckError::Corrupt)?;
        if let Claiming::Sole(former) | Claiming::Switching(former) = group.mode().claiming() {
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
        let bytes = self.bytes(taken);
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
