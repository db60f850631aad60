//! A doorbell for event loops: a descriptor that another process makes readable, without a
//! helper thread.
//!
//! It is a FIFO with a name beside the queue, so a ringer needs the name and no connection. The
//! owner holds it open for reading *and* writing: it never sees an end of file. An epoll
//! descriptor in front of it adds a timer, so that a ringer that is killed before it rings only
//! delays. A nested epoll descriptor can be polled like any other, edge-triggered too.
//!
//! The owner's order is: [`Bell::clear`], then announce that it waits, then look at the queue
//! again, and only then go back to its event loop. A ring after `clear` is a new edge.

use core::ffi::{CStr, c_int};
use core::ptr;
use core::time::Duration;
use std::ffi::CString;
use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

use super::fork::{self, GuardedFd};

/// A bell that others [`ring`]. In a forked child it is dead: it reads, arms and removes nothing.
///
/// Drop it before giving up the right to its name, or it removes the next owner's.
pub(crate) struct Bell {
    // Dropped first: ringers find no name before they find no reader.
    _name: Name,
    fifo: GuardedFd,
    timer: GuardedFd,
    epoll: OwnedFd,
}

impl Bell {
    /// Hangs up the bell `name` in `dir`, replacing what a dead owner left there. `mode` is
    /// exact, whatever the umask; ringers need read and write permission.
    pub(crate) fn create(dir: &Path, name: &str, mode: u32) -> io::Result<Self> {
        fork::install()?;
        let name = Name::make(place(dir, name)?, mode)?;
        let fifo = GuardedFd::open_with(|| {
            let fifo = open_fifo(&name.path, libc::O_RDWR)?;
            fifo.set_permissions(Permissions::from_mode(mode))?;
            Ok(fifo.into())
        })?;
        let timer = GuardedFd::open_with(new_timer)?;
        // SAFETY: takes no pointers.
        let epoll = owned(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        watch(&epoll, fifo.fd())?;
        watch(&epoll, timer.fd())?;
        Ok(Self { _name: name, fifo, timer, epoll })
    }

    /// What to poll for reading. Not to be read from.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }

    /// Makes the bell ring by itself after `bound`, once, instead of at the time armed before.
    pub(crate) fn arm(&self, bound: Duration) {
        // A time of zero would disarm it.
        let value = super::timespec(bound.max(Duration::from_nanos(1)));
        let once =
            libc::itimerspec { it_interval: super::timespec(Duration::ZERO), it_value: value };
        // SAFETY: the new time outlives the call, and the old one isn't asked for.
        let _ = unsafe { libc::timerfd_settime(self.timer.fd(), 0, &once, ptr::null_mut()) };
    }

    /// Makes it silent again. A timer that hasn't expired stays armed.
    pub(crate) fn clear(&self) {
        let mut rings = [0; 4096];
        // Bounded: a FIFO holds 64 KiB, and someone may be ringing faster than we read.
        for _ in 0..32 {
            if read(self.fifo.fd(), &mut rings) < rings.len() {
                break;
            }
        }
        read(self.timer.fd(), &mut [0; 8]);
    }
}

/// Rings the bell `name` in `dir`. `false` if nobody has hung one up, or its owner is dead; a
/// hint, since the owner may die at any time, and another ringer may look like an owner.
pub(crate) fn ring(dir: &Path, name: &str) -> io::Result<bool> {
    let path = place(dir, name)?;
    // If the owner died after the first look, a write would raise SIGPIPE. Through a description
    // that is itself a reader it can't. Whoever has the name by then is rung in his place.
    let both = open_fifo(&path, libc::O_WRONLY).and_then(|_| open_fifo(&path, libc::O_RDWR));
    let safe = match both {
        Err(error) => match error.raw_os_error() {
            Some(libc::ENXIO | libc::ENOENT) => return Ok(false),
            _ => return Err(error),
        },
        Ok(fifo) => fifo,
    };
    match super::uninterrupted(|| (&safe).write(&[1])) {
        Ok(_) => Ok(true),
        // Full: it has been rung often enough.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
        Err(error) => Err(error),
    }
}

/// A FIFO's name, removed when dropped by the process that made it.
struct Name {
    path: CString,
    generation: u32,
}

impl Name {
    fn make(path: CString, mode: u32) -> io::Result<Self> {
        unlink(&path);
        // SAFETY: `path` is NUL-terminated and outlives the call.
        super::check(unsafe { libc::mkfifo(path.as_ptr(), mode) })?;
        Ok(Self { path, generation: fork::generation() })
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        if self.generation == fork::generation() {
            unlink(&self.path);
        }
    }
}

fn unlink(path: &CStr) {
    // SAFETY: `path` is NUL-terminated and outlives the call.
    let _ = unsafe { libc::unlink(path.as_ptr()) };
}

/// The path of a bell; its name must be a plain file name.
fn place(dir: &Path, name: &str) -> io::Result<CString> {
    if matches!(name, "" | "." | "..") || name.contains('/') {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a plain file name"));
    }
    super::c_path(&dir.join(name))
}

/// Opens a FIFO without waiting for its other end; anything else in its place is `EINVAL`.
/// Allocates nothing, so that it may run while forks are held off.
fn open_fifo(path: &CStr, access: c_int) -> io::Result<File> {
    let flags = access | libc::O_NONBLOCK | libc::O_NOFOLLOW | libc::O_NOCTTY;
    let file = File::from(super::open(path, flags)?);
    if file.metadata()?.file_type().is_fifo() {
        Ok(file)
    } else {
        Err(io::Error::from_raw_os_error(libc::EINVAL))
    }
}

fn new_timer() -> io::Result<OwnedFd> {
    let flags = libc::TFD_NONBLOCK | libc::TFD_CLOEXEC;
    // SAFETY: takes no pointers.
    owned(unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, flags) })
}

/// Takes charge of a descriptor that a system call just made, or of its error.
fn owned(result: c_int) -> io::Result<OwnedFd> {
    let fd = super::check(result)?;
    // SAFETY: callers pass what the kernel just returned, which nobody else knows.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Makes `epoll` readable while `fd` is.
fn watch(epoll: &OwnedFd, fd: RawFd) -> io::Result<()> {
    let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
    let (epoll, add) = (epoll.as_raw_fd(), libc::EPOLL_CTL_ADD);
    // SAFETY: the event outlives the call.
    super::check(unsafe { libc::epoll_ctl(epoll, add, fd, &mut event) })?;
    Ok(())
}

/// Reads what there is, without waiting. An error is nothing.
fn read(fd: RawFd, into: &mut [u8]) -> usize {
    // SAFETY: the kernel writes at most `into.len()` bytes into `into`.
    let got = unsafe { libc::read(fd, into.as_mut_ptr().cast(), into.len()) };
    usize::try_from(got).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::testing::{Child, Folder, readable};
    use std::fs;
    use std::os::unix::fs::MetadataExt;
    use std::time::Instant;

    fn hang(folder: &Folder) -> Bell {
        Bell::create(folder.path(), "bell", 0o666).unwrap()
    }

    #[test]
    fn rings_until_cleared() {
        let folder = Folder::new();
        let bell = hang(&folder);
        assert!(!readable(bell.fd(), 0));
        for _ in 0..3 {
            assert!(ring(folder.path(), "bell").unwrap());
            assert!(ring(folder.path(), "bell").unwrap());
            assert!(readable(bell.fd(), 1000));
            assert!(readable(bell.fd(), 0));
            bell.clear();
            assert!(!readable(bell.fd(), 0));
        }
    }

    #[test]
    fn the_timer_rings_once() {
        let folder = Folder::new();
        let bell = hang(&folder);
        let start = Instant::now();
        bell.arm(Duration::from_millis(20));
        assert!(readable(bell.fd(), 5000));
        assert!(start.elapsed() >= Duration::from_millis(20));
        bell.clear();
        assert!(!readable(bell.fd(), 50));
        bell.arm(Duration::ZERO);
        assert!(readable(bell.fd(), 5000));
        bell.arm(Duration::MAX);
        assert!(!readable(bell.fd(), 20));
    }

    /// One edge-triggered look, as mio does it.
    fn edges(outer: &OwnedFd, limit_ms: c_int) -> c_int {
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        // SAFETY: room for one event.
        unsafe { libc::epoll_wait(outer.as_raw_fd(), &mut event, 1, limit_ms) }
    }

    #[test]
    fn each_ring_after_a_clear_is_a_new_edge() {
        let folder = Folder::new();
        let bell = hang(&folder);
        // SAFETY: takes no pointers.
        let outer = owned(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) }).unwrap();
        let mut event =
            libc::epoll_event { events: (libc::EPOLLIN | libc::EPOLLET) as u32, u64: 0 };
        let (fd, add) = (bell.fd().as_raw_fd(), libc::EPOLL_CTL_ADD);
        // SAFETY: the event outlives the call.
        let added = unsafe { libc::epoll_ctl(outer.as_raw_fd(), add, fd, &mut event) };
        assert_eq!(added, 0);
        assert_eq!(edges(&outer, 0), 0);
        for _ in 0..3 {
            assert!(ring(folder.path(), "bell").unwrap());
            assert_eq!(edges(&outer, 1000), 1);
            assert_eq!(edges(&outer, 0), 0);
            bell.clear();
            assert_eq!(edges(&outer, 0), 0);
        }
        for _ in 0..3 {
            bell.arm(Duration::from_millis(1));
            assert_eq!(edges(&outer, 1000), 1);
            bell.clear();
            assert_eq!(edges(&outer, 0), 0);
        }
    }

    #[test]
    fn a_full_bell_has_been_rung() {
        let folder = Folder::new();
        let bell = hang(&folder);
        let path = crate::sys::c_path(&folder.path().join("bell")).unwrap();
        let fifo = open_fifo(&path, libc::O_RDWR).unwrap();
        while (&fifo).write(&[0; 4096]).is_ok() {}
        while (&fifo).write(&[0]).is_ok() {}
        assert!(ring(folder.path(), "bell").unwrap());
        bell.clear();
        assert!(!readable(bell.fd(), 0));
    }

    /// Whether ringing soon finds nobody. Children that other tests fork hold every FIFO for the
    /// instant until their handler runs.
    fn silent(folder: &Folder, name: &str) -> bool {
        (0..5000).any(|_| {
            std::thread::sleep(Duration::from_millis(1));
            !ring(folder.path(), name).unwrap()
        })
    }

    #[test]
    fn nobody_there_is_false() {
        let folder = Folder::new();
        assert!(!ring(folder.path(), "bell").unwrap());
        let bell = hang(&folder);
        // Keeps the FIFO file, as a kill would.
        let left = folder.path().join("left");
        fs::hard_link(folder.path().join("bell"), &left).unwrap();
        drop(bell);
        assert!(!folder.path().join("bell").exists());
        assert!(silent(&folder, "left"));
        drop(Bell::create(folder.path(), "left", 0o600).unwrap());
        assert!(!left.exists());
    }

    #[test]
    fn what_is_no_fifo_is_not_written_to() {
        let folder = Folder::new();
        fs::write(folder.path().join("file"), b"").unwrap();
        std::os::unix::fs::symlink("bell", folder.path().join("link")).unwrap();
        let _bell = hang(&folder);
        for name in ["file", "link", "", "..", "a/b", "/dev/null", "a\0b"] {
            assert!(ring(folder.path(), name).is_err(), "{name:?}");
        }
        assert_eq!(fs::read(folder.path().join("file")).unwrap(), b"");
    }

    #[test]
    fn the_mode_is_exact() {
        let folder = Folder::new();
        let _bell = hang(&folder);
        let mode = fs::metadata(folder.path().join("bell")).unwrap().mode();
        assert_eq!(mode & 0o7777, 0o666);
    }

    #[test]
    fn a_forked_child_neither_holds_nor_disturbs_it() {
        let folder = Folder::new();
        let bell = hang(&folder);
        let left = folder.path().join("left");
        fs::hard_link(folder.path().join("bell"), &left).unwrap();
        assert!(ring(folder.path(), "bell").unwrap());
        let child = Child::fork(|| {
            bell.clear();
            bell.arm(Duration::from_nanos(1));
            // SAFETY: the child drops its copy once, and never returns to the real owner.
            drop(unsafe { ptr::read(&bell) });
            true
        });
        assert!(child.said_yes());
        assert!(folder.path().join("bell").exists());
        assert!(readable(bell.fd(), 0));
        bell.clear();
        assert!(!readable(bell.fd(), 20));
        drop(bell);
        assert!(silent(&folder, "left"));
        child.kill();
    }

    #[test]
    fn a_ringer_never_finds_a_broken_pipe() {
        // Rust programs ignore SIGPIPE, so here it would show as an error of `ring`.
        let folder = Folder::new();
        std::thread::scope(|scope| {
            let owner = scope.spawn(|| (0..2000).for_each(|_| drop(hang(&folder))));
            while !owner.is_finished() {
                ring(folder.path(), "bell").unwrap();
            }
        });
    }
}
