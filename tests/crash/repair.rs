//! The repairer killed: over what the dead were caught at, at every instruction; and over what any victim left at any moment that
//! others can tell from the one before, at every such moment of the repair.

use std::convert::Infallible;

use slipring::{Consumer, Producer, Queue, Start};

use crate::case::{Case, Line, RING, again, gone, line, message, must, sent, small};
use crate::runner::Operation;
use crate::traced::Victim;
use crate::tracer::End;

/// What was left to be repaired.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Left {
    /// A sole producer's claim that runs over the ring's end.
    SoleClaim,
    /// One of two producers', with the other one's claim behind it.
    SharedClaim,
    /// A sole member with two messages in hand.
    SoleMember,
    /// One of two, with two of three in hand, the second one acked.
    SharedMember,
    Anonymous,
    Lossy,
    /// Killed while others waited for him: a producer and members of two groups.
    Several,
}

const LEFT: [Left; 7] = [
    Left::SoleClaim,
    Left::SharedClaim,
    Left::SoleMember,
    Left::SharedMember,
    Left::Anonymous,
    Left::Lossy,
    Left::Several,
];

pub fn operations() -> Vec<Operation> {
    let mut all = Vec::new();
    for left in LEFT {
        all.push(Operation::every(format!("recover {left:?}"), move |case| recover(case, left)));
    }
    for alone in [true, false] {
        let with = if alone { "alone" } else { "in company" };
        for way in [Publish::Send, Publish::Batch, Publish::Join, Publish::Leave] {
            let name = format!("recover after producer {way:?} {with}");
            all.push(Operation::pairs(name, move |case| producing(case, alone, way)));
        }
        for way in
            [Consume::Ack, Consume::OutOfOrder, Consume::Retry, Consume::Join, Consume::Leave]
        {
            let name = format!("recover after consumer {way:?} {with}");
            all.push(Operation::pairs(name, move |case| consuming(case, alone, way)));
        }
    }
    all
}

fn recover_and_end(victim: &Victim, path: &str) -> Infallible {
    let queue = Queue::open(path).unwrap();
    victim.start();
    queue.recover().unwrap();
    victim.returned();
    victim.end()
}

fn recover(case: &Case, left: Left) {
    let queue = case.create(small());
    case.advance(&queue, RING - 2);
    let mut mine = (left == Left::SharedClaim).then(|| queue.producer().unwrap());
    let other = (left == Left::SharedMember).then(|| queue.consumer("default").unwrap());
    case.dead(|victim, queue| die(victim, queue, left));
    let others = usize::from(mine.is_some()) + usize::from(other.is_some());
    let slot = mine.as_mut().map(|tx| tx.reserve(8).unwrap());
    let path = case.path();
    let end = case.victim(|victim| recover_and_end(victim, &path));
    if end.returned > 0 {
        let rows = queue.stats().members.len();
        case.check(rows == others, || format!("{rows} rows after the repair, not {others}"));
    }
    let mut lines = lines_of(left);
    lines.extend(slot.map(|mut slot| {
        slot.copy_from_slice(&message(9, 8));
        slot.commit(8);
        must(9)
    }));
    lines.push(must(90));
    case.send(mine.get_or_insert_with(|| queue.producer().unwrap()), 90);
    let got = match &other {
        Some(rx) => case.drain(rx),
        None => case.drain(&queue.consumer("default").unwrap()),
    };
    case.compare("default", &lines, &got);
    if left == Left::Several {
        case.read(&queue, "other", &[again(1), must(2), must(3), must(90)]);
    }
    drop((mine, other));
    case.finish(&queue);
}

fn die(victim: &Victim, queue: &Queue, left: Left) -> Infallible {
    let mut tx = queue.producer().unwrap();
    let send = |tx: &mut Producer| {
        for id in 1..=3 {
            tx.try_send(&message(id, 8)).unwrap();
        }
    };
    let sole = || queue.consumer("default").unwrap();
    let hold = |rx: &Consumer| std::mem::forget(rx.try_recv().unwrap());
    match left {
        Left::SoleClaim | Left::SharedClaim => {
            let _slot = tx.reserve(300).unwrap();
            victim.end()
        }
        Left::SoleMember => {
            send(&mut tx);
            let rx = sole();
            hold(&rx);
            hold(&rx);
            victim.end()
        }
        Left::SharedMember => {
            send(&mut tx);
            let rx = sole();
            hold(&rx);
            rx.try_recv().unwrap().ack().unwrap();
            hold(&rx);
            victim.end()
        }
        Left::Anonymous | Left::Lossy => {
            let options = queue.consumer_options().start(Start::Latest);
            let rx = options.lossy(left == Left::Lossy).open().unwrap();
            send(&mut tx);
            hold(&rx);
            victim.end()
        }
        Left::Several => {
            let other = queue.consumer_options().group("other").start(Start::Latest);
            let rx = (sole(), other.open().unwrap());
            send(&mut tx);
            hold(&rx.0);
            hold(&rx.1);
            let _slot = tx.reserve(300).unwrap();
            victim.end()
        }
    }
}

fn lines_of(left: Left) -> Vec<Line> {
    match left {
        Left::SoleClaim | Left::SharedClaim => Vec::new(),
        Left::SoleMember => vec![again(1), again(2), must(3)],
        Left::SharedMember => vec![again(1), gone(2), again(3)],
        Left::Anonymous | Left::Lossy => vec![must(1), must(2), must(3)],
        Left::Several => vec![again(1), must(2), must(3)],
    }
}

/// What the first victim was at.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Publish {
    Send,
    Batch,
    Join,
    Leave,
}

fn producing(case: &Case, alone: bool, way: Publish) {
    let queue = case.create(small());
    case.advance(&queue, RING - 2);
    let mut mine = (!alone).then(|| queue.producer().unwrap());
    let path = case.path();
    let first = case.victim(|victim| produce(victim, &path, way));
    case.victim(|victim| recover_and_end(victim, &path));
    let mut lines = match way {
        Publish::Send => vec![sent(3, &first, 1)],
        Publish::Batch => [3, 4, 5].map(|id| sent(id, &first, 1)).to_vec(),
        Publish::Join | Publish::Leave => Vec::new(),
    };
    case.send(mine.get_or_insert_with(|| queue.producer().unwrap()), 90);
    lines.push(must(90));
    let rx = queue.consumer("default").unwrap();
    let got = case.drain(&rx);
    case.compare("default", &lines, &got);
    if way == Publish::Batch {
        case.together(&[3, 4, 5], &got);
    }
    drop((mine, rx));
    case.finish(&queue);
}

fn produce(victim: &Victim, path: &str, way: Publish) -> Infallible {
    let queue = Queue::open(path).unwrap();
    let batch = [message(3, 8), message(4, 100), message(5, 8)];
    if way == Publish::Join {
        victim.start();
        let _tx = queue.producer().unwrap();
        victim.returned();
        victim.end();
    }
    let mut tx = queue.producer().unwrap();
    victim.start();
    match way {
        Publish::Send => drop(tx.send(&message(3, 200)).unwrap()),
        Publish::Batch => drop(tx.send_batch(&batch).unwrap()),
        _ => drop(tx),
    }
    victim.returned();
    victim.end()
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Consume {
    /// Receives and acks.
    Ack,
    /// With two in hand it acks the second one.
    OutOfOrder,
    Retry,
    Join,
    /// With two in hand.
    Leave,
}

fn consuming(case: &Case, alone: bool, way: Consume) {
    let queue = case.create(small());
    case.advance(&queue, 5);
    let other = (!alone).then(|| queue.consumer("default").unwrap());
    let mut tx = queue.producer().unwrap();
    for id in 1..=4 {
        tx.try_send(&message(id, 8)).unwrap();
    }
    let path = case.path();
    let first = case.victim(|victim| consume(victim, &path, way));
    case.victim(|victim| recover_and_end(victim, &path));
    case.send(&mut tx, 90);
    drop(tx);
    let mut lines = after(way, &first);
    lines.extend((lines.len() as u32 + 1..=4).chain([90]).map(must));
    let got = match &other {
        Some(rx) => case.drain(rx),
        None => case.drain(&queue.consumer("default").unwrap()),
    };
    case.compare("default", &lines, &got);
    drop(other);
    case.finish(&queue);
}

fn after(way: Consume, end: &End) -> Vec<Line> {
    match (way, end.returned) {
        (Consume::Ack, 0) => vec![line(1, true, true, 1..=2)],
        (Consume::Ack, 1) => vec![line(1, false, true, 2..=2)],
        (Consume::Ack, _) => vec![gone(1)],
        (Consume::OutOfOrder, 0) => vec![again(1), line(2, false, true, 2..=2)],
        (Consume::OutOfOrder, _) => vec![again(1), gone(2)],
        (Consume::Retry, _) => vec![again(1)],
        (Consume::Join, _) => vec![must(1)],
        (Consume::Leave, _) => vec![again(1), again(2)],
    }
}

fn consume(victim: &Victim, path: &str, way: Consume) -> Infallible {
    let queue = Queue::open(path).unwrap();
    if way == Consume::Join {
        victim.start();
        let _rx = queue.consumer("default").unwrap();
        victim.returned();
        victim.end();
    }
    let rx = queue.consumer("default").unwrap();
    match way {
        Consume::Ack => {
            victim.start();
            let message = rx.recv().unwrap();
            victim.returned();
            message.ack().unwrap();
            victim.returned();
            victim.end()
        }
        Consume::OutOfOrder => {
            let _first = rx.recv().unwrap();
            let second = rx.recv().unwrap();
            victim.start();
            second.ack().unwrap();
            victim.returned();
            victim.end()
        }
        Consume::Retry => {
            let message = rx.recv().unwrap();
            victim.start();
            message.retry().unwrap();
            victim.returned();
            victim.end()
        }
        _ => {
            std::mem::forget(rx.recv().unwrap());
            std::mem::forget(rx.recv().unwrap());
            victim.start();
            drop(rx);
            victim.returned();
            victim.end()
        }
    }
}
