//! One operation with one fault, and what to say of it.

use std::fmt;

use crate::common::TempDir;
use crate::fault::{self, Call, Fault, Outcome};
use crate::operation::{Operation, What};
use crate::survivor;
use crate::traced::{Shared, Traced, Victim};

#[derive(Default)]
pub struct Score {
    /// System calls of the operations.
    pub calls: u64,
    /// Runs in which one or more of them failed.
    pub faults: u64,
    /// Faults that the operation said it could not do without.
    pub errors: u64,
    pub violations: u64,
    pub examples: Vec<String>,
}

impl Score {
    pub fn add(&mut self, other: Score) {
        self.calls += other.calls;
        self.faults += other.faults;
        self.errors += other.errors;
        self.violations += other.violations;
        self.examples.extend(other.examples);
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { calls, faults, errors, violations, .. } = self;
        write!(f, "{calls:>5} {faults:>6} {errors:>7} {violations:>10}")
    }
}

/// Runs it, and says which calls it made.
pub fn judge(shared: &Shared, operation: &Operation, fault: Fault, score: &mut Score) -> Vec<Call> {
    let dir = TempDir::new();
    if operation.needs_queue() {
        finish(shared, |victim| operation.prepare(victim, &dir)).unwrap();
    }
    let child = Traced::fork(shared, |victim| operation.perform(victim, &dir));
    let outcome = fault::run(&child, fault);
    let said = shared.panic().map_or_else(|| shared.said(), |text| format!("panicked: {text}"));
    let mut problems = Vec::new();
    let outcome = outcome.unwrap_or_else(|trouble| {
        problems.push(trouble);
        Outcome::default()
    });
    let done = said == "done";
    score.faults += u64::from(!outcome.failed.is_empty());
    score.errors += u64::from(!done);
    if outcome.before != outcome.after {
        problems.push(format!("held {:?}, then {:?}", outcome.before, outcome.after));
    }
    problems.extend((!done).then(|| unclear(&said, fault, &outcome)).flatten());
    problems.extend(files_left(operation, done, &dir));
    // The child still lives.
    problems.extend(finish(shared, |victim| survivor::check(operation, done, victim, &dir)).err());
    drop(child);
    score.violations += problems.len() as u64;
    let room = 8_usize.saturating_sub(score.examples.len());
    score.examples.extend(problems.into_iter().take(room).map(|problem| {
        let calls = &outcome.failed;
        format!("{operation}: {fault:?}, calls {calls:?}, {said:?}: {problem}")
    }));
    outcome.calls
}

/// A child at full speed to its end.
fn finish(
    shared: &Shared,
    body: impl FnOnce(&Victim) -> std::convert::Infallible,
) -> Result<(), String> {
    let child = Traced::fork(shared, body);
    let stopped = child.wait_for_start();
    match shared.panic() {
        Some(text) => Err(format!("others cannot go on: {text}")),
        None => stopped,
    }
}

/// An error says what happened in the system's words or in those of its kind, and never blames the queue.
fn unclear(said: &str, fault: Fault, outcome: &Outcome) -> Option<String> {
    let error = match fault {
        Fault::Once { error, .. } | Fault::From { error, .. } => error,
        Fault::None => return Some("failed by itself".into()),
    };
    let Some(first) = outcome.failed.first() else { return Some("failed by itself".into()) };
    if error == libc::EINTR && first.is_interruptible() {
        return Some("a signal is no reason to give up".into());
    }
    let text = std::io::Error::from_raw_os_error(error).to_string();
    let words = text.split(" (").next().unwrap_or(&text).to_lowercase();
    let (status, rest) = said.split_once(": ")?;
    let clear = match status {
        "Os" => rest.to_lowercase().contains(&words),
        "NoSpace" => error == libc::ENOSPC,
        "Permission" => error == libc::EACCES || error == libc::EPERM,
        // Those that a refused membarrier or lock leads to name the way out.
        "Incompatible" => first.number == libc::SYS_membarrier && rest.contains("fenced"),
        "Limit" => first.locks() && error == libc::EACCES,
        _ => false,
    };
    (!clear).then(|| "no clear error".into())
}

fn files_left(operation: &Operation, done: bool, dir: &TempDir) -> Option<String> {
    let expected: &[&str] = match operation.what {
        What::CreateByName => &["queues"],
        What::Create if !done => &[],
        What::CreateMemfd => &[],
        _ => &["q"],
    };
    let mut folders = vec![dir.path("")];
    folders.extend(Some(dir.path("queues")).filter(|path| std::fs::exists(path).unwrap_or(false)));
    let names = folders.iter().flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten());
    let names: Vec<String> =
        names.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let allowed = |name: &String| {
        expected.contains(&name.as_str())
            || name == "queues" && operation.what == What::CreateMemfd
            || name == "q" && operation.what == What::CreateByName && done
    };
    let strange: Vec<&String> = names.iter().filter(|name| !allowed(name)).collect();
    (!strange.is_empty()).then(|| format!("files left: {strange:?}"))
}
