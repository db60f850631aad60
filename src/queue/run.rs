//! Messages handled one after another and acked together.

use super::consumer::Consumer;
use super::inflight::Slot;
use super::message::Message;
use super::shared::{Patience, SPINS};
use crate::error::{AckError, RecvError};
use crate::group::Taken;
use crate::ring::Span;
use crate::sys::fork;
use crate::wait::NOT_FENCED;

impl Consumer {
    /// Receives at least one message, waiting for it, and up to `max` that are there already, and lends each to `handle`, in their order. What was
    /// handled is acked before this returns, also if `handle` panics; then the message that it panicked at is given back. Returns how many there
    /// were.
    ///
    /// The fastest way to receive: a sole member of a group acks all of them at once. Whoever is killed before that sees all of them again.
    ///
    /// ```
    /// # let dir = std::env::temp_dir().join(format!("slipring-doc-each-{}", std::process::id()));
    /// # let queue = slipring::Queue::options().create(dir.to_str().unwrap())?;
    /// let mut tx = queue.producer()?;
    /// let rx = queue.consumer("default")?;
    /// tx.send_batch(["one", "two", "three"])?;
    /// let mut lengths = 0;
    /// let count = rx.recv_each(64, |message| lengths += message.payload().len())?;
    /// assert_eq!((count, lengths), (3, 11));
    /// # slipring::Queue::unlink(dir.to_str().unwrap())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`recv`](Consumer::recv), if there was no message.
    #[inline]
    pub fn recv_each(
        &self,
        max: usize,
        handle: impl FnMut(&Message<'_>),
    ) -> Result<usize, RecvError> {
        self.each(max, SPINS, Patience::Forever, handle)
    }

    /// As [`recv_each`](Consumer::recv_each), but if there is no message now it says [`RecvError::Empty`].
    ///
    /// # Errors
    /// As [`try_recv`](Consumer::try_recv).
    #[inline]
    pub fn try_recv_each(
        &self,
        max: usize,
        handle: impl FnMut(&Message<'_>),
    ) -> Result<usize, RecvError> {
        self.each(max, 0, Patience::None, handle)
    }

    #[inline(always)]
    fn each(
        &self,
        max: usize,
        turns: u32,
        patience: Patience,
        mut handle: impl FnMut(&Message<'_>),
    ) -> Result<usize, RecvError> {
        let mut count = self.run(max, turns, &mut handle)?;
        while count < max {
            let patience = if count == 0 { patience } else { Patience::None };
            if matches!(patience, Patience::None) && self.is_plainly_empty() {
                return if count == 0 { Err(RecvError::Empty) } else { Ok(count) };
            }
            let message = match self.recv_closely(patience) {
                Ok(slot) => self.deliver(slot),
                Err(error) if count == 0 => return Err(error),
                Err(error) => {
                    self.say_later(&error);
                    break;
                }
            };
            handle(&message);
            message.ack().map_err(as_recv_error)?;
            count += 1;
            count += self.run(max - count, 0, &mut handle)?;
        }
        Ok(count)
    }

    /// Handles messages as long as they come the usual way.
    #[inline(always)]
    fn run(
        &self,
        max: usize,
        mut turns: u32,
        handle: &mut impl FnMut(&Message<'_>),
    ) -> Result<usize, RecvError> {
        let mut run = Run { consumer: self, start: 0, handled: 0, taken: 0 };
        let mut count = 0;
        while count < max {
            let Some((taken, bytes)) = self.take_usual(turns) else { break };
            if count == 0 {
                run.start = taken.first;
                run.handled = taken.first;
            }
            run.taken = taken.end;
            turns = 0;
            let slot = Slot::default();
            slot.fill(taken, bytes);
            Message::lend(self, &slot, &mut *handle);
            run.handled = taken.end;
            count += 1;
        }
        self.member.count(count as u64);
        run.finish().map_err(as_recv_error)?;
        Ok(count + self.run_among(max - count, turns, handle)?)
    }

    /// The same as one among several, who acks each message by itself.
    #[inline(never)]
    fn run_among(
        &self,
        max: usize,
        mut turns: u32,
        handle: &mut impl FnMut(&Message<'_>),
    ) -> Result<usize, RecvError> {
        let (ring, pass) = (self.ring(), fork::generation());
        let mut count = 0;
        while count < max {
            let among = self.reader.take_among(ring, self.group, pass, turns);
            let Some(taken) = among else { break };
            turns = 0;
            let slot = Slot::default();
            slot.fill(taken, ring.blocks.start(ring.index(taken.first)));
            let run =
                Run { consumer: self, start: taken.first, handled: taken.first, taken: taken.end };
            Message::lend(self, &slot, &mut *handle);
            std::mem::forget(run);
            self.ack_lent(&slot).map_err(as_recv_error)?;
            count += 1;
        }
        self.member.count(count as u64);
        Ok(count)
    }

    /// Acks messages that lie together.
    #[cold]
    #[inline(never)]
    fn ack_each(&self, from: u64, end: u64) -> Result<(), AckError> {
        if self.member.shared.forked() {
            return Err(AckError::Forked);
        }
        let mut at = from;
        while at < end {
            let taken = self.taken_at(at)?;
            self.ack_taken(taken)?;
            at = taken.end;
        }
        Ok(())
    }

    /// A message that is in hand.
    fn taken_at(&self, first: u64) -> Result<Taken, AckError> {
        match self.ring().span(first) {
            Span::Message { extent, blocks } => {
                let end = first.wrapping_add(blocks);
                Ok(Taken { from: first, first, end, extent, count: 1 })
            }
            _ => Err(AckError::Corrupt),
        }
    }
}

pub(super) fn as_recv_error(error: AckError) -> RecvError {
    if matches!(error, AckError::Forked) { RecvError::Forked } else { RecvError::Corrupt }
}

/// Messages in hand that lie together, the first of them handled.
struct Run<'c> {
    consumer: &'c Consumer,
    start: u64,
    handled: u64,
    taken: u64,
}

impl Run<'_> {
    #[inline(always)]
    fn finish(self) -> Result<(), AckError> {
        let this = std::mem::ManuallyDrop::new(self);
        this.ack()
    }

    #[inline(always)]
    fn ack(&self) -> Result<(), AckError> {
        let Self { consumer, start, handled, .. } = *self;
        if start == handled {
            return Ok(());
        }
        if consumer.reader.ack_oldest(consumer.group, start, handled, fork::generation()) {
            consumer.ring().wake_producers(consumer.group, NOT_FENCED, &*consumer.member.shared);
            return Ok(());
        }
        consumer.ack_each(start, handled)
    }
}

/// The handler has panicked.
impl Drop for Run<'_> {
    fn drop(&mut self) {
        let _ = self.ack();
        if self.handled != self.taken
            && let Ok(taken) = self.consumer.taken_at(self.handled)
        {
            let _ = self.consumer.give_back(taken, false);
        }
    }
}
