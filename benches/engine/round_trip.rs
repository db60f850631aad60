//! A message to another process and its reply, both sides awake.

use crate::common::{Place, Side, measure};
use criterion::{BenchmarkId, Criterion};
use slipring::{Consumer, Producer};
use std::time::{Duration, Instant};

pub fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("round_trip");
    for size in [8, 64, 1024] {
        measure(&mut group, BenchmarkId::from_parameter(size), || Trips::new(size), Trips::run);
    }
    group.finish();
}

/// Messages to and from a process that sends them back.
pub struct Trips {
    echo: Side,
    tx: Producer,
    rx: Consumer,
    payload: Vec<u8>,
    _place: Place,
}

impl Trips {
    pub fn new(size: usize) -> Self {
        let place = Place::new();
        let (there, back) = (place.queue("there", 1 << 20), place.queue("back", 1 << 20));
        let rx = back.consumer("replies").expect("consumer");
        let echo = Side::start(1, "echo", &[there.name(), back.name()]);
        let tx = there.producer().expect("producer");
        Self { echo, tx, rx, payload: vec![1; size], _place: place }
    }

    fn run(&mut self, count: u64) -> Duration {
        self.with_echo(count, |trips| {
            let start = Instant::now();
            for _ in 0..count {
                trips.turn();
            }
            start.elapsed()
        })
    }

    /// Runs something that makes so many turns, after one that wakes the other side.
    pub fn with_echo(&mut self, turns: u64, run: impl FnOnce(&mut Self) -> Duration) -> Duration {
        self.echo.order(turns + 1);
        self.turn();
        let taken = run(self);
        self.echo.answer();
        taken
    }

    /// There and back. We stay awake meanwhile.
    pub fn turn(&mut self) {
        self.tx.send(&self.payload).expect("room");
        loop {
            match self.rx.try_recv() {
                Ok(message) => return message.ack().expect("ack"),
                Err(slipring::RecvError::Empty) => std::hint::spin_loop(),
                Err(error) => panic!("{error}"),
            }
        }
    }
}
