//! What a newcomer finds of messages that everybody else is done with: whole ones, in order, and as many as still fit; however the
//! senders come to know what they may overwrite.

mod common;
#[path = "processes/numbers.rs"]
mod numbers;

use common::TempDir;
use numbers::Random;
use slipring::{Consumer, Producer, Queue, RecvError};

/// Blocks of the ring: large enough that senders keep marks of message boundaries instead of walking over them.
const RING: u64 = 1024;

fn send(tx: &mut Producer, number: u64, blocks: u64) -> bool {
    let mut payload = vec![number as u8; blocks as usize * 64];
    payload[..8].copy_from_slice(&number.to_le_bytes());
    tx.try_send(&payload).is_ok()
}

fn number(payload: &[u8]) -> u64 {
    let number = u64::from_le_bytes(payload[..8].try_into().unwrap());
    assert!(payload[8..].iter().all(|byte| *byte == number as u8), "overwritten");
    number
}

/// What a reader that starts as early as it can sees: numbers that follow each other, to the last. Returns how many blocks.
fn look(queue: &Queue, sizes: &[u64], needed: Option<u64>) -> u64 {
    let reader = queue.consumer_options().open().unwrap();
    let mut seen = Vec::new();
    while let Ok(message) = reader.try_recv() {
        assert_eq!(message.payload().len() as u64, sizes[number(message.payload()) as usize] * 64);
        seen.push(number(message.payload()));
        message.ack().unwrap();
    }
    assert_eq!(reader.try_recv().unwrap_err(), RecvError::Empty);
    let first = seen.first().copied().unwrap_or(sizes.len() as u64);
    assert_eq!(seen, (first..sizes.len() as u64).collect::<Vec<_>>());
    assert!(needed.is_none_or(|needed| first <= needed), "{first} is after {needed:?}");
    seen.iter().map(|number| sizes[*number as usize]).sum()
}

fn receive(rx: &Consumer, next: &mut u64, count: u64) {
    for _ in 0..count {
        let Ok(message) = rx.try_recv() else { return };
        assert_eq!(number(message.payload()), *next);
        message.ack().unwrap();
        *next += 1;
    }
}

/// `largest`: blocks of the largest message. Two producers take turns, and each is replaced now and then.
fn laps(seed: u64, largest: u64, retain: u64, producers: usize) {
    let dir = TempDir::new();
    let options = Queue::options().capacity(RING * 64).retain(retain * 64);
    let queue = options.create(&dir.path("q")).unwrap();
    let rx = queue.consumer("default").unwrap();
    let mut random = Random(seed);
    let mut senders: Vec<Producer> = (0..producers).map(|_| queue.producer().unwrap()).collect();
    let (mut sizes, mut next) = (Vec::new(), 0);
    let mut blocks = 0;
    while blocks < 30 * RING {
        for _ in 0..random.below(80) {
            let size = random.below(largest) + 1;
            let who = random.below(producers as u64) as usize;
            if send(&mut senders[who], sizes.len() as u64, size) {
                sizes.push(size);
                blocks += size;
            }
        }
        let count = random.below(90);
        receive(&rx, &mut next, count);
        if random.one_in(10) {
            look(&queue, &sizes, (next < sizes.len() as u64).then_some(next));
        }
        if random.one_in(50) {
            let who = random.below(producers as u64) as usize;
            senders[who] = queue.producer().unwrap();
        }
    }
    receive(&rx, &mut next, u64::MAX);
    assert_eq!(next, sizes.len() as u64);
    // A gate moves on by a stride at a time, an eighth of the ring; a lap may end in padding.
    let kept = look(&queue, &sizes, None);
    assert!(kept >= RING - 3 * RING / 8 - 2 * largest, "{kept} of {RING} blocks of history");
}

#[test]
fn newcomers_find_whole_messages() {
    for seed in 0..20 {
        for largest in [1, 3, 40, 200] {
            laps(seed, largest, 0, 1);
        }
        laps(seed, 5, 0, 2);
        laps(seed, 5, 200, 1);
    }
}

/// Without a group that keeps them, messages are overwritten all the same, at boundaries.
#[test]
fn topics_without_groups() {
    let dir = TempDir::new();
    let queue = Queue::options().capacity(RING * 64).topic(true).create(&dir.path("q")).unwrap();
    let mut tx = queue.producer().unwrap();
    let mut sizes = Vec::new();
    for n in 0..5000 {
        let size = n % 7 + 1;
        assert!(send(&mut tx, n, size));
        sizes.push(size);
        if n % 100 == 0 {
            look(&queue, &sizes, None);
        }
    }
    assert!(look(&queue, &sizes, None) > RING / 2);
}
