//! Errors: small, one enum per kind of verb, each with its one status code.

use std::fmt;
use std::io;

/// The code that every error maps to; the numbers are those of the C interface and are never renumbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(i32)]
pub enum Status {
    /// It worked.
    Ok = 0,
    /// The ring is full.
    Full = -1,
    /// There is no message now.
    Empty = -2,
    /// The time is over.
    Timeout = -3,
    /// The queue was closed.
    Closed = -4,
    /// A lossy reader was overrun, or a position was overwritten.
    Lagged = -5,
    /// The message does not fit.
    TooLarge = -6,
    /// No such queue or group.
    NotFound = -7,
    /// A queue of that name exists.
    Exists = -8,
    /// Another layout version, another kind of file, or other settings.
    Incompatible = -9,
    /// The file is damaged.
    Corrupt = -10,
    /// The system's permissions forbid it.
    Permission = -11,
    /// An argument makes no sense.
    Invalid = -12,
    /// No more members or groups.
    Limit = -13,
    /// The handle was made before a `fork`.
    Forked = -14,
    /// The file system is full.
    NoSpace = -15,
    /// Another error of the operating system.
    Os = -16,
    /// A bug in Slipring.
    Internal = -17,
}

/// Creating, opening, listing or removing a queue failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no such queue.
    NotFound(String),
    /// There is a queue of that name.
    Exists(String),
    /// Not a queue, or one of another layout version; the text says which and what to do.
    Incompatible(String),
    /// The file is shorter than its header says, or its header makes no sense.
    Corrupt(String),
    /// The system's permissions forbid it.
    Permission(String),
    /// A name or an option makes no sense; the text says which.
    Invalid(String),
    /// The file system has no room for a queue of this capacity.
    NoSpace(String),
    /// Another error of the operating system.
    Os(io::Error),
}

/// Becoming a producer, consumer or observer failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum JoinError {
    /// All member or group rows are in use by live processes; the text says which, and where to raise the limit.
    Limit(String),
    /// The group exists with other settings.
    Incompatible(String),
    /// The start position has been overwritten.
    Lagged {
        /// The oldest position that can still be read.
        earliest: u64,
    },
    /// An option makes no sense; the text says which.
    Invalid(String),
    /// No such group.
    NotFound(String),
    /// The queue is closed: it takes no producers any more.
    Closed,
    /// The file is damaged.
    Corrupt,
    /// The handle was made before a `fork`.
    Forked,
    /// The file system has no room for the group's claim words.
    NoSpace(String),
    /// Another process (stopped?) holds the queue's registry.
    Timeout,
    /// Another error of the operating system.
    Os(io::Error),
}

/// A message was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The ring is full, and the call was not to wait.
    Full,
    /// The ring stayed full for the whole time.
    Timeout,
    /// The queue was closed.
    Closed,
    /// The message does not fit into the queue, ever.
    TooLarge {
        /// Bytes of the message, its event name included.
        len: usize,
        /// The most that this queue takes.
        max: usize,
    },
    /// The event name is longer than 255 bytes.
    EventTooLong,
    /// An id has 1 to 255 bytes.
    InvalidId,
    /// The queue's file is damaged.
    Corrupt,
    /// The handle was made before a `fork`.
    Forked,
}

/// No message was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecvError {
    /// There is none now.
    Empty,
    /// There was none for the whole time.
    Timeout,
    /// The queue was closed, and everything in it is done.
    Closed,
    /// This lossy reader was overrun; the next receive goes on behind the gap.
    Lagged {
        /// Positions (blocks) that were overwritten unseen: an upper bound to the number of messages.
        missed: u64,
    },
    /// The queue's file is damaged.
    Corrupt,
    /// The handle was made before a `fork`.
    Forked,
}

/// An ack, retry or reject was not done. The message is still un-acked.
#[derive(Debug)]
#[non_exhaustive]
pub enum AckError {
    /// The handle was made before a `fork`.
    Forked,
    /// The message is not held by this consumer (any more).
    Invalid,
    /// Another process (stopped?) holds the queue's registry.
    Timeout,
    /// The queue's file is damaged.
    Corrupt,
    /// The dead-letter queue could not take the message; the text says why.
    DeadLetter(String),
    /// Another error of the operating system.
    Os(io::Error),
}

impl OpenError {
    /// The code of this error.
    pub fn status(&self) -> Status {
        match self {
            Self::NotFound(_) => Status::NotFound,
            Self::Exists(_) => Status::Exists,
            Self::Incompatible(_) => Status::Incompatible,
            Self::Corrupt(_) => Status::Corrupt,
            Self::Permission(_) => Status::Permission,
            Self::Invalid(_) => Status::Invalid,
            Self::NoSpace(_) => Status::NoSpace,
            Self::Os(_) => Status::Os,
        }
    }

    /// An error of the system, about a path.
    pub(crate) fn from_io(error: io::Error, what: &str) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound(format!(
                "{what}: no such queue; `slipring ls` lists those there are"
            )),
            io::ErrorKind::AlreadyExists => Self::Exists(format!(
                "{what}: exists already; open it, or remove it with `slipring rm`"
            )),
            io::ErrorKind::PermissionDenied => Self::Permission(format!(
                "{what}: permission denied; its owner can create it with a wider --mode"
            )),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace(format!(
                "{what}: no space left in its file system; choose a smaller capacity, or see `slipring doctor` for what uses it"
            )),
            io::ErrorKind::InvalidInput => {
                Self::Incompatible(format!("{what}: {error}; it is not a Slipring queue"))
            }
            _ => Self::Os(io::Error::new(error.kind(), format!("{what}: {error}"))),
        }
    }
}

impl JoinError {
    /// The code of this error.
    pub fn status(&self) -> Status {
        match self {
            Self::Limit(_) => Status::Limit,
            Self::Incompatible(_) => Status::Incompatible,
            Self::Lagged { .. } => Status::Lagged,
            Self::Invalid(_) => Status::Invalid,
            Self::NotFound(_) => Status::NotFound,
            Self::Closed => Status::Closed,
            Self::Corrupt => Status::Corrupt,
            Self::Forked => Status::Forked,
            Self::NoSpace(_) => Status::NoSpace,
            Self::Timeout => Status::Timeout,
            Self::Os(_) => Status::Os,
        }
    }
}

impl SendError {
    /// The code of this error.
    pub fn status(&self) -> Status {
        match self {
            Self::Full => Status::Full,
            Self::Timeout => Status::Timeout,
            Self::Closed => Status::Closed,
            Self::TooLarge { .. } => Status::TooLarge,
            Self::EventTooLong | Self::InvalidId => Status::Invalid,
            Self::Corrupt => Status::Corrupt,
            Self::Forked => Status::Forked,
        }
    }
}

impl RecvError {
    /// The code of this error.
    pub fn status(&self) -> Status {
        match self {
            Self::Empty => Status::Empty,
            Self::Timeout => Status::Timeout,
            Self::Closed => Status::Closed,
            Self::Lagged { .. } => Status::Lagged,
            Self::Corrupt => Status::Corrupt,
            Self::Forked => Status::Forked,
        }
    }
}

impl AckError {
    /// The code of this error.
    pub fn status(&self) -> Status {
        match self {
            Self::Forked => Status::Forked,
            Self::Invalid => Status::Invalid,
            Self::Timeout => Status::Timeout,
            Self::Corrupt => Status::Corrupt,
            Self::DeadLetter(_) => Status::Full,
            Self::Os(_) => Status::Os,
        }
    }
}

const CORRUPT: &str = "the queue's file is damaged; `slipring doctor` says what can be saved";
const FORKED: &str = "this handle was made before a fork; open the queue again in the child";
const REGISTRY: &str = "another process holds the queue's registry (is one stopped?); try again";

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Full => "the ring is full",
            Self::Empty => "no message now",
            Self::Timeout => "timed out",
            Self::Closed => "the queue is closed",
            Self::Lagged => "overrun",
            Self::TooLarge => "too large",
            Self::NotFound => "not found",
            Self::Exists => "exists already",
            Self::Incompatible => "incompatible",
            Self::Corrupt => "damaged",
            Self::Permission => "permission denied",
            Self::Invalid => "invalid argument",
            Self::Limit => "limit reached",
            Self::Forked => "used after a fork",
            Self::NoSpace => "no space left",
            Self::Os => "operating system error",
            Self::Internal => "internal error",
        })
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(text)
            | Self::Exists(text)
            | Self::Incompatible(text)
            | Self::Corrupt(text)
            | Self::Permission(text)
            | Self::Invalid(text)
            | Self::NoSpace(text) => f.write_str(text),
            Self::Os(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limit(text)
            | Self::Incompatible(text)
            | Self::Invalid(text)
            | Self::NotFound(text)
            | Self::NoSpace(text) => f.write_str(text),
            Self::Lagged { earliest } => write!(
                f,
                "that position has been overwritten; the oldest still there is {earliest}"
            ),
            Self::Closed => f.write_str("the queue is closed"),
            Self::Corrupt => f.write_str(CORRUPT),
            Self::Forked => f.write_str(FORKED),
            Self::Timeout => f.write_str(REGISTRY),
            Self::Os(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the ring is full: a group has not acked enough"),
            Self::Timeout => {
                f.write_str("the ring stayed full for the whole time: a group has not acked enough")
            }
            Self::Closed => f.write_str("the queue is closed"),
            Self::TooLarge { len, max } => {
                write!(
                    f,
                    "a message of {len} bytes does not fit: this queue takes at most {max} (half its capacity)"
                )
            }
            Self::EventTooLong => f.write_str("an event name has at most 255 bytes"),
            Self::InvalidId => f.write_str("an id has 1 to 255 bytes"),
            Self::Corrupt => f.write_str(CORRUPT),
            Self::Forked => f.write_str(FORKED),
        }
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("no message now"),
            Self::Timeout => f.write_str("no message for the whole time"),
            Self::Closed => f.write_str("the queue is closed and drained"),
            Self::Lagged { missed } => {
                write!(f, "overrun; positions overwritten unseen: {missed}")
            }
            Self::Corrupt => f.write_str(CORRUPT),
            Self::Forked => f.write_str(FORKED),
        }
    }
}

impl fmt::Display for AckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forked => f.write_str(FORKED),
            Self::Invalid => f.write_str("the message is not held by this consumer"),
            Self::Timeout => f.write_str(REGISTRY),
            Self::Corrupt => f.write_str(CORRUPT),
            Self::DeadLetter(text) => {
                write!(f, "the dead-letter queue did not take the message: {text}")
            }
            Self::Os(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OpenError {}
impl std::error::Error for JoinError {}
impl std::error::Error for SendError {}
impl std::error::Error for RecvError {}
impl std::error::Error for AckError {}

impl From<io::Error> for JoinError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace(
                "no space left in the file system for the group's claim words (8 bytes a block)"
                    .into(),
            ),
            _ => Self::Os(error),
        }
    }
}
