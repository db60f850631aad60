//! What goes wrong, and the exit code for it.

use crate::output;
use slipring::{AckError, JoinError, OpenError, RecvError, SendError, Status};
use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::process::ExitCode;

/// Why a command stops.
pub enum Failure {
    /// The reader of our standard output has gone (`| head`): no failure, and nothing to say.
    ReaderGone,
    /// Anything else.
    Said { code: u8, text: String },
}

pub type Done = Result<(), Failure>;

pub const FAILURE: u8 = 1;
pub const USAGE: u8 = 2;
pub const NOT_FOUND: u8 = 3;
pub const EMPTY: u8 = 4;
pub const CORRUPT: u8 = 6;

impl Failure {
    pub fn new(code: u8, text: impl Display) -> Self {
        Self::Said { code, text: text.to_string() }
    }

    /// What is said.
    pub fn into_text(self) -> String {
        match self {
            Self::ReaderGone => String::new(),
            Self::Said { text, .. } => text,
        }
    }

    /// An error of reading or writing something that is no queue.
    pub fn io(error: &io::Error, what: impl Display) -> Self {
        Self::new(FAILURE, format_args!("{what}: {error}"))
    }

    /// A file that cannot be read.
    pub fn reading(error: &io::Error, path: &Path) -> Self {
        match error.kind() {
            ErrorKind::NotFound => {
                Self::new(NOT_FOUND, format_args!("{}: no such file", path.display()))
            }
            _ => Self::io(error, path.display()),
        }
    }

    /// A file that cannot be made.
    pub fn making(error: &io::Error, path: &Path) -> Self {
        let directory = path.parent().filter(|_| error.kind() == ErrorKind::NotFound);
        match directory.map(Path::display) {
            Some(directory) => Self::new(
                NOT_FOUND,
                format_args!(
                    "{}: no directory {directory}; make it with `mkdir -p {directory}`",
                    path.display()
                ),
            ),
            None => Self::io(error, path.display()),
        }
    }
}

/// The exit code of a status.
pub fn code(status: Status) -> u8 {
    match status {
        Status::Ok => 0,
        Status::Invalid => USAGE,
        Status::NotFound => 3,
        Status::Empty | Status::Timeout => EMPTY,
        Status::Full => 5,
        Status::Corrupt | Status::Incompatible => 6,
        _ => FAILURE,
    }
}

/// Errors of the library.
pub trait Coded: Display {
    fn code(&self) -> u8;

    /// What to do next, where the error's own text does not say it.
    fn help(&self, _queue: &str) -> Option<String> {
        None
    }
}

fn begin_anew(queue: &str) -> Option<String> {
    Some(format!(
        "what waits can still be received; `slipring rm {queue}` and `slipring create {queue}` begin anew"
    ))
}

impl Coded for OpenError {
    fn code(&self) -> u8 {
        code(self.status())
    }

    fn help(&self, _queue: &str) -> Option<String> {
        let foreign = matches!(self, Self::Incompatible(why) if why.ends_with(')'));
        foreign.then(|| "see `slipring ls` for those there are".into())
    }
}

impl Coded for JoinError {
    fn code(&self) -> u8 {
        code(self.status())
    }

    fn help(&self, queue: &str) -> Option<String> {
        match self {
            Self::Closed => begin_anew(queue),
            Self::NotFound(_) => Some(format!("`slipring group ls {queue}` lists those there are")),
            Self::Lagged { .. } => Some("use --from earliest".into()),
            _ => None,
        }
    }
}

impl Coded for SendError {
    fn code(&self) -> u8 {
        match self {
            // It was the room that did not come.
            Self::Timeout => code(Status::Full),
            other => code(other.status()),
        }
    }

    fn help(&self, queue: &str) -> Option<String> {
        match self {
            Self::Closed => begin_anew(queue),
            Self::Full | Self::Timeout => Some(format!(
                "`slipring group ls {queue}` says which; receive from it, or drop it with `slipring group drop`"
            )),
            Self::EventTooLong => Some("shorten it, or put it into the message".into()),
            Self::TooLarge { .. } => Some("create one with a larger --capacity".into()),
            _ => None,
        }
    }
}

impl Coded for RecvError {
    fn code(&self) -> u8 {
        code(self.status())
    }

    fn help(&self, queue: &str) -> Option<String> {
        let idle = matches!(self, Self::Empty | Self::Timeout);
        idle.then(|| format!("does anybody send? `slipring stat {queue}` tells"))
    }
}

impl Coded for AckError {
    fn code(&self) -> u8 {
        code(self.status())
    }
}

/// Says which queue an error is about.
pub trait About<T> {
    fn about(self, queue: &str) -> Result<T, Failure>;
}

impl<T, E: Coded> About<T> for Result<T, E> {
    fn about(self, queue: &str) -> Result<T, Failure> {
        self.map_err(|error| {
            let text = error.to_string();
            let said =
                text.starts_with(&format!("{queue}:")) || text.starts_with(&format!("{queue:?}"));
            let text = if said { text } else { format!("{queue}: {text}") };
            let help = error.help(queue).map_or(String::new(), |help| format!("; {help}"));
            Failure::new(error.code(), format_args!("{text}{help}"))
        })
    }
}

/// Says on standard error what went wrong.
pub fn exit_code(done: Done) -> ExitCode {
    match done {
        Ok(()) | Err(Failure::ReaderGone) => ExitCode::SUCCESS,
        Err(Failure::Said { code, text }) => {
            output::say(text);
            ExitCode::from(code)
        }
    }
}
