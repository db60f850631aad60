//! Processes are killed at random instants, or stopped for a while, while others work on the same queue. Nothing is lost, nothing that was
//! acked comes back, and nobody is held up.
//!
//! `SLIPRING_ROUNDS` sets the number of rounds (default 1,000), `SLIPRING_SEED` their choices.

mod common;

#[path = "kills/account.rs"]
mod account;
#[path = "kills/board.rs"]
mod board;
#[path = "processes/child.rs"]
mod child;
#[path = "kills/crew.rs"]
mod crew;
#[path = "kills/hole.rs"]
mod hole;
#[path = "kills/load.rs"]
mod load;
#[path = "kills/payload.rs"]
mod payload;
#[path = "kills/progress.rs"]
mod progress;

use account::Sums;
use child::{Random, alone};
use crew::Crew;
use progress::Progress;
use std::time::Instant;

#[test]
fn child() {
    let Some(line) = child::role() else { return };
    let (role, arguments) = line.split_first().unwrap();
    match role.as_str() {
        "hole" => hole::play(arguments),
        role => load::play(role, arguments),
    }
}

fn number_from(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

/// Rounds between two looks at the books.
const CHECKPOINT: u64 = 50;

#[test]
fn random_kills_lose_nothing_and_wedge_nobody() {
    let _alone = alone();
    let rounds = number_from("SLIPRING_ROUNDS", 1000);
    let seed = number_from("SLIPRING_SEED", Random::from_time().next() & 0xffff_ffff);
    println!("{rounds} rounds, SLIPRING_SEED={seed}, load {}", child::load());
    let mut crew = Crew::new(Random(seed));
    let (mut sums, mut times, start) = (Sums::default(), Progress::default(), Instant::now());
    for round in 1..=rounds {
        crew.round(&mut times);
        if round % CHECKPOINT == 0 || round == rounds || crew.board.fullness() > 30 {
            crew.checkpoint(&mut sums);
        }
    }
    println!("{} kills in {:.1?}: {:?}", crew.kills(), start.elapsed(), crew.killed);
    println!("{sums:?}");
    println!("load {}", child::load());
    times.report();
    assert!(times.count() as u64 > rounds, "too few survivors: {}", times.count());
    assert!(times.unexplained() <= progress::BOUND);
    assert!(sums.sent > rounds * 10 && sums.redeliveries > 0, "too little happened: {sums:?}");
    crew.farewell();
}

#[test]
fn random_pauses_change_nothing() {
    let _alone = alone();
    let rounds = number_from("SLIPRING_ROUNDS", 1000) / 3;
    let seed = number_from("SLIPRING_SEED", Random::from_time().next() & 0xffff_ffff);
    println!("{rounds} pauses, SLIPRING_SEED={seed}");
    let mut crew = Crew::new(Random(seed));
    let mut sums = Sums::default();
    crew.wait_until_ready();
    let repaired = crew.queue.stats().repaired;
    for round in 1..=rounds {
        crew.pause_some();
        if round % CHECKPOINT == 0 || round == rounds {
            crew.checkpoint(&mut sums);
        }
    }
    println!("{sums:?}");
    assert_eq!(crew.queue.stats().repaired, repaired, "a stopped member was taken for dead");
    assert_eq!(sums.cut_and_gone + sums.cut_but_there + sums.ack_in_doubt, 0);
    assert!(sums.sent > rounds, "too little happened: {sums:?}");
}
