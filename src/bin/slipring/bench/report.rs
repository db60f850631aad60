//! What was measured, as text, as JSON and as a picture.

use super::figures::{Spread, count, time};
use super::latency::Latency;
use super::{Kind, Repeat, svg};
use crate::failure::Failure;
use crate::output::table;
use crate::units::human;
use serde_json::{Value, json};
use std::fmt::Write;

pub struct Report {
    pub kind: Kind,
    pub size: u64,
    pub seconds: f64,
    pub cores: Vec<usize>,
    pub pinned: bool,
    /// Repeats between whose ends the cores were moved.
    pub left_out: usize,
    pub rows: Vec<Row>,
}

/// Repeats of the same work with the cores equally far apart.
pub struct Row {
    pub groups: usize,
    /// Of each group.
    pub members: usize,
    /// Do the cores share a cache? `None`: there is one only, or they were moved all the time.
    pub near: Option<bool>,
    repeats: usize,
    /// A bare cache line there and back, in nanoseconds.
    line: Option<Spread>,
    /// A bare wake-up.
    futex: Option<Spread>,
    pub figures: Figures,
}

pub enum Figures {
    Latency(Latency),
    /// Messages a second.
    Rates(Spread),
}

impl Row {
    pub fn of(
        kind: Kind,
        (groups, members): (usize, usize),
        near: Option<bool>,
        repeats: &[&Repeat],
    ) -> Result<Self, Failure> {
        let all = |of: fn(&Repeat) -> Option<f64>| {
            Spread::of(repeats.iter().filter_map(|repeat| of(repeat)).collect())
        };
        let figures = match kind {
            Kind::Rtt | Kind::Wake => Figures::Latency(Latency::of(repeats)?),
            Kind::Throughput | Kind::Fanout | Kind::Workers => {
                let rates =
                    all(|repeat| Some(repeat.field("messages")? * 1e9 / repeat.field("ns")?));
                Figures::Rates(rates.ok_or_else(super::nothing)?)
            }
        };
        let (line, futex) = (all(|repeat| repeat.line), all(|repeat| repeat.futex));
        Ok(Self { groups, members, near, repeats: repeats.len(), line, futex, figures })
    }

    pub fn place(&self) -> &'static str {
        match self.near {
            Some(true) => "near",
            Some(false) => "far",
            None => "-",
        }
    }

    /// To the machine's limit.
    fn ratio(&self) -> Option<f64> {
        let Figures::Latency(latency) = &self.figures else { return None };
        match self.futex {
            Some(futex) => Some(latency.percentile(50.0) as f64 / futex.median),
            None => Some(latency.trip?.median / self.line?.median),
        }
    }

    fn json(&self, size: u64) -> Value {
        let (latency, rates) = match &self.figures {
            Figures::Latency(latency) => (Some(latency), None),
            Figures::Rates(rates) => (None, Some(rates)),
        };
        json!({
            "groups": self.groups, "members": self.members, "shares_cache": self.near,
            "repeats": self.repeats, "line_ns": self.line.map(Spread::json),
            "futex_ns": self.futex.map(Spread::json), "ratio": self.ratio(),
            "latency": latency.map(Latency::json),
            "messages_per_second": rates.map(|rates| rates.json()),
            "bytes_per_second": rates.map(|rates| rates.times(size as f64).json()),
            "ns_per_message": rates.map(|rates| rates.under(1e9).json()),
        })
    }
}

impl Report {
    pub fn title(&self) -> String {
        let what = match self.kind {
            Kind::Rtt => "a message there and back, both sides awake",
            Kind::Throughput => "one producer, one consumer",
            Kind::Fanout => "one producer, groups that each receive all",
            Kind::Workers => "one producer, members of a group that share",
            Kind::Wake => "a message to a consumer that sleeps, until its reply",
        };
        format!("{what}; {} each", human(self.size))
    }

    pub fn text(&self, terminal: bool) -> String {
        let mut text = format!("{}\n\n{}", self.title(), self.table());
        for row in self.rows.iter().filter(|_| terminal) {
            if let Figures::Latency(latency) = &row.figures {
                let _ = write!(text, "\n{}\n{}", row.place(), latency.bars());
            }
        }
        text.push('\n');
        text + &self.notes()
    }

    fn table(&self) -> String {
        let dash = || "-".to_owned();
        let of = |spread: Option<Spread>| spread.map_or_else(dash, |it| time(it.median));
        let limit = match self.kind {
            Kind::Wake => "BARE WAKE",
            _ => "LINE",
        };
        let (first, others): (&[_], &[_]) = match self.kind {
            Kind::Rtt => (&["RATIO", "TRIP"], &Latency::TITLES),
            Kind::Wake => (&["RATIO"], &Latency::TITLES),
            _ => (&["GROUPS", "MEMBERS"], &["MESSAGES/S", "BYTES/S", "TIME A MESSAGE"]),
        };
        let titles = [&["CORES", limit], first, others].concat();
        let row = |row: &Row| {
            let mut cells = vec![row.place().into(), of(row.futex.or(row.line))];
            match &row.figures {
                Figures::Latency(latency) => {
                    cells.push(row.ratio().map_or_else(dash, |ratio| format!("{ratio:.2}")));
                    cells.extend(latency.trip.map(|trip| time(trip.median)));
                    cells.extend(latency.cells());
                }
                Figures::Rates(rates) => cells.extend([
                    row.groups.to_string(),
                    row.members.to_string(),
                    rates.text(count),
                    rates.times(self.size as f64).text(|bytes| human(bytes as u64)),
                    rates.under(1e9).text(time),
                ]),
            }
            cells
        };
        let rows: Vec<_> = self.rows.iter().map(row).collect();
        table(&titles, &rows)
    }

    /// How the figures are to be read.
    fn notes(&self) -> String {
        let cores: Vec<String> = self.cores.iter().map(usize::to_string).collect();
        let how = match (self.cores.len(), self.pinned) {
            (1, _) => "all sides share it",
            (_, true) => "each side stays on one",
            (_, false) => "not pinned",
        };
        let mut text = format!("cores {}: {how}\n", cores.join(" "));
        for near in [true, false] {
            let row = self.rows.iter().find(|row| row.near == Some(near));
            let Some(line) = row.and_then(|row| row.line) else { continue };
            let (place, share) = if near { ("near", "share") } else { ("far", "do not share") };
            let line = line.text(time);
            let _ = writeln!(
                text,
                "{place}: the cores {share} a cache; a bare line takes {line} there and back"
            );
        }
        if self.rows.iter().any(|row| row.near.is_none() && row.line.is_some()) {
            text += "-: the cores were moved or busy in every repeat; run it again, for longer\n";
        }
        if self.left_out > 0 {
            let _ = writeln!(
                text,
                "left out: {} repeats in which the cores were moved or busy",
                self.left_out
            );
        }
        if let (Kind::Rtt, Some(Figures::Latency(latency))) =
            (self.kind, self.rows.first().map(|row| &row.figures))
        {
            let clock = time(latency.clock);
            let _ = writeln!(text, "clock: a look takes {clock}, in all figures but TRIP");
        }
        text
    }

    pub fn json(&self) -> Value {
        let kind = clap::ValueEnum::to_possible_value(&self.kind);
        let rows: Vec<Value> = self.rows.iter().map(|row| row.json(self.size)).collect();
        json!({
            "bench": kind.as_ref().map(|kind| kind.get_name()), "size": self.size,
            "seconds": self.seconds, "cores": self.cores, "pinned": self.pinned,
            "left_out": self.left_out, "rows": rows,
        })
    }

    pub fn svg(&self) -> String {
        match self.kind {
            Kind::Rtt | Kind::Wake => svg::percentiles(&self.title(), &self.rows),
            Kind::Throughput | Kind::Fanout | Kind::Workers => svg::bars(&self.title(), &self.rows),
        }
    }
}
