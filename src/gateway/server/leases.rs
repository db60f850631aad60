//! Messages that were pulled over HTTP, and not settled yet.

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::{Duration, Instant};

/// A message that a client has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lease {
    pub(super) group: usize,
    pub(super) position: u64,
    until: Instant,
}

/// Leases in the order in which they end: all are of the same length.
pub(super) struct Leases {
    time: Duration,
    next: u64,
    /// So that nobody can guess another client's token, nor use one of an earlier run.
    key: RandomState,
    all: BTreeMap<u64, Lease>,
}

impl Leases {
    pub(super) fn new(time: Duration) -> Self {
        Self { time, next: 0, key: RandomState::new(), all: BTreeMap::new() }
    }

    /// Begins a lease; returns the token that ends it.
    pub(super) fn begin(&mut self, group: usize, position: u64) -> String {
        let number = self.next;
        self.next += 1;
        self.all.insert(number, Lease { group, position, until: Instant::now() + self.time });
        self.token(number)
    }

    /// Ends the lease of a token.
    pub(super) fn end(&mut self, token: &str) -> Option<Lease> {
        let number = token.split_once('-').and_then(|(number, _)| number.parse().ok())?;
        if self.token(number) == token { self.all.remove(&number) } else { None }
    }

    /// When the next lease is over.
    pub(super) fn next_end(&self) -> Option<Instant> {
        self.all.first_key_value().map(|(_, lease)| lease.until)
    }

    /// Takes a lease that is over by now.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Lease> {
        self.next_end().filter(|until| *until <= now)?;
        self.all.pop_first().map(|(_, lease)| lease)
    }

    fn token(&self, number: u64) -> String {
        format!("{number}-{:016x}", self.key.hash_one(number))
    }
}
