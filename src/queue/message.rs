//! A message in a consumer's hands.

use std::mem::ManuallyDrop;

use super::consumer::Consumer;
use super::dead::DeadLetter;
use crate::error::AckError;
use crate::group::Taken;

/// A message. It is acked, retried or rejected; dropped without any of these it is given back, to be delivered again.
///
/// The payload is borrowed from shared memory, on the promise that peers do not write to a message that is leased; who does not
/// trust them uses [`Consumer::recv_into`].
#[must_use = "a message that is dropped without ack is delivered again"]
pub struct Message<'c> {
    consumer: &'c Consumer,
    taken: Taken,
    /// In the ring, leased until the message is settled; or in `copy`.
    bytes: &'c [u8],
    /// A lossy reader's copy.
    copy: Option<Box<[u8]>>,
}

impl<'c> Message<'c> {
    #[inline(always)]
    pub(crate) fn new(
        consumer: &'c Consumer,
        taken: Taken,
        bytes: &'c [u8],
        copy: Option<Box<[u8]>>,
    ) -> Self {
        Self { consumer, taken, bytes, copy }
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        self.copy.as_deref().unwrap_or(self.bytes)
    }

    /// The payload.
    #[inline]
    pub fn payload(&self) -> &[u8] {
        self.bytes().get(..self.taken.extent.len()).unwrap_or(&[])
    }

    /// The event name, if it has one (and it is UTF-8, as every honest sender's is).
    pub fn event(&self) -> Option<&str> {
        let start = self.taken.extent.len();
        let bytes = self.bytes().get(start..start + self.taken.extent.event())?;
        std::str::from_utf8(bytes).ok().filter(|event| !event.is_empty())
    }

    /// The index of its first block, counted since the queue was made: with the queue's id it names the message for ever.
    pub fn position(&self) -> u64 {
        self.taken.first
    }

    /// How often it has been delivered to this group, this time included: above 1 it may have been worked on before.
    pub fn deliveries(&self) -> u32 {
        self.taken.count as u32
    }

    /// For a message of a dead-letter queue: where it comes from and why.
    pub fn dead_letter(&self) -> Option<DeadLetter> {
        let start = self.taken.extent.len() + self.taken.extent.event();
        DeadLetter::parse(self.bytes().get(start..start + self.taken.extent.trailer())?)
    }

    /// Done. When this returns `Ok` no crash of anybody brings the message back.
    #[inline]
    pub fn ack(self) -> Result<(), AckError> {
        let mut this = ManuallyDrop::new(self);
        this.copy = None;
        this.consumer.ack(this.taken)
    }

    /// Gives it back, to be delivered again to any member of the group. Its delivery count stays.
    pub fn retry(self) -> Result<(), AckError> {
        let mut this = ManuallyDrop::new(self);
        this.copy = None;
        this.consumer.give_back(this.taken, false)
    }

    /// Not to be tried again: it goes to the group's dead-letter queue with the reason, or is dropped and counted if there is none.
    /// After an error it is given back.
    pub fn reject(self, reason: &str) -> Result<(), AckError> {
        self.consumer.dead_letter(self.taken, reason)?;
        self.ack()
    }
}

impl Drop for Message<'_> {
    fn drop(&mut self) {
        // A child of a fork has nothing to give back; other failures leave the message to our repair.
        let _ = self.consumer.give_back(self.taken, false);
    }
}

impl std::fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message")
            .field("position", &self.position())
            .field("len", &self.payload().len())
            .field("event", &self.event())
            .field("deliveries", &self.deliveries())
            .finish_non_exhaustive()
    }
}
