//! A stopped member is never taken for dead.

use super::child::{Child, listen, say};
use super::common::{TempDir, queue};
use slipring::{Queue, Recovered, RecvError};
use std::time::Duration;

/// Longer than any member waits before it looks for the dead.
const LONG: Duration = Duration::from_millis(300);

pub fn play(arguments: &[String]) {
    let queue = Queue::open(&arguments[1]).unwrap();
    match arguments[0].as_str() {
        "reserve" => {
            let mut tx = queue.producer().unwrap();
            tx.send(b"before").unwrap();
            let mut slot = tx.reserve(100).unwrap();
            say("reserved");
            listen();
            slot[..4].copy_from_slice(b"late");
            slot.commit(4);
            tx.send(b"after").unwrap();
            say("sent");
            listen();
        }
        "hold" => {
            let rx = queue.consumer("g").unwrap();
            let held = rx.recv_batch(3).unwrap();
            say(&held.len().to_string());
            listen();
            for message in held {
                message.ack().unwrap();
            }
            say("acked");
            listen();
        }
        other => panic!("{other}"),
    }
}

fn next(rx: &slipring::Consumer) -> Vec<u8> {
    let message = rx.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!(message.deliveries(), 1);
    let payload = message.payload().to_vec();
    message.ack().unwrap();
    payload
}

/// The stopped one was sole when others came, or had company from the start.
fn a_stopped_producer_keeps_its_claim(company_first: bool) {
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 1 << 14);
    let rx = queue.consumer("default").unwrap();
    let mut early = company_first.then(|| queue.producer().unwrap());
    let mut child = Child::start("stopped", &["reserve", queue.name()]);
    assert_eq!(child.hear(), "reserved");
    child.stop();
    let mut tx = early.take().unwrap_or_else(|| queue.producer().unwrap());
    for n in 0..5u8 {
        tx.send(&[n]).unwrap();
    }
    assert_eq!(next(&rx), b"before");
    assert_eq!(rx.recv_timeout(LONG).unwrap_err(), RecvError::Timeout);
    assert_eq!(queue.recover().unwrap(), Recovered::default());
    // A newcomer repairs, too.
    drop(queue.consumer("other").unwrap());
    assert_eq!(rx.recv_timeout(LONG).unwrap_err(), RecvError::Timeout);
    child.go_on();
    child.tell("commit");
    assert_eq!(child.hear(), "sent");
    assert_eq!(next(&rx), b"late");
    for n in 0..5u8 {
        assert_eq!(next(&rx), [n]);
    }
    assert_eq!(next(&rx), b"after");
    assert_eq!(queue.stats().repaired, 0);
}

#[test]
fn a_stopped_sole_producer_keeps_its_claim() {
    a_stopped_producer_keeps_its_claim(false);
}

#[test]
fn a_stopped_producer_among_others_keeps_its_claim() {
    a_stopped_producer_keeps_its_claim(true);
}

#[test]
fn a_full_ring_waits_for_a_stopped_producer() {
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 1 << 12);
    let rx = queue.consumer("default").unwrap();
    let mut child = Child::start("stopped", &["reserve", queue.name()]);
    assert_eq!(child.hear(), "reserved");
    child.stop();
    let mut tx = queue.producer().unwrap();
    let mut sent = 0;
    while tx.send_timeout(b"x", LONG / 3).is_ok() {
        sent += 1;
        assert!(sent < 100, "the ring has 64 blocks");
    }
    assert_eq!(next(&rx), b"before");
    child.go_on();
    child.tell("commit");
    assert_eq!(next(&rx), b"late");
    for _ in 0..sent {
        assert_eq!(next(&rx), b"x");
    }
    assert_eq!(next(&rx), b"after");
}

fn a_stopped_consumer_keeps_its_messages(company_first: bool) {
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 1 << 14);
    let mut tx = queue.producer().unwrap();
    let mut early = company_first.then(|| queue.consumer("g").unwrap());
    for n in 0..3u8 {
        tx.send(&[n]).unwrap();
    }
    if !company_first {
        queue.drop_group("default").unwrap();
    }
    let mut child = Child::start("stopped", &["hold", queue.name()]);
    assert_eq!(child.hear(), "3");
    child.stop();
    let rx = early.take().unwrap_or_else(|| queue.consumer("g").unwrap());
    for n in 3..10u8 {
        tx.send(&[n]).unwrap();
    }
    for n in 3..10u8 {
        assert_eq!(next(&rx), [n]);
    }
    assert_eq!(rx.recv_timeout(LONG).unwrap_err(), RecvError::Timeout);
    assert_eq!(queue.recover().unwrap(), Recovered::default());
    let lag = || queue.stats().groups.iter().find(|group| group.name == "g").unwrap().lag;
    assert_eq!(lag(), 3);
    child.go_on();
    child.tell("ack");
    assert_eq!(child.hear(), "acked");
    assert_eq!(lag(), 0);
    assert_eq!(rx.recv_timeout(LONG).unwrap_err(), RecvError::Timeout);
    child.kill_and_reap();
    // What he acked before he died stays acked.
    assert_eq!(rx.recv_timeout(LONG).unwrap_err(), RecvError::Timeout);
    assert_eq!(queue.stats().repaired, 1);
}

#[test]
fn a_stopped_sole_consumer_keeps_its_messages() {
    a_stopped_consumer_keeps_its_messages(false);
}

#[test]
fn a_stopped_consumer_among_others_keeps_its_messages() {
    a_stopped_consumer_keeps_its_messages(true);
}
