//! Sending.

mod batch;
mod reservation;

pub use reservation::Reservation;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::shared::{LOOK, Membership, NAP, Patience, SPINS, Shared};
use crate::error::{JoinError, SendError};
use crate::layout::{Extent, MAX_EVENT, ROOM, Role};
use crate::ring::{Claim, Publisher, Refused, Ring};
use crate::sync::{Relaxed, spin_loop};
use crate::sys;
use crate::wait::NOT_FENCED;

/// The sending side. One thread at a time uses it (`&mut self`); it can be moved to another thread. Dropping it leaves the queue.
pub struct Producer {
    publisher: Publisher,
    max_blocks: u64,
    /// When it last looked for dead members that may be what is in the way.
    looked: Instant,
    member: Membership,
}

/// Lengths are 32 bits wide in the file.
const MAX_LEN: u64 = u32::MAX as u64;

pub(crate) fn max_message(shared: &Shared) -> usize {
    let geometry = &shared.ring().geometry;
    (geometry.max_message() << geometry.block_shift).min(MAX_LEN) as usize
}

impl Producer {
    pub(crate) fn join(shared: &Arc<Shared>) -> Result<Self, JoinError> {
        let registry = shared.registry()?;
        registry.recover_all();
        if shared.ring().mode().is_closed() {
            return Err(JoinError::Closed);
        }
        let (row, lock) = registry.free_row()?;
        registry.join(row, Role::Producer)?;
        drop(registry);
        let max_blocks = shared.ring().geometry.max_message();
        Ok(Self {
            publisher: Publisher::new(row),
            max_blocks,
            looked: Instant::now(),
            member: Membership::new(Arc::clone(shared), row, lock)?,
        })
    }

    /// Sends a message, waiting for room if the ring is full. Returns its position. When this returns, the message survives the
    /// death of this process.
    ///
    /// # Errors
    /// [`Closed`](SendError::Closed), [`TooLarge`](SendError::TooLarge).
    /// [`Corrupt`](SendError::Corrupt) and [`Forked`](SendError::Forked): this handle is of no use any more.
    #[inline(always)]
    pub fn send(&mut self, payload: &[u8]) -> Result<u64, SendError> {
        match self.send_fast(payload) {
            Some(position) => Ok(position),
            None => self.send_closely(payload, Patience::Forever),
        }
    }

    /// Sends a message if there is room now, else says [`SendError::Full`].
    ///
    /// # Errors
    /// [`Full`](SendError::Full), [`Closed`](SendError::Closed), [`TooLarge`](SendError::TooLarge).
    /// [`Corrupt`](SendError::Corrupt) and [`Forked`](SendError::Forked): this handle is of no use any more.
    #[inline(always)]
    pub fn try_send(&mut self, payload: &[u8]) -> Result<u64, SendError> {
        match self.send_fast(payload) {
            Some(position) => Ok(position),
            None => self.send_closely(payload, Patience::None),
        }
    }

    /// Sends a message, waiting for room as long as `timeout`.
    ///
    /// # Errors
    /// [`Timeout`](SendError::Timeout), [`Closed`](SendError::Closed), [`TooLarge`](SendError::TooLarge).
    /// [`Corrupt`](SendError::Corrupt) and [`Forked`](SendError::Forked): this handle is of no use any more.
    pub fn send_timeout(&mut self, payload: &[u8], timeout: Duration) -> Result<u64, SendError> {
        match self.send_fast(payload) {
            Some(position) => Ok(position),
            None => self.send_closely(payload, Patience::of(timeout)),
        }
    }

    /// Sends a message with an event name of at most 255 bytes, waiting for room.
    ///
    /// # Errors
    /// [`Closed`](SendError::Closed), [`TooLarge`](SendError::TooLarge), [`EventTooLong`](SendError::EventTooLong).
    /// [`Corrupt`](SendError::Corrupt) and [`Forked`](SendError::Forked): this handle is of no use any more.
    pub fn send_event(&mut self, event: &str, payload: &[u8]) -> Result<u64, SendError> {
        self.send_parts(event.as_bytes(), payload, b"", Patience::Forever)
    }

    /// Sends a message with an event name if there is room now, else says [`SendError::Full`].
    ///
    /// # Errors
    /// [`Full`](SendError::Full), [`Closed`](SendError::Closed), [`TooLarge`](SendError::TooLarge), [`EventTooLong`](SendError::EventTooLong).
    /// [`Corrupt`](SendError::Corrupt) and [`Forked`](SendError::Forked): this handle is of no use any more.
    pub fn try_send_event(&mut self, event: &str, payload: &[u8]) -> Result<u64, SendError> {
        self.send_parts(event.as_bytes(), payload, b"", Patience::None)
    }

    /// Sends a message with an event name, waiting for room as long as `timeout`.
    ///
    /// # Errors
    /// [`Timeout`](SendError::Timeout), [`Closed`](SendError::Closed), [`TooLarge`](SendError::TooLarge), [`EventTooLong`](SendError::EventTooLong).
    /// [`Corrupt`](SendError::Corrupt) and [`Forked`](SendError::Forked): this handle is of no use any more.
    pub fn send_event_timeout(
        &mut self,
        event: &str,
        payload: &[u8],
        timeout: Duration,
    ) -> Result<u64, SendError> {
        self.send_parts(event.as_bytes(), payload, b"", Patience::of(timeout))
    }

    /// A sole producer's usual case, without a call: there is room. `None` says nothing but that `send_parts` must look closer.
    #[inline(always)]
    fn send_fast(&mut self, payload: &[u8]) -> Option<u64> {
        let (first, _) = self.claim_fast(payload.len())?;
        let ring = &self.member.ring_copy();
        // SAFETY: a claim of as many blocks as the payload takes, and it lies inside the ring.
        unsafe { ring.blocks.write_claimed(ring.index(first), payload) };
        ring.ready(first, Extent::new(payload.len(), 0, 0));
        self.sent(1, NOT_FENCED);
        Some(first)
    }

    /// The same for one among several, and then every other case.
    #[inline(never)]
    fn send_closely(&mut self, payload: &[u8], patience: Patience) -> Result<u64, SendError> {
        let ring = self.member.ring();
        let blocks = ring.geometry.blocks(payload.len() as u64);
        let fits = blocks <= self.max_blocks && payload.len() as u64 <= MAX_LEN;
        if fits
            && !self.member.shared.forked()
            && let Some(first) = self.publisher.claim_among(ring, blocks)
        {
            // SAFETY: a claim of as many blocks as the payload takes, and it lies inside the ring.
            unsafe { ring.blocks.write_claimed(ring.index(first), payload) };
            ring.ready(first, Extent::new(payload.len(), 0, 0));
            let fenced = ring.geometry.fenced;
            self.sent(1, fenced);
            return Ok(first);
        }
        self.send_parts(b"", payload, b"", patience)
    }

    /// A sole producer's usual claim: where it starts, and ends.
    #[inline(always)]
    fn claim_fast(&mut self, len: usize) -> Option<(u64, u64)> {
        let ring = &self.member.ring_copy();
        let blocks = ring.geometry.blocks(len as u64);
        if blocks > self.max_blocks || len as u64 > MAX_LEN || self.member.shared.forked() {
            return None;
        }
        let first = self.publisher.claim_fast(ring, self.member.hot, blocks)?;
        Some((first, first.wrapping_add(blocks)))
    }

    #[inline(never)]
    pub(crate) fn send_parts(
        &mut self,
        event: &[u8],
        payload: &[u8],
        trailer: &[u8],
        patience: Patience,
    ) -> Result<u64, SendError> {
        let (extent, blocks) = self.measure(payload.len(), event.len(), trailer.len())?;
        let claim = self.claim(blocks, patience)?;
        let ring = self.member.ring();
        fill(ring, claim.first, event, payload, trailer);
        ring.publish(&claim, extent);
        self.sent(1, ring.geometry.fenced);
        Ok(claim.first)
    }

    /// Reserves `len` bytes to be written in place, waiting for room. The bytes hold leftovers of earlier messages.
    ///
    /// # Errors
    /// [`Closed`](SendError::Closed), [`TooLarge`](SendError::TooLarge).
    /// [`Corrupt`](SendError::Corrupt) and [`Forked`](SendError::Forked): this handle is of no use any more.
    ///
    /// ```
    /// use slipring::Queue;
    ///
    /// let queue = Queue::options().capacity(1 << 16).create_memfd("example")?;
    /// let mut tx = queue.producer()?;
    /// let mut slot = tx.reserve(4096)?;
    /// slot[..5].copy_from_slice(b"hello");
    /// slot.commit(5); // dropped without, nobody sees it
    ///
    /// let rx = queue.consumer("default")?;
    /// assert_eq!(rx.recv()?.payload(), b"hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline(always)]
    pub fn reserve(&mut self, len: usize) -> Result<Reservation<'_>, SendError> {
        match self.claim_fast(len) {
            Some((first, end)) => self.reserved(Claim { start: first, first, end }, len),
            None => self.reserve_parts("", len, Patience::Forever),
        }
    }

    /// Reserves if there is room now, else says [`SendError::Full`].
    ///
    /// # Errors
    /// [`Full`](SendError::Full), [`Closed`](SendError::Closed), [`TooLarge`](SendError::TooLarge).
    /// [`Corrupt`](SendError::Corrupt) and [`Forked`](SendError::Forked): this handle is of no use any more.
    #[inline(always)]
    pub fn try_reserve(&mut self, len: usize) -> Result<Reservation<'_>, SendError> {
        match self.claim_fast(len) {
            Some((first, end)) => self.reserved(Claim { start: first, first, end }, len),
            None => self.reserve_parts("", len, Patience::None),
        }
    }

    /// Reserves, waiting for room as long as `timeout`.
    ///
    /// # Errors
    /// [`Timeout`](SendError::Timeout), [`Closed`](SendError::Closed), [`TooLarge`](SendError::TooLarge).
    /// [`Corrupt`](SendError::Corrupt) and [`Forked`](SendError::Forked): this handle is of no use any more.
    pub fn reserve_timeout(
        &mut self,
        len: usize,
        timeout: Duration,
    ) -> Result<Reservation<'_>, SendError> {
        self.reserve_parts("", len, Patience::of(timeout))
    }

    /// Reserves a message with an event name, waiting for room.
    ///
    /// # Errors
    /// [`Closed`](SendError::Closed), [`TooLarge`](SendError::TooLarge), [`EventTooLong`](SendError::EventTooLong).
    /// [`Corrupt`](SendError::Corrupt) and [`Forked`](SendError::Forked): this handle is of no use any more.
    pub fn reserve_event(&mut self, event: &str, len: usize) -> Result<Reservation<'_>, SendError> {
        self.reserve_parts(event, len, Patience::Forever)
    }

    /// Reserves a message with an event name if there is room now, else says [`SendError::Full`].
    ///
    /// # Errors
    /// [`Full`](SendError::Full), [`Closed`](SendError::Closed), [`TooLarge`](SendError::TooLarge), [`EventTooLong`](SendError::EventTooLong).
    /// [`Corrupt`](SendError::Corrupt) and [`Forked`](SendError::Forked): this handle is of no use any more.
    pub fn try_reserve_event(
        &mut self,
        event: &str,
        len: usize,
    ) -> Result<Reservation<'_>, SendError> {
        self.reserve_parts(event, len, Patience::None)
    }

    /// Reserves a message with an event name, waiting for room as long as `timeout`.
    ///
    /// # Errors
    /// [`Timeout`](SendError::Timeout), [`Closed`](SendError::Closed), [`TooLarge`](SendError::TooLarge), [`EventTooLong`](SendError::EventTooLong).
    /// [`Corrupt`](SendError::Corrupt) and [`Forked`](SendError::Forked): this handle is of no use any more.
    pub fn reserve_event_timeout(
        &mut self,
        event: &str,
        len: usize,
        timeout: Duration,
    ) -> Result<Reservation<'_>, SendError> {
        self.reserve_parts(event, len, Patience::of(timeout))
    }

    #[inline(never)]
    pub(crate) fn reserve_parts(
        &mut self,
        event: &str,
        len: usize,
        patience: Patience,
    ) -> Result<Reservation<'_>, SendError> {
        let (_, blocks) = self.measure(len, event.len(), 0)?;
        let claim = self.claim(blocks, patience)?;
        let mut reservation = self.reserved(claim, len + event.len())?;
        if let Some(tail) = reservation.get_mut(len..) {
            tail.copy_from_slice(event.as_bytes());
        }
        reservation.len = len;
        reservation.event = event.len();
        Ok(reservation)
    }

    /// The bytes of a claim.
    #[inline(always)]
    fn reserved(&mut self, claim: Claim, len: usize) -> Result<Reservation<'_>, SendError> {
        let ring = self.member.ring();
        // SAFETY: the claim is ours until it is published, which the reservation does as its last act; one slice only.
        let bytes = unsafe { ring.blocks.slice_mut(ring.index(claim.first), len) };
        let Some(bytes) = bytes else {
            ring.pad(claim.start, claim.end.wrapping_sub(claim.start));
            return Err(SendError::Corrupt);
        };
        // The slice borrows from the mapping, which lives as long as the producer that the reservation borrows.
        let bytes: *mut [u8] = bytes;
        Ok(Reservation { claim, bytes, len, event: 0, producer: self })
    }

    /// The largest message that fits, in bytes, its event name included.
    pub fn max_message(&self) -> usize {
        max_message(&self.member.shared)
    }

    #[inline(always)]
    fn measure(
        &self,
        len: usize,
        event: usize,
        trailer: usize,
    ) -> Result<(Extent, u64), SendError> {
        if event > MAX_EVENT {
            return Err(SendError::EventTooLong);
        }
        // By itself first, so that the sum cannot wrap.
        if len as u64 > MAX_LEN {
            return Err(SendError::TooLarge { len, max: self.max_message() });
        }
        let bytes = len as u64 + event as u64 + trailer as u64;
        let blocks = self.member.ring().geometry.blocks(bytes);
        if blocks > self.max_blocks || bytes > MAX_LEN {
            return Err(SendError::TooLarge { len: len + event, max: self.max_message() });
        }
        Ok((Extent::new(len, event, trailer), blocks))
    }

    fn claim(&mut self, blocks: u64, patience: Patience) -> Result<Claim, SendError> {
        if self.member.shared.forked() {
            return Err(SendError::Forked);
        }
        match self.publisher.claim(self.member.ring(), blocks) {
            Ok(claim) => Ok(claim),
            Err(refused) => self.wait_for_room(refused, blocks, patience),
        }
    }

    #[cold]
    fn wait_for_room(
        &mut self,
        refused: Refused,
        blocks: u64,
        patience: Patience,
    ) -> Result<Claim, SendError> {
        let shared = Arc::clone(&self.member.shared);
        let ring = shared.ring();
        let again = |publisher: &mut Publisher| match publisher.claim(ring, blocks) {
            Ok(claim) => Some(Ok(claim)),
            Err(Refused::Full) => None,
            Err(Refused::Closed) => Some(Err(SendError::Closed)),
            Err(Refused::Damaged) => Some(Err(SendError::Corrupt)),
        };
        match refused {
            Refused::Closed => return Err(SendError::Closed),
            Refused::Damaged => return Err(SendError::Corrupt),
            Refused::Full if matches!(patience, Patience::None) => {
                self.look_for_the_dead();
                return again(&mut self.publisher).unwrap_or(Err(SendError::Full));
            }
            Refused::Full => {}
        }
        for _ in 0..SPINS {
            spin_loop();
            if let Some(result) = again(&mut self.publisher) {
                return result;
            }
        }
        loop {
            let room = &ring.control.room;
            room.wanted.fetch_min(self.publisher.wanted_floor(ring, blocks), Relaxed);
            let signal = ring.announce_sleep(&room.signal, ROOM);
            self.look_for_the_dead();
            if let Some(result) = again(&mut self.publisher) {
                return result;
            }
            let Some(nap) = patience.nap(NAP) else { return Err(SendError::Timeout) };
            sys::futex::wait(&room.signal, signal, nap);
            if let Some(result) = again(&mut self.publisher) {
                return result;
            }
        }
    }

    /// Now and then, by the clock: neither short time-outs nor being woken in vain put it off.
    fn look_for_the_dead(&mut self) {
        if self.looked.elapsed() >= LOOK {
            self.member.shared.recover_all();
            self.looked = Instant::now();
        }
    }

    #[inline(always)]
    fn sent(&mut self, count: u64, fenced: bool) {
        self.member.count(count);
        let messages = count.min(1 << 30) as u32;
        self.member.ring().wake_consumers(messages, fenced, &*self.member.shared);
    }
}

/// Writes one message's bytes where we have claimed.
#[inline(always)]
fn fill(ring: &Ring, first: u64, event: &[u8], payload: &[u8], trailer: &[u8]) {
    let index = ring.index(first);
    let mut written = ring.blocks.write(index, 0, payload);
    if !event.is_empty() {
        written = written.and(ring.blocks.write(index, payload.len(), event));
    }
    if !trailer.is_empty() {
        written = written.and(ring.blocks.write(index, payload.len() + event.len(), trailer));
    }
    debug_assert!(written.is_some(), "a claim lies inside the ring");
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Producer")
            .field("queue", &self.member.shared.name)
            .field("sent", &self.member.hot.count.load(Relaxed))
            .finish_non_exhaustive()
    }
}
