//! The gateway is killed again and again while clients of each kind take part. All that matters is in the queue: who reads along gets each message once and in
//! order, across all kills; to a group each message comes until it is acked, each delivery says which one it is, and what was acked does not come again.
//!
//! `SLIPRING_KILLS` sets the number of kills (default 40).

#[path = "kills/books.rs"]
mod books;
#[path = "kills/clients.rs"]
mod clients;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use slipring::{Producer, Queue};

use super::common::TempDir;
use super::{Gateway, LIMIT};
use books::{Books, Totals};
use clients::KINDS;

const CLIENTS_OF_A_KIND: usize = 20;

/// Between two messages. Readers hold nobody up: all that is sent has to stay in the ring.
const PACE: Duration = Duration::from_millis(2);
const CAPACITY: u64 = 256 << 20;

#[test]
fn nothing_is_lost_when_the_gateway_is_killed() {
    let kills = std::env::var("SLIPRING_KILLS").map_or(40, |text| text.parse().unwrap());
    let dir = TempDir::new();
    let options = Queue::options().capacity(CAPACITY).topic(true).max_groups(256);
    let queue = options.max_members(512).create(&dir.path("q")).unwrap();
    let books = Books::default();
    let rest = AtomicBool::new(false);
    let mut sent = 0;
    thread::scope(|scope| {
        // Also when an assertion fails: clients would wait for ever.
        let end = End(&books);
        let mut gateway = start(&dir, &books);
        for kind in &KINDS {
            let tally = books.tally(kind.name);
            for _ in 0..CLIENTS_OF_A_KIND {
                let client = (kind.client)(Arc::clone(&tally));
                let books = &books;
                scope.spawn(move || books.take_part(client));
            }
        }
        await_members(&queue);
        let publisher = scope.spawn(|| publish(queue.producer().unwrap(), &rest));
        for round in 0..kills {
            let before = books.received();
            // Mostly while all are at work, and sometimes while they come in.
            if round % 4 != 3 {
                until("all kinds get on", || books.received().all_above(&before));
            }
            thread::sleep(Duration::from_millis(round * 37 % 110));
            books.address.set(None);
            gateway.signal("KILL");
            gateway.wait();
            gateway = start(&dir, &books);
        }
        rest.store(true, Ordering::Relaxed);
        sent = publisher.join().unwrap();
        until("all is read, and acked", || {
            books.check();
            let groups = queue.stats().groups;
            books.all_have_read(sent, CLIENTS_OF_A_KIND)
                && groups.iter().filter(|group| group.kind == "named").all(|group| group.lag == 0)
        });
        drop(end);
        gateway.signal("KILL");
    });
    books.check();
    let totals: Totals = books.totals(sent);
    println!("{kills} kills, {sent} messages: {totals:?}");
    assert!(sent > kills, "too little happened");
    assert!(totals.redelivered > 0 || kills == 0, "too little happened");
}

fn start(dir: &TempDir, books: &Books) -> Gateway {
    let gateway = Gateway::start(dir, &[]);
    books.address.set(Some(gateway.address));
    gateway
}

/// Ends the clients once the gateway has gone.
struct End<'b>(&'b Books);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.address.end();
    }
}

/// Groups begin with the oldest message that there is when they are made: all are made before the first.
fn await_members(queue: &Queue) {
    until("all groups are there", || {
        let groups = queue.stats().groups;
        groups.iter().filter(|group| group.kind == "named").count() == clients::GROUPS
    });
}

/// Sends numbers until it is to rest; returns how many.
fn publish(mut producer: Producer, rest: &AtomicBool) -> u64 {
    let mut number = 0;
    while !rest.load(Ordering::Relaxed) {
        producer.send_event("n", number.to_string().as_bytes()).unwrap();
        number += 1;
        thread::sleep(PACE);
    }
    number
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LIMIT, "never: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
