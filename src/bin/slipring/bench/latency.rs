//! Times of single turns: percentiles, and how they are spread.

use super::figures::{Spread, time};
use super::{Repeat, nothing};
use crate::failure::Failure;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use std::fmt::Write;

pub struct Latency {
    pub times: Histogram<u64>,
    /// What trips in a row take each, without the clock between them; none of those with pauses.
    pub trip: Option<Spread>,
    /// What a look at the clock takes: it is in every one of the times.
    pub clock: f64,
}

/// Nanoseconds, three digits of them.
pub fn empty() -> Histogram<u64> {
    // The longest turn that is told from a longer one: a minute.
    Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("bounds that are constants")
}

impl Latency {
    pub fn of(repeats: &[&Repeat]) -> Result<Self, Failure> {
        let mut times = empty();
        for repeat in repeats {
            let steps = repeat.answer.get("times").and_then(Value::as_array);
            for step in steps.into_iter().flatten() {
                let at = |index| step.get(index).and_then(Value::as_u64).unwrap_or(0);
                times.saturating_record_n(at(0), at(1));
            }
        }
        if times.is_empty() {
            return Err(nothing());
        }
        let all =
            |name| Spread::of(repeats.iter().filter_map(|repeat| repeat.field(name)).collect());
        let clock = all("clock_ns").ok_or_else(nothing)?.median;
        Ok(Self { times, trip: all("trip_ns"), clock })
    }

    pub fn percentile(&self, percent: f64) -> u64 {
        self.times.value_at_percentile(percent)
    }

    /// Under the titles.
    pub fn cells(&self) -> Vec<String> {
        let percents = [50.0, 90.0, 99.0, 99.9, 100.0];
        let times = percents.map(|percent| time(self.percentile(percent) as f64));
        [&[self.times.len().to_string()], times.as_slice()].concat()
    }

    pub const TITLES: [&str; 6] = ["COUNT", "P50", "P90", "P99", "P99.9", "MAX"];

    pub fn json(&self) -> Value {
        let steps = self.times.iter_recorded();
        let steps: Vec<Value> = steps
            .map(|step| json!({"ns": step.value_iterated_to(), "count": step.count_since_last_iteration()}))
            .collect();
        json!({
            "count": self.times.len(), "clock_ns": self.clock, "trip_ns": self.trip.map(Spread::json),
            "min_ns": self.times.min(), "p50_ns": self.percentile(50.0),
            "p90_ns": self.percentile(90.0), "p99_ns": self.percentile(99.0),
            "p999_ns": self.percentile(99.9), "max_ns": self.times.max(), "times": steps,
        })
    }

    /// A bar for each part of what lies below p99, and one for the rest.
    pub fn bars(&self) -> String {
        const ROWS: u64 = 12;
        const WIDTH: u64 = 50;
        let (low, high) = (self.times.min(), self.percentile(99.0));
        let step = (high - low).div_ceil(ROWS).max(1);
        let edges: Vec<u64> =
            (0..ROWS).map(|row| low + row * step).take_while(|at| *at <= high).collect();
        let mut rows: Vec<(u64, u64)> = edges
            .iter()
            .map(|from| (*from, self.times.count_between(*from, from + step - 1)))
            .collect();
        let end = low + edges.len() as u64 * step;
        rows.push((end, self.times.len().saturating_sub(rows.iter().map(|row| row.1).sum())));
        let most = rows.iter().map(|row| row.1).max().unwrap_or(1).max(1);
        let mut text = String::new();
        for (number, (from, count)) in rows.iter().enumerate() {
            let bar = "#".repeat((count * WIDTH / most) as usize);
            let share = 100.0 * *count as f64 / self.times.len() as f64;
            let sign = if number == edges.len() { "≥" } else { " " };
            let _ = writeln!(text, "{sign} {:>8} {share:5.1} % {bar}", time(*from as f64));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latency(times: &[(u64, u64)]) -> Option<Latency> {
        let answer = json!({"trip_ns": 150.0, "clock_ns": 20.0, "times": times});
        let repeat = Repeat { answer, line: None, steady: false, futex: None };
        Latency::of(&[&repeat]).ok()
    }

    #[test]
    fn bars_have_all_of_the_counts() {
        let times: Vec<(u64, u64)> = (100..200).map(|ns| (ns, 10)).chain([(5000, 2)]).collect();
        let bars = latency(&times).expect("times").bars();
        let shares = bars.lines().map(|line| {
            let (before, _) = line.split_once(" %").expect("a share");
            before.rsplit(' ').next().expect("a number").parse::<f64>().expect("a number")
        });
        let sum: f64 = shares.sum();
        assert!((99.0..101.0).contains(&sum), "{bars}");
        assert!(bars.lines().last().is_some_and(|last| last.starts_with("≥")), "{bars}");
    }

    #[test]
    fn all_the_same_or_nothing() {
        assert!(latency(&[(7, 3)]).expect("times").bars().contains("100.0 %"));
        assert!(latency(&[]).is_none());
    }
}
