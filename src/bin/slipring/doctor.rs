//! `slipring doctor`.

use crate::failure::{About, Coded, Done, FAILURE, Failure};
use crate::output;
use crate::place;
use crate::stat;
use crate::units::human;
use serde_json::{Value, json};
use slipring::{Observer, OpenError, Queue, QueueStats};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Look at the system, the directory and every queue; for each problem say the command that helps
#[derive(clap::Args)]
pub struct Doctor {
    /// Only this queue
    name: Option<String>,
    /// Repair what dead members left
    #[arg(long)]
    repair: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(args: Doctor) -> Done {
    let names = match &args.name {
        Some(name) => vec![name.clone()],
        None => Queue::list().about("doctor")?,
    };
    let mut report = Report { system: System::look(&args), ..Report::default() };
    report.problems.extend(report.system.problems());
    for name in names {
        if args.repair {
            repair(&name)?;
        }
        match Observer::open(&name) {
            Ok(observer) => report.queue(&observer.stats()),
            // Removed since it was listed.
            Err(OpenError::NotFound(_)) if args.name.is_none() => {}
            Err(error @ OpenError::NotFound(_)) => return Err(error).about(&name),
            Err(error) => report.unreadable(&name, &error),
        }
    }
    if args.json {
        output::print_json(&report.json())?;
    } else {
        output::print(&report.text())?;
    }
    let (count, code) = (report.problems.len(), report.code);
    if count == 0 {
        return Ok(());
    }
    let s = if count == 1 { "" } else { "s" };
    Err(Failure::new(code.max(FAILURE), format_args!("{count} problem{s} found")))
}

/// Frees what dead members hold. What cannot be opened is left alone: the report says what is wrong with it.
fn repair(name: &str) -> Done {
    let Ok(queue) = Queue::open(name) else { return Ok(()) };
    let done = queue.recover().about(name)?;
    if done.members > 0 {
        output::say(format_args!(
            "{name}: dead members repaired: {}; unfinished messages skipped: {}; messages given back: {}",
            done.members, done.holes, done.given_back
        ));
    }
    Ok(())
}

#[derive(Default)]
struct Report {
    system: System,
    queues: Vec<Value>,
    text: String,
    problems: Vec<Problem>,
    /// The exit code that the worst problem asks for.
    code: u8,
}

struct Problem {
    what: String,
    command: String,
}

impl Problem {
    fn new(what: impl Into<String>, command: impl Into<String>) -> Self {
        Self { what: what.into(), command: command.into() }
    }
}

impl Report {
    fn queue(&mut self, stats: &QueueStats) {
        self.queues.push(stat::queue_json(stats));
        let name = &stats.name;
        let state = if stats.closed { "closed" } else { "open" };
        let _ = writeln!(
            self.text,
            "{name}: {state}, {} of {} used, {} groups, {} members, {} asleep",
            human(stats.used),
            human(stats.capacity),
            stats.groups.len(),
            stats.members.len(),
            stats.sleepers.count_ones(),
        );
        for group in &stats.groups {
            let label = if group.name.is_empty() { group.kind } else { &group.name };
            let _ = writeln!(
                self.text,
                "  group {label}: {}, {} members, {} messages behind",
                group.mode, group.members, group.lag
            );
        }
        for member in stats.members.iter().filter(|member| !member.alive) {
            self.problems.push(Problem::new(
                format!("{name}: member {} (pid {}) is dead", member.row, member.pid),
                format!("slipring doctor {name} --repair"),
            ));
        }
        let full = stats.used >= stats.capacity / 10 * 9;
        let idle = stats.groups.iter().filter(|group| group.members == 0 && group.lag > 0);
        for group in idle.filter(|_| full && !stats.closed) {
            self.problems.push(Problem::new(
                format!(
                    "{name}: group {} has no members and holds up senders: {} messages behind",
                    group.name, group.lag
                ),
                format!(
                    "slipring recv {name} --group {g}, or slipring group drop {name} {g}",
                    g = group.name
                ),
            ));
        }
    }

    fn unreadable(&mut self, name: &str, error: &OpenError) {
        self.code = self.code.max(error.code());
        self.queues.push(json!({"name": name, "error": error.to_string()}));
        let _ = writeln!(self.text, "{name}: cannot be used");
        let command = match error {
            OpenError::Corrupt(_) => {
                format!("slipring rm {name}, then slipring create {name}; what it held is lost")
            }
            OpenError::Permission(_) => format!("chmod a+r on the file of {name}, by its owner"),
            _ => format!("slipring rm {name}, if nobody needs it"),
        };
        self.problems.push(Problem::new(error.to_string(), command));
    }

    fn text(&self) -> String {
        let mut text = self.system.text();
        text.push_str(&self.text);
        for problem in &self.problems {
            let _ = writeln!(text, "problem: {}\n     try: {}", problem.what, problem.command);
        }
        if self.problems.is_empty() {
            text.push_str("no problems found\n");
        }
        text
    }

    fn json(&self) -> Value {
        let problems = self.problems.iter();
        let problems: Vec<Value> = problems
            .map(|problem| json!({"problem": problem.what, "command": problem.command}))
            .collect();
        let mut value = self.system.json();
        if let Value::Object(fields) = &mut value {
            fields.insert("queues".into(), self.queues.clone().into());
            fields.insert("problems".into(), problems.into());
        }
        value
    }
}

/// What the system gives.
#[derive(Default)]
struct System {
    directory: PathBuf,
    exists: bool,
    /// Of the directory's file system: kind, bytes in all, bytes left.
    space: Option<(String, u64, u64)>,
    membarrier: bool,
    open_files: Option<u64>,
    locked_memory: Option<u64>,
}

impl System {
    fn look(args: &Doctor) -> Self {
        let directory = place::directory(args.name.as_deref());
        // A queue that nobody else sees shows which barrier new queues get.
        let probe = Queue::options().capacity(0).max_groups(1).max_members(1).topic(true);
        let probe = probe.create_memfd("slipring-doctor");
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
        Self {
            exists: directory.is_dir(),
            space: space(&directory),
            membarrier: probe.is_ok_and(|queue| !queue.stats().fenced),
            open_files: soft_limit(&limits, "Max open files"),
            locked_memory: soft_limit(&limits, "Max locked memory"),
            directory,
        }
    }

    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Some((_, _, left)) = self.space.as_ref().filter(|(_, all, left)| left * 10 < *all) {
            problems.push(Problem::new(
                format!("{}: only {} left", self.directory.display(), human(*left)),
                "slipring ls, then slipring rm those that nobody needs",
            ));
        }
        if self.open_files.is_some_and(|limit| limit < 256) {
            problems.push(Problem::new(
                "few open files are allowed, and each producer or consumer takes one or two",
                "ulimit -n 1024",
            ));
        }
        problems
    }

    fn text(&self) -> String {
        let limit =
            |limit: Option<u64>| limit.map_or("unlimited".into(), |limit| limit.to_string());
        let there = if self.exists { "" } else { " (not made yet)" };
        let space = match &self.space {
            Some((kind, all, left)) => format!("{kind}, {} left of {}", human(*left), human(*all)),
            None => "unknown".into(),
        };
        let locked = self.locked_memory.map_or("unlimited".into(), human);
        let barrier = if self.membarrier { "available" } else { "refused: queues use fences" };
        [
            ("directory", format!("{}{there}", self.directory.display())),
            ("file system", space),
            ("membarrier", barrier.into()),
            ("open files", limit(self.open_files)),
            ("locked memory", locked),
        ]
        .iter()
        .map(|(key, value)| format!("{key:<14} {value}\n"))
        .collect()
    }

    fn json(&self) -> Value {
        let space = self.space.as_ref();
        json!({
            "directory": self.directory.display().to_string(), "exists": self.exists,
            "file_system": space.map(|(kind, all, left)| {
                json!({"type": kind, "size": all, "available": left})
            }),
            "membarrier": self.membarrier, "open_files": self.open_files,
            "locked_memory": self.locked_memory,
        })
    }
}

/// Asks `df` about the file system of a directory, or of the nearest one above that exists.
fn space(directory: &Path) -> Option<(String, u64, u64)> {
    let there = directory.ancestors().find(|dir| dir.is_dir())?;
    let mut df = Command::new("df");
    df.args(["--block-size=1", "--output=fstype,size,avail", "--"]).arg(there);
    let output = df.stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut words = text.lines().nth(1)?.split_whitespace();
    Some((words.next()?.into(), words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

/// `None` means unlimited.
fn soft_limit(limits: &str, name: &str) -> Option<u64> {
    let line = limits.lines().find(|line| line.starts_with(name))?;
    line.get(name.len()..)?.split_whitespace().next()?.parse().ok()
}
