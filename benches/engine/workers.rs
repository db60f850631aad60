//! One producer, and a group of several members that share its messages of 64 bytes.

use crate::common::measure;
use crate::one_way::Stream;
use criterion::{BenchmarkId, Criterion, Throughput};

pub fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("workers");
    group.throughput(Throughput::Elements(1));
    for members in [2, 4] {
        let id = BenchmarkId::from_parameter(members);
        measure(&mut group, id, || Stream::to_workers(members), Stream::run);
    }
    group.finish();
}
