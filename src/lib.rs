//! A message queue in shared memory: processes open it by name and exchange messages at memory speed, with no daemon.
//!
//! A [`Queue`] is a work queue and a pub/sub topic at once: every group sees every message, and within a group each message goes
//! to one [`Consumer`], which acks it. Any process may be killed at any instruction: the others go on, what was sent is not lost,
//! and what was acked does not come twice (what was delivered and not acked comes again, and says so).
//!
//! ```
//! # let dir = std::env::temp_dir().join(format!("slipring-crate-{}", std::process::id()));
//! # std::fs::create_dir_all(&dir)?;
//! # let orders = dir.join("orders"); let orders = orders.to_str().unwrap();
//! use slipring::Queue;
//!
//! // In one process:
//! let queue = Queue::options().capacity(1 << 20).open_or_create(orders)?;
//! let mut producer = queue.producer()?;
//! producer.send_event("order.created", b"42")?;
//!
//! // In another:
//! let queue = Queue::open(orders)?;
//! let consumer = queue.consumer("billing")?;
//! let message = consumer.recv()?;
//! assert_eq!((message.event(), message.payload()), (Some("order.created"), &b"42"[..]));
//! message.ack()?;
//! # std::fs::remove_dir_all(&dir)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What a call may cost
//! Sending and receiving neither lock, allocate nor call the kernel while there is room and something to read; waiting sleeps in the
//! kernel. Joining, leaving and repair take a lock that is held for microseconds, and wait five seconds at most if its holder is
//! stopped.
//!
//! # Threads, forks, namespaces
//! A [`Producer`] or [`Consumer`] is used by one thread at a time and may move between threads; make one for each thread. A [`Queue`] is
//! shared freely. After a `fork` the child's handles say `Forked`: it opens the queue anew. Processes may be in different PID
//! namespaces: liveness is a kernel lock on the file, not a number.
//!
//! # Trust
//! Whoever may write the file can spoil that queue, but cannot make a reader crash, hang, or read outside of it, with one exception: a queue
//! with a name can be truncated by whoever may write it, and the next access is a bus error. Against such peers use
//! [`QueueOptions::create_memfd`].
//!
//! How it works, and why it is right, is in `docs/design.md` of the repository.

// The loom suite compiles the same sources into its own crate (tests/loom.rs); the library itself is then empty.
#![cfg(not(loom))]

#[cfg(feature = "async")]
pub mod asynchronous;
mod blocks;
#[cfg(feature = "capi")]
pub mod capi;
mod error;
#[cfg(feature = "gateway")]
pub mod gateway;
mod group;
mod layout;
mod queue;
mod recover;
mod ring;
mod sync;
mod sys;
mod wait;

pub use error::{AckError, JoinError, OpenError, RecvError, SendError, Status};
pub use layout::LAYOUT_VERSION;
pub use queue::{
    Consumer, ConsumerOptions, DEFAULT_GROUP, DeadLetter, GroupStats, MemberStats, Message,
    Observed, Observer, Producer, Queue, QueueOptions, QueueStats, Recovered, Reservation,
    RoleStats, Start, Turn, event_matches,
};
