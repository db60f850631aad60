//! Readers that hold nobody up: their place in the ring is all they are. They can be overrun, and are told so.

use std::os::fd::AsRawFd;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

use super::problem::Problem;
use crate::{Consumer, JoinError, Message, Queue, RecvError, Start};

/// A lossy reader of a queue.
pub(super) struct Reader {
    consumer: Consumer,
    queue: Queue,
    /// Behind the last message that was read.
    next: u64,
    missed: Option<Missed>,
}

/// Positions that can't be read any more: from the first, up to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Missed {
    pub(super) from: u64,
    pub(super) to: u64,
}

/// What comes next.
pub(super) enum Next<'r> {
    Message(Message<'r>),
    Missed(Missed),
    Empty,
    Closed,
}

impl Reader {
    /// A reader of the events that match, whose descriptor wakes the loop by a token.
    pub(super) fn open(
        queue: &Queue,
        start: Start,
        filter: Option<&str>,
        (registry, token): (&Registry, Token),
    ) -> Result<Self, Problem> {
        let join = |start| {
            let options = queue.consumer_options().lossy(true).start(start);
            match filter {
                Some(filter) => options.filter(filter).open(),
                None => options.open(),
            }
        };
        let (mut next, mut missed) = match start {
            Start::Earliest => (queue.stats().earliest, None),
            Start::Position(position) => (position, None),
            _ => (queue.stats().latest, None),
        };
        let consumer = match join(Start::Position(next)) {
            Err(JoinError::Lagged { earliest }) => {
                missed =
                    Some(Missed { from: next, to: earliest }).filter(|_| start != Start::Earliest);
                next = earliest;
                join(Start::Earliest)?
            }
            other => other?,
        };
        let fd = consumer.pollable()?.as_raw_fd();
        registry.register(&mut SourceFd(&fd), token, Interest::READABLE)?;
        Ok(Self { consumer, queue: queue.clone(), next, missed })
    }

    /// Where a reader that comes back has to start.
    pub(super) fn next_position(&self) -> u64 {
        self.next
    }

    /// The next message, if there is one now. After [`Next::Empty`] what comes wakes the loop.
    pub(super) fn next(&mut self) -> Result<Next<'_>, Problem> {
        if let Some(missed) = self.missed.take() {
            return Ok(Next::Missed(missed));
        }
        loop {
            match self.consumer.try_recv() {
                Ok(message) => {
                    self.next = message.position().wrapping_add(1);
                    return Ok(Next::Message(message));
                }
                Err(RecvError::Empty) => return Ok(Next::Empty),
                Err(RecvError::Closed) => return Ok(Next::Closed),
                Err(RecvError::Lagged { .. }) => {
                    let missed = Missed { from: self.next, to: self.queue.stats().earliest };
                    // Else the range that was told last reached as far.
                    if missed.from < missed.to {
                        self.next = missed.to;
                        return Ok(Next::Missed(missed));
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}
