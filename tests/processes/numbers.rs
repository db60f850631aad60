//! Random numbers, and what was measured.
#![allow(dead_code)]

use std::time::Duration;

/// A small generator of numbers (splitmix64).
pub struct Random(pub u64);

impl Random {
    pub fn from_time() -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Self(now.as_nanos() as u64 ^ u64::from(std::process::id()) << 32)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// Below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// Times of a measurement, for people and for bounds.
#[derive(Default)]
pub struct Times(Vec<Duration>);

impl Times {
    pub fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    pub fn above(&self, bound: Duration) -> usize {
        self.0.iter().filter(|time| **time > bound).count()
    }

    pub fn percentile(&mut self, percent: usize) -> Duration {
        self.0.sort();
        let at = (self.0.len() * percent / 100).min(self.0.len().saturating_sub(1));
        self.0.get(at).copied().unwrap_or_default()
    }

    pub fn report(&mut self, what: &str) {
        let [p50, p99, max] = [50, 99, 100].map(|percent| self.percentile(percent));
        println!("{what}: {} times, p50 {p50:.1?}, p99 {p99:.1?}, max {max:.1?}", self.count());
    }
}
