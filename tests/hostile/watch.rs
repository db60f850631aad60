//! A watch over calls that must return, and a tally of what they returned.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What came of the calls, by call and error.
pub type Tally = BTreeMap<String, u64>;

/// One thread's current call: a number, odd while it is in a call, and which.
#[derive(Default)]
pub struct Clock {
    turn: AtomicU64,
    code: AtomicU64,
}

impl Clock {
    /// Makes a call that must return soon.
    pub fn time<T>(&self, code: u8, call: impl FnOnce() -> T) -> T {
        self.code.store(u64::from(code), Relaxed);
        self.turn.fetch_add(1, Relaxed);
        let result = call();
        self.turn.fetch_add(1, Relaxed);
        result
    }
    pub fn turn(&self) -> u64 {
        self.turn.load(Relaxed)
    }
}

/// Looks at clocks; a call that does not return within the bound ends the process, since nothing else would.
pub struct Watch {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

const TICK: Duration = Duration::from_millis(25);

impl Watch {
    /// The bound is counted in the watcher's own ticks: on a machine so busy that it does not run either, time stands still.
    pub fn over(clocks: Vec<Arc<Clock>>, bound: Duration, words: String) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let most = (bound.as_millis() / TICK.as_millis()) as u32;
        let thread = thread::spawn(move || {
            let mut seen: Vec<(u64, u32)> = vec![(0, 0); clocks.len()];
            while !stopped.load(Relaxed) {
                thread::sleep(TICK);
                for (clock, (last, ticks)) in clocks.iter().zip(&mut seen) {
                    let turn = clock.turn();
                    *ticks = if turn % 2 == 1 && turn == *last { *ticks + 1 } else { 0 };
                    *last = turn;
                    if *ticks > most {
                        let code = clock.code.load(Relaxed);
                        eprintln!("HANG: call {code} did not return within {bound:?}; {words}");
                        std::process::abort();
                    }
                }
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The process's largest resident set so far, in KiB.
pub fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}
