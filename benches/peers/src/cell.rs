//! One piece of work by one contender, in a process of its own, which starts further ones for the other sides.

use std::process::{Child, Command, Stdio};
use std::thread::ScopedJoinHandle;
use std::time::Duration;

use crate::control::{Control, OTHER_SIDE};
use crate::message::Message;
use crate::peer::{Peer, Setup};
use crate::roles::play;
use crate::steps::Rounds;
use crate::work::{Kind, Outcome, Part, Task};
use crate::{Result, steps, sys};

/// What a process has besides the time it is to measure.
const GRACE: Duration = Duration::from_secs(20);

/// Where the sides of a contender live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Between {
    Processes,
    Threads,
}

/// Which part of a piece of work a process is to do.
#[derive(Clone, Copy, Debug)]
pub enum Share {
    /// The first role, and to start the others.
    Whole,
    /// That role.
    Role(usize),
    /// All of it in one thread.
    Alone(Rounds),
}

/// The entry of every process that works.
pub fn enter<P: Peer<M>, M: Message>(task: &Task, between: Between, share: Share) -> Result<Part> {
    sys::leash(task.parent, Duration::from_millis(task.millis) + GRACE);
    let control = Control::open(&task.dir)?;
    let setup = Setup::new(task);
    match (share, between) {
        (Share::Alone(rounds), _) => match steps::play(&P::create(&setup)?, &task.work, rounds)? {},
        (Share::Role(role), _) => {
            let part = P::open(&setup).and_then(|peer| play(&peer, task, role, &control));
            part.inspect_err(|_| control.fail())
        }
        (Share::Whole, Between::Threads) => {
            whole(task, threads(&P::create(&setup)?, task, &control)?)
        }
        (Share::Whole, Between::Processes) => {
            whole(task, processes(&P::create(&setup)?, task, &control)?)
        }
    }
}

fn threads<P: Peer<M>, M: Message>(peer: &P, task: &Task, control: &Control) -> Result<Vec<Part>> {
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..task.work.roles())
            .map(|role| {
                scope.spawn(move || {
                    play(peer, task, role, control)
                        .inspect_err(|_| control.fail())
                        .map_err(|error| error.to_string())
                })
            })
            .collect();
        let first = play(peer, task, 0, control).inspect_err(|_| control.fail());
        let join = |other: ScopedJoinHandle<std::result::Result<Part, String>>| {
            Ok(other.join().map_err(|_| "a thread panicked")??)
        };
        together(first, others.into_iter().map(join))
    })
}

fn processes<P: Peer<M>, M: Message>(
    peer: &P,
    task: &Task,
    control: &Control,
) -> Result<Vec<Part>> {
    let own = Task { parent: std::process::id(), ..task.clone() };
    let others = (1..task.work.roles())
        .map(|role| start(&["role", &role.to_string()], &own))
        .collect::<Result<Vec<_>>>()?;
    let first = play(peer, task, 0, control).inspect_err(|_| control.fail());
    together(first, others.into_iter().map(finish))
}

/// All parts, or the reason that somebody gave.
fn together(first: Result<Part>, others: impl Iterator<Item = Result<Part>>) -> Result<Vec<Part>> {
    let (mut parts, mut reasons) = (Vec::new(), Vec::new());
    for part in std::iter::once(first).chain(others) {
        match part {
            Ok(part) => parts.push(part),
            Err(reason) => reasons.push(reason),
        }
    }
    reasons.sort_by_key(|reason| reason.to_string() == OTHER_SIDE);
    reasons.into_iter().next().map_or(Ok(parts), Err)
}

/// Starts this program again for a piece of work.
pub fn start(words: &[&str], task: &Task) -> Result<Child> {
    let child = Command::new(std::env::current_exe()?)
        .args(words)
        .arg(serde_json::to_string(task)?)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    Ok(child)
}

/// What that program said, or why it failed.
pub fn finish<T: serde::de::DeserializeOwned>(child: Child) -> Result<T> {
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let why = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("without a word");
        // With a status of 1 it has said why; else it was killed, or has panicked.
        return Err(match output.status.code() {
            Some(1) => why.trim_start_matches("peers: ").into(),
            _ => format!("{}: {why}", output.status).into(),
        });
    }
    let said = String::from_utf8(output.stdout)?;
    // A peer's library may print lines of its own before.
    Ok(serde_json::from_str(said.lines().last().unwrap_or_default())?)
}

/// Puts the parts together, and checks that everything that was sent was read.
fn whole(task: &Task, parts: Vec<Part>) -> Result<Part> {
    let work = &task.work;
    if work.kind != Kind::Flow {
        let outcome = parts.into_iter().map(|part| part.outcome).find(|one| one.value > 0.0);
        let outcome = outcome.ok_or("nothing was measured")?;
        return Ok(Part { outcome, ..Part::default() });
    }
    let (sent, read) = parts.split_at(work.producers);
    let total = |parts: &[Part]| {
        parts.iter().fold((0u64, 0u64), |(messages, sum), part| {
            (messages + part.messages, sum.wrapping_add(part.sum))
        })
    };
    let (messages, sum) = total(sent);
    let (received, read_sum) = total(read);
    let groups = work.groups as u64;
    if (received, read_sum) != (messages * groups, sum.wrapping_mul(groups)) {
        return Err(format!("sent {messages} messages and read {received}, or other ones").into());
    }
    let start = sent.iter().map(|part| part.at).min().unwrap_or_default();
    let end = read.iter().map(|part| part.at).max().unwrap_or_default();
    let value = messages as f64 * 1e9 / end.saturating_sub(start).max(1) as f64;
    Ok(Part { messages, outcome: Outcome { value, latencies: Vec::new() }, ..Part::default() })
}
