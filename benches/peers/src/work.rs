//! The works, and what is to be done in one process.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A message there and the same back, over and over.
    RoundTrip,
    /// Messages from producers to workers, or to groups.
    Flow,
    /// One message now and then to somebody who sleeps.
    Wake,
}

/// How messages are written and read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Every byte copied in and read, message by message.
    Single,
    /// The same, several at once.
    Batch,
    /// Written and read in place, and only the two ends of it.
    InPlace,
}

/// A kind of work, with everything but the messages' size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    pub kind: Kind,
    pub mode: Mode,
    pub producers: usize,
    pub workers: usize,
    /// Who sees every message; more than one are read in turn by one thread, as the machine has but two cores.
    pub groups: usize,
}

impl Work {
    /// A message there and back.
    pub const ROUND_TRIP: Work =
        Work { kind: Kind::RoundTrip, mode: Mode::Single, producers: 1, workers: 1, groups: 1 };
    /// A message to somebody who sleeps.
    pub const WAKE: Work = Work { kind: Kind::Wake, ..Work::ROUND_TRIP };

    /// From one to one.
    pub const fn one_way(mode: Mode) -> Work {
        Work { kind: Kind::Flow, mode, ..Work::ROUND_TRIP }
    }
    /// From several to several, each message to one of them.
    pub const fn pool(mode: Mode, producers: usize, workers: usize) -> Work {
        Work { producers, workers, ..Work::one_way(mode) }
    }
    /// From one to several, each message to all of them.
    pub const fn fan_out(mode: Mode, groups: usize) -> Work {
        Work { groups, ..Work::one_way(mode) }
    }

    /// Threads or processes that take part.
    pub fn roles(&self) -> usize {
        self.producers + self.workers
    }

    /// What the rows and the report call it.
    pub fn name(&self) -> String {
        let what = match (self.kind, self.producers, self.workers, self.groups) {
            (Kind::RoundTrip, ..) => "round trip".to_owned(),
            (Kind::Wake, ..) => "wake-up".to_owned(),
            (Kind::Flow, 1, 1, 1) => "one way".to_owned(),
            (Kind::Flow, 1, 1, groups) => format!("fan-out to {groups} groups"),
            (Kind::Flow, producers, workers, _) => format!("{producers} to {workers}"),
        };
        match self.mode {
            Mode::Single => what,
            Mode::Batch => format!("{what}, batches"),
            Mode::InPlace => format!("{what}, in place"),
        }
    }

    /// What its figures are in.
    pub fn unit(&self) -> &'static str {
        if self.kind == Kind::Flow { "messages/s" } else { "ns" }
    }
}

/// One contender's piece of work, as its processes are told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Task {
    pub contender: String,
    pub work: Work,
    pub size: usize,
    /// How long to measure.
    pub millis: u64,
    pub dir: PathBuf,
    pub name: String,
    /// The two cores.
    pub cores: [usize; 2],
    /// Who has started the process that reads this.
    pub parent: u32,
}

/// What one process or thread has to say at the end.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Part {
    pub messages: u64,
    /// What all that it has read adds up to.
    pub sum: u64,
    /// When it began, for a producer; when it saw the end, for a worker.
    pub at: u64,
    pub outcome: Outcome,
}

/// What a piece of work has come to.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// In the work's unit.
    pub value: f64,
    /// Latencies in nanoseconds, and how often each was there.
    pub latencies: Vec<(u64, u64)>,
}
