//! What goes wrong, as a status of HTTP and a reason.

use std::fmt::Display;
use std::io;

use crate::{AckError, JoinError, OpenError, RecvError, SendError, Status};

/// A request that can't be done.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: u16,
    pub(super) reason: String,
}

impl Problem {
    pub(super) fn new(status: u16, reason: impl Display) -> Self {
        Self { status, reason: reason.to_string() }
    }

    /// It may work a little later.
    pub(super) fn is_passing(&self) -> bool {
        self.status == 503
    }

    fn of(status: Status, reason: impl Display) -> Self {
        let status = match status {
            Status::NotFound => 404,
            Status::Closed => 410,
            Status::TooLarge => 413,
            Status::Invalid => 400,
            Status::Full | Status::Limit | Status::Timeout => 503,
            Status::Exists | Status::Incompatible | Status::Lagged => 409,
            Status::Permission => 403,
            Status::NoSpace => 507,
            _ => 500,
        };
        Self::new(status, reason)
    }
}

macro_rules! of_the_library {
    ($($error:ty)*) => { $(
        impl From<$error> for Problem {
            fn from(error: $error) -> Self {
                Self::of(error.status(), error)
            }
        }
    )* };
}

of_the_library! { OpenError JoinError SendError RecvError AckError }

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self::new(503, error)
    }
}
