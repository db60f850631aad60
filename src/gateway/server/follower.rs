//! A client's place in a queue: all that is kept for it, however far it is behind.

use super::feed::{Batch, Client, Encoded, Feeds, Fresh};
use super::problem::Problem;
use super::wire::Wire;
use crate::{Observer, Queue, RecvError, Start, event_matches};

/// Messages that a client does not want, skipped at a time.
const SKIPPED: usize = 1024;

/// Where a client begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Start(Start),
    /// Behind the message that it saw last.
    After(u64),
}

/// The events that a client wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    All,
    /// Those that match one of these, and so none if there are none.
    Any(Vec<String>),
}

impl From<Option<String>> for Filter {
    fn from(filter: Option<String>) -> Self {
        filter.map_or(Self::All, |filter| Self::Any(vec![filter]))
    }
}

impl Filter {
    fn admits(&self, message: &Fresh) -> bool {
        let event = message.event.as_deref().unwrap_or_default();
        match self {
            Self::All => true,
            Self::Any(filters) => filters.iter().any(|filter| event_matches(filter, event)),
        }
    }
}

/// Positions that can't be read any more: from the first, up to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Missed {
    pub(super) from: u64,
    pub(super) to: u64,
}

/// What comes next for a client that reads for itself.
pub(super) enum Next {
    Message(Fresh),
    Missed(Missed),
    /// Nothing that it wants so far: look on.
    More,
    /// That is all there is. What is new is offered to it.
    Live,
    Closed,
}

/// A client that follows a queue.
pub(super) struct Follower {
    feed: usize,
    client: Client,
    pub(super) filter: Filter,
    /// What is below it has been sent, was not wanted, or is missed.
    next: u64,
    /// It misses what it has no room for.
    pub(super) volatile: bool,
    missed: Option<Missed>,
    /// Reads for it while it is not live.
    behind: Option<Box<Observer>>,
}

impl Follower {
    /// A client that begins somewhere; it is not live yet.
    pub(super) fn open(
        feeds: &mut Feeds,
        queue: &Queue,
        place: Place,
        filter: Filter,
        client: Client,
    ) -> Result<Self, Problem> {
        let mut observer = queue.observe()?;
        let (start, wanted) = match place {
            Place::Start(Start::Position(position)) => (Start::Position(position), Some(position)),
            Place::Start(start) => (start, None),
            // Before the first.
            Place::After(u64::MAX) => (Start::Position(0), Some(0)),
            Place::After(last) => (Start::Position(last), Some(last + 1)),
        };
        let mut missed = None;
        match observer.seek(start) {
            Ok(()) => {}
            Err(RecvError::Lagged { .. }) => missed = wanted,
            Err(error) => return Err(error.into()),
        }
        let at = observer.position();
        let missed = missed.map(|from| Missed { from, to: at }).filter(|gap| gap.from < gap.to);
        let end = queue.bounds().end;
        // Nobody has been where nothing is yet.
        let next = wanted.map_or(at, |wanted| wanted.min(end));
        let feed = feeds.follow(queue)?;
        let behind = Some(Box::new(observer));
        Ok(Self { feed, client, filter, next, volatile: false, missed, behind })
    }

    /// The client goes.
    pub(super) fn leave(&self, feeds: &mut Feeds) {
        feeds.leave(self.feed, self.client);
    }

    pub(super) fn client(&self) -> Client {
        self.client
    }

    /// Where a client that comes back has to start.
    pub(super) fn next_position(&self) -> u64 {
        self.next
    }

    /// It has not been sent all there is.
    pub(super) fn is_behind(&self) -> bool {
        self.behind.is_some()
    }

    /// What it missed so far, if that has not been said.
    pub(super) fn take_missed(&mut self) -> Option<Missed> {
        let missed = self.missed.take()?;
        self.next = self.next.max(missed.to);
        Some(missed)
    }

    /// The next message that it reads for itself, if it is behind.
    pub(super) fn pull(&mut self, feeds: &mut Feeds) -> Result<Next, Problem> {
        if let Some(missed) = self.take_missed() {
            return Ok(Next::Missed(missed));
        }
        let Some(observer) = &mut self.behind else { return Ok(Next::Live) };
        for _ in 0..SKIPPED {
            match observer.try_recv() {
                Ok(message) if message.position < self.next => {}
                Ok(message) => {
                    let message = Fresh::from(message);
                    self.next = message.position.saturating_add(1);
                    if self.filter.admits(&message) {
                        return Ok(Next::Message(message));
                    }
                }
                Err(RecvError::Empty) => {
                    self.behind = None;
                    feeds.set_live(self.feed, self.client);
                    return Ok(Next::Live);
                }
                Err(RecvError::Closed) => return Ok(Next::Closed),
                Err(RecvError::Lagged { .. }) => {
                    let missed = Missed { from: self.next, to: observer.position() };
                    // Else nothing was missed, or it has been said.
                    if missed.from < missed.to {
                        self.next = missed.to;
                        return Ok(Next::Missed(missed));
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Next::More)
    }

    /// Gives a live client what is new for it, until it takes no more.
    pub(super) fn offer(
        &mut self,
        batch: &Batch,
        feeds: &mut Feeds,
        mut take: impl FnMut(usize, &Fresh) -> bool,
    ) {
        for (index, message) in batch.messages.iter().enumerate() {
            if message.position < self.next {
                continue;
            }
            if self.filter.admits(message) && !take(index, message) && !self.volatile {
                return self.fall_behind(message.position, feeds);
            }
            self.next = message.position.saturating_add(1);
        }
        if batch.broken {
            self.fall_behind(self.next.saturating_sub(1), feeds);
        }
    }

    /// Sends a live client what is new for it by reference, as long as there is room; returns how many messages that were. What is encoded as nothing is not for it.
    pub(super) fn share(
        &mut self,
        batch: &Batch,
        encoded: &Encoded,
        feeds: &mut Feeds,
        wire: &mut Wire,
    ) -> u64 {
        let (mut count, mut room, mut run) = (0, wire.room(), 0..0);
        self.offer(batch, feeds, |index, _| {
            if room == 0 {
                return false;
            }
            let range = encoded.range(index);
            room = room.saturating_sub(range.len());
            count += u64::from(!range.is_empty());
            if run.end == range.start {
                run.end = range.end;
            } else {
                wire.share(&encoded.bytes, std::mem::replace(&mut run, range));
            }
            true
        });
        wire.share(&encoded.bytes, run);
        count
    }

    /// From now on it reads for itself, from a message on that it knows or has yet to be sent.
    fn fall_behind(&mut self, at: u64, feeds: &mut Feeds) {
        let mut observer = feeds.set_behind(self.feed, self.client);
        // What else is wrong it finds when it reads.
        if let Err(RecvError::Lagged { .. }) = observer.seek(Start::Position(at)) {
            let missed = Missed { from: self.next, to: observer.position() };
            self.missed = Some(missed).filter(|gap| gap.from < gap.to);
        }
        self.behind = Some(Box::new(observer));
    }
}
