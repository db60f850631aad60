//! A model of the protocol in `docs/design.md`, to be searched exhaustively.
//!
//! Each shared-memory access is one action, memory is sequentially consistent (what weaker memory adds is loom's part),
//! and a kill takes an actor away between any two of them, with its locks. Where accesses are one action, a comment
//! says why they commute.
//!
//! | file | what of `docs/design.md` |
//! |---|---|
//! | `words.rs`, `state.rs` | section 2: stamps, claim words, mode words, rows |
//! | `publish.rs`, `members.rs` | section 4: claim and publish; join, switch, leave |
//! | `group.rs`, `group_members.rs` | section 5: claim, ack, give back; join, convert, be alone again |
//! | `room.rs` | section 6: gate and floor |
//! | `close.rs` | section 4: close |
//! | `repair.rs` | section 8 |
//! | `model.rs` | who may do what when, and kills |
//! | `properties.rs` | the promises |
//! | `symmetry.rs` | states that differ in names only, counted once |
//! | `runs.rs` | what is searched, and in which configuration each planted mistake is caught |
//! | `check.rs` | the searches: stateright's for the promises, one of our own for the absence of cycles |

pub mod actor;
pub mod check;
pub mod close;
pub mod config;
pub mod group;
pub mod group_members;
pub mod hash;
pub mod members;
pub mod model;
pub mod properties;
pub mod publish;
pub mod repair;
pub mod room;
pub mod runs;
pub mod state;
pub mod symmetry;
pub mod words;
