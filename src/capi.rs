//! The C interface, behind the feature `capi`. `include/slipring.h` is generated from here; what a comment says here, C
//! programmers read there.
//!
//! It stands on the public Rust API alone. Each function checks its pointers, catches panics (then the answer is
//! `SLIPRING_INTERNAL`, and so it is for that handle from then on), and reports through one status code. Messages and reservations that C
//! holds are kept in their handle under a cookie, so that a stale or forged one is an error and not memory corruption.
#![allow(non_camel_case_types)]
#![expect(
    clippy::multiple_unsafe_ops_per_block,
    reason = "a function of C hands on one promise of its caller to several helpers"
)]

mod consumer;
mod error;
mod held;
mod pointers;
mod producer;
mod queue;

pub use consumer::*;
pub use error::*;
pub use producer::*;
pub use queue::*;
