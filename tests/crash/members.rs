//! Joining, leaving, dropping a group and closing, killed anywhere, in all the company that there can be.

use std::convert::Infallible;

use slipring::{Consumer, ConsumerOptions, Message, Queue, RecvError, SendError, Start};

use crate::case::{Case, Line, NOBODYS, RING, again, gone, line, message, must, small};
use crate::runner::Operation;
use crate::traced::Victim;
use crate::tracer::End;

/// Who else produces.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Producers {
    Nobody,
    Idle,
    /// With a claim in hand.
    Claiming,
    /// Killed with a claim in hand that runs over the ring's end, and nobody has looked after it yet.
    Dead,
    Fenced,
}

/// Who else is in the group.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Members {
    Nobody,
    /// One, with the first message in hand.
    Holding,
    /// Two, the first one with the first message in hand.
    Two,
    /// Killed with the first message in hand, the second one acked.
    Dead,
    Fenced,
}

/// What a joining consumer asks for.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Wish {
    Earliest,
    Latest,
    Position,
    Settings,
    Anonymous,
    Lossy,
}

/// In what state a consumer leaves.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Leaver {
    EmptyHanded,
    /// With two messages that it never settled.
    Forgetful,
    /// With two messages that were fetched ahead.
    Prefetching,
    Anonymous,
    Lossy,
    /// It has a pollable descriptor.
    WithBell,
}

const PRODUCERS: [Producers; 5] =
    [Producers::Nobody, Producers::Idle, Producers::Claiming, Producers::Dead, Producers::Fenced];
const MEMBERS: [Members; 5] =
    [Members::Nobody, Members::Holding, Members::Two, Members::Dead, Members::Fenced];

const NOBODY: &[Members] = &[Members::Nobody];
const THREE: &[Members] = &[Members::Nobody, Members::Holding, Members::Two];
const LEAVERS: [(Leaver, &[Members]); 6] = [
    (Leaver::EmptyHanded, THREE),
    (Leaver::Forgetful, &MEMBERS),
    (Leaver::Prefetching, THREE),
    (Leaver::Anonymous, NOBODY),
    (Leaver::Lossy, NOBODY),
    (Leaver::WithBell, NOBODY),
];

pub fn operations() -> Vec<Operation> {
    let mut all = Vec::new();
    for company in PRODUCERS {
        let whole = matches!(company, Producers::Nobody | Producers::Claiming);
        let join = move |case: &Case| producer(case, company, Doing::Joins);
        all.push(Operation::at(whole, format!("join, producer, {company:?}"), join));
        // A leaver has repaired the dead when it came.
        if company != Producers::Dead {
            let leave = move |case: &Case| producer(case, company, Doing::Leaves);
            all.push(Operation::at(whole, format!("leave, producer, {company:?}"), leave));
        }
        all.push(Operation::at(whole, format!("close, {company:?}"), move |case| {
            close(case, company)
        }));
    }
    for company in MEMBERS {
        let whole = matches!(company, Members::Nobody | Members::Holding);
        let name = format!("join, group, {company:?}");
        all.push(Operation::at(whole, name, move |case| join(case, company)));
    }
    for wish in
        [Wish::Earliest, Wish::Latest, Wish::Position, Wish::Settings, Wish::Anonymous, Wish::Lossy]
    {
        let whole = matches!(wish, Wish::Earliest);
        let name = format!("join, new group, {wish:?}");
        all.push(Operation::at(whole, name, move |case| new_group(case, wish)));
    }
    for (leaver, companies) in LEAVERS {
        for company in companies.iter().copied().filter(|company| *company != Members::Dead) {
            let whole = company == Members::Nobody;
            let name = format!("leave, consumer {leaver:?}, {company:?}");
            all.push(Operation::at(whole, name, move |case| leave(case, leaver, company)));
        }
    }
    all.push(Operation::every("drop a group", drop_group));
    all
}

#[derive(Clone, Copy, PartialEq)]
enum Doing {
    Joins,
    Leaves,
}

fn producer(case: &Case, company: Producers, doing: Doing) {
    let queue = case.create(small().fenced(company == Producers::Fenced));
    case.advance(&queue, RING - 2);
    let accompanied = matches!(company, Producers::Idle | Producers::Claiming);
    let mut mine = accompanied.then(|| queue.producer().unwrap());
    let claiming = mine.as_mut().filter(|_| company == Producers::Claiming);
    let slot = claiming.map(|tx| tx.reserve(200).unwrap());
    let path = case.path();
    if company == Producers::Dead {
        die_producing(case);
    }
    case.victim(|victim| {
        let queue = Queue::open(&path).unwrap();
        match doing {
            Doing::Joins => {
                victim.start();
                let _tx = queue.producer().unwrap();
                victim.returned();
                victim.end()
            }
            Doing::Leaves => {
                let mut tx = queue.producer().unwrap();
                tx.send(&message(2, 8)).unwrap();
                victim.start();
                drop(tx);
                victim.returned();
                victim.end()
            }
        }
    });
    let mut lines = Vec::new();
    lines.extend(slot.map(|mut slot| {
        let whole = message(1, 200);
        slot.copy_from_slice(&whole);
        slot.commit(whole.len());
        must(1)
    }));
    lines.extend((doing == Doing::Leaves).then(|| must(2)));
    lines.push(must(90));
    case.send(mine.get_or_insert_with(|| queue.producer().unwrap()), 90);
    let rx = queue.consumer("default").unwrap();
    case.compare("default", &lines, &case.drain(&rx));
    drop((mine, rx));
    case.finish(&queue);
}

fn die_producing(case: &Case) {
    case.dead(|victim, queue| {
        let mut tx = queue.producer().unwrap();
        let _slot = tx.reserve(200).unwrap();
        victim.end()
    });
}

/// The other members of the group, and what the first one has in hand.
fn company(queue: &Queue, company: Members) -> Vec<Consumer> {
    let count = match company {
        Members::Holding => 1,
        Members::Two => 2,
        _ => 0,
    };
    (0..count).map(|_| queue.consumer("default").unwrap()).collect()
}

fn in_hand(others: &[Consumer]) -> Option<Message<'_>> {
    others.first().map(|rx| rx.try_recv().unwrap())
}

fn join(case: &Case, who: Members) {
    let queue = case.create(small().fenced(who == Members::Fenced));
    case.advance(&queue, 5);
    let others = company(&queue, who);
    let mut tx = queue.producer().unwrap();
    for id in 1..=5 {
        tx.try_send(&message(id, 8)).unwrap();
    }
    let mut lines: Vec<Line> = (1..=5).map(must).collect();
    if who == Members::Dead {
        case.dead(|victim, queue| {
            let rx = queue.consumer("default").unwrap();
            let _first = rx.try_recv().unwrap();
            rx.try_recv().unwrap().ack().unwrap();
            victim.end()
        });
        lines[0] = again(1);
        lines[1] = gone(2);
    }
    let first = in_hand(&others);
    if first.is_some() {
        lines[0] = gone(1);
    }
    let path = case.path();
    case.victim(|victim| {
        let queue = Queue::open(&path).unwrap();
        victim.start();
        let _rx = queue.consumer("default").unwrap();
        victim.returned();
        victim.end()
    });
    case.send(&mut tx, 90);
    lines.push(must(90));
    settle(case, &queue, &lines, &others, first);
    drop((others, tx));
    case.read(&queue, "default", &[]);
    case.finish(&queue);
}

/// The others go on, or somebody new does; what is in hand is still theirs.
fn settle(
    case: &Case,
    queue: &Queue,
    lines: &[Line],
    others: &[Consumer],
    first: Option<Message<'_>>,
) {
    let got = match (others.last(), first) {
        (Some(rx), Some(first)) => {
            let got = case.drain(rx);
            case.check(first.payload() == message(1, 8), || "my message is spoilt".into());
            case.check(first.ack().is_ok(), || "cannot ack my own".into());
            got
        }
        _ => case.drain(&queue.consumer("default").unwrap()),
    };
    case.compare("default", lines, &got);
}

fn options(queue: &Queue, wish: Wish, position: u64) -> ConsumerOptions<'_> {
    let options = queue.consumer_options();
    match wish {
        Wish::Earliest => options.group("new"),
        Wish::Latest => options.group("new").start(Start::Latest),
        Wish::Position => options.group("new").start(Start::Position(position)),
        Wish::Settings => options.group("new").filter("*").max_deliveries(3).dead_letter("q.dead"),
        Wish::Anonymous => options,
        Wish::Lossy => options.lossy(true),
    }
}

/// A group of a row that another group has used before, whose claim words still lie there.
fn new_group(case: &Case, wish: Wish) {
    let queue = case.create(small());
    case.advance(&queue, RING + 3);
    let mut tx = queue.producer().unwrap();
    let positions: Vec<u64> = (1..=5).map(|id| tx.try_send(&message(id, 8)).unwrap()).collect();
    let former = [queue.consumer("old").unwrap(), queue.consumer("old").unwrap()];
    for _ in 0..3 {
        former[1].try_recv().unwrap().ack().unwrap();
    }
    drop(former);
    queue.drop_group("old").unwrap();
    let path = case.path();
    let end = case.victim(|victim| {
        let queue = Queue::open(&path).unwrap();
        let options = options(&queue, wish, positions[2]);
        victim.start();
        let _rx = options.open().unwrap();
        victim.returned();
        victim.end()
    });
    case.send(&mut tx, 90);
    drop(tx);
    let mut lines = new_group_lines(wish, &end);
    lines.push(must(90));
    if wish == Wish::Settings {
        // Whoever comes after a maker that did not get so far makes it himself.
        let rx = options(&queue, wish, 0).open();
        case.check(rx.is_ok(), || format!("a survivor's settings differ: {rx:?}"));
    }
    if !matches!(wish, Wish::Anonymous | Wish::Lossy) {
        let mut got = case.drain(&queue.consumer("new").unwrap());
        // What was there before it all began may still be there.
        got.retain(|got| got.id != NOBODYS);
        case.compare("new", &lines, &got);
    }
    let all: Vec<Line> = (1..=5).chain([90]).map(must).collect();
    case.read(&queue, "default", &all);
    case.finish(&queue);
}

/// What a survivor that asks for no start finds in the group: if it was not made yet, everything.
fn new_group_lines(wish: Wish, end: &End) -> Vec<Line> {
    let skipped = match wish {
        Wish::Latest => 5,
        Wish::Position => 2,
        _ => 0,
    };
    let skip = |id| if end.returned == 0 { line(id, false, true, 1..=1) } else { gone(id) };
    (1..=5).map(|id| if id <= skipped { skip(id) } else { must(id) }).collect()
}

fn leave(case: &Case, leaver: Leaver, who: Members) {
    let queue = case.create(small().fenced(who == Members::Fenced));
    case.advance(&queue, 5);
    let others = company(&queue, who);
    let mut tx = queue.producer().unwrap();
    for id in 1..=5 {
        tx.try_send(&message(id, 8)).unwrap();
    }
    let first = in_hand(&others);
    let mut next = if first.is_some() { 2 } else { 1 };
    let mut lines: Vec<Line> = (1..=5).map(must).collect();
    lines[..next - 1].fill(gone(1));
    if matches!(leaver, Leaver::Forgetful | Leaver::Prefetching) {
        if leaver == Leaver::Prefetching {
            lines[next - 1] = gone(next as u32);
            next += 1;
        }
        for id in next..next + 2 {
            // What was fetched ahead was never the application's: once or twice are both true.
            let counts = if leaver == Leaver::Forgetful { 2..=2 } else { 1..=2 };
            lines[id - 1] = line(id as u32, true, true, counts);
        }
    }
    let path = case.path();
    case.victim(|victim| depart(victim, &path, leaver));
    case.send(&mut tx, 90);
    lines.push(must(90));
    settle(case, &queue, &lines, &others, first);
    drop((others, tx));
    case.read(&queue, "default", &[]);
    case.finish(&queue);
}

fn depart(victim: &Victim, path: &str, leaver: Leaver) -> Infallible {
    let queue = Queue::open(path).unwrap();
    let options = queue.consumer_options();
    let rx = match leaver {
        Leaver::Anonymous => options.open().unwrap(),
        Leaver::Lossy => options.lossy(true).open().unwrap(),
        Leaver::Prefetching => options.group("default").prefetch(3).open().unwrap(),
        _ => options.group("default").open().unwrap(),
    };
    match leaver {
        Leaver::Forgetful => {
            std::mem::forget(rx.try_recv().unwrap());
            std::mem::forget(rx.try_recv().unwrap());
        }
        Leaver::Anonymous => std::mem::forget(rx.try_recv().unwrap()),
        Leaver::Prefetching => rx.try_recv().unwrap().ack().unwrap(),
        Leaver::WithBell => drop(rx.pollable().unwrap()),
        Leaver::EmptyHanded | Leaver::Lossy => {}
    }
    victim.start();
    drop(rx);
    victim.returned();
    victim.end()
}

fn drop_group(case: &Case) {
    let queue = case.create(small());
    drop(queue.consumer("other").unwrap());
    let mut tx = queue.producer().unwrap();
    for id in 1..=RING as u32 {
        tx.try_send(&message(id, 8)).unwrap();
    }
    let all: Vec<Line> = (1..=RING as u32).map(must).collect();
    case.read(&queue, "default", &all);
    let path = case.path();
    let end = case.victim(|victim| {
        let queue = Queue::open(&path).unwrap();
        victim.start();
        queue.drop_group("other").unwrap();
        victim.returned();
        victim.end()
    });
    let there = queue.stats().groups.iter().any(|group| group.name == "other");
    case.check(!(there && end.returned > 0), || "the dropped group is still there".into());
    if there {
        // Not dropped: then whole, or its messages have been given up already by its last act.
        let got = case.drain(&queue.consumer("other").unwrap());
        let lines: Vec<Line> = (1..=RING as u32).map(|id| line(id, false, true, 1..=1)).collect();
        case.compare("other", &lines, &got);
        case.check(got.is_empty() || got.len() as u64 == RING, || {
            format!("the group lost some: {got:?}")
        });
    }
    case.send(&mut tx, 90);
    drop(tx);
    case.read(&queue, "default", &[must(90)]);
    let _ = queue.drop_group("other");
    case.finish(&queue);
}

/// Closed or not: producers are told one or the other, consumers drain, and it can be closed again.
fn close(case: &Case, company: Producers) {
    let queue = case.create(small().fenced(company == Producers::Fenced));
    let rx = queue.consumer("default").unwrap();
    let accompanied = company != Producers::Nobody && company != Producers::Dead;
    let mut mine = accompanied.then(|| queue.producer().unwrap());
    let claiming = mine.as_mut().filter(|_| company == Producers::Claiming);
    let slot = claiming.map(|tx| tx.reserve(200).unwrap());
    if company == Producers::Dead {
        die_producing(case);
    }
    let path = case.path();
    let end = case.victim(|victim| {
        let queue = Queue::open(&path).unwrap();
        victim.start();
        queue.close().unwrap();
        victim.returned();
        victim.end()
    });
    let closed = queue.stats().closed;
    case.check(closed || end.returned == 0, || "closed, and not closed".into());
    let mut lines = Vec::new();
    lines.extend(slot.map(|mut slot| {
        let whole = message(1, 200);
        slot.copy_from_slice(&whole);
        slot.commit(whole.len());
        must(1)
    }));
    let sent = mine.as_mut().map(|tx| tx.try_send(&message(2, 8)));
    match sent {
        Some(Ok(_)) => lines.push(must(2)),
        Some(Err(SendError::Closed)) => {}
        None => {}
        other => case.problem(format!("neither sent nor closed: {other:?}")),
    }
    case.check(!(closed && matches!(sent, Some(Ok(_)))), || "sent after the close".into());
    if !closed {
        case.check(queue.close().is_ok(), || "cannot be closed".into());
    }
    case.compare("default", &lines, &case.drain(&rx));
    // Polling members look around at every 64th empty look.
    let over = (0..200).any(|_| matches!(rx.try_recv(), Err(RecvError::Closed)));
    case.check(over, || "the reader is never told that it is over".into());
    drop((mine, rx));
    let recovered = queue.recover();
    case.check(recovered.is_ok(), || format!("recover: {recovered:?}"));
    let stats = queue.stats();
    case.check(stats.members.is_empty(), || format!("rows leaked: {:?}", stats.members));
}
