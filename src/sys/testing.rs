//! What the tests of this room share.

use std::fs;
use std::io::{PipeReader, Read};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use super::file;

/// A forked child. Killed and reaped when dropped.
pub(crate) struct Child {
    pid: libc::pid_t,
    word: PipeReader,
}

impl Child {
    /// Forks. The child runs `body` (async-signal-safe calls only), says what it returned, and
    /// sleeps until it is killed.
    pub(crate) fn fork(body: impl FnOnce() -> bool) -> Self {
        let (word, say) = std::io::pipe().unwrap();
        // SAFETY: the child calls async-signal-safe functions only, and never returns.
        let pid = unsafe { libc::fork() };
        assert_ne!(pid, -1);
        if pid == 0 {
            // SAFETY: takes no pointers.
            unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
            let word = u8::from(body());
            // SAFETY: one byte is read from a live local.
            unsafe { libc::write(say.as_raw_fd(), (&raw const word).cast(), 1) };
            loop {
                // SAFETY: takes no arguments.
                unsafe { libc::pause() };
            }
        }
        Self { pid, word }
    }

    /// Waits until `body` returned, and tells what.
    pub(crate) fn said_yes(&self) -> bool {
        let mut word = [0];
        (&self.word).read_exact(&mut word).unwrap();
        word == [1]
    }

    /// Stops the process, as a debugger or a job control shell would.
    pub(crate) fn stop(&self) {
        // SAFETY: `pid` is our child and not yet reaped.
        unsafe { libc::kill(self.pid, libc::SIGSTOP) };
    }

    /// `kill -9`, and waits until the process is gone.
    pub(crate) fn kill(self) {}
}

impl Drop for Child {
    fn drop(&mut self) {
        // SAFETY: `pid` is our child and not yet reaped.
        unsafe { libc::kill(self.pid, libc::SIGKILL) };
        // SAFETY: a null status pointer is allowed.
        unsafe { libc::waitpid(self.pid, std::ptr::null_mut(), 0) };
    }
}

/// A folder that goes when dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// A new folder under `parent`.
    pub(crate) fn under(parent: &str) -> Self {
        let path = Path::new(parent).join(format!("slipring-sys-{:016x}", file::random_u64()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// A new folder on tmpfs.
    pub(crate) fn new() -> Self {
        Self::under("/dev/shm")
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Whether `poll` finds `fd` readable within `limit_ms`.
pub(crate) fn readable(fd: impl AsRawFd, limit_ms: i32) -> bool {
    let mut entry = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one live entry.
    let ready = unsafe { libc::poll(&mut entry, 1, limit_ms) };
    ready == 1 && entry.revents & libc::POLLIN != 0
}
