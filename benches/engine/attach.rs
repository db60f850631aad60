//! Opening a queue of 1 GiB whose pages this process has not touched yet.

use crate::common::{Place, measure};
use criterion::{BenchmarkId, Criterion};
use slipring::Queue;
use std::hint::black_box;
use std::time::{Duration, Instant};

pub fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("attach");
    let large = || {
        let place = Place::new();
        let queue = place.queue("large", 1 << 30);
        (queue, place)
    };
    let open = BenchmarkId::from_parameter("open");
    measure(&mut group, open, large, |(queue, _), count| each(count, || opened(queue)));
    let first = BenchmarkId::from_parameter("open and send a first message");
    measure(&mut group, first, large, |(queue, _), count| {
        each(count, || {
            let mut tx = opened(queue).producer().expect("producer");
            tx.send(&[0; 64]).expect("room");
            tx
        })
    });
    group.finish();
}

fn opened(queue: &Queue) -> Queue {
    Queue::open(queue.name()).expect("the same queue")
}

/// How long it takes, without closing again.
fn each<T>(count: u64, attach: impl Fn() -> T) -> Duration {
    let one = |_| {
        let start = Instant::now();
        let attached = black_box(attach());
        let taken = start.elapsed();
        drop(attached);
        taken
    };
    (0..count).map(one).sum()
}
