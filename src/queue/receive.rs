//! The slow half of receiving: every case that is not "a sole member finds the next message", and waiting.

use std::time::Duration;

use super::consumer::Consumer;
use super::filter;
use super::inflight::Slot;
use super::lossy::{Look, look};
use super::shared::{HOLE_NAP, LOOKS, NAP, Patience, SPINS};
use crate::error::RecvError;
use crate::group::{Pause, Taken};
use crate::layout::{Claiming, Extent, IDLE, Kind};
use crate::recover::Repaired;
use crate::ring::Span;
use crate::sync::{Acquire, SeqCst, spin_loop};
use crate::sys::{self, fork};
use crate::wait::group_bit;

/// A message and, for a lossy reader, its copy.
type Next = (Taken, Option<Box<[u8]>>);

/// Why [`Consumer::next`] has nothing.
enum Stop {
    Pause(Pause),
    Lagged { missed: u64 },
}

/// How long to sleep over it: a hole is looked at more often.
fn nap_for(next: &Result<Next, Stop>) -> Duration {
    if matches!(next, Err(Stop::Pause(Pause::Hole { .. }))) { HOLE_NAP } else { NAP }
}

impl Consumer {
    /// The slot of the next message, closely looked for.
    #[cold]
    #[inline(never)]
    pub(super) fn recv_closely(&self, patience: Patience) -> Result<&Slot, RecvError> {
        let turns = if matches!(patience, Patience::None) { 0 } else { SPINS };
        let ring = self.member.ring();
        let among = self.reader.take_among(ring, self.group, fork::generation(), turns);
        if let Some(taken) = among {
            let bytes = ring.blocks.start(ring.index(taken.first));
            return Ok(self.inflight.keep_fast(taken.first, taken.end, taken.extent, bytes));
        }
        if self.member.shared.forked() {
            return Err(RecvError::Forked);
        }
        let (taken, copy) = match self.next() {
            Ok(next) => next,
            Err(stop) => self.wait_for_message(stop, patience)?,
        };
        Ok(match copy {
            None => self.inflight.keep(taken, self.bytes(&taken).as_ptr()),
            Some(copy) => self.inflight.keep_copy(taken, copy),
        })
    }

    /// Messages that were delivered too often are put aside on the way.
    fn next(&self) -> Result<Next, Stop> {
        if self.reader.kind() == Kind::Lossy {
            return self.next_lossy();
        }
        loop {
            let taken = self.take()?;
            if self.max_deliveries == 0 || taken.count <= self.max_deliveries {
                return Ok((taken, None));
            }
            // Too often. If it cannot be put aside it is delivered once more: nothing is lost.
            if self.dead_letter(taken, "too many deliveries").is_err() {
                return Ok((taken, None));
            }
            let _ = self.ack_taken(taken);
        }
    }

    fn take(&self) -> Result<Taken, Stop> {
        if self.prefetch == 1 {
            return self.take_one();
        }
        let mut ahead = self.ahead.borrow_mut();
        if let Some(taken) = ahead.pop_front() {
            return Ok(taken);
        }
        let taken = self.take_one()?;
        while ahead.len() + 1 < self.prefetch {
            match self.take_one() {
                Ok(taken) => ahead.push_back(taken),
                Err(_) => break,
            }
        }
        Ok(taken)
    }

    fn take_one(&self) -> Result<Taken, Stop> {
        let ring = self.ring();
        let taken = self.reader.take(ring, |position, extent| match &self.filter {
            None => true,
            Some(pattern) => self.accepts(pattern, position, extent),
        });
        taken.map_err(Stop::Pause)
    }

    fn accepts(&self, pattern: &[u8], position: u64, extent: Extent) -> bool {
        let ring = self.ring();
        // SAFETY: asked only about messages that are inside the ring, ours and un-acked.
        let event =
            unsafe { ring.blocks.slice(ring.index(position), extent.len(), extent.event()) };
        filter::matches(pattern, event)
    }

    fn next_lossy(&self) -> Result<Next, Stop> {
        if let Some(missed) = self.overrun.take() {
            return Err(Stop::Lagged { missed });
        }
        let ring = self.ring();
        let mut buffer = self.copy.borrow_mut();
        loop {
            let at = self.reader.cursor();
            match look(ring, at, &mut buffer) {
                Look::Message { first, end, extent } => {
                    self.reader.jump(end);
                    let event =
                        buffer.get(extent.len()..extent.len() + extent.event()).unwrap_or(&[]);
                    if self.filter.as_ref().is_some_and(|pattern| !filter::matches(pattern, event))
                    {
                        continue;
                    }
                    let taken = Taken { from: first, first, end, extent, count: 1 };
                    return Ok((taken, Some(buffer.as_slice().into())));
                }
                Look::Nothing { next } => {
                    self.reader.jump(next);
                    return Err(Stop::Pause(Pause::Nothing));
                }
                Look::Hole { owner, at } => {
                    self.reader.jump(at);
                    return Err(Stop::Pause(Pause::Hole { owner }));
                }
                Look::Lagged { missed, next } => {
                    self.reader.jump(next);
                    return Err(Stop::Lagged { missed });
                }
                Look::Damaged => return Err(Stop::Pause(Pause::Damaged)),
            }
        }
    }

    #[cold]
    fn wait_for_message(&self, stop: Stop, patience: Patience) -> Result<Next, RecvError> {
        if let Some(result) = self.settle_stop(Err(stop)) {
            return result;
        }
        if matches!(patience, Patience::None) {
            return self.look_once_more();
        }
        let ring = self.ring();
        for _ in 0..SPINS {
            if self.reader.sees_nothing(ring) {
                // Watched for long enough already.
                break;
            }
            spin_loop();
            if let Some(result) = self.settle_stop(self.next()) {
                return result;
            }
        }
        loop {
            self.look_around();
            let signal = ring.announce_sleep(&self.group.signal, group_bit(self.reader.group()));
            let next = self.next();
            let nap = nap_for(&next);
            if let Some(result) = self.settle_stop(next) {
                return result;
            }
            if self.is_over() {
                return Err(RecvError::Closed);
            }
            let nap = patience.nap(nap).ok_or(RecvError::Timeout)?;
            sys::futex::wait(&self.group.signal, signal, nap);
            if self.member.shared.forked() {
                return Err(RecvError::Forked);
            }
            if let Some(result) = self.settle_stop(self.next()) {
                return result;
            }
        }
    }

    /// Nothing, and the caller does not wait. If he is going to poll, whatever comes from now on rings his bell.
    fn look_once_more(&self) -> Result<Next, RecvError> {
        let bell = self.bell.get();
        // Who polls in a loop looks around now and then; with a bell an empty look is as rare as a nap.
        self.idle.set(self.idle.get().wrapping_add(1));
        let changed = if bell.is_some() || self.idle.get().is_multiple_of(LOOKS) {
            self.look_around()
        } else {
            self.member.shared.wake_producers_now();
            false
        };
        if self.is_over() {
            return Err(RecvError::Closed);
        }
        let Some(bell) = bell else {
            let next = if changed { self.settle_stop(self.next()) } else { None };
            return next.unwrap_or(Err(RecvError::Empty));
        };
        let ring = self.ring();
        bell.clear();
        if let Some(member) = ring.members.get(self.member.row) {
            member.info.bell.store(1, SeqCst);
        }
        ring.announce_sleep(&self.group.signal, group_bit(self.reader.group()));
        let next = self.next();
        bell.arm(nap_for(&next));
        self.settle_stop(next).unwrap_or(Err(RecvError::Empty))
    }

    /// `None`: nothing yet, so wait.
    fn settle_stop(&self, next: Result<Next, Stop>) -> Option<Result<Next, RecvError>> {
        match next {
            Ok(next) => Some(Ok(next)),
            Err(Stop::Lagged { missed }) => Some(Err(RecvError::Lagged { missed })),
            Err(Stop::Pause(Pause::Damaged)) => Some(Err(RecvError::Corrupt)),
            Err(Stop::Pause(Pause::Nothing | Pause::Hole { .. })) => None,
        }
    }

    /// Nothing to do for the moment: lets producers use what room there is, repairs what is in the way, and goes on alone if alone.
    /// True if there may be a message now.
    fn look_around(&self) -> bool {
        let shared = &self.member.shared;
        let ring = self.ring();
        shared.wake_producers_now();
        if let Span::Claimed { owner, .. } = ring.span(self.reader.cursor()) {
            return shared.recover_member(owner) != Repaired::default();
        }
        if self.reader.kind() != Kind::Named {
            return false;
        }
        let alone = self.group.mode().claiming() == Claiming::Sole(self.member.row);
        if alone {
            return false;
        }
        let at_stake = self.group.floor() != self.reader.cursor();
        if at_stake {
            for row in ring.consumers_of(self.reader.group()).filter(|row| *row != self.member.row)
            {
                shared.recover_member(row);
            }
        } else if !ring.geometry.fenced {
            // Rows of the dead count as company until somebody repairs them, which then is us.
            let Ok(Some(registry)) = shared.registry_within(Duration::ZERO) else { return false };
            let others =
                ring.consumers_of(self.reader.group()).filter(|row| *row != self.member.row);
            let alive = others.filter(|row| registry.recover(*row).members == 0).count();
            if alive == 0 {
                self.reader.try_solitude(ring);
            }
        }
        true
    }

    /// Closed, and nothing left that could still come to us?
    fn is_over(&self) -> bool {
        let ring = self.ring();
        let closed = ring.mode().is_closed();
        if !closed {
            return false;
        }
        let end = ring.control.doors.end.load(Acquire);
        if end == IDLE {
            // Whoever closed it was killed before he had found the end.
            if let Ok(Some(_registry)) = self.member.shared.registry_within(Duration::ZERO) {
                ring.settle_producers();
            }
            return false;
        }
        if self.reader.cursor() < end {
            return false;
        }
        self.reader.kind() != Kind::Named || self.reader.drained(ring, end)
    }
}
