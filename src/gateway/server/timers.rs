//! What is due when.

use std::collections::BTreeSet;
use std::time::Instant;

use super::connection::Id;

/// What has to be done at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// A connection's time may be over; it says so itself.
    Connection(Id),
    /// Descriptors may be free again, to accept at a port.
    Accept(usize),
    /// Who looks at the page is to see new figures.
    Figures,
    /// There may be more datagrams.
    Collect(usize),
    /// A session's may.
    Session(u64),
    /// Queues may have come or gone.
    Look,
    /// Who has not finished by now is cut off.
    Drain,
}

/// Times, in order.
#[derive(Default)]
pub(super) struct Timers(BTreeSet<(Instant, Due)>);

impl Timers {
    pub(super) fn set(&mut self, at: Instant, due: Due) {
        self.0.insert((at, due));
    }

    pub(super) fn cancel(&mut self, at: Instant, due: Due) {
        self.0.remove(&(at, due));
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.first().map(|(at, _)| *at)
    }

    /// Takes the next one that is due by now.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Due> {
        self.next().filter(|at| *at <= now)?;
        self.0.pop_first().map(|(_, due)| due)
    }
}
