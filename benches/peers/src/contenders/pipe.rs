//! A pipe of 1 MiB (a named one, which is the same but for how it is found).

use std::ffi::CString;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use super::fd::End;
use crate::message::Message;
use crate::peer::{Pause, Peer, Setup};
use crate::{Result, sys};

const CAPACITY: i32 = 1 << 20;

/// A named pipe for each link.
pub struct Pipes {
    paths: Vec<PathBuf>,
    sleeps: bool,
    pause: Pause,
}

impl Pipes {
    /// Open for both, so that neither waits for the other.
    fn end<M: Message>(&self, link: usize) -> Result<End> {
        let wait = if self.sleeps { 0 } else { libc::O_NONBLOCK };
        let file = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(wait)
            .open(&self.paths[link])?;
        // SAFETY: plain system call on an open pipe; refused above the system's limit, and then 64 KiB have to do.
        unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETPIPE_SZ, CAPACITY) };
        Ok(End::new::<M>(file, self.pause))
    }
}

impl<M: Message> Peer<M> for Pipes {
    type Tx = End;
    type Rx = End;

    fn create(setup: &Setup) -> Result<Self> {
        let pipes = <Self as Peer<M>>::open(setup)?;
        for path in &pipes.paths {
            let path = CString::new(path.to_string_lossy().as_bytes())?;
            // SAFETY: the path is a string.
            if unsafe { libc::mkfifo(path.as_ptr(), 0o600) } != 0 {
                return Err(sys::last_error("mkfifo"));
            }
        }
        Ok(pipes)
    }
    fn open(setup: &Setup) -> Result<Self> {
        let paths = (0..setup.links).map(|link| setup.link(link)).collect();
        Ok(Self { paths, sleeps: setup.sleeps, pause: setup.pause })
    }
    fn sender(&self, link: usize) -> Result<End> {
        self.end::<M>(link)
    }
    fn receiver(&self, link: usize, _: usize) -> Result<End> {
        self.end::<M>(link)
    }
}
