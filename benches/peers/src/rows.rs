//! The results: one row for each contender, work, size and place of the cores, as a line of JSON each.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::machine::Machine;
use crate::work::Work;

/// The file of results in a report's directory.
pub const FILE: &str = "results.jsonl";

/// Where the host had put the two cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// They share a cache.
    Near,
    Far,
}

/// A line of the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "row", rename_all = "snake_case")]
pub enum Line {
    /// The first one.
    Machine(Machine),
    Result(Box<Row>),
    /// A contender that could not run, and why.
    NotRun(NotRun),
}

/// What a contender has done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    pub work: Work,
    /// The work in words.
    pub name: String,
    pub size: usize,
    pub contender: String,
    /// `ns` (less is better) or `messages/s`.
    pub unit: String,
    pub place: Place,
    pub repeats: usize,
    pub median: f64,
    pub min: f64,
    pub max: f64,
    /// Of a bare cache line there and back, around these repeats: the median.
    pub line_ns: f64,
    /// Of all these repeats together, where latencies were taken.
    pub latency_ns: Option<Percentiles>,
}

/// Latencies in nanoseconds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Percentiles {
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p99_9: u64,
    pub max: u64,
    pub samples: u64,
}

/// Who has not run, and why.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NotRun {
    pub work: Work,
    pub name: String,
    pub size: usize,
    pub contender: String,
    pub why: String,
}

impl Percentiles {
    /// Of values and how often each was there.
    pub fn of<'a>(counts: impl Iterator<Item = &'a (u64, u64)>) -> Result<Option<Self>> {
        let mut histogram = Histogram::<u64>::new_with_bounds(1, 100_000_000_000, 3)?;
        counts.for_each(|&(value, count)| histogram.saturating_record_n(value, count));
        if histogram.is_empty() {
            return Ok(None);
        }
        let at = |quantile| histogram.value_at_quantile(quantile);
        Ok(Some(Self {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            max: histogram.max(),
            samples: histogram.len(),
        }))
    }
}

/// Median, least and most.
pub fn spread(mut values: Vec<f64>) -> Option<(f64, f64, f64)> {
    values.sort_by(f64::total_cmp);
    let (least, most) = (*values.first()?, *values.last()?);
    let middle = values.len() / 2;
    let median = if values.len().is_multiple_of(2) {
        (values[middle - 1] + values[middle]) / 2.0
    } else {
        values[middle]
    };
    Some((median, least, most))
}

/// Writes the file into `dir`.
pub fn write(dir: &Path, lines: &[Line]) -> Result<()> {
    let mut file = std::fs::File::create(dir.join(FILE))?;
    for line in lines {
        writeln!(file, "{}", serde_json::to_string(line)?)?;
    }
    Ok(())
}

/// Reads the file in `dir`.
pub fn read(dir: &Path) -> Result<Vec<Line>> {
    let path = dir.join(FILE);
    let file = std::fs::File::open(&path).map_err(|error| {
        format!("{}: {error}; run the benchmark with --out first", path.display())
    })?;
    BufReader::new(file).lines().map(|line| Ok(serde_json::from_str(&line?)?)).collect()
}
