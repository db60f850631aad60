//! What a message costs either side on one core, where nobody waits for anybody: instructions, counted by callgrind, and time. What it takes longer
//! between cores is what lines take from one to the other.

use std::convert::Infallible;
use std::hint::black_box;
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::cell::{finish, start};
use crate::contenders::ALL;
use crate::measure::Bench;
use crate::message::{Message, sum};
use crate::peer::{Peer, Receiver, Sender, batch_of};
use crate::rows::spread;
use crate::work::{Mode, Task, Work};
use crate::{Error, Result, sys};

const SIZE: usize = 64;
/// Batches before those that are counted, and those.
const BEFORE: u64 = 40;
const COUNTED: u64 = 32;
/// Batches that are timed.
const TIMED: u64 = 20_000;

/// What is done in one thread.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Rounds {
    /// Batches that are sent and read by turns.
    read: u64,
    /// Batches that are sent then and not read.
    unread: u64,
    /// Whether to say what the reading and the sending of the first ones took.
    timed: bool,
}

/// Each batch is the next producer's and the next worker's.
pub fn play<P: Peer<M>, M: Message>(peer: &P, work: &Work, rounds: Rounds) -> Result<Infallible> {
    let mut senders = (0..work.producers).map(|_| peer.sender(0)).collect::<Result<Vec<_>>>()?;
    let receivers = work.workers.max(work.groups);
    let mut receivers =
        (0..receivers).map(|group| peer.receiver(0, group)).collect::<Result<Vec<_>>>()?;
    receivers.iter_mut().for_each(Receiver::connect);
    let messages = vec![M::filled(); batch_of(M::SIZE)];
    let (ways, hands) = (senders.len(), receivers.len());
    let (mut sending, mut reading) = (Vec::new(), Vec::new());
    let clock = || if rounds.timed { sys::now() } else { 0 };
    for round in 0..rounds.read as usize {
        let start = clock();
        send(&mut senders[round % ways], &messages, work.mode);
        let sent = clock();
        if work.groups > 1 {
            receivers.iter_mut().for_each(|rx| receive::<M>(rx, messages.len(), work.mode));
        } else {
            receive::<M>(&mut receivers[round % hands], messages.len(), work.mode);
        }
        if rounds.timed {
            sending.push((sent - start) as f64);
            reading.push((clock() - sent) as f64);
        }
    }
    for round in 0..rounds.unread as usize {
        send(&mut senders[round % ways], &messages, work.mode);
    }
    if rounds.timed {
        let median = |times| spread(times).map(|(median, ..)| median).ok_or("nothing was timed");
        println!("{}", serde_json::to_string(&[median(sending)?, median(reading)?])?);
    }
    // Taking down what nobody has read would be counted, too.
    std::process::exit(0)
}

#[inline(never)]
fn send<M: Message>(tx: &mut impl Sender<M>, messages: &[M], mode: Mode) {
    match mode {
        Mode::Batch => tx.send_batch(messages),
        _ => messages.iter().for_each(|message| tx.send(message.bytes())),
    }
}

#[inline(never)]
fn receive<M: Message>(rx: &mut impl Receiver, count: usize, mode: Mode) {
    let mut got = 0;
    let read = &mut |bytes: &[u8]| {
        black_box(sum(&bytes[..M::SIZE]));
        got += 1;
    };
    let calls = if let Mode::Batch = mode { 1 } else { count };
    for _ in 0..calls {
        match mode {
            Mode::Batch => _ = rx.poll_batch(read),
            _ => _ = rx.poll(read),
        }
    }
    assert_eq!(got, count, "not all that was sent can be read");
}

/// Writes the table.
pub fn print() -> Result<()> {
    let bench = Bench::new()?;
    println!("| 64 bytes, one core | send | receive and ack |\n|---|---|---|");
    let works = [
        ("one by one", Work::one_way(Mode::Single)),
        ("in batches", Work::one_way(Mode::Batch)),
        ("2 to 2, one by one", Work::pool(Mode::Single, 2, 2)),
        ("2 to 2, in batches", Work::pool(Mode::Batch, 2, 2)),
        ("3 groups, in batches", Work::fan_out(Mode::Batch, 3)),
    ];
    let messages = batch_of(SIZE) as f64;
    for (what, work) in works {
        for one in ALL.iter().filter(|one| one.is_alone() && one.takes_part_in(&work, SIZE)) {
            let task = || bench.task(&one.id(), work, SIZE, 0);
            let count = |read, unread| {
                let task = task()?;
                let count = count(&task, Rounds { read, unread, timed: false });
                bench.remove(&task);
                count
            };
            let few = count(BEFORE, 0)?;
            let counted = COUNTED as f64 * messages;
            let send = (count(BEFORE, COUNTED)? - few) / counted;
            let both = (count(BEFORE + COUNTED, 0)? - few) / counted;
            let task = task()?;
            let times = time(&task);
            bench.remove(&task);
            let [sending, reading] = times?.map(|time| time / messages);
            let (name, receive) = (one.name, both - send);
            println!(
                "| {what}: {name} | {send:.0} instructions, {sending:.1} ns | {receive:.0} instructions, {reading:.1} ns |"
            );
        }
    }
    Ok(())
}

/// Instructions of this program when it does that.
fn count(task: &Task, rounds: Rounds) -> Result<f64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(["steps", &serde_json::to_string(&rounds)?, &serde_json::to_string(task)?])
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|line| line.split_once("Collected : "));
    let count = collected.and_then(|(_, count)| count.trim().parse().ok());
    count.filter(|_| output.status.success()).ok_or_else(|| Error::from(said.as_ref()))
}

/// Nanoseconds that a batch takes to be sent, and to be read.
fn time(task: &Task) -> Result<[f64; 2]> {
    let rounds = Rounds { read: TIMED, unread: 0, timed: true };
    finish(start(&["steps", &serde_json::to_string(&rounds)?], task)?)
}
