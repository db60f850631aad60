//! One producer, and groups that each receive all of its messages of 64 bytes.

use crate::common::measure;
use crate::one_way::Stream;
use criterion::{BenchmarkId, Criterion, Throughput};

pub fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fanout");
    group.throughput(Throughput::Elements(1));
    for groups in [1, 2, 4, 8] {
        let id = BenchmarkId::from_parameter(groups);
        measure(&mut group, id, || Stream::to_groups(groups, "copy"), Stream::run);
    }
    group.finish();
}
