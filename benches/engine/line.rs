//! What the cores take by themselves: a cache line there and back between two threads, each on its core.

use crate::common::{core, measure};
use crate::cores::pin;
use criterion::{BenchmarkId, Criterion};
use crossbeam_utils::CachePadded;
use std::hint::spin_loop;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::time::{Duration, Instant};

pub fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("line");
    measure(
        &mut group,
        BenchmarkId::from_parameter("there and back"),
        || (),
        |(), count| bounce(count),
    );
    group.finish();
}

fn bounce(count: u64) -> Duration {
    let (there, back) = (Word::default(), Word::default());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            pin(core(1));
            for n in 0..=count {
                await_value(&there, n + 1);
                back.store(n + 1, Release);
            }
        });
        let turn = |n| {
            there.store(n, Release);
            await_value(&back, n);
        };
        // Until the other thread is there.
        turn(1);
        let start = Instant::now();
        (2..=count + 1).for_each(turn);
        start.elapsed()
    })
}

type Word = CachePadded<AtomicU64>;

fn await_value(word: &Word, value: u64) {
    while word.load(Acquire) != value {
        spin_loop();
    }
}
