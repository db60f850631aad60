//! One way, 64 bytes, with so many messages a call on both sides.

use crate::common::measure;
use crate::one_way::Stream;
use criterion::{BenchmarkId, Criterion, Throughput};

pub fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("batches");
    for size in [1_usize, 8, 64, 512] {
        group.throughput(Throughput::Elements(size as u64));
        let start = || Stream::to_groups(1, &size.to_string());
        measure(&mut group, BenchmarkId::from_parameter(size), start, |stream, count| {
            stream.time(|tx| {
                for n in 0..count {
                    tx.send_batch((0..size).map(|at| [(n as usize + at) as u8; 64])).expect("room");
                }
            })
        });
    }
    group.finish();
}
