//! Several producers, processes all of them, and one consumer; 64 bytes.

use crate::common::{Place, Side, measure};
use criterion::{BenchmarkId, Criterion, Throughput};
use slipring::Consumer;
use std::hint::black_box;
use std::time::{Duration, Instant};

pub fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("producers");
    group.throughput(Throughput::Elements(1));
    for producers in [2, 4] {
        let id = BenchmarkId::from_parameter(producers);
        measure(&mut group, id, || Confluence::new(producers), Confluence::run);
    }
    group.finish();
}

struct Confluence {
    rx: Consumer,
    producers: Vec<Side>,
    _place: Place,
}

impl Confluence {
    fn new(producers: usize) -> Self {
        let place = Place::new();
        let queue = place.queue("confluence", 4 << 20);
        let rx = queue.consumer("all").expect("consumer");
        let pour = |number: usize| Side::start(number + 1, "pour", &[queue.name(), "64"]);
        Self { rx, producers: (0..producers).map(pour).collect(), _place: place }
    }

    /// From the start of the first to the last message received.
    fn run(&mut self, count: u64) -> Duration {
        let producers = self.producers.len() as u64;
        let start = Instant::now();
        for (number, producer) in self.producers.iter_mut().enumerate() {
            // Shares that add up to the count.
            producer.order((count + number as u64) / producers);
        }
        let mut buffer = Vec::new();
        for _ in 0..count {
            buffer.clear();
            self.rx.recv_into(&mut buffer).expect("a message");
            black_box(&buffer);
        }
        let taken = start.elapsed();
        for producer in &mut self.producers {
            producer.answer();
        }
        taken
    }
}
