//! What pipes, sockets and eventfds have in common: messages go through a file descriptor, which blocks only where the receiver is to
//! sleep.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use crate::message::Message;
use crate::peer::{Pause, Receiver, Sender, Setup};
use crate::{Result, sys};

/// Takes what a system call has returned.
pub fn owned(what: &str, fd: RawFd) -> Result<OwnedFd> {
    if fd < 0 {
        return Err(sys::last_error(what));
    }
    // SAFETY: the system gave it to us, and nobody else in this process knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A link's descriptors, which processes inherit from the one that made them; a file tells them the numbers.
pub trait Inherited: Sized {
    fn bequeath(&self, setup: &Setup, link: usize) -> Result<()>;
    fn inherit(setup: &Setup, link: usize) -> Result<Self>;
}

impl<const N: usize> Inherited for [OwnedFd; N] {
    fn bequeath(&self, setup: &Setup, link: usize) -> Result<()> {
        let numbers = self.each_ref().map(|fd| fd.as_raw_fd().to_string());
        Ok(std::fs::write(setup.link(link), numbers.join(" "))?)
    }
    fn inherit(setup: &Setup, link: usize) -> Result<Self> {
        let numbers = std::fs::read_to_string(setup.link(link))?;
        let fds = numbers.split(' ').map(|number| owned("inherit", number.parse()?));
        let fds: Vec<OwnedFd> = fds.collect::<Result<_>>()?;
        fds.try_into().map_err(|_| "another number of descriptors".into())
    }
}

/// One end, either one.
pub struct End {
    file: File,
    buffer: Vec<u8>,
    pause: Pause,
}

/// How much was moved; none if that would block.
fn moved(result: io::Result<usize>) -> usize {
    match result {
        Ok(0) => panic!("the other side has gone"),
        Ok(moved) => moved,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
        Err(error) => panic!("{error}"),
    }
}

impl End {
    /// Of an open descriptor.
    pub fn new<M: Message>(file: File, pause: Pause) -> Self {
        Self { file, buffer: vec![0; M::SIZE], pause }
    }
}

impl<M: Message> Sender<M> for End {
    #[inline(always)]
    fn send(&mut self, message: &[u8]) {
        let mut rest = message;
        self.pause.until(|| {
            rest = &rest[moved(self.file.write(rest))..];
            rest.is_empty()
        });
    }
}

impl Receiver for End {
    #[inline(always)]
    fn poll(&mut self, read: &mut impl FnMut(&[u8])) -> bool {
        let mut got = moved(self.file.read(&mut self.buffer));
        if got == 0 {
            return false;
        }
        // The rest of a long message is on its way.
        self.pause.until(|| {
            if got < self.buffer.len() {
                got += moved(self.file.read(&mut self.buffer[got..]));
            }
            got == self.buffer.len()
        });
        read(&self.buffer);
        true
    }
}
