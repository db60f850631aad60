//! Receiving.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use super::dead::{self, DeadLetter};
use super::filter;
use super::join;
use super::lossy::{Look, look};
use super::message::Message;
use super::options::ConsumerOptions;
use super::producer::Producer;
use super::shared::{HOLE_NAP, Membership, NAP, Patience, SPINS};
use crate::error::{AckError, JoinError, RecvError};
use crate::group::{Pause, Reader, Settled, Taken, make_explicit};
use crate::layout::{Claiming, Extent, IDLE, Kind, Label, claim};
use crate::recover::Repaired;
use crate::ring::{Ring, Span};
use crate::sync::{Acquire, Relaxed, SeqCst, spin_loop};
use crate::sys;
use crate::sys::bell::Bell;
use crate::wait::group_bit;

/// The receiving side: a member of a group, an anonymous reader, or a lossy one. It can be moved to another thread, but is used by
/// one at a time (not `Sync`); several messages may be held at once. Dropping it gives back what it holds and leaves the group.
pub struct Consumer {
    reader: Reader,
    filter: Option<Vec<u8>>,
    max_deliveries: u64,
    /// As it was at joining: nothing that is written to the file later chooses where letters go.
    dead_letter: Option<String>,
    prefetch: usize,
    /// Claimed ahead of the application.
    ahead: RefCell<VecDeque<Taken>>,
    /// Copies of a lossy reader.
    copy: RefCell<Vec<u8>>,
    dead: RefCell<Option<Producer>>,
    bell: OnceCell<Bell>,
    received: Cell<u64>,
    /// What the slow way of receiving found.
    parked: Cell<Taken>,
    parked_copy: Cell<Option<Box<[u8]>>>,
    /// Empty looks, so that a polling member looks around now and then as a sleeping one does.
    idle: Cell<u32>,
    member: Membership,
}

/// A message and, for a lossy reader, its copy.
type Next = (Taken, Option<Box<[u8]>>);

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
            reader: joined.reader,
            ahead: RefCell::default(),
            copy: RefCell::default(),
            dead: RefCell::default(),
            bell: OnceCell::new(),
            received: Cell::new(0),
            parked: Cell::new(Taken { from: 0, first: 0, end: 0, extent: Extent(0), count: 0 }),
            parked_copy: Cell::new(None),
            idle: Cell::new(0),
            member: joined.member,
        })
    }

    #[inline(always)]
    fn ring(&self) -> &Ring<'_> {
        self.member.shared.ring()
    }

    fn label(&self) -> Option<&Label> {
        self.member.shared.label(self.reader.group())
    }

    /// Receives a message, waiting for one.
    #[inline]
    pub fn recv(&self) -> Result<Message<'_>, RecvError> {
        self.recv_patiently(Patience::Forever)
    }

    /// Receives a message if there is one now, else says [`RecvError::Empty`].
    #[inline]
    pub fn try_recv(&self) -> Result<Message<'_>, RecvError> {
        self.recv_patiently(Patience::None)
    }

    /// Receives a message, waiting for one as long as `timeout`.
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Message<'_>, RecvError> {
        self.recv_patiently(Patience::of(timeout))
    }

    /// Receives at least one message, waiting for it, and up to `max` that are there already.
    pub fn recv_batch(&self, max: usize) -> Result<Vec<Message<'_>>, RecvError> {
        let mut messages = Vec::new();
        while messages.len() < max {
            let patience = if messages.is_empty() { Patience::Forever } else { Patience::None };
            match self.recv_patiently(patience) {
                Ok(message) => messages.push(message),
                Err(error) if messages.is_empty() => return Err(error),
                Err(_) => break,
            }
        }
        Ok(messages)
    }

    /// Receives a message, waiting for one, copies its payload to the end of `buffer` and acks it. Returns the payload's length.
    pub fn recv_into(&self, buffer: &mut Vec<u8>) -> Result<usize, RecvError> {
        let message = self.recv()?;
        let payload = message.payload();
        let len = payload.len();
        buffer.extend_from_slice(payload);
        message.ack().map_err(|error| {
            if matches!(error, AckError::Forked) { RecvError::Forked } else { RecvError::Corrupt }
        })?;
        Ok(len)
    }

    /// Messages that this group has not acked yet, or that a lossy reader has not read. Counts them one by one.
    pub fn lag(&self) -> u64 {
        let ring = self.ring();
        let from = match self.reader.kind() {
            Kind::Lossy => self.reader.cursor(),
            _ => ring.groups.get(self.reader.group()).map_or(0, |group| group.floor()),
        };
        super::stats::count_messages(
            ring,
            from,
            Some(self.reader.group()).filter(|_| self.reader.kind() == Kind::Named),
        )
    }

    /// The group's name; `None` for an anonymous or lossy reader.
    pub fn group(&self) -> Option<String> {
        if self.reader.kind() == Kind::Named { self.label()?.name.get() } else { None }
    }

    #[inline(always)]
    fn recv_patiently(&self, patience: Patience) -> Result<Message<'_>, RecvError> {
        if let Some(taken) = self.take_fast() {
            return Ok(Message::new(self, taken, self.bytes(taken), None));
        }
        // The slow way leaves its message in a field, so that here both ways build it from registers.
        self.recv_closely(patience)?;
        let taken = self.parked.get();
        Ok(Message::new(self, taken, self.bytes(taken), self.parked_copy.take()))
    }

    /// A sole member's usual case, without a call.
    #[inline(always)]
    fn take_fast(&self) -> Option<Taken> {
        let shared = &*self.member.shared;
        if shared.forked() {
            return None;
        }
        let ring = shared.ring();
        let taken = self.reader.take_fast(ring, ring.groups.get(self.reader.group())?)?;
        self.count_received(ring);
        Some(taken)
    }

    #[inline(always)]
    fn count_received(&self, ring: &Ring) {
        self.received.set(self.received.get() + 1);
        if let Some(member) = ring.members.get(self.member.row) {
            member.hot.count.store(self.received.get(), Relaxed);
        }
    }

    #[cold]
    #[inline(never)]
    fn recv_closely(&self, patience: Patience) -> Result<(), RecvError> {
        if self.member.shared.forked() {
            return Err(RecvError::Forked);
        }
        let (taken, copy) = match self.next() {
            Ok(next) => next,
            Err(pause) => self.wait_for_message(pause, patience)?,
        };
        self.parked.set(taken);
        self.parked_copy.set(copy);
        self.count_received(self.ring());
        Ok(())
    }

    /// A message's bytes in the ring. They are inside it: `take` has seen to that.
    #[inline(always)]
    fn bytes(&self, taken: Taken) -> &[u8] {
        let ring = self.ring();
        let index = ring.geometry.index(taken.first);
        // SAFETY: the message is ours and un-acked, so the gate cannot pass it; `Message` lends it only until it is settled.
        let bytes = unsafe { ring.blocks.slice(index, 0, taken.extent.bytes() as usize) };
        bytes.unwrap_or(&[])
    }

    /// The next message to be delivered; those that were delivered too often are put aside on the way.
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
            let _ = self.ack(taken);
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
        // SAFETY: asked only about messages that are ours and un-acked.
        let event = unsafe {
            ring.blocks.slice(ring.geometry.index(position), extent.len(), extent.event())
        };
        event.is_some_and(|event| filter::matches(pattern, event))
    }

    fn next_lossy(&self) -> Result<Next, Stop> {
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
        let shared = &self.member.shared;
        let ring = self.ring();
        let mut result;
        if !matches!(patience, Patience::None) {
            for _ in 0..SPINS {
                spin_loop();
                if let Some(result) = self.settle_stop(self.next()) {
                    return result;
                }
            }
        }
        let group = ring.groups.get(self.reader.group()).ok_or(RecvError::Corrupt)?;
        loop {
            let changed = self.look_around(&patience);
            if self.is_over() {
                return Err(RecvError::Closed);
            }
            let bell = self.bell.get();
            if matches!(patience, Patience::None) {
                let Some(bell) = bell else {
                    let next = if changed { self.settle_stop(self.next()) } else { None };
                    return next.unwrap_or(Err(RecvError::Empty));
                };
                // The caller is going to poll: whatever comes from now on rings.
                bell.clear();
                if let Some(member) = ring.members.get(self.member.row) {
                    member.info.bell.store(1, SeqCst);
                }
                ring.announce_sleep(&group.signal, group_bit(self.reader.group()));
                bell.arm(NAP);
                return self.settle_stop(self.next()).unwrap_or(Err(RecvError::Empty));
            }
            let signal = ring.announce_sleep(&group.signal, group_bit(self.reader.group()));
            result = self.next();
            let hole = matches!(result, Err(Stop::Pause(Pause::Hole { .. })));
            if let Some(result) = self.settle_stop(result) {
                return result;
            }
            if self.is_over() {
                return Err(RecvError::Closed);
            }
            let Some(nap) = patience.nap(if hole { HOLE_NAP } else { NAP }) else {
                return Err(RecvError::Timeout);
            };
            sys::futex::wait(&group.signal, signal, nap);
            if shared.forked() {
                return Err(RecvError::Forked);
            }
            if let Some(result) = self.settle_stop(self.next()) {
                return result;
            }
        }
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
    fn look_around(&self, patience: &Patience) -> bool {
        let shared = &self.member.shared;
        let ring = self.ring();
        shared.wake_producers_now();
        let polls = matches!(patience, Patience::None);
        self.idle.set(self.idle.get().wrapping_add(1));
        if polls && !self.idle.get().is_multiple_of(64) {
            return false;
        }
        if let Span::Claimed { owner, .. } = ring.span(self.reader.cursor()) {
            return shared.recover_member(owner) != Repaired::default();
        }
        if self.reader.kind() != Kind::Named {
            return false;
        }
        let Some(group) = ring.groups.get(self.reader.group()) else { return false };
        let alone = group.mode().claiming() == Claiming::Sole(self.member.row);
        if alone {
            return false;
        }
        let at_stake = group.floor() != self.reader.cursor();
        if at_stake {
            for row in ring.consumers_of(self.reader.group()).filter(|row| *row != self.member.row)
            {
                shared.recover_member(row);
            }
        } else if !ring.geometry.fenced && self.reader.held.get() == 0 {
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

    /// Makes the pollable descriptor, which [`as_fd`](AsFd::as_fd) does too; here a failure is an error.
    ///
    /// The descriptor becomes readable when there may be a message: then receive with [`try_recv`](Consumer::try_recv) until it says
    /// `Empty`, which arms it again. It also becomes readable now and then without one. Start by receiving, too.
    pub fn pollable(&self) -> io::Result<BorrowedFd<'_>> {
        if self.bell.get().is_none() {
            let shared = &self.member.shared;
            sys::file::ensure_dir(&shared.dir)?;
            let bell = Bell::create(
                &shared.dir,
                &shared.bell_name(self.member.row),
                0o600 | self.file_mode(),
            )?;
            let _ = self.bell.set(bell);
            if let Some(group) = self.ring().groups.get(self.reader.group()) {
                group.info.bells.store(1, SeqCst);
            }
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

/// Why [`Consumer::next`] has nothing.
enum Stop {
    Pause(Pause),
    Lagged { missed: u64 },
}

impl AsFd for Consumer {
    /// A descriptor for poll, epoll, mio or tokio's `AsyncFd`; see [`pollable`](Consumer::pollable).
    ///
    /// # Panics
    /// If the system has no descriptors left; call `pollable` first to get that as an error.
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
        // The bell's name belongs to the row, so it goes first.
        self.bell.take();
    }
}

impl std::fmt::Debug for Consumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Consumer")
            .field("queue", &self.member.shared.name)
            .field("group", &self.group())
            .field("received", &self.received.get())
            .finish_non_exhaustive()
    }
}
