//! A message to a process that sleeps, and its reply: the wake-up, and a hundredth of it for the reply's way back.

use crate::common::measure;
use crate::round_trip::Trips;
use criterion::{BenchmarkId, Criterion};
use std::time::{Duration, Instant};

/// Much longer than anybody spins before he sleeps.
const PAUSE: Duration = Duration::from_micros(500);

pub fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("wake");
    measure(&mut group, BenchmarkId::from_parameter(64), || Trips::new(64), run);
    group.finish();
}

fn run(trips: &mut Trips, count: u64) -> Duration {
    trips.with_echo(count, |trips| {
        let one = |_| {
            std::thread::sleep(PAUSE);
            let start = Instant::now();
            trips.turn();
            start.elapsed()
        };
        (0..count).map(one).sum()
    })
}
