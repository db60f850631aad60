//! Queues that are open to be looked at: to open one costs more than to take its figures.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::{Duration, Instant};

use crate::{Observer, Queue, QueueStats};

/// More are opened anew each time: each takes a descriptor.
const MOST: usize = 100;

/// They are closed when nobody has looked for so long. A queue that is removed takes up its memory until then.
const KEPT: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(in crate::gateway::server) struct Observers {
    open: HashMap<String, Observer>,
    /// When they are closed.
    pub(in crate::gateway::server) until: Option<Instant>,
}

impl Observers {
    /// Figures of the queues that there are and that it may read, at most so many, with so many messages counted for each group; and how many there are.
    pub(in crate::gateway::server) fn stats(
        &mut self,
        counted: u64,
        most: usize,
    ) -> (Vec<QueueStats>, usize) {
        self.open.retain(|_, observer| observer.is_current());
        self.until = Some(Instant::now() + KEPT);
        let names = Queue::list().unwrap_or_default();
        let stats = names.iter().filter_map(|name| self.look(name, counted));
        let stats: Vec<_> = stats.take(most).collect();
        let all = if stats.len() < most { stats.len() } else { names.len() };
        (stats, all)
    }

    fn look(&mut self, name: &str, counted: u64) -> Option<QueueStats> {
        let has_room = self.open.len() < MOST;
        match self.open.entry(name.to_owned()) {
            Entry::Occupied(known) => Some(known.get().stats_within(counted)),
            Entry::Vacant(place) => {
                let observer = Observer::open(name).ok()?;
                let stats = observer.stats_within(counted);
                if has_room {
                    place.insert(observer);
                }
                Some(stats)
            }
        }
    }

    /// Nobody may have looked for long.
    pub(in crate::gateway::server) fn tidy(&mut self, now: Instant) {
        if self.until.take_if(|until| now >= *until).is_some() {
            self.open.clear();
        }
    }
}
