//! The report: tables by work, best first, the losing rows included, and which goals are met.

use std::fmt::Write;
use std::path::Path;

use crate::contenders::Contender;
use crate::goals;
use crate::machine::Machine;
use crate::rows::{self, Line, NotRun, Place, Row};
use crate::{Result, plots};

const FILE: &str = "report.md";

/// The file's lines by kind.
pub struct Results {
    machine: Machine,
    pub rows: Vec<Row>,
    not_run: Vec<NotRun>,
}

impl Results {
    fn read(dir: &Path) -> Result<Self> {
        let (mut machine, mut rows, mut not_run) = (None, Vec::new(), Vec::new());
        for line in rows::read(dir)? {
            match line {
                Line::Machine(one) => machine = Some(one),
                Line::Result(one) => rows.push(*one),
                Line::NotRun(one) => not_run.push(one),
            }
        }
        let machine = machine.ok_or("the results have no line about the machine")?;
        Ok(Self { machine, rows, not_run })
    }

    /// The places that the cores were in, the commoner one first.
    pub fn places(&self) -> Vec<Place> {
        let count = |place| self.rows.iter().filter(|row| row.place == place).count();
        let mut places = vec![Place::Near, Place::Far];
        places.retain(|&place| count(place) > 0);
        places.sort_by_key(|&place| std::cmp::Reverse(count(place)));
        places
    }

    /// The row of a contender.
    pub fn find(&self, name: &str, size: usize, contender: &str, place: Place) -> Option<&Row> {
        self.rows.iter().find(|row| {
            (row.name.as_str(), row.size, row.contender.as_str(), row.place)
                == (name, size, contender, place)
        })
    }

    /// What a row is compared with: slipring between processes, or between threads.
    fn slipring(&self, row: &Row) -> Option<&Row> {
        let threads = Contender::find(&row.contender)
            .is_some_and(|one| one.between == crate::cell::Between::Threads);
        let id = if threads { "slipring, threads" } else { "slipring" };
        self.find(&row.name, row.size, id, row.place)
    }
}

/// Writes the report and its plots from the results in `dir`.
pub fn write(dir: &Path) -> Result<()> {
    let results = Results::read(dir)?;
    let mut text = head(&results.machine)?;
    for place in results.places() {
        goals_table(&mut text, &results, place)?;
    }
    text += "## Plots\n\n";
    for (title, file) in plots::draw(dir, &results)? {
        writeln!(text, "![{title}]({file})\n")?;
    }
    let mut works: Vec<(&str, usize)> = Vec::new();
    let ran = results.rows.iter().map(|row| (row.name.as_str(), row.size));
    for work in ran.chain(results.not_run.iter().map(|row| (row.name.as_str(), row.size))) {
        if !works.contains(&work) {
            works.push(work);
        }
    }
    for (name, size) in works {
        writeln!(text, "## {}, {}\n", title(name), bytes(size))?;
        for place in results.places() {
            table(&mut text, &results, name, size, place)?;
        }
        let here =
            results.not_run.iter().filter(|row| (row.name.as_str(), row.size) == (name, size));
        for row in here {
            writeln!(text, "- {}: not run: {}", row.contender, row.why)?;
        }
        text += "\n";
    }
    let path = dir.join(FILE);
    std::fs::write(&path, text)?;
    println!("{}", path.display());
    Ok(())
}

fn head(machine: &Machine) -> Result<String> {
    let versions: Vec<String> =
        machine.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    let (dropped, all) = machine.dropped;
    Ok(format!(
        "# Slipring and its peers\n\n\
         {}, {} cores, Linux {}. `{}`\n\n\
         {}.\n\n\
         Medians of the repeats, with the least and the most. All in one run: each repeat runs every contender once, in rotating order, each side \
         pinned to a core. Near: the host had both cores at one cache; far: it had not. {dropped} of {all} samples were dropped because it moved them \
         meanwhile. Thread peers are compared with slipring between threads, the others with slipring between processes.\n\n",
        machine.processor,
        machine.cores,
        machine.kernel,
        machine.command,
        versions.join(", "),
    ))
}

fn goals_table(text: &mut String, results: &Results, place: Place) -> Result<()> {
    writeln!(text, "## Goals, {}\n", words(place))?;
    writeln!(text, "| work | goal | slipring | beside it | ratio | |\n|---|---|--:|--:|--:|---|")?;
    for goal in goals::all() {
        let Some(found) = goal.look(results, place) else {
            writeln!(text, "| {} | {} | – | – | – | not measured |", goal.work, goal.words())?;
            continue;
        };
        let verdict = if found.met { "met" } else { "**missed**" };
        let figure = |value| if found.time { nanos(value) } else { rate(value) };
        writeln!(
            text,
            "| {} | {} | {} | {} | {:.2} | {verdict} |",
            goal.work,
            goal.words(),
            figure(found.ours),
            figure(found.theirs),
            found.ours / found.theirs
        )?;
    }
    text.push('\n');
    Ok(())
}

/// One work, size and place; the best first.
fn table(
    text: &mut String,
    results: &Results,
    name: &str,
    size: usize,
    place: Place,
) -> Result<()> {
    let here = |row: &&Row| (row.name.as_str(), row.size, row.place) == (name, size, place);
    let mut rows: Vec<&Row> = results.rows.iter().filter(here).collect();
    let Some(first) = rows.first() else { return Ok(()) };
    let (time, line) = (first.unit == "ns", first.line_ns);
    rows.sort_by(
        |a, b| if time { a.median.total_cmp(&b.median) } else { b.median.total_cmp(&a.median) },
    );
    let latencies = rows.iter().any(|row| row.latency_ns.is_some());
    writeln!(
        text,
        "{}, a bare cache line there and back {}:\n",
        capital(words(place)),
        nanos(line)
    )?;
    let more = if latencies { " p50 | p90 | p99 | p99.9 | max |" } else { "" };
    writeln!(text, "| | median | least to most | of slipring's |{more} repeats |")?;
    writeln!(text, "|---|--:|--:|--:|{}--:|", "--:|".repeat(more.matches('|').count()))?;
    for row in rows {
        let figure = |value| if time { nanos(value) } else { rate(value) };
        let ratio = results
            .slipring(row)
            .map_or("–".into(), |ours| format!("{:.2}", row.median / ours.median));
        let name = if row.contender.starts_with("slipring") {
            format!("**{}**", row.contender)
        } else {
            row.contender.clone()
        };
        write!(
            text,
            "| {name} | {} | {} to {} | {ratio} |",
            figure(row.median),
            figure(row.min),
            figure(row.max)
        )?;
        match row.latency_ns {
            Some(at) => {
                for value in [at.p50, at.p90, at.p99, at.p99_9, at.max] {
                    write!(text, " {} |", nanos(value as f64))?;
                }
            }
            None if latencies => text.push_str(" | | | | |"),
            None => {}
        }
        writeln!(text, " {} |", row.repeats)?;
    }
    text.push('\n');
    Ok(())
}

fn title(name: &str) -> String {
    match name.split_once(" to ") {
        Some((from, to)) if from.parse::<u32>().is_ok() => {
            let (to, rest) = to
                .split_once(',')
                .map_or((to, String::new()), |(to, rest)| (to, format!(",{rest}")));
            format!("{from} producer{} to {to} worker{}{rest}", plural(from), plural(to))
        }
        _ => capital(name),
    }
}

fn plural(count: &str) -> &str {
    if count == "1" { "" } else { "s" }
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// What a place means.
pub fn words(place: Place) -> &'static str {
    match place {
        Place::Near => "cores share a cache",
        Place::Far => "cores apart",
    }
}

/// A size in bytes.
pub fn bytes(size: usize) -> String {
    if size >= 65536 { format!("{} KiB", size >> 10) } else { format!("{size} B") }
}

fn nanos(value: f64) -> String {
    match value {
        v if v < 9.95 => format!("{v:.1} ns"),
        v if v < 9_950.0 => format!("{v:.0} ns"),
        v if v < 995_000.0 => format!("{:.1} µs", v / 1e3),
        v => format!("{:.1} ms", v / 1e6),
    }
}

fn rate(value: f64) -> String {
    match value {
        v if v < 9_950.0 => format!("{v:.0}/s"),
        v if v < 995_000.0 => format!("{:.0} k/s", v / 1e3),
        v if v < 9_950_000.0 => format!("{:.2} M/s", v / 1e6),
        v => format!("{:.1} M/s", v / 1e6),
    }
}
