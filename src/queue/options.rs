//! How a queue is made and how it is joined.

use std::ffi::CString;
use std::os::fd::OwnedFd;

use super::{Consumer, Queue};
use crate::error::{JoinError, OpenError};

/// Where a new group starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Start {
    /// At the oldest message that is still there.
    #[default]
    Earliest,
    /// With the next message that is sent.
    Latest,
    /// At a position, or at the first message after it. Positions that nobody has reached yet mean [`Start::Latest`].
    Position(u64),
}

/// The geometry and rights of a new queue. What is not said has a default.
///
/// ```no_run
/// let queue = slipring::Queue::options().capacity(64 << 20).retain(1 << 20).create("orders")?;
/// # Ok::<(), slipring::OpenError>(())
/// ```
#[derive(Clone, Debug)]
pub struct QueueOptions {
    pub(crate) capacity: u64,
    pub(crate) block_size: u32,
    pub(crate) retain: u64,
    pub(crate) mode: u32,
    pub(crate) max_groups: u32,
    pub(crate) max_members: u32,
    pub(crate) topic: bool,
    pub(crate) fenced: bool,
    pub(crate) base: u64,
}

impl Default for QueueOptions {
    fn default() -> Self {
        Self {
            capacity: 64 << 20,
            block_size: 64,
            retain: 0,
            mode: 0o600,
            max_groups: 64,
            max_members: 256,
            topic: false,
            fenced: false,
            base: 0,
        }
    }
}

impl QueueOptions {
    /// Bytes of payload that the ring holds, rounded up to a power of two of blocks. Default 64 MiB, least 16 blocks. All of it is
    /// reserved at once; bookkeeping comes on top (a quarter with 64-byte blocks, and an eighth for each named group).
    pub fn capacity(mut self, bytes: u64) -> Self {
        self.capacity = bytes;
        self
    }
    /// Bytes of a block: a power of two from 64 to 1 MiB. Default 64. Larger blocks take less bookkeeping for large messages.
    pub fn block_size(mut self, bytes: u32) -> Self {
        self.block_size = bytes;
        self
    }
    /// Bytes of history kept behind the slowest reader, at most half the capacity, less the one message over that edge. Default 0.
    pub fn retain(mut self, bytes: u64) -> Self {
        self.retain = bytes;
        self
    }
    /// The file's permission bits, applied exactly. Default `0o600`.
    pub fn mode(mut self, bits: u32) -> Self {
        self.mode = bits;
        self
    }
    /// Groups that there can be at once (1 to 256). Default 64.
    pub fn max_groups(mut self, count: u32) -> Self {
        self.max_groups = count;
        self
    }
    /// Producers and consumers that there can be at once (1 to 1023). Default 256.
    pub fn max_members(mut self, count: u32) -> Self {
        self.max_members = count;
        self
    }
    /// A pure topic: no default group, so that messages nobody asked for are overwritten.
    pub fn topic(mut self, topic: bool) -> Self {
        self.topic = topic;
        self
    }
    /// Real fences instead of `membarrier`; chosen by itself where the system refuses `membarrier`. Slower, works in any sandbox.
    pub fn fenced(mut self, fenced: bool) -> Self {
        self.fenced = fenced;
        self
    }
    /// The first position ever given out. For tests of large counters.
    #[doc(hidden)]
    pub fn base(mut self, position: u64) -> Self {
        self.base = position;
        self
    }

    /// Makes a queue. It appears whole or not at all.
    ///
    /// # Errors
    /// [`Exists`](OpenError::Exists); [`NoSpace`](OpenError::NoSpace) if not all of it can be reserved; [`Invalid`](OpenError::Invalid) name or options;
    /// [`Permission`](OpenError::Permission), [`Os`](OpenError::Os).
    pub fn create(&self, name: &str) -> Result<Queue, OpenError> {
        Queue::create_with(self, name)
    }
    /// Opens the queue of that name, or makes it; the options count only if it is made.
    ///
    /// # Errors
    /// Those of [`create`](Self::create) and of [`Queue::open`], but for `Exists` and `NotFound`.
    pub fn open_or_create(&self, name: &str) -> Result<Queue, OpenError> {
        Queue::open_or_create_with(self, name)
    }
    /// Makes a queue without a name, in a sealed memory file: nobody can truncate it. Pass [`Queue::as_fd`](std::os::fd::AsFd)
    /// to other processes, which open it with [`Queue::from_fd`].
    ///
    /// # Errors
    /// [`NoSpace`](OpenError::NoSpace), [`Invalid`](OpenError::Invalid), [`Os`](OpenError::Os).
    ///
    /// ```
    /// use slipring::Queue;
    /// use std::os::fd::AsFd;
    ///
    /// let queue = Queue::options().capacity(1 << 16).create_memfd("private")?;
    /// // In another process, which was given the descriptor:
    /// let same = Queue::from_fd(queue.as_fd().try_clone_to_owned()?)?;
    /// assert_eq!(same.id(), queue.id());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn create_memfd(&self, label: &str) -> Result<Queue, OpenError> {
        let label = CString::new(label)
            .map_err(|_| OpenError::Invalid("a label has no zero bytes".into()))?;
        Queue::create_memfd_with(self, &label)
    }
}

impl Queue {
    /// Options for a new queue.
    pub fn options() -> QueueOptions {
        QueueOptions::default()
    }
    /// Opens a queue that another process passed as a descriptor.
    ///
    /// # Errors
    /// As [`Queue::open`].
    pub fn from_fd(fd: OwnedFd) -> Result<Queue, OpenError> {
        Queue::open_fd(fd)
    }
}

/// How a consumer joins.
#[derive(Clone, Debug)]
pub struct ConsumerOptions<'q> {
    pub(crate) queue: &'q Queue,
    pub(crate) group: Option<String>,
    pub(crate) start: Start,
    pub(crate) lossy: bool,
    pub(crate) prefetch: usize,
    pub(crate) max_deliveries: Option<u32>,
    pub(crate) dead_letter: Option<String>,
    pub(crate) filter: Option<String>,
}

impl<'q> ConsumerOptions<'q> {
    pub(crate) fn new(queue: &'q Queue) -> Self {
        Self {
            queue,
            group: None,
            start: Start::default(),
            lossy: false,
            prefetch: 1,
            max_deliveries: None,
            dead_letter: None,
            filter: None,
        }
    }
    /// The group to join; it is made if there is none of that name. Without a name: an anonymous group of one, which goes with
    /// its consumer.
    pub fn group(mut self, name: &str) -> Self {
        self.group = Some(name.into());
        self
    }
    /// Where a new group starts; a group that exists goes on where it is. Default [`Start::Earliest`].
    pub fn start(mut self, start: Start) -> Self {
        self.start = start;
        self
    }
    /// A lossy reader holds nobody up: it may be overrun, and is told so. It belongs to no group.
    pub fn lossy(mut self, lossy: bool) -> Self {
        self.lossy = lossy;
        self
    }
    /// Messages that a member of a group with several members claims at once (1 to 1024). Default 1. Those that wait in this consumer
    /// are not seen by the others, until it leaves or dies.
    pub fn prefetch(mut self, messages: usize) -> Self {
        self.prefetch = messages;
        self
    }
    /// Deliveries (1 to 254) after which a message goes to the dead-letter queue instead, or is dropped and counted if there is none.
    /// A setting of the group: its first member says what it is, and others who say it say the same. Default: no limit.
    pub fn max_deliveries(mut self, count: u32) -> Self {
        self.max_deliveries = Some(count);
        self
    }
    /// The queue for messages that were rejected or delivered too often; it is made when the first one comes. A setting of the group.
    pub fn dead_letter(mut self, queue: &str) -> Self {
        self.dead_letter = Some(queue.into());
        self
    }
    /// Only events whose name matches: `*` stands for any run of characters, `?` for one; a `!` before it all turns it round. Messages that do not match count as acked.
    /// A setting of the group.
    pub fn filter(mut self, pattern: &str) -> Self {
        self.filter = Some(pattern.into());
        self
    }
    /// Joins.
    ///
    /// # Errors
    /// [`Limit`](JoinError::Limit) if all group or member rows are taken; [`Incompatible`](JoinError::Incompatible) if the group exists with other settings;
    /// [`Lagged`](JoinError::Lagged) if the position has been overwritten; [`Invalid`](JoinError::Invalid) options; [`NoSpace`](JoinError::NoSpace) for a new group.
    /// [`Timeout`](JoinError::Timeout) if a stopped process holds the registry; [`Corrupt`](JoinError::Corrupt), [`Forked`](JoinError::Forked), [`Os`](JoinError::Os).
    ///
    /// ```
    /// use slipring::{Queue, Start};
    ///
    /// let queue = Queue::options().capacity(1 << 16).create_memfd("example")?;
    /// let paid = queue.consumer_options().group("paid").start(Start::Latest).filter("*.paid").open()?;
    /// let mut tx = queue.producer()?;
    /// tx.send_event("order.created", b"17")?;
    /// tx.send_event("order.paid", b"17")?;
    /// assert_eq!(paid.recv()?.event(), Some("order.paid"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(self) -> Result<Consumer, JoinError> {
        Consumer::join(self)
    }
}
