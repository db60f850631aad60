//! Waiting: who sleeps is woken, one for each message, and nobody pays for it while nobody sleeps.
//!
//! All of it twice: with `membarrier` on the sleeper's side, and with real fences on both (`fenced`).

mod common;

#[path = "processes/child.rs"]
mod child;
#[path = "waiting/cost.rs"]
mod cost;
#[path = "waiting/herd.rs"]
mod herd;
#[path = "waiting/pollable.rs"]
mod pollable;
#[path = "waiting/refused.rs"]
mod refused;
#[path = "waiting/tracer.rs"]
mod tracer;
#[path = "waiting/wake.rs"]
mod wake;

use common::TempDir;
use slipring::Queue;

#[test]
fn child() {
    let Some(line) = child::role() else { return };
    let (role, arguments) = line.split_first().unwrap();
    match role.as_str() {
        "cost" => cost::play(arguments),
        "herd" => herd::play(arguments),
        "pollable" => pollable::play(arguments),
        "refused" => refused::play(arguments),
        "wake" => wake::play(arguments),
        other => panic!("{other}"),
    }
}

/// A queue of one kind.
fn queue(dir: &TempDir, name: &str, capacity: u64, fenced: bool) -> Queue {
    let queue = Queue::options().capacity(capacity).fenced(fenced).create(&dir.path(name)).unwrap();
    assert!(queue.stats().fenced == fenced || refused::by_the_system());
    queue
}

/// Makes two tests of a function: with membarrier, and with fences.
macro_rules! both_ways {
    ($($name:ident)*) => {
        $(
            mod $name {
                #[test]
                fn with_membarrier() {
                    super::$name(false);
                }
                #[test]
                fn with_fences() {
                    super::$name(true);
                }
            }
        )*
    };
}
use both_ways;
