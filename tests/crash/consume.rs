//! Receiving and settling, killed anywhere: a group's sole member, one of two, and in a queue without membarrier.

use std::convert::Infallible;
use std::time::Duration;

use slipring::{Consumer, ConsumerOptions, Queue, RecvError};

use crate::case::{Case, Line, RING, again, gone, line, message, must, small};
use crate::runner::Operation;
use crate::traced::Victim;
use crate::tracer::End;

/// Who else is in the group.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Company {
    Alone,
    /// Another member, with the group's first message in hand.
    Holding,
    /// Nobody, but the queue is one of those without membarrier: its groups are shared from the start.
    Fenced,
}

/// What the victim does. It finds the messages `first`, `first + 1`, ... up to 6.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Way {
    Ack,
    /// Three in hand, the second one is acked.
    AckOutOfOrder,
    Retry,
    /// Given back, and received again.
    RetryAndAgain,
    Reject,
    Drop,
    Into,
    Batch,
    /// Three lent one after another, acked together.
    Each,
    Prefetch,
    /// Passes over padding: at the ring's end.
    AckOverPadding,
}

const WAYS: [Way; 11] = [
    Way::Ack,
    Way::AckOutOfOrder,
    Way::Retry,
    Way::RetryAndAgain,
    Way::Reject,
    Way::Drop,
    Way::Into,
    Way::Batch,
    Way::Each,
    Way::Prefetch,
    Way::AckOverPadding,
];

pub fn operations() -> Vec<Operation> {
    let mut all = Vec::new();
    for company in [Company::Alone, Company::Holding, Company::Fenced] {
        for way in WAYS {
            let name = format!("consume {way:?}, {company:?}");
            all.push(Operation::every(name, move |case| consume(case, company, way)));
        }
    }
    for way in [Way::Ack, Way::AckOutOfOrder, Way::Retry] {
        for lossy in [false, true] {
            let kind = if lossy { "lossy" } else { "anonymous" };
            all.push(Operation::every(format!("consume {way:?}, {kind}"), move |case| {
                unnamed(case, lossy, way)
            }));
        }
    }
    all.push(Operation::every("consume, filtered", filtered));
    all.push(Operation::every("consume, delivered too often", too_often));
    all.push(Operation::every("consume, makes room for a retained history", makes_room));
    all.push(Operation::some("consume, going back to sole", back_to_sole));
    all.push(Operation::some("reject to a dead-letter queue", dead_letter));
    all.push(Operation::some("recv_timeout, nothing there", |case| nothing(case, false)));
    all.push(Operation::some("recv_timeout, nothing there, shared", |case| nothing(case, true)));
    all
}

fn consume(case: &Case, company: Company, way: Way) {
    let queue = case.create(small().fenced(company == Company::Fenced));
    case.advance(&queue, if way == Way::AckOverPadding { RING - 2 } else { 3 });
    let mine = (company == Company::Holding).then(|| queue.consumer("default").unwrap());
    let mut tx = queue.producer().unwrap();
    let first = if company == Company::Holding { 2 } else { 1 };
    for id in 1..=6 {
        // The second one does not fit before the ring's end when there are two blocks left.
        let len = if way == Way::AckOverPadding && id == first { 100 } else { 8 };
        tx.try_send(&message(id, len)).unwrap();
    }
    let in_hand = mine.as_ref().map(|rx| rx.try_recv().unwrap());
    let path = case.path();
    let end = case.victim(|victim| {
        let queue = Queue::open(&path).unwrap();
        let prefetch = if way == Way::Prefetch { 3 } else { 1 };
        let rx = queue.consumer_options().group("default").prefetch(prefetch).open().unwrap();
        act(victim, &rx, way)
    });
    drop(tx);
    case.send(&mut queue.producer().unwrap(), 90);
    let mut lines: Vec<Line> = expected(way, &end, first);
    lines.push(must(90));
    let got = match (&mine, in_hand) {
        (Some(rx), Some(in_hand)) => {
            let got = case.drain(rx);
            case.check(in_hand.payload() == message(1, 8), || "my message is spoilt".into());
            case.check(in_hand.ack().is_ok(), || "cannot ack my own".into());
            got
        }
        _ => case.drain(&queue.consumer("default").unwrap()),
    };
    case.compare("default", &lines, &got);
    drop(mine);
    case.read(&queue, "default", &[]);
    case.finish(&queue);
}

fn act(victim: &Victim, rx: &Consumer, way: Way) -> Infallible {
    match way {
        Way::Ack | Way::AckOverPadding | Way::Prefetch => {
            victim.start();
            let message = rx.recv().unwrap();
            victim.returned();
            message.ack().unwrap();
            victim.returned();
            victim.end()
        }
        Way::AckOutOfOrder => {
            let _first = rx.recv().unwrap();
            let second = rx.recv().unwrap();
            let _third = rx.recv().unwrap();
            victim.start();
            second.ack().unwrap();
            victim.returned();
            victim.end()
        }
        Way::Retry | Way::RetryAndAgain => {
            let message = rx.recv().unwrap();
            victim.start();
            message.retry().unwrap();
            victim.returned();
            if way == Way::RetryAndAgain {
                let _again = rx.recv().unwrap();
                victim.returned();
                victim.end();
            }
            victim.end()
        }
        Way::Reject => {
            let message = rx.recv().unwrap();
            victim.start();
            message.reject("bad").unwrap();
            victim.returned();
            victim.end()
        }
        Way::Drop => {
            let message = rx.recv().unwrap();
            victim.start();
            drop(message);
            victim.returned();
            victim.end()
        }
        Way::Into => {
            let mut buffer = Vec::with_capacity(200);
            victim.start();
            rx.recv_into(&mut buffer).unwrap();
            victim.returned();
            victim.end()
        }
        Way::Batch => {
            victim.start();
            let mut messages = rx.recv_batch(3).unwrap();
            victim.returned();
            messages.remove(0).ack().unwrap();
            victim.returned();
            victim.end()
        }
        Way::Each => {
            let mut bytes = 0;
            victim.start();
            rx.recv_each(3, |message| bytes += message.payload().len()).unwrap();
            victim.returned();
            assert!(bytes > 0);
            victim.end()
        }
    }
}

/// What the group still has of the messages from `first` to 6, when the victim's calls had come so far.
fn expected(way: Way, end: &End, first: u32) -> Vec<Line> {
    let done = end.returned;
    // Taken by a call that may have got as far as that, or not.
    let maybe_taken = |id| line(id, true, true, 1..=2);
    let in_ack = |id| line(id, false, true, 2..=2);
    let mut lines: Vec<Line> = match (way, done) {
        (Way::Ack | Way::AckOverPadding, 0) => vec![maybe_taken(first)],
        (Way::Ack | Way::AckOverPadding, 1) => vec![in_ack(first)],
        (Way::AckOutOfOrder, 0) => vec![again(first), in_ack(first + 1), again(first + 2)],
        (Way::AckOutOfOrder, _) => vec![again(first), gone(first + 1), again(first + 2)],
        (Way::Retry | Way::Drop, _) => vec![again(first)],
        (Way::RetryAndAgain, 0) => vec![again(first)],
        (Way::RetryAndAgain, 1) => vec![line(first, true, true, 2..=3)],
        (Way::RetryAndAgain, _) => vec![line(first, true, true, 3..=3)],
        (Way::Reject, 0) => vec![in_ack(first)],
        (Way::Into, 0) => vec![line(first, false, true, 1..=2)],
        (Way::Batch | Way::Prefetch, 0) => (first..first + 3).map(maybe_taken).collect(),
        (Way::Each, 0) => (first..first + 3).map(|id| line(id, false, true, 1..=2)).collect(),
        (Way::Each, _) => (first..first + 3).map(gone).collect(),
        (Way::Batch, 1) => vec![in_ack(first), again(first + 1), again(first + 2)],
        (Way::Batch, _) => vec![gone(first), again(first + 1), again(first + 2)],
        // What was fetched ahead was never the application's: once or twice are both true.
        (Way::Prefetch, 1) => vec![in_ack(first), maybe_taken(first + 1), maybe_taken(first + 2)],
        (Way::Prefetch, _) => vec![gone(first), maybe_taken(first + 1), maybe_taken(first + 2)],
        (Way::Ack | Way::AckOverPadding | Way::Reject | Way::Into, _) => vec![gone(first)],
    };
    lines.extend((first + lines.len() as u32..=6).map(must));
    lines
}

/// Readers without a group: their messages go with them, and hold up nobody.
fn unnamed(case: &Case, lossy: bool, way: Way) {
    let queue = case.create(small());
    let path = case.path();
    let mut tx = queue.producer().unwrap();
    case.victim(|victim| {
        let queue = Queue::open(&path).unwrap();
        let rx = queue.consumer_options().lossy(lossy).open().unwrap();
        let mut tx = queue.producer().unwrap();
        for id in 1..=6 {
            tx.try_send(&message(id, 8)).unwrap();
        }
        act(victim, &rx, way)
    });
    case.send(&mut tx, 90);
    drop(tx);
    let lines: Vec<Line> = (1..=6).chain([90]).map(must).collect();
    case.read(&queue, "default", &lines);
    case.finish(&queue);
}

fn filter(queue: &Queue) -> ConsumerOptions<'_> {
    queue.consumer_options().group("orders").filter("order.*")
}

/// Messages that the filter passes over are acked on the way.
fn filtered(case: &Case) {
    let queue = case.create(small());
    drop(filter(&queue).open().unwrap());
    let mut tx = queue.producer().unwrap();
    for id in 1..=6 {
        let event = if id % 3 == 0 { "order.created" } else { "user.created" };
        tx.try_send_event(event, &message(id, 8)).unwrap();
    }
    let path = case.path();
    let end = case.victim(|victim| {
        let queue = Queue::open(&path).unwrap();
        act(victim, &filter(&queue).open().unwrap(), Way::Ack)
    });
    let third = match end.returned {
        0 => line(3, true, true, 1..=2),
        1 => line(3, false, true, 2..=2),
        _ => gone(3),
    };
    let got = case.drain(&filter(&queue).open().unwrap());
    case.compare("orders", &[third, must(6)], &got);
    let all: Vec<Line> = (1..=6).map(must).collect();
    case.read(&queue, "default", &all);
    drop(tx);
    queue.drop_group("orders").unwrap();
    case.finish(&queue);
}

fn too_often(case: &Case) {
    let queue = case.create(small());
    let limited =
        |queue: &Queue| queue.consumer_options().group("limited").max_deliveries(1).open().unwrap();
    drop(limited(&queue));
    let mut tx = queue.producer().unwrap();
    for id in 1..=3 {
        tx.try_send(&message(id, 8)).unwrap();
    }
    let path = case.path();
    let end = case.victim(|victim| {
        let queue = Queue::open(&path).unwrap();
        let rx = limited(&queue);
        rx.recv().unwrap().retry().unwrap();
        act(victim, &rx, Way::Ack)
    });
    // The first one is given up in any case, by the victim or by us; the second one, in a dead one's hands, had its one delivery.
    let second = match end.returned {
        0 => line(2, false, true, 1..=1),
        _ => gone(2),
    };
    let got = case.drain(&limited(&queue));
    case.compare("limited", &[gone(1), second, must(3)], &got);
    let dropped = queue.stats().dropped;
    case.check((1..=3).contains(&dropped), || format!("{dropped} counted as dropped"));
    case.read(&queue, "default", &[must(1), must(2), must(3)]);
    drop(tx);
    case.finish(&queue);
}

/// A producer waits for room; the ack that makes it has to wake him, or his nap has to end.
fn makes_room(case: &Case) {
    let queue = case.create(small().retain(4 * 64));
    let mut tx = queue.producer().unwrap();
    let size = RING as u32 - 4;
    for id in 1..=size {
        tx.try_send(&message(id, 8)).unwrap();
    }
    let path = case.path();
    let end = case.victim(|victim| {
        let queue = Queue::open(&path).unwrap();
        act(victim, &queue.consumer("default").unwrap(), Way::Ack)
    });
    let mut lines = expected(Way::Ack, &end, 1);
    lines.extend((7..=size).map(must));
    if end.returned == 2 {
        case.send(&mut tx, 90);
        lines.push(must(90));
    }
    case.read(&queue, "default", &lines);
    drop(tx);
    case.finish(&queue);
}

/// The other member has left and nothing is there to read: the one that is left goes on alone.
fn back_to_sole(case: &Case) {
    let queue = case.create(small());
    let path = case.path();
    let mut tx = queue.producer().unwrap();
    case.victim(|victim| {
        let queue = Queue::open(&path).unwrap();
        let rx = queue.consumer("default").unwrap();
        drop(queue.consumer("default").unwrap());
        victim.start();
        let nothing = rx.recv_timeout(Duration::from_millis(1)).map(drop);
        victim.returned();
        assert_eq!(nothing.unwrap_err(), RecvError::Timeout);
        victim.end()
    });
    case.send(&mut tx, 90);
    drop(tx);
    case.read(&queue, "default", &[must(90)]);
    case.finish(&queue);
}

fn dead_letter(case: &Case) {
    let queue = case.create(small());
    let options = |queue: &Queue| {
        queue.consumer_options().group("work").dead_letter("q.dead").open().unwrap()
    };
    drop(options(&queue));
    // Small, and there already: most of the time would go into making a large one.
    let dead = small().create(&case.dir.path("q.dead")).unwrap();
    let mut tx = queue.producer().unwrap();
    tx.try_send(&message(1, 8)).unwrap();
    tx.try_send(&message(2, 8)).unwrap();
    let path = case.path();
    let end = case.victim(|victim| {
        let queue = Queue::open(&path).unwrap();
        act(victim, &options(&queue), Way::Reject)
    });
    let got = case.drain(&options(&queue));
    case.compare("work", &expected(Way::Reject, &end, 1)[..2], &got);
    let aside = case.drain(&dead.consumer("default").unwrap());
    let kept = got.iter().any(|got| got.id == 1) || aside.iter().any(|got| got.id == 1);
    case.check(kept, || "neither in the group nor in the dead-letter queue".into());
    case.compare("dead letters", &[line(1, end.returned > 0, true, 1..=1)], &aside);
    case.read(&queue, "default", &[must(1), must(2)]);
    drop(tx);
    case.finish(&queue);
    case.check(dead.recover().is_ok() && dead.stats().members.is_empty(), || {
        format!("rows leaked in the dead-letter queue: {:?}", dead.stats().members)
    });
}

/// Spins, announces that it sleeps, looks again, sleeps, wakes up.
fn nothing(case: &Case, shared: bool) {
    let queue = case.create(small());
    case.advance(&queue, 3);
    let other = shared.then(|| queue.consumer("default").unwrap());
    let path = case.path();
    case.victim(|victim| {
        let queue = Queue::open(&path).unwrap();
        let rx = queue.consumer("default").unwrap();
        victim.start();
        let nothing = rx.recv_timeout(Duration::from_millis(2)).map(drop);
        victim.returned();
        assert_eq!(nothing.unwrap_err(), RecvError::Timeout);
        victim.end()
    });
    case.send(&mut queue.producer().unwrap(), 90);
    match other {
        Some(rx) => case.compare("default", &[must(90)], &case.drain(&rx)),
        None => case.read(&queue, "default", &[must(90)]),
    }
    case.finish(&queue);
}
