//! Watching a queue at a bounded cost: its latest messages, and its figures.

mod common;

use common::{TempDir, queue};
use slipring::RecvError;

#[test]
fn the_latest_messages() {
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 1 << 14);
    let (mut tx, rx) = (queue.producer().unwrap(), queue.consumer("default").unwrap());
    let mut observer = queue.observe().unwrap();
    let mut sent = Vec::new();
    // Of all sizes, with padding, over many laps.
    for round in 0..500_usize {
        let message = vec![round as u8; round * 37 % 900];
        if round % 7 == 0 {
            drop(tx.reserve(300).unwrap());
        }
        tx.send(&message).unwrap();
        sent.push(message);
        rx.recv().unwrap().ack().unwrap();
        let most = round % 6;
        observer.rewind(most).unwrap();
        let mut seen = Vec::new();
        while let Ok(message) = observer.try_recv() {
            seen.push(message.payload);
        }
        assert_eq!(seen, sent[sent.len() - most.min(sent.len())..], "round {round}");
    }
    observer.rewind(usize::MAX).unwrap();
    let mut oldest = queue.observe().unwrap();
    assert_eq!(observer.try_recv().unwrap(), oldest.try_recv().unwrap());
    // What is not finished is not there, nor what lies behind it; of one producer, and of two.
    let other = queue.producer().unwrap();
    for mut tx in [tx, other] {
        let unfinished = tx.reserve(10).unwrap();
        observer.rewind(1).unwrap();
        assert_eq!(&observer.try_recv().unwrap().payload, sent.last().unwrap());
        assert_eq!(observer.try_recv().unwrap_err(), RecvError::Empty);
        drop(unfinished);
    }
}

#[test]
fn figures_at_a_bounded_cost() {
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 1 << 20);
    let rx = queue.consumer("default").unwrap();
    let mut tx = queue.producer().unwrap();
    for _ in 0..2000 {
        tx.send(&[1; 100]).unwrap();
    }
    let lag = |most| {
        let stats = queue.stats_within(most);
        (stats.groups[0].lag, stats.groups[0].estimated)
    };
    assert_eq!(lag(u64::MAX), (2000, false));
    assert_eq!(lag(5000), (2000, false));
    assert_eq!(lag(10), (2000, true));
    assert_eq!(lag(0), (0, true));
    assert_eq!(queue.stats().groups[0].lag, rx.lag());
    rx.recv().unwrap().ack().unwrap();
    assert_eq!(lag(10), (1999, true));
}
