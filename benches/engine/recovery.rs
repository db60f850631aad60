//! Repair of what a producer leaves that is killed between `reserve` and `commit`, in a ring of 1 GiB that is half full.

use crate::common::{Place, Side, measure};
use criterion::{BenchmarkId, Criterion, SamplingMode};
use slipring::{Consumer, Producer, Queue};
use std::time::{Duration, Instant};

pub fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("recovery");
    // There is a process to be started and killed for each.
    group.sampling_mode(SamplingMode::Flat);
    measure(&mut group, BenchmarkId::from_parameter("1 GiB"), Large::new, Large::run);
    group.finish();
}

struct Large {
    queue: Queue,
    tx: Producer,
    /// Holds the messages there.
    _rx: Consumer,
    _place: Place,
}

impl Large {
    fn new() -> Self {
        let place = Place::new();
        let queue = place.queue("large", 1 << 30);
        let rx = queue.consumer("idle").expect("consumer");
        let mut tx = queue.producer().expect("producer");
        let payload = vec![0; 4096];
        for _ in 0..queue.capacity() / 2 / 4096 {
            tx.send(&payload).expect("room");
        }
        Self { queue, tx, _rx: rx, _place: place }
    }

    fn run(&mut self, count: u64) -> Duration {
        let one = |_| {
            Side::start(1, "hole", &[self.queue.name()]).kill();
            // Behind the hole.
            self.tx.send(&[0; 64]).expect("room");
            let start = Instant::now();
            let done = self.queue.recover().expect("repair");
            let taken = start.elapsed();
            assert_eq!((done.members, done.holes), (1, 1), "what the dead producer left");
            taken
        };
        (0..count).map(one).sum()
    }
}
