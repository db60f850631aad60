//! Waiting, waking and making room, killed anywhere. Survivors sleep in earnest while the victim dies: whoever was to wake them, they
//! wake up.

use std::convert::Infallible;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use slipring::{Consumer, Queue, RecvError};

use crate::case::{Case, Got, Line, RING, again, gone, got, line, message, must, sent, small};
use crate::runner::Operation;
use crate::traced::Victim;

/// Far more than any wait takes: a sleeper looks around by itself 20 times a second.
const LONG: Duration = Duration::from_secs(10);

/// Messages that a reader acks before a producer that waits for room.
const ACKS: u32 = 9;

pub fn operations() -> Vec<Operation> {
    let mut all = vec![
        Operation::some("wait, arming a pollable descriptor", |case| poll(case, false)),
        Operation::some("wait, making a pollable descriptor", |case| poll(case, true)),
        Operation::some("wake, ringing a bell", bell),
        Operation::every("wake, a producer that waits for room", producer),
        Operation::some("wait, and be woken", woken),
        Operation::some("gate, over padding that nobody has passed", padding),
        Operation::some("gate, held by one of two groups", two_groups),
        Operation::some("gate, stopped by a claim", claimed),
    ];
    for count in [1, 2] {
        for shared in [false, true].into_iter().filter(|shared| *shared || count == 1) {
            let name = format!("wake, {count} asleep{}", if shared { ", one group" } else { "" });
            all.push(Operation::every(name, move |case| sleepers(case, count, shared)));
        }
    }
    all
}

/// Waits until somebody sleeps, or `stop`.
fn until_asleep(queue: &Queue, stop: &AtomicBool) {
    while queue.stats().sleepers == 0 && !stop.load(Ordering::SeqCst) {
        thread::sleep(Duration::from_micros(50));
    }
}

fn send_one(victim: &Victim, path: &str) -> Infallible {
    let mut tx = Queue::open(path).unwrap().producer().unwrap();
    let bytes = message(3, 8);
    victim.start();
    tx.send(&bytes).unwrap();
    victim.returned();
    victim.end()
}

/// Receives and acks until 90 comes; not complete if nothing came for long. The reader stays a member until all have ended.
fn until_90(rx: Consumer) -> (Consumer, Vec<Got>, bool) {
    let (mut all, mut complete) = (Vec::new(), false);
    while !complete && let Ok(message) = rx.recv_timeout(LONG) {
        all.push(got(&message));
        complete = all.last().is_some_and(|got| got.id == 90);
        if message.ack().is_err() {
            break;
        }
    }
    (rx, all, complete)
}

/// Readers that sleep are woken by a sender that dies, or by the next one.
fn sleepers(case: &Case, count: usize, accompanied: bool) {
    let queue = case.create(small());
    case.advance(&queue, 3);
    let readers: Vec<Consumer> = (0..count).map(|_| queue.consumer("default").unwrap()).collect();
    let awake = accompanied.then(|| queue.consumer("default").unwrap());
    let path = case.path();
    let (end, results) = thread::scope(|scope| {
        let spawn = |rx| scope.spawn(move || until_90(rx));
        let threads: Vec<_> = readers.into_iter().map(spawn).collect();
        until_asleep(&queue, &AtomicBool::new(false));
        let end = case.victim(|victim| send_one(victim, &path));
        let mut tx = queue.producer().unwrap();
        // One for each of them.
        (0..count).for_each(|_| case.send(&mut tx, 90));
        let results: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        (end, results)
    });
    for (_, got, complete) in &results {
        case.check(*complete, || format!("a sleeper was not woken: it got {got:?}"));
    }
    let came: Vec<Got> =
        results.iter().flat_map(|(_, got, _)| got).filter(|got| got.id == 3).cloned().collect();
    case.compare("default", &[sent(3, &end, 1)], &came);
    drop((results, awake));
    case.finish(&queue);
}

/// A producer that sleeps before a full ring is woken by the ack of a reader that dies, or by the next one.
fn producer(case: &Case) {
    let queue = case.create(small());
    let mut tx = queue.producer().unwrap();
    for id in 1..=RING as u32 {
        tx.try_send(&message(id, 8)).unwrap();
    }
    let path = case.path();
    thread::scope(|scope| {
        let waiting = scope.spawn(move || tx.send_timeout(&message(90, 8), LONG));
        until_asleep(&queue, &AtomicBool::new(false));
        let end = case.victim(|victim| {
            let rx = Queue::open(&path).unwrap().consumer("default").unwrap();
            victim.start();
            // The ack that makes room enough to be worth it wakes.
            for _ in 0..ACKS {
                let message = rx.recv().unwrap();
                victim.returned();
                message.ack().unwrap();
                victim.returned();
            }
            victim.end()
        });
        let acked = end.returned / 2;
        let mut lines: Vec<Line> = (1..=acked).map(gone).collect();
        lines.extend((acked < ACKS).then(|| match end.returned % 2 {
            0 => line(acked + 1, true, true, 1..=2),
            _ => line(acked + 1, false, true, 2..=2),
        }));
        lines.extend((lines.len() as u32 + 1..=RING as u32).chain([90]).map(must));
        // If the victim has acked all nobody else need do anything.
        let rx = queue.consumer("default").unwrap();
        let mut got = if acked < ACKS { case.drain(&rx) } else { Vec::new() };
        let sent = waiting.join().unwrap();
        case.check(sent.is_ok(), || format!("a sleeping producer was not woken: {sent:?}"));
        got.extend(case.drain(&rx));
        case.compare("default", &lines, &got);
    });
    case.finish(&queue);
}

/// The victim sleeps, and is woken by a message.
fn woken(case: &Case) {
    let queue = case.create(small());
    case.advance(&queue, 3);
    let mut tx = queue.producer().unwrap();
    let (path, over) = (case.path(), AtomicBool::new(false));
    let end = thread::scope(|scope| {
        scope.spawn(|| {
            until_asleep(&queue, &over);
            tx.try_send(&message(3, 8)).unwrap();
        });
        let end = case.victim(|victim| {
            let rx = Queue::open(&path).unwrap().consumer("default").unwrap();
            victim.start();
            let _message = rx.recv().unwrap();
            victim.returned();
            victim.end()
        });
        over.store(true, Ordering::SeqCst);
        end
    });
    case.send(&mut tx, 90);
    drop(tx);
    let first = if end.returned == 0 { line(3, true, true, 1..=2) } else { again(3) };
    case.read(&queue, "default", &[first, must(90)]);
    case.finish(&queue);
}

/// The victim finds nothing, and is about to go back to its event loop.
fn poll(case: &Case, make: bool) {
    let queue = case.create(small());
    case.advance(&queue, 3);
    let path = case.path();
    case.victim(|victim| {
        let rx = Queue::open(&path).unwrap().consumer("default").unwrap();
        if make {
            victim.start();
            rx.pollable().unwrap();
        } else {
            rx.pollable().unwrap();
            victim.start();
            assert_eq!(rx.try_recv().map(drop).unwrap_err(), RecvError::Empty);
        }
        victim.returned();
        victim.end()
    });
    case.send(&mut queue.producer().unwrap(), 90);
    case.read(&queue, "default", &[must(90)]);
    case.finish(&queue);
}

/// An event loop: receives whenever its descriptor is readable, until 90 comes. How often it woke up is bounded: even one of which
/// nobody thinks looks by itself 20 times a second, and then looks after the dead.
fn event_loop(case: &Case, rx: &Consumer, fd: RawFd) -> Vec<Got> {
    let mut all: Vec<Got> = Vec::new();
    for _ in 0..10 {
        let mut entry = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        // SAFETY: one live entry.
        let ready = unsafe { libc::poll(&mut entry, 1, LONG.as_millis() as i32) };
        case.check(ready == 1, || "nobody rings".into());
        while let Ok(message) = rx.try_recv() {
            all.push(got(&message));
            case.check(message.ack().is_ok(), || "a survivor cannot ack".into());
        }
        if all.iter().any(|got| got.id == 90) {
            return all;
        }
    }
    case.problem(format!("10 looks, and not all is there: {all:?}"));
    all
}

/// A survivor sits in its event loop; the victim is to ring.
fn bell(case: &Case) {
    let queue = case.create(small());
    case.advance(&queue, 3);
    let rx = queue.consumer("default").unwrap();
    let fd = rx.pollable().unwrap().as_raw_fd();
    case.check(matches!(rx.try_recv(), Err(RecvError::Empty)), || "not empty".into());
    let path = case.path();
    let end = case.victim(|victim| send_one(victim, &path));
    case.send(&mut queue.producer().unwrap(), 90);
    let got = event_loop(case, &rx, fd);
    case.compare("default", &[sent(3, &end, 1), must(90)], &got);
    drop(rx);
    case.finish(&queue);
}

/// Sends from id 3 on until the ring is full.
fn send_until_full(victim: &Victim, path: &str) -> Infallible {
    let mut tx = Queue::open(path).unwrap().producer().unwrap();
    let messages: Vec<Vec<u8>> = (3..40).map(|id| message(id, 100)).collect();
    victim.start();
    for bytes in &messages {
        if tx.try_send(bytes).is_err() {
            break;
        }
        victim.returned();
    }
    victim.end()
}

/// What the victim has sent: all that its calls said, and perhaps one more.
fn sent_until_full(end: &crate::tracer::End) -> Vec<Line> {
    (0..=end.returned).map(|call| sent(3 + call, end, call + 1)).collect()
}

/// Claims that were given up are in the way; the group, without a member, is behind all of them.
fn padding(case: &Case) {
    let queue = case.create(small());
    let mut tx = queue.producer().unwrap();
    (0..3).for_each(|_| tx.try_reserve(250).unwrap().abort());
    drop(tx);
    let path = case.path();
    let end = case.victim(|victim| send_until_full(victim, &path));
    // Two blocks each.
    let full = !end.finished || u64::from(end.returned) == RING / 2;
    case.check(full, || format!("{} messages fill the ring", end.returned));
    case.read(&queue, "default", &sent_until_full(&end));
    case.finish(&queue);
}

fn two_groups(case: &Case) {
    let queue = case.create(small());
    drop(queue.consumer("slow").unwrap());
    let mut tx = queue.producer().unwrap();
    let slow = queue.consumer("slow").unwrap();
    for id in 100..100 + RING as u32 {
        tx.try_send(&message(id, 8)).unwrap();
        if id < 106 {
            slow.try_recv().unwrap().ack().unwrap();
        }
    }
    drop((tx, slow));
    let all: Vec<Line> = (100..100 + RING as u32).map(must).collect();
    case.read(&queue, "default", &all);
    let path = case.path();
    let end = case.victim(|victim| send_until_full(victim, &path));
    case.check(!end.finished || end.returned == 3, || format!("{} fit", end.returned));
    let mut lines: Vec<Line> = (106..100 + RING as u32).map(must).collect();
    lines.extend(sent_until_full(&end));
    case.read(&queue, "slow", &lines);
    case.read(&queue, "default", &sent_until_full(&end));
    case.finish(&queue);
}

/// A survivor's claim that is not finished yet: nobody may overwrite it.
fn claimed(case: &Case) {
    let queue = case.create(small());
    case.advance(&queue, RING - 2);
    let mut mine = queue.producer().unwrap();
    let mut slot = mine.reserve(8).unwrap();
    let path = case.path();
    let end = case.victim(|victim| send_until_full(victim, &path));
    case.check(!end.finished || end.returned > 5, || format!("only {} fit", end.returned));
    slot.copy_from_slice(&message(1, 8));
    slot.commit(8);
    let mut lines = vec![must(1)];
    lines.extend(sent_until_full(&end));
    drop(mine);
    case.read(&queue, "default", &lines);
    case.finish(&queue);
}
