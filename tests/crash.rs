//! Kill -9 at every machine instruction. A child of the optimised build is single-stepped through one operation and killed
//! after k instructions, for every k; then survivors go on, and the promises of docs/design.md are checked against the books:
//! nothing is wedged, what was committed is delivered, what was acked is not, what was delivered and not acked comes again
//! and says so, in order, whole, and no row or block is lost.
//!
//! `cargo test --release --test crash -- --nocapture` prints the score; `SLIPRING_SOAK=1` leaves out nothing,
//! `SLIPRING_CRASH=text` runs only operations whose names contain the text.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;

#[path = "crash/case.rs"]
mod case;
#[path = "crash/consume.rs"]
mod consume;
#[path = "crash/members.rs"]
mod members;
#[path = "crash/planted.rs"]
mod planted;
#[path = "crash/publish.rs"]
mod publish;
#[path = "crash/repair.rs"]
mod repair;
#[path = "crash/runner.rs"]
mod runner;
#[path = "crash/traced.rs"]
mod traced;
#[path = "crash/tracer.rs"]
mod tracer;
#[path = "crash/waiting.rs"]
mod waiting;
#[path = "crash/world.rs"]
mod world;

/// The next instruction may be the last.
#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "steps the optimised build: cargo test --release --test crash"
)]
fn killed_at_every_instruction() {
    traced::Traced::check_permission().unwrap();
    let operations: Vec<runner::Operation> = [
        publish::operations(),
        consume::operations(),
        members::operations(),
        waiting::operations(),
        repair::operations(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let start = std::time::Instant::now();
    let score = runner::run(&operations);
    println!("{score}, {:.0} s", start.elapsed().as_secs_f64());
    assert!(score.operations > 0 && score.kills > 0 && score.checks > score.kills);
    assert_eq!(score.violations, 0, "{:#?}", score.examples);
}

/// 0 violations mean something only if a harness like this finds some where there are some.
#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "steps the optimised build: cargo test --release --test crash"
)]
fn planted_defects_are_found() {
    traced::Traced::check_permission().unwrap();
    let shared = traced::Shared::new();
    for (operation, planted) in planted::operations() {
        let score = operation.run(&shared);
        println!(
            "{:>6} violations at {:>4} kills: {}",
            score.violations, score.kills, operation.name
        );
        assert!(score.kills > 10);
        assert_eq!(score.violations > 0, planted, "{}: {:?}", operation.name, score.examples);
    }
}
