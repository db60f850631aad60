//! Several messages at once, sent and received.

mod common;

use common::{TempDir, queue};
use slipring::{Consumer, Message, RecvError};

#[test]
fn batches() {
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 1 << 12);
    let mut tx = queue.producer().unwrap();
    let rx = queue.consumer("default").unwrap();
    for round in 0..300usize {
        let messages: Vec<Vec<u8>> = (0..round % 9).map(|n| vec![n as u8; n * 17]).collect();
        assert_eq!(tx.send_batch(&messages).unwrap(), messages.len());
        for message in rx_all(&rx) {
            assert!(messages.contains(&message));
        }
    }
}

#[test]
fn messages_lent_one_after_another_are_acked_together() {
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 1 << 16);
    let mut tx = queue.producer().unwrap();
    let rx = queue.consumer("default").unwrap();
    assert_eq!(rx.recv_each(0, |_| panic!("none was asked for")), Ok(0));
    assert_eq!(rx.try_recv_each(9, |_| panic!("none is there")), Err(RecvError::Empty));
    for n in 0..10u8 {
        tx.send_event("digit", &[n]).unwrap();
    }
    let mut seen = Vec::new();
    let mut see = |message: &Message<'_>| {
        assert_eq!((message.event(), message.deliveries()), (Some("digit"), 1));
        seen.push(message.payload()[0]);
    };
    // Behind one that is held, so that the floor stays.
    let held = rx.recv().unwrap();
    assert_eq!(rx.recv_each(4, &mut see), Ok(4));
    held.ack().unwrap();
    let two = queue.consumer("default").unwrap();
    assert_eq!(two.try_recv_each(2, &mut see), Ok(2));
    assert_eq!(rx.recv_each(64, &mut see), Ok(3));
    assert_eq!(seen, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    drop(two);
    assert_eq!(queue.stats().groups[0].lag, 0);

    // One inside another.
    for n in 0..4u8 {
        tx.send(&[n]).unwrap();
    }
    let mut inner = 0;
    let outer = rx.recv_each(2, |_| inner += rx.recv_each(1, |_| {}).unwrap());
    assert_eq!((outer, inner), (Ok(2), 2));
    assert_eq!(queue.stats().groups[0].lag, 0);
}

#[test]
fn a_handler_that_panics_has_handled_what_came_before() {
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 1 << 16);
    let mut tx = queue.producer().unwrap();
    let rx = queue.consumer("default").unwrap();
    for n in 0..6u8 {
        tx.send(&[n]).unwrap();
    }
    let handle = |message: &Message<'_>| assert_ne!(message.payload(), [3]);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| rx.recv_each(6, handle)));
    assert!(result.is_err());
    let mut seen = Vec::new();
    rx.recv_each(6, |message| seen.push((message.payload()[0], message.deliveries()))).unwrap();
    seen.sort();
    assert_eq!(seen, [(3, 2), (4, 1), (5, 1)]);
    assert_eq!(queue.stats().groups[0].lag, 0);
}

fn rx_all(rx: &Consumer) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    while let Ok(message) = rx.try_recv() {
        all.push(message.payload().to_vec());
        message.ack().unwrap();
    }
    all
}

/// Whoever is one among several acks each message that was handled, though the group's floor may lag behind.
#[test]
fn one_among_several() {
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 1 << 16);
    let mut tx = queue.producer().unwrap();
    let [one, two] = [(); 2].map(|()| queue.consumer("default").unwrap());
    tx.send_batch((0..40u8).map(|n| [n])).unwrap();
    let mut seen = Vec::new();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        one.recv_each(10, |message| {
            assert_ne!(message.payload(), [2], "the third one");
            seen.push(message.payload()[0]);
        })
    }));
    assert!(panicked.is_err());
    let group = || queue.stats().groups.remove(0);
    assert_eq!((group().lag, group().redelivered), (38, 1));
    assert!(group().floor < 2, "the floor has moved for each message");
    let mut deliveries = Vec::new();
    let see = |message: &Message<'_>| {
        seen.push(message.payload()[0]);
        deliveries.push(message.deliveries());
    };
    assert_eq!(two.recv_each(64, see), Ok(38));
    seen.sort_unstable();
    assert_eq!(seen, (0..40).collect::<Vec<_>>());
    assert_eq!(deliveries.iter().filter(|count| **count == 2).count(), 1);
    assert_eq!(group().lag, 0);
}
