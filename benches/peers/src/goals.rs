//! What slipring is to reach: ratios to others in the same run.

use crate::report::Results;
use crate::rows::{Place, Row};

/// What of a row counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Figure {
    Median,
    P50,
    P99_9,
}

/// One of them: a figure of ours, a figure of theirs, and how they are to compare.
pub struct Goal {
    pub work: &'static str,
    size: usize,
    /// What of ours counts, of whom it is, and what of theirs.
    ours: (&'static str, Figure),
    theirs: (&'static str, Figure),
    /// At most (for latencies) or at least (for rates) this many times theirs.
    factor: f64,
}

/// A goal beside what was measured.
pub struct Found {
    pub ours: f64,
    pub theirs: f64,
    /// Nanoseconds rather than a rate.
    pub time: bool,
    pub met: bool,
}

const PROCESSES: &str = "slipring";
const THREADS: &str = "slipring, threads";

/// All of them, in the report's order.
pub fn all() -> Vec<Goal> {
    use Figure::{Median, P50, P99_9};
    let median = |work, size, ours, theirs, factor| Goal {
        work,
        size,
        ours: (ours, Median),
        theirs: (theirs, Median),
        factor,
    };
    let one_way = |size, theirs, factor| median("one way", size, PROCESSES, theirs, factor);
    let batch = |size| median("one way, batches", size, THREADS, "rtrb", 1.0);
    let wake = |theirs, factor| Goal {
        work: "wake-up",
        size: 8,
        ours: (PROCESSES, P50),
        theirs: (theirs, P50),
        factor,
    };
    vec![
        median("round trip", 64, PROCESSES, "mailbox", 1.15),
        median("round trip", 64, PROCESSES, "Aeron IPC", 1.0),
        Goal {
            work: "round trip",
            size: 64,
            ours: (PROCESSES, P99_9),
            theirs: (PROCESSES, P50),
            factor: 2.0,
        },
        one_way(8, "slot ring", 0.6),
        one_way(64, "slot ring", 0.85),
        one_way(1024, "slot ring", 0.95),
        one_way(65536, "slot ring", 0.95),
        one_way(8, "Aeron IPC", 5.0),
        one_way(64, "Aeron IPC", 5.0),
        one_way(8, "iceoryx2", 20.0),
        one_way(64, "iceoryx2", 20.0),
        batch(8),
        batch(64),
        median("one way, in place", 65536, PROCESSES, "slot ring", 0.8),
        median("2 to 2", 64, THREADS, "crossbeam ArrayQueue", 1.0),
        median("2 to 2, batches", 64, THREADS, "kanal", 1.0),
        median("fan-out to 3 groups, batches", 64, THREADS, "disruptor", 1.0),
        wake("futex", 1.05),
        wake("pipe", 1.0),
        wake("POSIX mq", 1.0),
        wake("boost message_queue", 1.0),
    ]
}

impl Goal {
    /// The goal as the report writes it.
    pub fn words(&self) -> String {
        let name = |(who, figure): (&str, Figure)| match figure {
            Figure::Median => who.to_owned(),
            Figure::P50 => format!("{who}, p50"),
            Figure::P99_9 => format!("{who}, p99.9"),
        };
        let relation = if self.is_time() { "≤" } else { "≥" };
        let size = crate::report::bytes(self.size);
        format!("{size}: {} {relation} {} × {}", name(self.ours), self.factor, name(self.theirs))
    }

    fn is_time(&self) -> bool {
        self.ours.1 != Figure::Median || self.work == "round trip"
    }

    /// What was measured; `None` if one of the two was not.
    pub fn look(&self, results: &Results, place: Place) -> Option<Found> {
        let value = |(who, figure)| value(results.find(self.work, self.size, who, place)?, figure);
        let (ours, theirs, time) = (value(self.ours)?, value(self.theirs)?, self.is_time());
        let limit = self.factor * theirs;
        let met = if time { ours <= limit } else { ours >= limit };
        Some(Found { ours, theirs, time, met })
    }
}

fn value(row: &Row, figure: Figure) -> Option<f64> {
    Some(match figure {
        Figure::Median => row.median,
        Figure::P50 => row.latency_ns?.p50 as f64,
        Figure::P99_9 => row.latency_ns?.p99_9 as f64,
    })
}
