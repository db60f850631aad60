//! Random operations on a queue and on a plain model of it: groups, acks, retries, rejections, retention, filters, delivery counts,
//! dead letters and lag must agree at every step. A case that fails is shrunk.
//!
//! `MODEL_SEED` repeats a run, `MODEL_CASES` makes it longer.

#[path = "model_queue/both.rs"]
mod both;
mod common;
#[path = "model_queue/figures.rs"]
mod figures;
#[path = "model_queue/model.rs"]
mod model;
#[path = "model_queue/ops.rs"]
mod ops;
#[path = "model_queue/receiving.rs"]
mod receiving;
#[path = "model_queue/ring.rs"]
mod ring;
#[path = "model_queue/sending.rs"]
mod sending;
#[path = "hostile/watch.rs"]
mod watch;

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use both::Both;
use common::TempDir;
use proptest::collection::vec;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use watch::{Clock, Tally, Watch};

#[test]
fn ten_thousand_random_histories() {
    let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    let cases = number("MODEL_CASES").unwrap_or(10_000);
    let seed = number("MODEL_SEED").unwrap_or_else(|| RandomState::new().hash_one(0));
    println!("MODEL_SEED={seed}");
    let config = Config {
        cases: cases as u32,
        failure_persistence: None,
        max_shrink_iters: 20_000,
        max_global_rejects: 0,
        ..Config::default()
    };
    let dir = TempDir::new();
    let clock = Arc::new(Clock::default());
    let words = format!("MODEL_SEED={seed}");
    let _watch = Watch::over(vec![Arc::clone(&clock)], Duration::from_secs(10), words);
    let tally = std::cell::RefCell::new(Tally::new());
    let strategy = (ops::shape(), vec(ops::op(), 1..100));
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let result = TestRunner::new_with_rng(config, rng).run(&strategy, |(shape, ops)| {
        let mut both = Both::new(&shape, &dir, &clock, &tally);
        for op in &ops {
            both.run(op)?;
        }
        both.end()
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    let tally = tally.into_inner();
    println!("{cases} histories");
    for (what, count) in &tally {
        println!("  {count:>8} {what}");
    }
    // What must have come up for this to have shown anything.
    for what in both::INTERESTING {
        let count = tally.get(*what).copied().unwrap_or(0);
        assert!(count >= cases / 200, "{what}: only {count}");
    }
}
