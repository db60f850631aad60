//! `slipring bench`: what a queue gives on this machine, beside what the machine itself takes.
//!
//! Each side is a process on a core of its own, as far as there are cores. `cores.rs` picks and pins them, `crew.rs` starts the
//! processes and gives them orders, `part.rs` is what they do, `limits.rs` is the machine without a queue. `report.rs` says what came
//! out, in the words of `figures.rs` and `latency.rs`, and `svg.rs` draws it.

mod cores;
mod crew;
mod figures;
mod latency;
mod limits;
pub mod part;
mod report;
mod svg;

use crate::failure::{Done, FAILURE, Failure};
use crate::{interrupt, output, units};
use crew::{Crew, Place};
use indicatif::ProgressBar;
use part::{Order, Part, Role};
use report::{Report, Row};
use serde_json::Value;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

/// Measure what a queue gives on this machine, with processes of its own and a queue that is removed again
#[derive(clap::Args)]
#[command(arg_required_else_help = true)]
pub struct Bench {
    /// What to measure
    #[arg(value_enum)]
    kind: Kind,
    /// Bytes of a message, 1 to 1MiB
    #[arg(long, value_name = "SIZE", default_value = "64", value_parser = size)]
    size: u64,
    /// How long to measure, 10ms to 1h
    #[arg(long, value_name = "TIME", default_value = "3", value_parser = seconds)]
    seconds: Duration,
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// Also draw it into a file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub enum Kind {
    /// A message there and its reply back, both sides awake
    Rtt,
    /// One producer, one consumer
    Throughput,
    /// One producer, 1 to 8 groups that each receive all
    Fanout,
    /// One producer, 1 to 4 members of a group that share
    Workers,
    /// A message to a consumer that sleeps
    Wake,
}

impl Kind {
    /// Groups, and members of each, that are measured one after the other.
    fn rows(self) -> &'static [(usize, usize)] {
        match self {
            Self::Rtt | Self::Throughput | Self::Wake => &[(1, 1)],
            Self::Fanout => &[(1, 1), (2, 1), (4, 1), (8, 1)],
            Self::Workers => &[(1, 1), (1, 2), (1, 4)],
        }
    }

    /// What the side that measures does, and what the others do.
    fn roles(self) -> (Role, Role) {
        match self {
            Self::Rtt => (Role::Ping, Role::Echo),
            Self::Wake => (Role::Poke, Role::Echo),
            Self::Throughput | Self::Fanout | Self::Workers => (Role::Pour, Role::Drain),
        }
    }
}

fn size(text: &str) -> Result<u64, String> {
    let size = units::size(text)?;
    if (1..=1 << 20).contains(&size) { Ok(size) } else { Err("use 1 to 1MiB".into()) }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let time = units::duration(text)?;
    let allowed = Duration::from_millis(10)..=Duration::from_secs(3600);
    if allowed.contains(&time) { Ok(time) } else { Err("use 10ms to 1h".into()) }
}

/// A cache line there and back, in nanoseconds: below this the cores share a cache.
const NEAR: f64 = 200.0;
/// By so much two looks at it differ if the cores stay where they are.
const STEADY: f64 = 1.5;

pub fn run(args: Bench) -> Done {
    let report = measure(&args)?;
    if args.json {
        output::print_json(&report.json())?;
    } else {
        output::print(&report.text(std::io::stdout().is_terminal()))?;
    }
    let Some(path) = &args.svg else { return Ok(()) };
    std::fs::write(path, report.svg()).map_err(|error| Failure::making(&error, path))
}

fn measure(args: &Bench) -> Result<Report, Failure> {
    let kind = args.kind;
    // Short ones: a virtual machine's cores are moved now and then.
    let repeats = if kind.rows().len() == 1 { 20 } else { 10 };
    let steps = kind.rows().len() as u32 * repeats;
    let bar = output::progress(Some(steps.into()), "{wide_bar} {pos}/{len} repeats {eta}");
    interrupt::last_words(&bar, move |done| {
        format!("bench: interrupted after {done} of {steps} repeats")
    })?;
    let mut run = Run { args, cores: cores::allowed(), pinned: true, bar };
    let (mut rows, mut left_out) = (Vec::new(), 0);
    for &what in kind.rows() {
        let all = run.row(what, repeats, args.seconds / steps)?;
        let at = |near| all.iter().filter(|it| it.near() == near).collect::<Vec<&Repeat>>();
        let unknown = at(None);
        for near in [Some(true), Some(false)] {
            if !at(near).is_empty() {
                rows.push(Row::of(kind, what, near, &at(near))?);
            }
        }
        if unknown.len() == all.len() {
            rows.push(Row::of(kind, what, None, &unknown)?);
        } else {
            left_out += unknown.len();
        }
    }
    run.bar.finish_and_clear();
    let (size, seconds) = (args.size, args.seconds.as_secs_f64());
    Ok(Report { kind, size, seconds, cores: run.cores, pinned: run.pinned, left_out, rows })
}

fn nothing() -> Failure {
    Failure::new(FAILURE, "nothing was measured")
}

/// What a measuring side answered, and what the machine itself took at about that time.
pub struct Repeat {
    answer: Value,
    line: Option<f64>,
    /// Did it take the same before and after?
    steady: bool,
    futex: Option<f64>,
}

impl Repeat {
    fn new(answer: Value, before: Limits, after: Limits) -> Self {
        let mean = |of: fn(&Limits) -> Option<f64>| Some((of(&before)? + of(&after)?) / 2.0);
        let (line, futex) = (mean(|limits| limits.line), mean(|limits| limits.futex));
        let ratio = after.line.zip(before.line).map(|(after, before)| after / before);
        let steady = ratio.is_some_and(|ratio| (1.0 / STEADY..STEADY).contains(&ratio));
        Self { answer, line, steady, futex }
    }

    fn near(&self) -> Option<bool> {
        self.line.filter(|_| self.steady).map(|line| line < NEAR)
    }

    fn field(&self, name: &str) -> Option<f64> {
        number(&self.answer, name)
    }
}

fn number(answer: &Value, field: &str) -> Option<f64> {
    answer.get(field).and_then(Value::as_f64)
}

/// Nanoseconds of a cache line there and back, and of a bare wake-up.
#[derive(Clone, Copy, Default)]
struct Limits {
    line: Option<f64>,
    futex: Option<f64>,
}

/// What goes on from row to row.
struct Run<'a> {
    args: &'a Bench,
    cores: Vec<usize>,
    pinned: bool,
    bar: ProgressBar,
}

impl Run<'_> {
    /// Each row has a queue and processes of its own.
    fn row(
        &mut self,
        (groups, members): (usize, usize),
        repeats: u32,
        time: Duration,
    ) -> Result<Vec<Repeat>, Failure> {
        let place = Place::new();
        let mut crew = Crew::new()?;
        let (measuring, other) = self.args.kind.roles();
        let part = |role, side: usize, group| {
            let core = |side: usize| self.cores.get(side % self.cores.len().max(1)).copied();
            let (core, other_core) = (core(side), core(side + 1));
            let (name, size) = (place.name().into(), self.args.size);
            Part { role, name, size, groups, members, group, core, other_core }
        };
        let limits = crew.start(&part(Role::Limits, 0, 0))?;
        let measuring = crew.start(&part(measuring, 0, 0))?;
        for number in 0..groups * members {
            crew.start(&part(other, number + 1, number / members))?;
        }
        // They are there before the queue is: whatever becomes of us, one of them will remove it.
        place.create(self.args.size)?;
        self.pinned &= crew.open()?;
        let mut before = self.look(&mut crew, limits)?;
        let mut all = Vec::new();
        for _ in 0..repeats {
            let answer = crew.order(measuring, Order::For(time))?;
            let after = self.look(&mut crew, limits)?;
            all.push(Repeat::new(answer, before, after));
            before = after;
            self.bar.inc(1);
        }
        Ok(all)
    }

    /// At the machine itself, while the others sleep. It takes two cores.
    fn look(&self, crew: &mut Crew, limits: usize) -> Result<Limits, Failure> {
        if self.cores.len() < 2 {
            return Ok(Limits::default());
        }
        let mut take = |order| Ok(number(&crew.order(limits, order)?, "ns"));
        let line = take(Order::Line)?;
        let wake = matches!(self.args.kind, Kind::Wake);
        Ok(Limits { line, futex: if wake { take(Order::Futex)? } else { None } })
    }
}
