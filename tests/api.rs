//! The public API as a user meets it, in one process.

mod common;

use common::{TempDir, queue};
use slipring::{OpenError, Queue, RecvError, SendError, Start};
use std::time::Duration;

#[test]
fn a_message_goes_through() {
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 1 << 16);
    let mut tx = queue.producer().unwrap();
    let rx = queue.consumer("g").unwrap();
    assert_eq!(rx.try_recv().unwrap_err(), RecvError::Empty);
    let position = tx.send(b"hello").unwrap();
    let message = rx.recv().unwrap();
    assert_eq!(
        (message.payload(), message.event(), message.position(), message.deliveries()),
        (&b"hello"[..], None, position, 1)
    );
    message.ack().unwrap();
    assert_eq!(rx.try_recv().unwrap_err(), RecvError::Empty);
}

#[test]
fn sizes_from_nothing_to_half_the_ring_many_laps() {
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 1 << 16);
    let mut tx = queue.producer().unwrap();
    let rx = queue.consumer("default").unwrap();
    let max = queue.max_message();
    assert_eq!(max, 1 << 15);
    for round in 0..2000usize {
        let len = (round * 7919) % (max + 1);
        let payload: Vec<u8> = (0..len).map(|i| (i * 31 + round) as u8).collect();
        tx.try_send(&payload).unwrap_or_else(|error| panic!("round {round} len {len}: {error}"));
        let message = rx.try_recv().unwrap();
        assert_eq!(message.payload(), payload);
        message.ack().unwrap();
    }
    assert_eq!(tx.try_send(&vec![0; max + 1]), Err(SendError::TooLarge { len: max + 1, max }));
}

#[test]
fn a_full_ring_says_so_and_loses_nothing() {
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 1 << 12);
    let mut tx = queue.producer().unwrap();
    let mut sent = 0u64;
    while tx.try_send(&sent.to_le_bytes()).is_ok() {
        sent += 1;
    }
    assert_eq!(sent, 64);
    assert_eq!(tx.try_send(b"x"), Err(SendError::Full));
    assert_eq!(tx.send_timeout(b"x", Duration::from_millis(20)), Err(SendError::Timeout));
    let rx = queue.consumer("default").unwrap();
    for expected in 0..sent {
        let message = rx.try_recv().unwrap();
        assert_eq!(message.payload(), expected.to_le_bytes());
        message.ack().unwrap();
    }
    tx.try_send(b"x").unwrap();
}

#[test]
fn two_producers_and_back_to_one() {
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 1 << 14);
    let rx = queue.consumer("default").unwrap();
    let mut first = queue.producer().unwrap();
    let mut expected = Vec::new();
    let mut n = 0u32;
    let mut got = Vec::new();
    for round in 0..200 {
        let mut second = (round % 3 != 0).then(|| queue.producer().unwrap());
        for _ in 0..7 {
            first.send(&n.to_le_bytes()).unwrap();
            expected.push(n);
            n += 1;
            if let Some(second) = &mut second {
                second.send(&n.to_le_bytes()).unwrap();
                expected.push(n);
                n += 1;
            }
        }
        while let Ok(message) = rx.try_recv() {
            got.push(u32::from_le_bytes(message.payload().try_into().unwrap()));
            message.ack().unwrap();
        }
    }
    assert_eq!(got, expected);
}

#[test]
fn every_group_sees_every_message_and_each_member_its_own() {
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 1 << 16);
    let mut tx = queue.producer().unwrap();
    let audit = queue.consumer("audit").unwrap();
    let anonymous = queue.consumer_options().open().unwrap();
    let one = queue.consumer("work").unwrap();
    for n in 0..10u8 {
        tx.send(&[n]).unwrap();
    }
    // The first member has messages in hand when the second one comes.
    let held: Vec<_> = one.recv_batch(3).unwrap();
    let two = queue.consumer("work").unwrap();
    let mut seen: Vec<u8> = held.iter().map(|message| message.payload()[0]).collect();
    assert_eq!(seen, [0, 1, 2]);
    for rx in [&two, &one, &two, &two, &one, &one, &two] {
        let message = rx.try_recv().unwrap();
        seen.push(message.payload()[0]);
        message.ack().unwrap();
    }
    assert!(one.try_recv().is_err() && two.try_recv().is_err());
    // Acks in another order than received.
    let mut held = held;
    held.reverse();
    for message in held {
        message.ack().unwrap();
    }
    seen.sort();
    assert_eq!(seen, (0..10).collect::<Vec<_>>());
    for rx in [&audit, &anonymous] {
        for n in 0..10u8 {
            let message = rx.try_recv().unwrap();
            assert_eq!(message.payload(), [n]);
            message.ack().unwrap();
        }
    }
    let stats = queue.stats();
    assert_eq!(stats.sent, 10);
    assert!(
        stats.groups.iter().filter(|group| group.name != "default").all(|group| group.lag == 0),
        "{stats:?}"
    );
}

#[test]
fn retry_and_drop_bring_a_message_back() {
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 1 << 16);
    let mut tx = queue.producer().unwrap();
    for named in [true, false] {
        let options = queue.consumer_options().start(Start::Latest);
        let rx = if named { options.group("g") } else { options }.open().unwrap();
        for n in 0..4u8 {
            tx.send(&[n]).unwrap();
        }
        let zero = rx.try_recv().unwrap();
        rx.try_recv().unwrap().retry().unwrap();
        // What was given back comes first.
        drop(rx.try_recv().unwrap());
        let third = rx.try_recv().unwrap();
        assert_eq!((third.payload(), third.deliveries()), (&[1u8][..], 3), "named {named}");
        third.ack().unwrap();
        zero.ack().unwrap();
        for n in 2..4u8 {
            let message = rx.try_recv().unwrap();
            assert_eq!((message.payload(), message.deliveries()), (&[n][..], 1));
            message.ack().unwrap();
        }
        assert_eq!(rx.try_recv().unwrap_err(), RecvError::Empty);
        let group = queue
            .stats()
            .groups
            .into_iter()
            .find(|group| group.name == if named { "g" } else { "" })
            .unwrap();
        assert_eq!(group.lag, 0, "{group:?}");
    }
}

#[test]
fn a_sole_member_becomes_sole_again() {
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 1 << 16);
    let mut tx = queue.producer().unwrap();
    let one = queue.consumer("g").unwrap();
    let mode = || queue.stats().groups.into_iter().find(|group| group.name == "g").unwrap().mode;
    assert_eq!(mode(), "sole");
    let two = queue.consumer("g").unwrap();
    assert_eq!(mode(), "shared");
    drop(two);
    tx.send(b"x").unwrap();
    one.recv().unwrap().ack().unwrap();
    assert_eq!(one.recv_timeout(Duration::from_millis(5)).unwrap_err(), RecvError::Timeout);
    assert_eq!(mode(), "sole");
    tx.send(b"y").unwrap();
    one.recv().unwrap().ack().unwrap();
}

#[test]
fn a_member_that_slept_through_the_others_lives() {
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 1 << 12);
    let mut tx = queue.producer().unwrap();
    let sleeper = queue.consumer("default").unwrap();
    let mut second = Some(queue.producer().unwrap());
    for round in 0..3 {
        {
            let other = queue.consumer("default").unwrap();
            for n in 0..200u32 {
                second.as_mut().unwrap_or(&mut tx).try_send(&n.to_le_bytes()).unwrap();
                other.try_recv().unwrap().ack().unwrap();
            }
        }
        second = None;
        if round == 1 {
            assert_eq!(sleeper.try_recv().unwrap_err(), RecvError::Empty);
        }
        tx.try_send(b"awake").unwrap();
        let message = sleeper.try_recv().unwrap();
        assert_eq!(message.payload(), b"awake");
        message.ack().unwrap();
    }
}

#[test]
fn events_and_filters() {
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 1 << 16);
    let mut tx = queue.producer().unwrap();
    let rx = queue.consumer_options().group("orders").filter("order.*").open().unwrap();
    for n in 0..100u32 {
        tx.send_event(if n % 3 == 0 { "order.created" } else { "user.created" }, &n.to_le_bytes())
            .unwrap();
    }
    let mut got = Vec::new();
    let mut held = Vec::new();
    while let Ok(message) = rx.try_recv() {
        assert_eq!(message.event(), Some("order.created"));
        got.push(u32::from_le_bytes(message.payload().try_into().unwrap()));
        held.push(message);
        if held.len() == 3 {
            // In and out of order.
            held.pop().unwrap().ack().unwrap();
            for message in held.drain(..) {
                message.ack().unwrap();
            }
        }
    }
    for message in held {
        message.ack().unwrap();
    }
    assert_eq!(got, (0..100).step_by(3).collect::<Vec<_>>());
    assert!(rx.try_recv().is_err());
    let group = queue.stats().groups.into_iter().find(|group| group.name == "orders").unwrap();
    assert_eq!(group.lag, 0, "{group:?}");
    assert!(queue.consumer_options().group("orders").filter("x").open().is_err());
    assert_eq!(tx.send_event(&"e".repeat(256), b""), Err(SendError::EventTooLong));
}

#[test]
fn reserve_commit_shorter_and_abort() {
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 1 << 14);
    let mut tx = queue.producer().unwrap();
    let rx = queue.consumer("default").unwrap();
    for round in 0..500usize {
        let len = 1 + round * 13 % 3000;
        let mut slot = tx.reserve_event("e", len).unwrap();
        assert_eq!(slot.len(), len);
        slot.fill(round as u8);
        match round % 3 {
            0 => {
                slot.commit(len / 2);
                let message = rx.try_recv().unwrap();
                assert_eq!(
                    (message.payload(), message.event()),
                    (&vec![round as u8; len / 2][..], Some("e"))
                );
                message.ack().unwrap();
            }
            1 => drop(slot),
            _ => {
                slot.commit(len);
                rx.try_recv().unwrap().ack().unwrap();
            }
        }
        assert_eq!(rx.try_recv().unwrap_err(), RecvError::Empty);
    }
}

#[test]
fn close_lets_consumers_drain() {
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 1 << 14);
    let mut tx = queue.producer().unwrap();
    let rx = queue.consumer("default").unwrap();
    let mut observer = queue.observe().unwrap();
    tx.send(b"last").unwrap();
    queue.close().unwrap();
    assert_eq!(tx.send(b"too late"), Err(SendError::Closed));
    assert!(queue.producer().is_err());
    rx.recv().unwrap().ack().unwrap();
    assert_eq!(rx.recv().unwrap_err(), RecvError::Closed);
    assert_eq!(observer.recv().unwrap().payload, b"last");
    assert_eq!(observer.recv().unwrap_err(), RecvError::Closed);
}

#[test]
fn starts_and_retained_history() {
    let dir = TempDir::new();
    let queue = Queue::options().capacity(1 << 12).retain(1 << 11).create(&dir.path("q")).unwrap();
    let mut tx = queue.producer().unwrap();
    let rx = queue.consumer("default").unwrap();
    let mut positions = Vec::new();
    for n in 0..500u32 {
        positions.push(tx.try_send(&n.to_le_bytes()).unwrap());
        rx.try_recv().unwrap().ack().unwrap();
    }
    let late = queue.consumer("late").unwrap();
    let first = u32::from_le_bytes(late.try_recv().unwrap().payload().try_into().unwrap());
    assert!(first <= 500 - 32, "{first}");
    let from = queue.consumer_options().start(Start::Position(positions[490])).open().unwrap();
    assert_eq!(from.try_recv().unwrap().payload(), 490u32.to_le_bytes());
    let gone = queue.consumer_options().start(Start::Position(positions[3])).open();
    assert!(matches!(gone, Err(slipring::JoinError::Lagged { .. })), "{gone:?}");
    let latest = queue.consumer_options().start(Start::Latest).open().unwrap();
    assert_eq!(latest.try_recv().unwrap_err(), RecvError::Empty);
}

#[test]
fn dead_letters() {
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 1 << 14);
    let mut tx = queue.producer().unwrap();
    let rx =
        queue.consumer_options().group("g").max_deliveries(2).dead_letter("q.dead").open().unwrap();
    let poison = tx.send_event("order.created", b"poison").unwrap();
    tx.send(b"rejected").unwrap();
    rx.try_recv().unwrap().retry().unwrap();
    rx.try_recv().unwrap().retry().unwrap();
    let rejected = rx.try_recv().unwrap();
    assert_eq!(rejected.payload(), b"rejected");
    rejected.reject("bad data").unwrap();
    assert_eq!(rx.try_recv().unwrap_err(), RecvError::Empty);
    let dead = Queue::open(&dir.path("q.dead")).unwrap().consumer("default").unwrap();
    let first = dead.try_recv().unwrap();
    let letter = first.dead_letter().unwrap();
    assert_eq!((first.payload(), first.event()), (&b"poison"[..], Some("order.created")));
    assert_eq!((letter.position, letter.deliveries, letter.queue_id), (poison, 3, queue.id()));
    first.ack().unwrap();
    assert_eq!(dead.try_recv().unwrap().dead_letter().unwrap().reason, "bad data");
    assert_eq!(queue.stats().dead_lettered, 2);
}

#[test]
fn names_and_open_errors() {
    let dir = TempDir::new();
    for name in ["", ".hidden", "a b", "ä", &"x".repeat(129)] {
        assert!(matches!(Queue::open(name), Err(OpenError::Invalid(_))), "{name:?}");
    }
    let name = dir.path("q");
    assert!(matches!(Queue::open(&name), Err(OpenError::NotFound(_))));
    let made = Queue::options().capacity(1 << 12).create(&name).unwrap();
    assert!(matches!(Queue::options().create(&name), Err(OpenError::Exists(_))));
    assert_eq!(Queue::options().open_or_create(&name).unwrap().id(), made.id());
    Queue::unlink(&name).unwrap();
    assert!(matches!(Queue::unlink(&name), Err(OpenError::NotFound(_))));
}

#[test]
fn large_counters() {
    let dir = TempDir::new();
    for (i, base) in
        [(1u64 << 32) - 50, (1 << 63) - 50, (1 << 44) - 64, (1 << 58) - 128].into_iter().enumerate()
    {
        let queue = Queue::options()
            .capacity(1 << 12)
            .base(base)
            .create(&dir.path(&format!("q{i}")))
            .unwrap();
        let mut tx = queue.producer().unwrap();
        let mut second = queue.producer().unwrap();
        let one = queue.consumer("g").unwrap();
        let two = queue.consumer("g").unwrap();
        let rx = queue.consumer("default").unwrap();
        for n in 0..500u32 {
            let position =
                if n % 2 == 0 { &mut tx } else { &mut second }.try_send(&n.to_le_bytes()).unwrap();
            assert_eq!(position, base + u64::from(n));
            for rx in [&rx, if n % 3 == 0 { &one } else { &two }] {
                let message = rx.try_recv().unwrap();
                assert_eq!(message.payload(), n.to_le_bytes());
                message.ack().unwrap();
            }
        }
    }
}

/// Producers that need room move a floor over padding, and the ring goes round under the cursor of a member that never looked.
#[test]
fn padding_alone_wears_no_reader_out() {
    for named in [true, false] {
        let dir = TempDir::new();
        let queue = Queue::options().capacity(1 << 12).create(&dir.path("q")).unwrap();
        let rx = match named {
            true => queue.consumer(slipring::DEFAULT_GROUP).unwrap(),
            false => queue.consumer_options().open().unwrap(),
        };
        let mut tx = queue.producer().unwrap();
        for _ in 0..200 {
            tx.try_reserve(1000).unwrap().abort();
        }
        tx.try_send(b"after").unwrap();
        let message = rx.try_recv().unwrap();
        assert_eq!(message.payload(), b"after");
        message.ack().unwrap();
        assert!(matches!(rx.try_recv(), Err(RecvError::Empty)));
    }
}

/// Queues are shared; producers and consumers may move to another thread.
#[test]
fn what_threads_may_do() {
    fn is_send<T: Send>() {}
    fn is_sync<T: Sync>() {}
    is_send::<slipring::Producer>();
    is_send::<slipring::Consumer>();
    is_send::<Queue>();
    is_sync::<Queue>();
}

#[test]
fn a_new_queue_takes_its_first_members_settings() {
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 4096);
    let dead = dir.path("dead");
    let options = || queue.consumer_options().group("default");
    let rx = options().max_deliveries(1).dead_letter(&dead).open().unwrap();
    queue.producer().unwrap().send(b"once").unwrap();
    rx.recv().unwrap().retry().unwrap();
    assert_eq!(rx.try_recv().unwrap_err(), RecvError::Empty);
    let letters = Queue::open(&dead).unwrap().consumer("default").unwrap();
    assert_eq!(letters.recv().unwrap().payload(), b"once");
    // From now on they are the group's, also when nobody is there.
    drop(rx);
    let other = options().max_deliveries(2).open();
    assert!(matches!(other, Err(slipring::JoinError::Incompatible(_))), "{other:?}");
    options().max_deliveries(1).dead_letter(&dead).open().unwrap();
}
