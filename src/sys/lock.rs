//! Liveness: exclusive locks on single bytes of a file, one byte per member.
//!
//! They are open-file-description locks. The kernel frees one when the last descriptor of its
//! description is closed, so when the process dies, however it dies and in whatever PID
//! namespace it lived, after its memory is gone, and never while it is only stopped. (A classic
//! POSIX lock is lost as soon as the process closes *any* descriptor of the file.)
//!
//! Three things would share or pin a description, and are kept away from it here: a duplicate,
//! so each [`LockFile`] opens the file anew; a mapping, so it is never mapped; a fork, so it is
//! a [`GuardedFd`].

use core::ffi::{c_int, c_short};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::thread;
use std::time::{Duration, Instant};

use super::fork::GuardedFd;

/// Where the lockable bytes begin: far behind any data, so no other user of the file meets them.
const LOCK_BASE: u64 = 1 << 62;

/// An open file description for locks. Two of them conflict, also within one process; two
/// threads that use the same one do not.
pub(crate) struct LockFile {
    fd: GuardedFd,
}

impl LockFile {
    /// Opens `file` anew; it may have no name any more, or never have had one. Needs `/proc`,
    /// and permission to read and write the file.
    pub(crate) fn reopen(file: &File) -> io::Result<Self> {
        let path = super::proc_path(file.as_raw_fd())?;
        let fd = GuardedFd::open_with(|| super::open(&path, libc::O_RDWR))?;
        Ok(Self { fd })
    }

    /// Takes the lock of `byte`, or returns `false` if another description has it. Taking it
    /// again is `true`. In a forked child every call here is an error.
    pub(crate) fn try_lock(&self, byte: u64) -> io::Result<bool> {
        match set(self.fd.fd(), libc::F_WRLCK, byte) {
            Ok(()) => Ok(true),
            Err(error) => match error.raw_os_error() {
                Some(libc::EAGAIN | libc::EACCES) => Ok(false),
                _ => Err(error),
            },
        }
    }

    /// Takes the lock of `byte`, waiting in the kernel as long as another description has it.
    pub(crate) fn lock(&self, byte: u64) -> io::Result<()> {
        let start = LOCK_BASE.checked_add(byte).ok_or_else(too_far)?;
        set_range(self.fd.fd(), libc::F_OFD_SETLKW, libc::F_WRLCK, (start, 1))
    }

    /// Frees the lock of `byte`; no error if it wasn't held.
    pub(crate) fn unlock(&self, byte: u64) -> io::Result<()> {
        set(self.fd.fd(), libc::F_UNLCK, byte)
    }

    /// Tries for at least `limit` to take the lock of `byte`. Polls, because the kernel's own
    /// wait has no bound.
    pub(crate) fn lock_within(&self, byte: u64, limit: Duration) -> io::Result<bool> {
        let start = Instant::now();
        let mut pause = Duration::from_micros(50);
        loop {
            if self.try_lock(byte)? {
                return Ok(true);
            }
            let left = limit.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Ok(false);
            }
            thread::sleep(pause.min(left));
            pause = (pause * 2).min(Duration::from_millis(1));
        }
    }
}

impl Drop for LockFile {
    /// Frees all its locks at once, even if something keeps the description: a child that was
    /// forked this instant and has not run its handler, say.
    fn drop(&mut self) {
        if !self.fd.is_inherited() {
            // A length of 0 is everything behind the start.
            let _ = set_range(self.fd.fd(), libc::F_OFD_SETLK, libc::F_UNLCK, (LOCK_BASE, 0));
        }
    }
}

/// Does some description hold the lock of `byte`? For people: by the time it is read it may be otherwise. A file that is open
/// read-only will do.
pub(crate) fn is_held(file: &File, byte: u64) -> io::Result<bool> {
    let start = LOCK_BASE.checked_add(byte).ok_or_else(too_far)?;
    let mut lock = libc::flock {
        l_type: libc::F_WRLCK as c_short,
        l_whence: libc::SEEK_SET as c_short,
        l_start: start.try_into().map_err(|_| too_far())?,
        l_len: 1,
        l_pid: 0,
    };
    super::uninterrupted(|| {
        // SAFETY: F_OFD_GETLK reads and writes one `flock`, which lives until the call returns.
        super::check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) })
    })?;
    Ok(lock.l_type != libc::F_UNLCK as c_short)
}

/// Sets the lock of one byte to `kind`, without waiting.
fn set(fd: RawFd, kind: c_int, byte: u64) -> io::Result<()> {
    let start = LOCK_BASE.checked_add(byte).ok_or_else(too_far)?;
    set_range(fd, libc::F_OFD_SETLK, kind, (start, 1))
}

fn set_range(fd: RawFd, command: c_int, kind: c_int, (start, len): (u64, i64)) -> io::Result<()> {
    // `l_pid` must be 0 for this family.
    let lock = libc::flock {
        l_type: kind as c_short,
        l_whence: libc::SEEK_SET as c_short,
        l_start: start.try_into().map_err(|_| too_far())?,
        l_len: len,
        l_pid: 0,
    };
    super::uninterrupted(|| {
        // SAFETY: F_OFD_SETLK and F_OFD_SETLKW read one `flock`, which lives until the call returns.
        super::check(unsafe { libc::fcntl(fd, command, &raw const lock) })
    })?;
    Ok(())
}

fn too_far() -> io::Error {
    io::Error::from_raw_os_error(libc::EOVERFLOW)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::file;
    use crate::sys::testing::{Child, Folder};

    const SOON: Duration = Duration::from_secs(5);

    fn data() -> File {
        file::memfd(c"slipring-lock-test").unwrap()
    }

    #[test]
    fn two_descriptions_conflict_byte_by_byte() {
        let file = data();
        let (a, b) = (LockFile::reopen(&file).unwrap(), LockFile::reopen(&file).unwrap());
        assert!(a.try_lock(7).unwrap());
        assert!(a.try_lock(7).unwrap());
        assert!(!b.try_lock(7).unwrap());
        assert!(b.try_lock(8).unwrap());
        assert!(!a.try_lock(8).unwrap());
        a.unlock(7).unwrap();
        a.unlock(7).unwrap();
        assert!(b.try_lock(7).unwrap());
    }

    #[test]
    fn works_on_files_of_both_filesystems_unlinked_too() {
        for parent in ["/dev/shm", "/tmp"] {
            let folder = Folder::under(parent);
            let path = folder.path().join("q");
            let file = File::create_new(&path).unwrap();
            let a = LockFile::reopen(&file).unwrap();
            std::fs::remove_file(&path).unwrap();
            let b = LockFile::reopen(&file).unwrap();
            assert!(a.try_lock(0).unwrap());
            assert!(!b.try_lock(0).unwrap());
        }
    }

    #[test]
    fn waits_as_long_as_told_and_no_longer() {
        let file = data();
        let (a, b) = (LockFile::reopen(&file).unwrap(), LockFile::reopen(&file).unwrap());
        assert!(a.try_lock(1).unwrap());
        let start = Instant::now();
        assert!(!b.lock_within(1, Duration::from_millis(20)).unwrap());
        assert!(start.elapsed() >= Duration::from_millis(20));
        assert!(!b.lock_within(1, Duration::ZERO).unwrap());
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(10));
                a.unlock(1).unwrap();
            });
            assert!(b.lock_within(1, SOON).unwrap());
        });
    }

    #[test]
    fn a_byte_out_of_range_is_an_error() {
        let lock = LockFile::reopen(&data()).unwrap();
        assert!(lock.try_lock(u64::MAX).is_err());
        assert!(lock.try_lock(1 << 62).is_err());
        assert!(lock.try_lock((1 << 62) - 1).unwrap());
    }

    #[test]
    fn a_killed_process_frees_its_byte() {
        let file = data();
        let path = crate::sys::proc_path(file.as_raw_fd()).unwrap();
        let mine = LockFile::reopen(&file).unwrap();
        let child = Child::fork(|| {
            let own = crate::sys::open(&path, libc::O_RDWR).map(std::mem::ManuallyDrop::new);
            own.is_ok_and(|fd| set(fd.as_raw_fd(), libc::F_WRLCK, 3).is_ok())
        });
        assert!(child.said_yes());
        assert!(!mine.try_lock(3).unwrap());
        child.kill();
        assert!(mine.try_lock(3).unwrap());
    }

    #[test]
    fn a_stopped_process_keeps_its_byte() {
        let file = data();
        let path = crate::sys::proc_path(file.as_raw_fd()).unwrap();
        let mine = LockFile::reopen(&file).unwrap();
        let child = Child::fork(|| {
            let own = crate::sys::open(&path, libc::O_RDWR).map(std::mem::ManuallyDrop::new);
            own.is_ok_and(|fd| set(fd.as_raw_fd(), libc::F_WRLCK, 3).is_ok())
        });
        assert!(child.said_yes());
        child.stop();
        assert!(!mine.lock_within(3, Duration::from_millis(50)).unwrap());
    }

    #[test]
    fn dropping_frees_at_once_even_if_a_duplicate_lives() {
        let file = data();
        let (a, b) = (LockFile::reopen(&file).unwrap(), LockFile::reopen(&file).unwrap());
        assert!(a.try_lock(0).unwrap());
        assert!(a.try_lock(9).unwrap());
        // SAFETY: `a` is open.
        let borrowed = unsafe { std::os::fd::BorrowedFd::borrow_raw(a.fd.fd()) };
        let _duplicate = borrowed.try_clone_to_owned().unwrap();
        drop(a);
        assert!(b.try_lock(0).unwrap());
        assert!(b.try_lock(9).unwrap());
    }

    #[test]
    fn a_forked_child_does_not_keep_the_parents_byte() {
        let file = data();
        let path = crate::sys::proc_path(file.as_raw_fd()).unwrap();
        let open = || crate::sys::open(&path, libc::O_RDWR);
        // Closed without unlocking, as death does it; the plain one shows that the test can tell.
        let (guarded, plain) = (GuardedFd::open_with(open).unwrap(), open().unwrap());
        set(guarded.fd(), libc::F_WRLCK, 5).unwrap();
        set(plain.as_raw_fd(), libc::F_WRLCK, 6).unwrap();
        let mine = LockFile::reopen(&file).unwrap();

        let child = Child::fork(|| mine.try_lock(7).is_err());
        assert!(child.said_yes());
        assert!(!mine.try_lock(5).unwrap());
        drop(guarded);
        drop(plain);
        assert!(mine.lock_within(5, SOON).unwrap());
        assert!(!mine.try_lock(6).unwrap());
        child.kill();
        assert!(mine.lock_within(6, SOON).unwrap());
    }
}
