//! `slipring stat --interval`: what happens in each interval.

use crate::failure::{About, Done, Failure};
use crate::interrupt::Interrupt;
use crate::ls::waiting;
use crate::output;
use crate::stat::COUNTED;
use crate::units::{self, human};
use serde_json::{Value, json};
use slipring::{Observer, QueueStats};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Lines on a terminal until the titles come again.
const PAGE: u64 = 20;

pub fn run(name: &str, interval: Duration, count: u64, json: bool) -> Done {
    let first = Sample::take(name)?;
    let interrupt = Interrupt::new()?;
    let pages = std::io::stdout().is_terminal();
    let mut last = first.clone();
    let mut line = 0;
    while line < count {
        // From the start, lest the intervals' ends drift.
        let due = interval.saturating_mul(u32::try_from(line + 1).unwrap_or(u32::MAX));
        if interrupt.wait(due.saturating_sub(first.at.elapsed())) {
            break;
        }
        let now = Sample::take(name)?;
        if now.stats.id != last.stats.id {
            let text = format!("{name}: it was removed, and there is another queue of that name");
            return Err(Failure::new(3, text));
        }
        let rates = Rates::between(&last, &now);
        if json {
            output::print_json(&rates.json(&now.stats))?;
        } else {
            output::print(&rates.line(&now.stats, line == 0 || (pages && line % PAGE == 0)))?;
        }
        (last, line) = (now, line + 1);
    }
    if interrupt.has_come() {
        let all = Rates::between(&first, &Sample::take(name)?);
        output::say(format_args!(
            "{name}: interrupted; {:.1} s, {} sent, {} received",
            all.seconds, all.counts[SENT], all.counts[RECEIVED],
        ));
    }
    Ok(())
}

/// A queue's figures, and when they were read.
#[derive(Clone)]
struct Sample {
    at: Instant,
    stats: QueueStats,
}

impl Sample {
    /// Opens it anew: what was removed is to be missed.
    fn take(name: &str) -> Result<Self, Failure> {
        let stats = Observer::open(name).about(name)?.stats_within(COUNTED);
        Ok(Self { at: Instant::now(), stats })
    }
}

/// What is counted.
const FIGURES: [&str; 5] = ["sent", "received", "bytes", "dead_lettered", "dropped"];
const SENT: usize = 0;
const RECEIVED: usize = 1;
const BYTES: usize = 2;
const DEAD: usize = 3;
const DROPPED: usize = 4;

/// What happened from one sample to another.
struct Rates {
    seconds: f64,
    counts: [u64; FIGURES.len()],
}

impl Rates {
    fn between(from: &Sample, to: &Sample) -> Self {
        let counts = |stats: &QueueStats| {
            let bytes = stats.latest.saturating_mul(stats.block_size);
            [stats.sent, stats.received, bytes, stats.dead_lettered, stats.dropped]
        };
        let (before, after) = (counts(&from.stats), counts(&to.stats));
        let mut counts = [0; FIGURES.len()];
        for (count, (after, before)) in counts.iter_mut().zip(after.into_iter().zip(before)) {
            // A member that leaves is seen in neither place for a moment.
            *count = after.saturating_sub(before);
        }
        Self { seconds: to.at.duration_since(from.at).as_secs_f64(), counts }
    }

    fn per_second(&self, what: usize) -> f64 {
        self.counts[what] as f64 / self.seconds.max(1e-9)
    }

    fn json(&self, stats: &QueueStats) -> Value {
        let (lag, estimated) = waiting(stats);
        let mut value = json!({
            "name": stats.name, "seconds": self.seconds, "used": stats.used,
            "capacity": stats.capacity, "lag": lag, "estimated": estimated,
            "groups": stats.groups.len(), "members": stats.members.len(), "closed": stats.closed,
        });
        if let Value::Object(fields) = &mut value {
            for (what, name) in FIGURES.iter().enumerate() {
                fields.insert(format!("{name}_per_second"), self.per_second(what).into());
            }
        }
        value
    }

    fn line(&self, stats: &QueueStats, titles: bool) -> String {
        const WIDTHS: [usize; 8] = [10, 10, 12, 10, 5, 10, 7, 6];
        const TITLES: [&str; 8] =
            ["SENT/S", "RECEIVED/S", "BYTES/S", "USED", "FILL", "LAG", "MEMBERS", "DEAD/S"];
        let fill = stats.used.saturating_mul(100) / stats.capacity.max(1);
        let cells = [
            format!("{:.0}", self.per_second(SENT)),
            format!("{:.0}", self.per_second(RECEIVED)),
            human(self.per_second(BYTES) as u64),
            human(stats.used),
            format!("{fill}%"),
            units::lag(waiting(stats), |lag| lag.to_string()),
            stats.members.len().to_string(),
            format!("{:.0}", self.per_second(DEAD) + self.per_second(DROPPED)),
        ];
        let line = |cells: [&str; 8]| {
            let cells = cells.into_iter().zip(WIDTHS);
            let cells: Vec<String> = cells.map(|(cell, width)| format!("{cell:>width$}")).collect();
            cells.join(" ")
        };
        let mut text = if titles { output::heading(&line(TITLES)) } else { String::new() };
        text.push_str(&line(cells.each_ref().map(String::as_str)));
        text.push('\n');
        text
    }
}
