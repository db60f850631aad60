//! Receiving.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use super::inflight::{InFlight, Slot};
use super::join;
use super::message::Message;
use super::options::ConsumerOptions;
use super::producer::Producer;
use super::run::as_recv_error;
use super::shared::{LOOKS, Membership, Patience, SPINS};
use crate::error::{JoinError, RecvError};
use crate::group::{Reader, Taken};
use crate::layout::{Group, Kind, Label, ROOM};
use crate::ring::Ring;
use crate::sync::{Relaxed, SeqCst};
use crate::sys;
use crate::sys::bell::Bell;

/// The receiving side: a member of a group, an anonymous reader, or a lossy one. It can be moved to another thread, but is used by
/// one at a time (not `Sync`); several messages may be held at once. Dropping it gives back what it holds and leaves the group.
pub struct Consumer {
    pub(super) reader: Reader,
    pub(super) filter: Option<Vec<u8>>,
    pub(super) max_deliveries: u64,
    /// As it was at joining: nothing that is written to the file later chooses where letters go.
    pub(super) dead_letter: Option<String>,
    pub(super) prefetch: usize,
    /// Claimed ahead of the application.
    pub(super) ahead: RefCell<VecDeque<Taken>>,
    /// Copies of a lossy reader.
    pub(super) copy: RefCell<Vec<u8>>,
    /// A lossy reader was overrun after the first message of a batch: how many positions it missed.
    pub(super) overrun: Cell<Option<u64>>,
    pub(super) dead: RefCell<Option<Producer>>,
    pub(super) bell: OnceCell<Bell>,
    pub(super) inflight: InFlight,
    /// Empty looks, so that a polling member looks around now and then as a sleeping one does.
    pub(super) idle: Cell<u32>,
    /// The group's row; borrows from the mapping, which `member` holds.
    pub(super) group: &'static Group,
    pub(super) member: Membership,
}

impl Consumer {
    pub(crate) fn join(options: ConsumerOptions<'_>) -> Result<Self, JoinError> {
        let joined = join::join(&options)?;
        let label = joined.member.shared.label(joined.reader.group());
        let filter = label.and_then(|label| label.filter.get()).filter(|filter| !filter.is_empty());
        Ok(Self {
            filter: filter.map(String::into_bytes),
            max_deliveries: label.map_or(0, |label| label.max_deliveries.load(Relaxed)),
            dead_letter: joined.dead_letter,
            prefetch: options.prefetch,
            ahead: RefCell::default(),
            copy: RefCell::default(),
            overrun: Cell::new(None),
            dead: RefCell::default(),
            bell: OnceCell::new(),
            inflight: InFlight::new(),
            idle: Cell::new(0),
            group: joined.member.group(joined.reader.group()).ok_or(JoinError::Corrupt)?,
            reader: joined.reader,
            member: joined.member,
        })
    }

    #[inline(always)]
    pub(super) fn ring(&self) -> &Ring<'_> {
        self.member.ring()
    }

    pub(super) fn label(&self) -> Option<&Label> {
        self.member.shared.label(self.reader.group())
    }

    /// Receives a message, waiting for one.
    ///
    /// # Errors
    /// [`Closed`](RecvError::Closed) when the queue is closed and drained; [`Lagged`](RecvError::Lagged) to a lossy reader that was overrun.
    /// [`Corrupt`](RecvError::Corrupt) and [`Forked`](RecvError::Forked): this handle is of no use any more.
    #[inline(always)]
    pub fn recv(&self) -> Result<Message<'_>, RecvError> {
        let slot = match self.take_fast(SPINS) {
            Some(slot) => slot,
            None => self.recv_closely(Patience::Forever)?,
        };
        Ok(self.deliver(slot))
    }

    /// Receives a message if there is one now, else says [`RecvError::Empty`].
    ///
    /// # Errors
    /// [`Empty`](RecvError::Empty). [`Closed`](RecvError::Closed) when the queue is closed and drained; [`Lagged`](RecvError::Lagged) to a lossy reader that was overrun.
    /// [`Corrupt`](RecvError::Corrupt) and [`Forked`](RecvError::Forked): this handle is of no use any more.
    #[inline(always)]
    pub fn try_recv(&self) -> Result<Message<'_>, RecvError> {
        let slot = match self.take_fast(0) {
            Some(slot) => slot,
            None if self.is_plainly_empty() => return Err(RecvError::Empty),
            None => self.recv_closely(Patience::None)?,
        };
        Ok(self.deliver(slot))
    }

    /// Receives a message, waiting for one as long as `timeout`.
    ///
    /// # Errors
    /// [`Timeout`](RecvError::Timeout). [`Closed`](RecvError::Closed) when the queue is closed and drained; [`Lagged`](RecvError::Lagged) to a lossy reader that was overrun.
    /// [`Corrupt`](RecvError::Corrupt) and [`Forked`](RecvError::Forked): this handle is of no use any more.
    #[inline]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Message<'_>, RecvError> {
        let slot = match self.take_fast(if timeout.is_zero() { 0 } else { SPINS }) {
            Some(slot) => slot,
            None => self.recv_closely(Patience::of(timeout))?,
        };
        Ok(self.deliver(slot))
    }

    /// Receives at least one message, waiting for it, and up to `max` that are there already.
    ///
    /// # Errors
    /// [`Closed`](RecvError::Closed) when the queue is closed and drained; [`Lagged`](RecvError::Lagged) to a lossy reader that was overrun.
    /// [`Corrupt`](RecvError::Corrupt) and [`Forked`](RecvError::Forked): this handle is of no use any more.
    ///
    /// ```
    /// use slipring::Queue;
    ///
    /// let queue = Queue::options().capacity(1 << 16).create_memfd("example")?;
    /// queue.producer()?.send_batch(["one", "two", "three"])?;
    /// let rx = queue.consumer("default")?;
    /// for message in rx.recv_batch(64)? {
    ///     println!("{}", String::from_utf8_lossy(message.payload()));
    ///     message.ack()?;
    /// }
    /// assert_eq!(rx.lag(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn recv_batch(&self, max: usize) -> Result<Vec<Message<'_>>, RecvError> {
        if max == 0 {
            return Ok(Vec::new());
        }
        let first = self.recv()?;
        let mut messages = Vec::with_capacity(max.min(64));
        messages.push(first);
        while messages.len() < max {
            match self.try_recv() {
                Ok(message) => messages.push(message),
                Err(error) => {
                    self.say_later(&error);
                    break;
                }
            }
        }
        Ok(messages)
    }

    /// An error behind messages that were received: the next call says it, or finds it again.
    pub(super) fn say_later(&self, error: &RecvError) {
        if let RecvError::Lagged { missed } = *error {
            self.overrun.set(Some(missed));
        }
    }

    /// Receives a message, waiting for one, copies its payload to the end of `buffer` and acks it. Returns the payload's length.
    ///
    /// # Errors
    /// [`Closed`](RecvError::Closed) when the queue is closed and drained; [`Lagged`](RecvError::Lagged) to a lossy reader that was overrun.
    /// [`Corrupt`](RecvError::Corrupt) and [`Forked`](RecvError::Forked): this handle is of no use any more.
    pub fn recv_into(&self, buffer: &mut Vec<u8>) -> Result<usize, RecvError> {
        let message = self.recv()?;
        let payload = message.payload();
        let len = payload.len();
        buffer.extend_from_slice(payload);
        message.ack().map_err(as_recv_error)?;
        Ok(len)
    }

    /// Messages that this group has not acked yet, or that a lossy reader has not read. Counts them one by one.
    pub fn lag(&self) -> u64 {
        let ring = self.ring();
        let from = match self.reader.kind() {
            Kind::Lossy => self.reader.cursor(),
            _ => self.group.floor(),
        };
        let group = Some(self.reader.group()).filter(|_| self.reader.kind() == Kind::Named);
        super::stats::count_messages(ring, from, group, u64::MAX).0
    }

    /// The group's name; `None` for an anonymous or lossy reader.
    pub fn group(&self) -> Option<String> {
        if self.reader.kind() == Kind::Named { self.label()?.name.get() } else { None }
    }

    /// To the application; counted for people.
    #[inline(always)]
    pub(super) fn deliver<'c>(&'c self, slot: &'c Slot) -> Message<'c> {
        self.member.count(1);
        Message::new(self, slot)
    }

    /// A sole member's usual case, without a call: the message is there, or comes while this looks `turns` times more.
    #[inline(always)]
    fn take_fast(&self, turns: u32) -> Option<&Slot> {
        let (taken, bytes) = self.take_usual(turns)?;
        Some(self.inflight.keep_fast(taken.first, taken.end, taken.extent, bytes))
    }

    /// The same, with the place of its bytes, not kept as one in hand.
    #[inline(always)]
    pub(super) fn take_usual(&self, turns: u32) -> Option<(Taken, *const u8)> {
        let ring = &self.member.ring_copy();
        let pass = sys::fork::generation();
        let taken = self.reader.take_fast(ring, self.group, self.member.hot, pass, turns)?;
        Some((taken, ring.blocks.start(ring.index(taken.first))))
    }

    /// Whoever polls spends his time here: nothing at the cursor, nobody to wake, and not yet time to look around.
    #[inline(always)]
    pub(super) fn is_plainly_empty(&self) -> bool {
        let shared = &*self.member.shared;
        let doors = &self.ring().control.doors;
        let turn = self.idle.get().wrapping_add(1);
        let plain = self.reader.sees_nothing(self.ring())
            && !turn.is_multiple_of(LOOKS)
            && !shared.forked()
            && self.bell.get().is_none()
            && doors.sleepers.load(Relaxed) & ROOM == 0
            && !self.ring().mode().is_closed();
        if plain {
            self.idle.set(turn);
        }
        plain
    }

    /// A message's bytes in the ring.
    #[inline(always)]
    pub(super) fn bytes(&self, taken: &Taken) -> &[u8] {
        let ring = self.ring();
        let index = ring.index(taken.first);
        // SAFETY: inside the ring, as whoever took the message has seen to; it is ours and un-acked, so the gate cannot pass it; `Message`
        // lends it only until it is settled.
        unsafe { ring.blocks.slice(index, 0, taken.extent.bytes() as usize) }
    }

    #[inline(always)]
    pub(super) fn is_lossy(&self) -> bool {
        self.reader.kind() == Kind::Lossy
    }

    /// Makes the pollable descriptor, which [`as_fd`](AsFd::as_fd) does too; here a failure is an error.
    ///
    /// The descriptor becomes readable when there may be a message: then receive with [`try_recv`](Consumer::try_recv) until it says
    /// `Empty`, which arms it again. It also becomes readable now and then without one. Start by receiving, too.
    ///
    /// # Errors
    /// The system's, when there are no descriptors left or the FIFO can't be made; and after a `fork`.
    pub fn pollable(&self) -> io::Result<BorrowedFd<'_>> {
        if self.member.shared.forked() {
            return Err(io::Error::other(RecvError::Forked));
        }
        if self.bell.get().is_none() {
            let shared = &self.member.shared;
            sys::file::ensure_dir(&shared.dir)?;
            let bell = Bell::create(
                &shared.dir,
                &shared.bell_name(self.member.row),
                0o600 | self.file_mode(),
            )?;
            let _ = self.bell.set(bell);
            self.group.info.bells.store(1, SeqCst);
        }
        let bell = self.bell.get().ok_or(io::ErrorKind::Other)?;
        bell.arm(Duration::from_nanos(1));
        Ok(bell.fd())
    }

    fn file_mode(&self) -> u32 {
        self.member
            .shared
            .file
            .metadata()
            .map_or(0, |meta| std::os::unix::fs::MetadataExt::mode(&meta) & 0o777)
    }
}

impl AsFd for Consumer {
    /// A descriptor for poll, epoll, mio or tokio's `AsyncFd`; see [`pollable`](Consumer::pollable).
    ///
    /// # Panics
    /// If the system has no descriptors left, or after a fork; call `pollable` first to get that as an error.
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self.pollable() {
            Ok(fd) => fd,
            Err(error) => panic!("no pollable descriptor for this consumer: {error}"),
        }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        for taken in self.ahead.take() {
            let _ = self.give_back(taken, true);
        }
        if !self.member.shared.forked() {
            self.reader.settle_passed(self.ring());
        }
        // The bell's name belongs to the row, so it goes first.
        self.bell.take();
    }
}

impl std::fmt::Debug for Consumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Consumer")
            .field("queue", &self.member.shared.name)
            .field("group", &self.group())
            .field("received", &self.member.hot.count.load(Relaxed))
            .finish_non_exhaustive()
    }
}
