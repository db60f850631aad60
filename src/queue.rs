//! The public face: queues, and what is opened from them.

mod consumer;
mod create;
mod dead;
mod filter;
mod id;
mod inflight;
mod join;
mod lossy;
mod message;
mod observer;
mod options;
mod producer;
mod receive;
mod run;
mod settle;
mod shared;
mod stats;
mod turn;

use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

pub use consumer::Consumer;
pub use dead::DeadLetter;
pub use filter::event_matches;
pub use message::Message;
pub use observer::{Observed, Observer};
pub use options::{ConsumerOptions, QueueOptions, Start};
pub use producer::{Producer, Reservation};
pub use stats::{GroupStats, MemberStats, QueueStats, RoleStats};
pub use turn::Turn;

use crate::error::JoinError;
use crate::sync::{Acquire, Relaxed};
use shared::Shared;

/// The group that [`QueueOptions::create`] makes with a queue, unless it is to be a pure topic.
pub const DEFAULT_GROUP: &str = "default";

/// An open queue. Cheap to clone; shared by threads.
///
/// ```
/// # let dir = std::env::temp_dir().join(format!("slipring-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir)?;
/// # let name = dir.join("orders"); let name = name.to_str().unwrap();
/// use slipring::Queue;
///
/// let queue = Queue::options().capacity(1 << 20).create(name)?;
/// let mut tx = queue.producer()?;
/// let rx = queue.consumer("billing")?;
/// tx.send(b"hello")?;
/// let message = rx.recv()?;
/// assert_eq!(message.payload(), b"hello");
/// message.ack()?;
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Queue {
    pub(crate) shared: Arc<Shared>,
}

/// What a repair did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovered {
    /// Dead members whose rows were freed.
    pub members: u64,
    /// Claims of dead producers that were turned into padding.
    pub holes: u64,
    /// Messages of dead consumers that were given back to their group.
    pub given_back: u64,
}

impl Queue {
    /// Becomes a producer.
    ///
    /// # Errors
    /// [`Closed`](JoinError::Closed); [`Limit`](JoinError::Limit) if all member rows are taken by live processes. [`Timeout`](JoinError::Timeout) if a stopped process holds the registry; [`Corrupt`](JoinError::Corrupt), [`Forked`](JoinError::Forked), [`Os`](JoinError::Os).
    pub fn producer(&self) -> Result<Producer, JoinError> {
        Producer::join(&self.shared)
    }

    /// Becomes a member of a group, which is made at the oldest message if there is none of that name.
    ///
    /// # Errors
    /// As [`ConsumerOptions::open`].
    pub fn consumer(&self, group: &str) -> Result<Consumer, JoinError> {
        self.consumer_options().group(group).open()
    }

    /// Says more about how to consume.
    pub fn consumer_options(&self) -> ConsumerOptions<'_> {
        ConsumerOptions::new(self)
    }

    /// Watches without taking part: no row, no group, nobody held up, and no trace.
    ///
    /// # Errors
    /// [`Forked`](JoinError::Forked).
    ///
    /// ```
    /// use slipring::Queue;
    ///
    /// let queue = Queue::options().capacity(1 << 16).create_memfd("example")?;
    /// let mut watcher = queue.observe()?;
    /// queue.producer()?.send_event("greeting", b"hello")?;
    /// let seen = watcher.recv()?;
    /// assert_eq!((seen.event.as_deref(), &*seen.payload), (Some("greeting"), &b"hello"[..]));
    /// assert_eq!(queue.stats().groups[0].lag, 1); // it still waits for the group "default"
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn observe(&self) -> Result<Observer, JoinError> {
        if self.shared.forked() {
            return Err(JoinError::Forked);
        }
        Ok(Observer::over(Arc::clone(&self.shared)))
    }

    /// Closes the queue for good: producers get `Closed`, consumers drain what there is and then get `Closed`.
    ///
    /// # Errors
    /// [`Timeout`](JoinError::Timeout) if a stopped process holds the registry; [`Corrupt`](JoinError::Corrupt), [`Forked`](JoinError::Forked), [`Os`](JoinError::Os).
    ///
    /// ```
    /// use slipring::{Queue, RecvError, SendError};
    ///
    /// let queue = Queue::options().capacity(1 << 16).create_memfd("example")?;
    /// let (mut tx, rx) = (queue.producer()?, queue.consumer("default")?);
    /// tx.send(b"the last one")?;
    /// queue.close()?;
    /// assert_eq!(tx.send(b"too late"), Err(SendError::Closed));
    /// rx.recv()?.ack()?;
    /// assert!(matches!(rx.recv(), Err(RecvError::Closed)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn close(&self) -> Result<(), JoinError> {
        let registry = self.shared.registry()?;
        self.shared.ring().close().ok_or(JoinError::Corrupt)?;
        drop(registry);
        self.shared.wake_all();
        Ok(())
    }

    /// Repairs what dead members left. Members that wait do this by themselves.
    ///
    /// # Errors
    /// [`Timeout`](JoinError::Timeout) if a stopped process holds the registry; [`Corrupt`](JoinError::Corrupt), [`Forked`](JoinError::Forked), [`Os`](JoinError::Os).
    pub fn recover(&self) -> Result<Recovered, JoinError> {
        let registry = self.shared.registry()?;
        let repaired = registry.recover_all();
        drop(registry);
        Ok(Recovered {
            members: repaired.members,
            holes: repaired.holes,
            given_back: repaired.given_back,
        })
    }

    /// Drops a group that has no members: what it has not acked is no longer kept for it.
    ///
    /// # Errors
    /// [`NotFound`](JoinError::NotFound); [`Invalid`](JoinError::Invalid) while it has members. [`Timeout`](JoinError::Timeout) if a stopped process holds the registry; [`Corrupt`](JoinError::Corrupt), [`Forked`](JoinError::Forked), [`Os`](JoinError::Os).
    pub fn drop_group(&self, name: &str) -> Result<(), JoinError> {
        join::drop_group(&self.shared, name)
    }

    /// Moves every page of the ring into memory now, so that no later access takes a page fault.
    pub fn prefault(&self) {
        self.shared.mapping.populate(0, self.shared.offsets.claims);
    }

    /// Was it opened before a `fork`, and are we the child? Then everything but dropping it says `Forked`.
    pub fn is_forked(&self) -> bool {
        self.shared.forked()
    }

    /// The positions that can be read: from the oldest, up to the one that the next message will have (or the padding before it). Unlike
    /// [`Queue::stats`] it counts nothing.
    pub fn bounds(&self) -> Range<u64> {
        let ring = self.shared.ring();
        let earliest = ring.control.gate.load(Acquire);
        let latest = ring.frontier(0).unwrap_or_else(|| ring.control.tail.load(Relaxed));
        earliest..latest.max(earliest)
    }

    /// Bytes of payload that the ring holds.
    pub fn capacity(&self) -> u64 {
        let geometry = &self.shared.ring().geometry;
        geometry.ring() << geometry.block_shift
    }

    /// The largest message that fits, in bytes, its event name included.
    pub fn max_message(&self) -> usize {
        producer::max_message(&self.shared)
    }

    /// The name or path it was opened by.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// The queue's random id: with a position it names a message for ever.
    pub fn id(&self) -> u128 {
        let [low, high] = self.shared.header.id;
        u128::from(low) | u128::from(high) << 64
    }
}

impl AsFd for Queue {
    /// The queue's file, to be passed to another process ([`Queue::from_fd`]).
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.file.as_fd()
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue")
            .field("name", &self.shared.name)
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}
