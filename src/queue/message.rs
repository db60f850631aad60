//! A message in a consumer's hands.

use std::mem::ManuallyDrop;
use std::slice;

use super::consumer::Consumer;
use super::dead::DeadLetter;
use super::inflight::Slot;
use crate::error::AckError;
use crate::group::Taken;
use crate::layout::Extent;

/// A message. It is acked, retried or rejected; dropped without any of these it is given back, to be delivered again.
///
/// The payload is borrowed from shared memory, on the promise that peers do not write to a message that is leased; who does not
/// trust them uses [`Consumer::recv_into`].
#[must_use = "a message that is dropped without ack is delivered again"]
pub struct Message<'c> {
    consumer: &'c Consumer,
    /// Where the consumer keeps it.
    slot: &'c Slot,
}

impl<'c> Message<'c> {
    #[inline(always)]
    pub(super) fn new(consumer: &'c Consumer, slot: &'c Slot) -> Self {
        Self { consumer, slot }
    }

    /// Lends a message to somebody who does not settle it.
    #[inline(always)]
    pub(super) fn lend(consumer: &'c Consumer, slot: &'c Slot, to: impl FnOnce(&Self)) {
        to(&ManuallyDrop::new(Self { consumer, slot }));
    }

    #[inline(always)]
    fn taken(&self) -> Taken {
        self.slot.taken()
    }

    /// A part of the message: payload, event and trailer follow each other.
    #[inline(always)]
    fn part(&self, of: impl Fn(Extent) -> (usize, usize)) -> &[u8] {
        let (extent, bytes) = self.slot.place();
        let (start, len) = of(extent);
        // SAFETY: the extent's bytes are in the ring, as whoever took the message has seen to, and leased until the message is settled;
        // or they are a lossy reader's copy, which lives as long. A part is inside.
        let at = unsafe { bytes.add(start) };
        // SAFETY: as above.
        unsafe { slice::from_raw_parts(at, len) }
    }

    /// The payload.
    #[inline]
    pub fn payload(&self) -> &[u8] {
        self.part(|extent| (0, extent.len()))
    }

    /// The event name, if it has one (and it is UTF-8, as every honest sender's is).
    #[inline]
    pub fn event(&self) -> Option<&str> {
        let bytes = self.part(|extent| (extent.len(), extent.event()));
        if bytes.is_empty() { None } else { std::str::from_utf8(bytes).ok() }
    }

    /// The index of its first block, counted since the queue was made: with the queue's id it names the message for ever.
    #[inline]
    pub fn position(&self) -> u64 {
        self.taken().first
    }

    /// How often it has been delivered to this group, this time included: above 1 it may have been worked on before.
    #[inline]
    pub fn deliveries(&self) -> u32 {
        self.taken().count as u32
    }

    /// For a message of a dead-letter queue: where it comes from and why.
    pub fn dead_letter(&self) -> Option<DeadLetter> {
        DeadLetter::parse(self.trailer())
    }

    pub(super) fn trailer(&self) -> &[u8] {
        self.part(|extent| (extent.len() + extent.event(), extent.trailer()))
    }

    /// Done. When this returns `Ok` no crash of anybody brings the message back.
    ///
    /// # Errors
    /// The message is not acked then, and comes again: [`Forked`](AckError::Forked), and where other members have to be asked [`Timeout`](AckError::Timeout), [`Corrupt`](AckError::Corrupt), [`Os`](AckError::Os).
    #[inline]
    pub fn ack(self) -> Result<(), AckError> {
        let this = ManuallyDrop::new(self);
        this.consumer.ack(this.slot)
    }

    /// Gives it back, to be delivered again to any member of the group. Its delivery count stays.
    ///
    /// # Errors
    /// [`Forked`](AckError::Forked), and where other members have to be asked [`Timeout`](AckError::Timeout), [`Corrupt`](AckError::Corrupt), [`Os`](AckError::Os). The message then comes again when this consumer is gone.
    pub fn retry(self) -> Result<(), AckError> {
        let this = ManuallyDrop::new(self);
        this.consumer.retry(this.slot)
    }

    /// Not to be tried again: it goes to the group's dead-letter queue with the reason, or is dropped and counted if there is none.
    /// After an error it is given back.
    ///
    /// # Errors
    /// [`DeadLetter`](AckError::DeadLetter) if the dead-letter queue is full or can't be opened. [`Forked`](AckError::Forked), and where other members have to be asked [`Timeout`](AckError::Timeout), [`Corrupt`](AckError::Corrupt), [`Os`](AckError::Os).
    ///
    /// ```
    /// # let dir = std::env::temp_dir().join(format!("slipring-reject-{}", std::process::id()));
    /// # std::fs::create_dir_all(&dir)?;
    /// # let name = dir.join("orders"); let name = name.to_str().unwrap();
    /// # let dead = dir.join("orders.dead"); let dead = dead.to_str().unwrap();
    /// use slipring::Queue;
    ///
    /// let queue = Queue::options().capacity(1 << 16).create(name)?;
    /// let rx = queue.consumer_options().group("billing").dead_letter("orders.dead").open()?;
    /// queue.producer()?.send(b"nonsense")?;
    /// rx.recv()?.reject("not an order")?;
    ///
    /// let rx = Queue::open(dead)?.consumer("default")?;
    /// let letter = rx.recv()?.dead_letter().ok_or("not a dead letter")?;
    /// assert_eq!((&*letter.group, &*letter.reason), ("billing", "not an order"));
    /// # std::fs::remove_dir_all(&dir)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reject(self, reason: &str) -> Result<(), AckError> {
        self.consumer.dead_letter(self.taken(), reason)?;
        self.ack()
    }
}

impl Drop for Message<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // A child of a fork has nothing to give back; other failures leave the message to our repair.
        let _ = self.consumer.retry(self.slot);
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
