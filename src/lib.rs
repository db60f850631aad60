#![doc = "Slipring: a message queue in shared memory."]
// The loom suite compiles the same sources into its own crate (tests/loom.rs); the library itself is then empty.
#![cfg(not(loom))]

mod blocks;
mod error;
mod group;
mod layout;
mod queue;
mod recover;
mod ring;
mod sync;
mod sys;
mod wait;

pub use error::{AckError, JoinError, OpenError, RecvError, SendError, Status};
pub use queue::{
    Consumer, ConsumerOptions, DEFAULT_GROUP, DeadLetter, GroupStats, MemberStats, Message,
    Observed, Observer, Producer, Queue, QueueOptions, QueueStats, Recovered, Reservation,
    RoleStats, Start,
};
