//! Readers that hold nobody up: what they miss they are told.

mod common;

use common::TempDir;
use slipring::{Queue, RecvError, Start};

#[test]
fn lossy_readers_and_observers_are_told_what_they_missed() {
    let dir = TempDir::new();
    let queue = Queue::options().capacity(1 << 12).topic(true).create(&dir.path("q")).unwrap();
    let mut tx = queue.producer().unwrap();
    let lossy = queue.consumer_options().lossy(true).open().unwrap();
    let mut observer = queue.observe().unwrap();
    for n in 0..1000u32 {
        tx.try_send(&n.to_le_bytes()).unwrap();
    }
    let Err(RecvError::Lagged { missed }) = lossy.try_recv().map(|_| ()) else {
        panic!("not told")
    };
    assert!(missed >= 900, "{missed}");
    assert!(matches!(observer.try_recv(), Err(RecvError::Lagged { .. })));
    let mut expected = missed as u32;
    while let Ok(message) = lossy.try_recv() {
        assert_eq!(message.payload(), expected.to_le_bytes());
        assert_eq!(observer.try_recv().unwrap().payload, expected.to_le_bytes());
        expected += 1;
    }
    assert_eq!(expected, 1000);
}

/// Also when the gap opens in the middle of a batch. Each message takes one block, so that positions count messages.
#[test]
fn batches_hide_no_gap() {
    let dir = TempDir::new();
    let options = Queue::options().capacity(64 * 64).topic(true);
    let queue = options.create(&dir.path("q")).unwrap();
    let lossy = queue.consumer_options().lossy(true).open().unwrap();
    let mut tx = queue.producer().unwrap();
    const MESSAGES: u64 = 3_000_000;
    let sender = std::thread::spawn(move || {
        for n in 0..MESSAGES {
            tx.send(&n.to_le_bytes()).unwrap();
        }
        tx
    });
    let mut next = 0;
    while next < MESSAGES {
        match lossy.recv_batch(16) {
            Ok(messages) => {
                for message in messages {
                    let number = u64::from_le_bytes(message.payload().try_into().unwrap());
                    assert_eq!(number, next, "a gap that nobody told of");
                    next += 1;
                    message.ack().unwrap();
                }
            }
            Err(RecvError::Lagged { missed }) => next += missed,
            Err(error) => panic!("{error}"),
        }
    }
    sender.join().unwrap();
}

/// A client's position may be anything: the observer goes on at the next message, and is told what is gone.
#[test]
fn observers_go_on_anywhere() {
    let dir = TempDir::new();
    let options = Queue::options().capacity(1 << 14).topic(true);
    let queue = options.create(&dir.path("q")).unwrap();
    assert_eq!(queue.bounds(), 0..0);
    let mut tx = queue.producer().unwrap();
    // Of one block to ten, several laps, padding at the ends of laps.
    let sent: Vec<u64> =
        (0..300).map(|n: usize| tx.send(&vec![n as u8; n * 37 % 640]).unwrap()).collect();
    let bounds = queue.bounds();
    let there: Vec<u64> = sent.into_iter().filter(|at| bounds.contains(at)).collect();
    assert!(bounds.start > 0 && there.len() > 10);
    let mut observer = queue.observe().unwrap();
    for wanted in bounds.clone() {
        observer.seek(Start::Position(wanted)).unwrap();
        let next = there.iter().find(|at| **at >= wanted).copied();
        let seen = observer.try_recv();
        assert_eq!(seen.as_ref().ok().map(|message| message.position), next, "{wanted}");
        // To where it would go on it can come back.
        let place = observer.position();
        let after = observer.clone().try_recv();
        assert_eq!(observer.try_recv(), after);
        observer.seek(Start::Position(place)).unwrap();
        assert_eq!(observer.try_recv(), after);
    }
    for beyond in [bounds.end, bounds.end + 1, u64::MAX] {
        observer.seek(Start::Position(beyond)).unwrap();
        assert_eq!((observer.position(), observer.try_recv()), (bounds.end, Err(RecvError::Empty)));
    }
    for gone in [0, bounds.start - 1] {
        let lagged = Err(RecvError::Lagged { missed: bounds.start - gone });
        assert_eq!(observer.seek(Start::Position(gone)), lagged);
        assert_eq!(observer.try_recv().unwrap().position, there[0]);
    }
}
