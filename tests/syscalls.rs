//! Every system call of creating, opening, joining and waiting fails in turn, with every error it may plausibly have: what comes back is
//! the operation done all the same or a clear error, and nothing is left of it. Descriptors, mappings and files are those from before, and
//! while the process lives on every row, group and lock byte can be had by others.
//!
//! The k-th call is skipped or overruled with ptrace, so no privilege is needed. `cargo test --release --test syscalls -- --nocapture`
//! prints the score, `SLIPRING_SYSCALLS=text` runs only operations whose names contain the text.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;

#[path = "syscalls/fault.rs"]
mod fault;
#[path = "syscalls/operation.rs"]
mod operation;
#[path = "syscalls/survivor.rs"]
mod survivor;
#[path = "crash/traced.rs"]
mod traced;
#[path = "syscalls/verdict.rs"]
mod verdict;

use fault::Fault;
use operation::Operation;
use verdict::Score;

/// This process never touches the library itself: each child starts as a program that has not used it yet.
#[test]
fn every_system_call_fails_in_turn() {
    traced::Traced::check_permission().unwrap();
    traced::stay_on_one_processor(0);
    let start = std::time::Instant::now();
    let shared = traced::Shared::new();
    let mut total = Score::default();
    println!("calls faults  errors violations  operation");
    for operation in operation::all() {
        let score = run(&shared, &operation);
        println!("{score}  {operation}");
        for example in &score.examples {
            println!("      {example}");
        }
        total.add(score);
    }
    let time = start.elapsed().as_secs_f64();
    println!("calls faults  errors violations\n{total}  in all, {time:.0} s");
    assert!(total.calls > 0 && total.faults > total.calls && total.errors > 0);
    assert_eq!(total.violations, 0, "{:#?}", total.examples);
}

/// If the harness could not see a leak, it would not see this one.
#[test]
fn planted_leaks_are_found() {
    traced::Traced::check_permission().unwrap();
    let shared = traced::Shared::new();
    for operation in operation::leaks() {
        let mut score = Score::default();
        verdict::judge(&shared, &operation, Fault::None, &mut score);
        println!("{score}  {operation}");
        assert!(score.violations > 0, "{operation} was not found");
    }
}

fn run(shared: &traced::Shared, operation: &Operation) -> Score {
    let mut score = Score::default();
    let calls = verdict::judge(shared, operation, Fault::None, &mut score);
    score.calls = calls.len() as u64;
    assert_eq!(score.errors, 0, "{operation} fails by itself: {:?}", score.examples);
    for (k, call) in calls.iter().enumerate() {
        for error in call.errors() {
            verdict::judge(shared, operation, Fault::Once { k, error }, &mut score);
        }
    }
    for error in fault::SCARCE {
        for k in 0..calls.len() {
            verdict::judge(shared, operation, Fault::From { k, error }, &mut score);
        }
    }
    score
}
