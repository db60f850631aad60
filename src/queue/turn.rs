//! Turns: one process at a time does something, and another one takes over when it dies.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;

use super::create::{check_name, queue_dir};
use crate::error::OpenError;
use crate::sys;

/// A turn, which one holder at a time has. Its end, or the death of its process, gives it to another one.
///
/// ```no_run
/// use slipring::Turn;
///
/// let turn = Turn::try_take("collector")?.expect("nobody else has it");
/// assert!(Turn::try_take("collector")?.is_none());
/// drop(turn);
/// let turn = Turn::take("collector")?; // waits as long as somebody has it
/// # Ok::<(), slipring::OpenError>(())
/// ```
#[must_use = "dropped, it is over"]
pub struct Turn {
    _lock: sys::lock::LockFile,
}

impl Turn {
    /// Takes the turn of a name (as queues have) in the queues' directory, unless somebody has it.
    ///
    /// # Errors
    /// [`Invalid`](OpenError::Invalid): no such name can be. [`Permission`](OpenError::Permission), or another of the system's, about its file.
    pub fn try_take(name: &str) -> Result<Option<Self>, OpenError> {
        let lock = open(name)?;
        let taken = lock.try_lock(0).map_err(|error| OpenError::from_io(error, name))?;
        Ok(taken.then_some(Self { _lock: lock }))
    }

    /// Takes it, waiting as long as somebody has it: until that one lets it go or dies. (A stopped process keeps it.)
    ///
    /// # Errors
    /// As [`Turn::try_take`].
    pub fn take(name: &str) -> Result<Self, OpenError> {
        let lock = open(name)?;
        lock.lock(0).map_err(|error| OpenError::from_io(error, name))?;
        Ok(Self { _lock: lock })
    }
}

/// The file that is locked. It stays, so that all mean the same one; a queue's name never begins with a dot.
fn open(name: &str) -> Result<sys::lock::LockFile, OpenError> {
    check_name(name, "turn")?;
    let dir = queue_dir();
    let path = dir.join(format!(".{name}.turn"));
    let what = path.display().to_string();
    let open = || {
        sys::file::ensure_dir(&dir)?;
        let mut options = OpenOptions::new();
        let file =
            options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path)?;
        sys::lock::LockFile::reopen(&file)
    };
    open().map_err(|error| OpenError::from_io(error, &what))
}

impl std::fmt::Debug for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Turn").finish_non_exhaustive()
    }
}
