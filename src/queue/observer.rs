//! Watching without taking part.

use std::sync::Arc;
use std::time::Duration;

use super::join::find;
use super::join::starting_point;
use super::lossy::{Look, look};
use super::shared::{Patience, Shared};
use super::stats::QueueStats;
use super::{Queue, Start};
use crate::error::{JoinError, OpenError, RecvError};
use crate::layout::{Extent, IDLE};
use crate::ring::Span;
use crate::sync::Acquire;

/// Blocks that are looked at to find the latest messages.
const FAR: u64 = 1 << 16;

/// Reads along, read-only: takes no row, holds nobody up, and may be overrun. One thread at a time uses it.
pub struct Observer {
    shared: Arc<Shared>,
    cursor: u64,
    buffer: Vec<u8>,
}

/// A message as an observer saw it: a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Observed {
    /// The payload.
    pub payload: Vec<u8>,
    /// The event name, if it has one.
    pub event: Option<String>,
    /// The message's position.
    pub position: u64,
    /// The id that it was sent with.
    pub id: Option<Vec<u8>>,
    /// For a message of a dead-letter queue: where it comes from and why.
    pub dead_letter: Option<super::DeadLetter>,
}

impl Observer {
    /// Opens a queue read-only; read permission on its file is enough.
    ///
    /// # Errors
    /// As [`Queue::open`].
    pub fn open(name: &str) -> Result<Observer, OpenError> {
        Ok(Self::over(Queue::open_read_only(name)?))
    }

    /// The name that it was opened by still stands for this queue.
    #[cfg(feature = "gateway")]
    pub(crate) fn is_current(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        let file = |meta: std::fs::Metadata| (meta.dev(), meta.ino());
        let named = self.shared.path.as_ref().and_then(|path| std::fs::metadata(path).ok());
        named.is_some_and(|named| {
            self.shared.file.metadata().is_ok_and(|own| file(own) == file(named))
        })
    }

    pub(crate) fn over(shared: Arc<Shared>) -> Self {
        let cursor = shared.ring().control.gate.load(Acquire);
        Self { shared, cursor, buffer: Vec::new() }
    }

    /// Goes to a start: the oldest message still there (where an observer begins), the end, or a position, which may be anybody's guess: the
    /// observer goes on with the first message that begins there or later.
    ///
    /// # Errors
    /// [`Lagged`](RecvError::Lagged): that has been overwritten from there on, and the observer is at the oldest message. [`Corrupt`](RecvError::Corrupt).
    pub fn seek(&mut self, start: Start) -> Result<(), RecvError> {
        match self.place_of(start) {
            Ok(place) => self.cursor = place,
            Err(JoinError::Lagged { earliest }) => {
                let Start::Position(wanted) = start else { return Err(RecvError::Corrupt) };
                self.cursor = earliest;
                return Err(RecvError::Lagged { missed: earliest.saturating_sub(wanted) });
            }
            Err(_) => return Err(RecvError::Corrupt),
        }
        Ok(())
    }

    /// The message boundary of a start.
    fn place_of(&self, start: Start) -> Result<u64, JoinError> {
        let ring = self.shared.ring();
        // Who comes back to where he was needs no walk over all that is there.
        if let Start::Position(wanted) = start {
            let known = match ring.span(wanted) {
                Span::Message { .. } => Some(wanted),
                Span::Open => ring.frontier(0).filter(|end| *end <= wanted),
                _ => None,
            };
            if let Some(place) = known.filter(|_| ring.control.gate.load(Acquire) <= wanted) {
                return Ok(place);
            }
        }
        starting_point(ring, start)
    }

    /// Where it will go on: to be given to [`Observer::seek`] later, or by another process.
    pub fn position(&self) -> u64 {
        self.cursor
    }

    /// Goes to the latest messages: as many, or fewer if they are not there any more or begin further back than 65,536 blocks.
    pub fn rewind(&mut self, messages: usize) -> Result<(), RecvError> {
        let ring = self.shared.ring();
        let gate = ring.control.gate.load(Acquire);
        let end = ring.frontier(0).ok_or(RecvError::Corrupt)?;
        // Blocks within a message still have the stamps of earlier laps; so what ends where the one behind it begins is a message.
        let (mut at, mut first, mut found) = (end, end, 0);
        while found < messages && at > gate.max(end.saturating_sub(FAR)) {
            at -= 1;
            let (blocks, counts) = match ring.span(at) {
                Span::Message { blocks, .. } => (blocks, 1),
                Span::Pad { blocks } => (blocks, 0),
                // What lies in an unfinished batch is not there yet.
                Span::Claimed { blocks, .. } if at.wrapping_add(blocks) >= first => {
                    (first, found) = (at, 0);
                    continue;
                }
                _ => continue,
            };
            if at.wrapping_add(blocks) == first {
                (first, found) = (at, found + counts);
            }
        }
        self.cursor = first;
        Ok(())
    }

    /// The next message if there is one now.
    ///
    /// # Errors
    /// [`Empty`](RecvError::Empty). [`Lagged`](RecvError::Lagged): it was overrun, and goes on behind the gap. [`Closed`](RecvError::Closed) at the end of a closed queue.
    /// [`Corrupt`](RecvError::Corrupt) and [`Forked`](RecvError::Forked): this handle is of no use any more.
    pub fn try_recv(&mut self) -> Result<Observed, RecvError> {
        if self.shared.forked() {
            return Err(RecvError::Forked);
        }
        let ring = self.shared.ring();
        match look(ring, self.cursor, &mut self.buffer) {
            Look::Message { first, end, extent } => {
                self.cursor = end;
                Ok(self.observed(first, extent))
            }
            Look::Nothing { next } => {
                self.cursor = next;
                let end = ring.control.doors.end.load(Acquire);
                let over = ring.mode().is_closed() && end != IDLE && next >= end;
                Err(if over { RecvError::Closed } else { RecvError::Empty })
            }
            Look::Hole { at, .. } => {
                self.cursor = at;
                Err(RecvError::Empty)
            }
            Look::Lagged { missed, next } => {
                self.cursor = next;
                #[cfg(feature = "tracing")]
                tracing::debug!(queue = %self.shared.name, missed, "an observer was overrun");
                Err(RecvError::Lagged { missed })
            }
            Look::Damaged => Err(RecvError::Corrupt),
        }
    }

    /// The next message, waiting for it as long as `timeout`. An observer leaves no trace, so that nobody can wake it: it looks again
    /// every millisecond.
    ///
    /// # Errors
    /// [`Timeout`](RecvError::Timeout). [`Lagged`](RecvError::Lagged): it was overrun, and goes on behind the gap. [`Closed`](RecvError::Closed) at the end of a closed queue.
    /// [`Corrupt`](RecvError::Corrupt) and [`Forked`](RecvError::Forked): this handle is of no use any more.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Observed, RecvError> {
        let patience = Patience::of(timeout);
        loop {
            match self.try_recv() {
                Err(RecvError::Empty) => {}
                result => return result,
            }
            let Some(nap) = patience.nap(Duration::from_millis(1)) else {
                return Err(RecvError::Timeout);
            };
            std::thread::sleep(nap);
        }
    }

    /// The next message, waiting for it.
    ///
    /// # Errors
    /// [`Lagged`](RecvError::Lagged): it was overrun, and goes on behind the gap. [`Closed`](RecvError::Closed) at the end of a closed queue.
    /// [`Corrupt`](RecvError::Corrupt) and [`Forked`](RecvError::Forked): this handle is of no use any more.
    pub fn recv(&mut self) -> Result<Observed, RecvError> {
        self.recv_timeout(Duration::MAX)
    }

    /// Has the named group acked the message at a position? No, if there is no such group.
    pub fn is_acked(&self, group: &str, position: u64) -> bool {
        let ring = self.shared.ring();
        find(&self.shared, group).is_some_and(|group| {
            let floor = ring.groups.get(group).map_or(0, |row| row.floor());
            position < floor || ring.is_acked(group, position)
        })
    }

    /// The queue's figures.
    pub fn stats(&self) -> QueueStats {
        QueueStats::of(&self.shared, u64::MAX)
    }

    /// The queue's figures at a bounded cost: see [`Queue::stats_within`].
    pub fn stats_within(&self, messages: u64) -> QueueStats {
        QueueStats::of(&self.shared, messages)
    }

    fn observed(&self, position: u64, extent: Extent) -> Observed {
        let part = |from: usize, len: usize| self.buffer.get(from..from + len).unwrap_or(&[]);
        let event = part(extent.len(), extent.event());
        let trailer = part(extent.len() + extent.event(), extent.trailer());
        Observed {
            payload: part(0, extent.len()).to_vec(),
            event: std::str::from_utf8(event)
                .ok()
                .filter(|event| !event.is_empty())
                .map(str::to_owned),
            position,
            id: super::id::parse(trailer).map(<[u8]>::to_vec),
            dead_letter: super::DeadLetter::parse(trailer),
        }
    }
}

impl Clone for Observer {
    /// Another one at the same place.
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), cursor: self.cursor, buffer: Vec::new() }
    }
}

impl std::fmt::Debug for Observer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Observer")
            .field("queue", &self.shared.name)
            .field("position", &self.cursor)
            .finish_non_exhaustive()
    }
}
