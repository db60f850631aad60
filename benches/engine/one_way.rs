//! One way, one by one: copied in and out with every byte written and read, or written and read in place with the ends touched.

use crate::common::{Place, Side, measure};
use criterion::{BenchmarkId, Criterion, Throughput};
use slipring::Producer;
use std::time::{Duration, Instant};

pub fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("one_way");
    for size in [8, 64, 256, 1024, 65536] {
        group.throughput(Throughput::Bytes(size as u64));
        let copied = BenchmarkId::new("copied", size);
        measure(
            &mut group,
            copied,
            || Stream::to_groups(1, "copy"),
            |stream, count| {
                let mut payload = vec![0; size];
                stream.time(|tx| {
                    for n in 0..count {
                        payload[0] = n as u8;
                        tx.send(&payload).expect("room");
                    }
                })
            },
        );
        let in_place = BenchmarkId::new("in place", size);
        measure(
            &mut group,
            in_place,
            || Stream::to_groups(1, "touch"),
            |stream, count| {
                stream.time(|tx| {
                    for n in 0..count {
                        let mut slot = tx.reserve(size).expect("room");
                        slot[0] = n as u8;
                        slot[size - 1] = n as u8;
                        slot.commit(size);
                    }
                })
            },
        );
    }
    group.finish();
}

/// A producer here, and processes that drain its queue.
pub struct Stream {
    tx: Producer,
    drains: Vec<Side>,
    /// Members of each group.
    members: usize,
    _place: Place,
}

impl Stream {
    /// Groups of one.
    pub fn to_groups(groups: usize, how: &str) -> Self {
        Self::new(groups, 1, how)
    }

    /// One group of several.
    pub fn to_workers(members: usize) -> Self {
        Self::new(1, members, "copy")
    }

    fn new(groups: usize, members: usize, how: &str) -> Self {
        let place = Place::new();
        let queue = place.queue("stream", 4 << 20);
        let drain = |number: usize| {
            let group = (number / members).to_string();
            Side::start(number + 1, "drain", &[queue.name(), &group, how])
        };
        let drains = (0..groups * members).map(drain).collect();
        Self { tx: queue.producer().expect("producer"), drains, members, _place: place }
    }

    /// From the first message sent to the last one received by everybody.
    pub fn time(&mut self, send: impl FnOnce(&mut Producer)) -> Duration {
        for drain in &mut self.drains {
            drain.order(0);
        }
        let start = Instant::now();
        send(&mut self.tx);
        // Each member leaves off at an empty message.
        for _ in 0..self.members {
            self.tx.send(b"").expect("room");
        }
        for drain in &mut self.drains {
            drain.answer();
        }
        start.elapsed()
    }

    /// So many messages of 64 bytes.
    pub fn run(&mut self, count: u64) -> Duration {
        self.time(|tx| {
            for n in 0..count {
                tx.send(&[n as u8; 64]).expect("room");
            }
        })
    }
}
