//! Sending, killed anywhere: alone, in company, with a survivor's claim in front, where membarrier is refused; at the ring's
//! end too, where the claim covers padding and the gate has to be moved.

use std::convert::Infallible;
use std::time::Duration;

use slipring::{Producer, Queue, SendError};

use crate::case::{Case, Line, RING, again, gone, message, must, sent, small};
use crate::runner::Operation;
use crate::traced::Victim;
use crate::tracer::End;

/// Who else produces.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Company {
    Alone,
    /// Another producer, which has nothing claimed.
    Idle,
    /// Another producer, whose claim stands unfinished in front.
    Claiming,
    /// Nobody else, but the queue is one of those without membarrier.
    Fenced,
}

/// One way to send. All take three or four blocks, but for `One`.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Way {
    One,
    Event,
    Large,
    Batch,
    Commit,
    Abort,
}

pub fn operations() -> Vec<Operation> {
    let mut all = Vec::new();
    for company in [Company::Alone, Company::Idle, Company::Claiming, Company::Fenced] {
        for way in [Way::One, Way::Event, Way::Large, Way::Batch, Way::Commit, Way::Abort] {
            for wraps in [false, true].into_iter().filter(|wraps| !wraps || way != Way::One) {
                let name =
                    format!("publish {way:?}, {company:?}{}", if wraps { ", wraps" } else { "" });
                all.push(Operation::every(name, move |case| publish(case, company, way, wraps)));
            }
        }
    }
    all.push(Operation::every("publish, first after joining", first));
    all.push(Operation::every("publish to every kind of reader", every_reader));
    all.push(Operation::every("publish, gate with retain", retained));
    all.push(Operation::some("try_send, full", full));
    all.push(Operation::every("try_send, full for a dead reader", full_for_the_dead));
    all.push(Operation::some("send_timeout, full", full_and_waiting));
    all
}

fn publish(case: &Case, company: Company, way: Way, wraps: bool) {
    let queue = case.create(small().fenced(company == Company::Fenced));
    let claimed = u64::from(company == Company::Claiming);
    // One block is left before the end when the operation begins.
    case.advance(&queue, if wraps { RING - 2 - claimed } else { 0 });
    let accompanied = matches!(company, Company::Idle | Company::Claiming);
    let mut mine = accompanied.then(|| queue.producer().unwrap());
    let claiming = mine.as_mut().filter(|_| company == Company::Claiming);
    let slot = claiming.map(|tx| tx.reserve(8).unwrap());
    let path = case.path();
    let end = case.victim(|victim| {
        let queue = Queue::open(&path).unwrap();
        let mut tx = queue.producer().unwrap();
        tx.send(&message(2, 8)).unwrap();
        send(victim, &mut tx, way)
    });
    let mut lines = Vec::new();
    lines.extend(slot.map(|mut slot| {
        slot.copy_from_slice(&message(1, 8));
        slot.commit(8);
        must(1)
    }));
    lines.push(must(2));
    lines.extend(expected(way, &end));
    lines.push(must(90));
    case.send(mine.get_or_insert_with(|| queue.producer().unwrap()), 90);
    let rx = queue.consumer("default").unwrap();
    let got = case.drain(&rx);
    case.compare("default", &lines, &got);
    if way == Way::Batch {
        case.together(&[3, 4, 5], &got);
    }
    drop((mine, rx));
    case.finish(&queue);
}

fn send(victim: &Victim, tx: &mut Producer, way: Way) -> Infallible {
    let (small, large) = (message(3, 60), message(3, 200));
    let batch = [message(3, 8), message(4, 100), message(5, 8)];
    victim.start();
    match way {
        Way::One => drop(tx.send(&small).unwrap()),
        Way::Event => drop(tx.send_event("order.created", &large).unwrap()),
        Way::Large => drop(tx.send(&large).unwrap()),
        Way::Batch => drop(tx.send_batch(&batch).unwrap()),
        Way::Commit => {
            let mut slot = tx.reserve(200).unwrap();
            slot[..60].copy_from_slice(&small);
            slot.commit(60);
        }
        Way::Abort => tx.reserve(200).unwrap().abort(),
    }
    victim.returned();
    victim.end()
}

fn expected(way: Way, end: &End) -> Vec<Line> {
    match way {
        Way::Batch => [3, 4, 5].map(|id| sent(id, end, 1)).to_vec(),
        Way::Abort => vec![gone(3)],
        _ => vec![sent(3, end, 1)],
    }
}

fn first(case: &Case) {
    let queue = case.create(small());
    case.advance(&queue, 5);
    let path = case.path();
    let end = case.victim(|victim| {
        let mut tx = Queue::open(&path).unwrap().producer().unwrap();
        let bytes = message(3, 8);
        victim.start();
        tx.send(&bytes).unwrap();
        victim.returned();
        victim.end()
    });
    case.send(&mut queue.producer().unwrap(), 90);
    case.read(&queue, "default", &[sent(3, &end, 1), must(90)]);
    case.finish(&queue);
}

/// Survivors that were there all the time: two groups, an anonymous reader, a lossy one and an observer.
fn every_reader(case: &Case) {
    let queue = case.create(small());
    case.advance(&queue, 6);
    let mut observer = queue.observe().unwrap();
    while observer.try_recv().is_ok() {}
    let readers = [
        ("default", queue.consumer("default").unwrap()),
        (
            "other",
            queue.consumer_options().group("other").start(slipring::Start::Latest).open().unwrap(),
        ),
        ("anonymous", queue.consumer_options().start(slipring::Start::Latest).open().unwrap()),
        (
            "lossy",
            queue.consumer_options().lossy(true).start(slipring::Start::Latest).open().unwrap(),
        ),
    ];
    let path = case.path();
    let end = case.victim(|victim| {
        let mut tx = Queue::open(&path).unwrap().producer().unwrap();
        tx.send(&message(2, 8)).unwrap();
        let bytes = message(3, 100);
        victim.start();
        tx.send(&bytes).unwrap();
        victim.returned();
        victim.end()
    });
    let mut tx = queue.producer().unwrap();
    case.send(&mut tx, 90);
    let lines = [must(2), sent(3, &end, 1), must(90)];
    let mut seen = Vec::new();
    for (name, rx) in &readers {
        let got = case.drain(rx);
        case.compare(name, &lines, &got);
        seen.push(got.len());
    }
    let mut observed = 0;
    while observer.try_recv().is_ok() {
        observed += 1;
    }
    seen.push(observed);
    case.check(seen.iter().all(|count| *count == seen[0]), || format!("readers differ: {seen:?}"));
    drop((readers, tx));
    case.finish(&queue);
}

/// The gate stays a quarter of the ring behind the slowest group.
fn retained(case: &Case) {
    let queue = case.create(small().retain(4 * 64));
    case.advance(&queue, RING - 1);
    let path = case.path();
    let end = case.victim(|victim| {
        let mut tx = Queue::open(&path).unwrap().producer().unwrap();
        tx.send(&message(2, 8)).unwrap();
        let bytes = message(3, 300);
        victim.start();
        tx.send(&bytes).unwrap();
        victim.returned();
        victim.end()
    });
    let stats = queue.stats();
    case.check(stats.latest - stats.earliest >= 4, || format!("history lost: {stats:?}"));
    case.send(&mut queue.producer().unwrap(), 90);
    case.read(&queue, "default", &[must(2), sent(3, &end, 1), must(90)]);
    case.finish(&queue);
}

/// A ring that is full of un-acked messages, ids from 100.
fn filled(queue: &Queue) -> Vec<Line> {
    let mut tx = queue.producer().unwrap();
    (100..100 + RING as u32)
        .map(|id| {
            tx.try_send(&message(id, 8)).unwrap();
            must(id)
        })
        .collect()
}

fn full(case: &Case) {
    let queue = case.create(small());
    let lines = filled(&queue);
    let path = case.path();
    case.victim(|victim| {
        let mut tx = Queue::open(&path).unwrap().producer().unwrap();
        let bytes = message(3, 8);
        victim.start();
        let result = tx.try_send(&bytes);
        victim.returned();
        assert_eq!(result, Err(SendError::Full));
        victim.end()
    });
    case.read(&queue, "default", &lines);
    case.finish(&queue);
}

/// What makes the ring full is a reader that is dead: the sender repairs it, and then sends.
fn full_for_the_dead(case: &Case) {
    let queue = case.create(small());
    case.dead(|victim, queue| {
        let _anonymous = queue.consumer_options().open().unwrap();
        let rx = queue.consumer("default").unwrap();
        let mut tx = queue.producer().unwrap();
        for id in 100..100 + RING as u32 {
            tx.try_send(&message(id, 8)).unwrap();
            if id < 102 {
                rx.try_recv().unwrap().ack().unwrap();
            }
        }
        let _in_hand = rx.try_recv().unwrap();
        victim.end()
    });
    let path = case.path();
    let end = case.victim(|victim| {
        let queue = Queue::open(&path).unwrap();
        // Joining repairs too, so this one is in already when the reader comes.
        let mut tx = queue.producer().unwrap();
        let bytes = message(3, 8);
        victim.start();
        tx.try_send(&bytes).unwrap();
        victim.returned();
        victim.end()
    });
    let mut lines = vec![again(102)];
    lines.extend((103..100 + RING as u32).map(must));
    lines.push(sent(3, &end, 1));
    case.read(&queue, "default", &lines);
    case.finish(&queue);
}

fn full_and_waiting(case: &Case) {
    let queue = case.create(small());
    let lines = filled(&queue);
    let path = case.path();
    case.victim(|victim| {
        let mut tx = Queue::open(&path).unwrap().producer().unwrap();
        let bytes = message(3, 8);
        victim.start();
        let result = tx.send_timeout(&bytes, Duration::from_millis(2));
        victim.returned();
        assert_eq!(result, Err(SendError::Timeout));
        victim.end()
    });
    case.read(&queue, "default", &lines);
    case.finish(&queue);
}
