//! What a message of 64 bytes costs on one core, sent, received and acked, as other things grow: the ring, members that do nothing, queues
//! that are open besides; and what a send costs as the groups grow that nobody reads.

use crate::common::{Place, measure};
use criterion::{BenchmarkId, Criterion, Throughput};
use slipring::{Consumer, Producer, Queue, Start};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Messages that are sent before they are received.
const TURN: u64 = 256;

pub fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("growth");
    group.throughput(Throughput::Elements(1));
    for capacity in [256 << 10, 1 << 20, 16 << 20, 256 << 20, 1 << 30] {
        let id = BenchmarkId::new("ring in KiB", capacity >> 10);
        measure(&mut group, id, || Loop::new(capacity), Loop::run);
    }
    for idle in [1, 8, 64] {
        let id = BenchmarkId::new("idle consumers", idle);
        measure(&mut group, id, || Loop::new(1 << 20).with_idle(idle), Loop::run);
    }
    for queues in [1, 100, 1000] {
        let id = BenchmarkId::new("open queues", queues);
        measure(&mut group, id, || Loop::new(1 << 20).with_queues(queues), Loop::run);
    }
    for groups in [1, 2, 4, 8] {
        let id = BenchmarkId::new("send to groups", groups);
        measure(&mut group, id, || Loop::new(1 << 20).with_groups(groups), Loop::send);
    }
    group.finish();
}

struct Loop {
    tx: Producer,
    rx: Vec<Consumer>,
    _idle: Vec<Consumer>,
    _others: Vec<Queue>,
    queue: Queue,
    place: Place,
}

impl Loop {
    fn new(capacity: u64) -> Self {
        let place = Place::new();
        let options = Queue::options().capacity(capacity).topic(true);
        let options = options.max_groups(80).max_members(80);
        let queue = options.create(&place.path("loop")).expect("room in /dev/shm");
        queue.prefault();
        let tx = queue.producer().expect("a producer");
        let mut one =
            Self { tx, rx: Vec::new(), _idle: Vec::new(), _others: Vec::new(), queue, place };
        one.add_group(0);
        // Round the ring, so that all that follows writes what was read.
        one.run(2 * capacity / 64);
        one
    }

    fn add_group(&mut self, number: usize) {
        let group = self.queue.consumer_options().group(&format!("group-{number}"));
        self.rx.push(group.start(Start::Latest).open().expect("a consumer"));
    }

    /// Lossy ones: others that do nothing would fill the ring.
    fn with_idle(mut self, idle: usize) -> Self {
        let lossy = || self.queue.consumer_options().lossy(true).open().expect("a reader");
        self._idle = (0..idle).map(|_| lossy()).collect();
        self
    }

    fn with_queues(mut self, queues: usize) -> Self {
        let create = |number| {
            let path = self.place.path(&format!("other-{number}"));
            Queue::options().capacity(64 << 10).create(&path).expect("room in /dev/shm")
        };
        self._others = (1..queues).map(create).collect();
        self
    }

    fn with_groups(mut self, groups: usize) -> Self {
        (1..groups).for_each(|number| self.add_group(number));
        self
    }

    fn pour(&mut self) {
        let payload = [1; 64];
        for _ in 0..TURN {
            self.tx.send(black_box(&payload)).expect("room");
        }
    }

    fn drain(&self) {
        for rx in &self.rx {
            for _ in 0..TURN {
                let message = rx.recv().expect("a message");
                black_box(message.payload()[0]);
                message.ack().expect("ack");
            }
        }
    }

    /// At least so many messages there and back; the time of so many.
    fn run(&mut self, count: u64) -> Duration {
        let turns = count.div_ceil(TURN);
        let start = Instant::now();
        for _ in 0..turns {
            self.pour();
            self.drain();
        }
        start.elapsed().mul_f64(count as f64 / (turns * TURN) as f64)
    }

    /// The same, but only the time of sending.
    fn send(&mut self, count: u64) -> Duration {
        let turns = count.div_ceil(TURN);
        let mut taken = Duration::ZERO;
        for _ in 0..turns {
            let start = Instant::now();
            self.pour();
            taken += start.elapsed();
            self.drain();
        }
        taken.mul_f64(count as f64 / (turns * TURN) as f64)
    }
}
