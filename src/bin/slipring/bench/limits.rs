//! The machine without a queue: what no queue can be faster than. Between two threads, each on its core.

use super::cores;
use super::figures::Spread;
use super::part::Order;
use crate::failure::Failure;
use crossbeam_utils::CachePadded;
use crossbeam_utils::atomic::AtomicCell;
use serde_json::{Value, json};
use std::hint::spin_loop;
use std::thread;
use std::time::{Duration, Instant};

/// Enough for a median.
const LINE_TIME: Duration = Duration::from_millis(5);
const STRETCH: u32 = 128;
const WAKES: u64 = 15;
const PAUSE: Duration = Duration::from_micros(500);

/// We are on our core already; the other thread goes to the other one.
pub fn measure(order: Order, other: Option<usize>) -> Result<Value, Failure> {
    let ns = match order {
        Order::Futex => futex(other),
        _ => line(other),
    };
    Ok(json!({"ns": ns}))
}

/// A word on a cache line of its own.
type Word = CachePadded<AtomicCell<u64>>;

/// The last turn.
const END: u64 = u64::MAX;

/// One line there, one back: the median of stretches of turns.
fn line(other: Option<usize>) -> f64 {
    between(other, false, |there, back, _| {
        let (mut turn, mut times, begun) = (1, Vec::new(), Instant::now());
        while times.is_empty() || begun.elapsed() < LINE_TIME {
            let start = Instant::now();
            for _ in 0..STRETCH {
                turn += 1;
                there.store(turn);
                until(back, turn);
            }
            times.push(start.elapsed().as_nanos() as f64 / f64::from(STRETCH));
        }
        median(times)
    })
}

/// A thread asleep on a futex is woken, and says so through a cache line. The median of several.
fn futex(other: Option<usize>) -> f64 {
    between(other, true, |there, back, sleeper| {
        let one = |turn| {
            thread::sleep(PAUSE);
            let start = Instant::now();
            there.store(turn);
            sleeper.unpark();
            until(back, turn);
            start.elapsed().as_nanos() as f64
        };
        median((2..WAKES + 2).map(one).collect())
    })
}

/// With a thread that answers every value, asleep or awake before.
fn between(
    other: Option<usize>,
    asleep: bool,
    run: impl FnOnce(&Word, &Word, &thread::Thread) -> f64,
) -> f64 {
    let (there, back) = (Word::default(), Word::default());
    thread::scope(|scope| {
        let answering = scope.spawn(|| {
            let _ = other.map(cores::pin);
            let mut last = 0;
            while last != END {
                let seen = there.load();
                if seen != last {
                    back.store(seen);
                    last = seen;
                } else if asleep {
                    thread::park();
                } else {
                    spin_loop();
                }
            }
        });
        // Until it is there.
        there.store(1);
        until(&back, 1);
        let figure = run(&there, &back, answering.thread());
        there.store(END);
        answering.thread().unpark();
        figure
    })
}

fn until(word: &Word, value: u64) {
    while word.load() != value {
        spin_loop();
    }
}

fn median(times: Vec<f64>) -> f64 {
    Spread::of(times).map_or(f64::NAN, |spread| spread.median)
}
