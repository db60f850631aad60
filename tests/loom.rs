//! The protocol under loom: the shipped sources, compiled into this crate, in every schedule with at most two preemptions.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --release --test loom`. Every model has a twin that weakens one named place and must
//! fail; the test `mutants` weakens each place in turn and compares what fails with docs/orderings.md.
#![cfg(loom)]
#![allow(dead_code, unexpected_cfgs)]
// Loom's cells are shared between coroutines of one thread.
#![allow(clippy::arc_with_non_send_sync)]

#[path = "../src/blocks.rs"]
mod blocks;
#[path = "../src/group.rs"]
mod group;
#[path = "../src/layout.rs"]
mod layout;
#[path = "../src/queue/lossy.rs"]
mod lossy;
#[path = "../src/recover.rs"]
mod recover;
#[path = "../src/ring.rs"]
mod ring;
#[path = "../src/sync.rs"]
mod sync;
#[path = "../src/wait.rs"]
mod wait;

#[path = "loom/explore.rs"]
mod explore;
#[path = "loom/memory.rs"]
mod memory;
#[path = "loom/mutants.rs"]
mod mutants;

#[path = "loom/close.rs"]
mod close;
#[path = "loom/gate.rs"]
mod gate;
#[path = "loom/lossy.rs"]
mod lossy_reader;
#[path = "loom/publish.rs"]
mod publish;
#[path = "loom/recovery.rs"]
mod recovery;
#[path = "loom/solitude.rs"]
mod solitude;
#[path = "loom/waiting.rs"]
mod waiting;
