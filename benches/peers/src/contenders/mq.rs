//! POSIX message queues. As deep as the system allows, which without privileges is ten messages of 8 KiB at most. Spinning on
//! queues that do not block, except where the receiver is to sleep.

use std::ffi::CString;
use std::io;

use crate::message::Message;
use crate::peer::{Pause, Peer, Receiver, Sender, Setup};
use crate::{Result, sys};

/// What the system allows to anybody, unless it was told otherwise.
const SHALLOW: usize = 10;
/// What it allows at most to somebody with privileges, as far as is useful here.
const DEEP: usize = 1024;

/// A named queue for each link.
pub struct Queues {
    names: Vec<CString>,
    sleeps: bool,
    pause: Pause,
}

/// One end, either one.
pub struct End {
    queue: libc::mqd_t,
    buffer: Vec<u8>,
    pause: Pause,
}

fn open(name: &CString, sleeps: bool, new: Option<(usize, usize)>) -> io::Result<libc::mqd_t> {
    let wait = if sleeps { 0 } else { libc::O_NONBLOCK };
    let queue = match new {
        // SAFETY: the name is a string.
        None => unsafe { libc::mq_open(name.as_ptr(), libc::O_RDWR | wait) },
        Some((depth, size)) => {
            // SAFETY: all zeros are valid attributes.
            let mut attributes: libc::mq_attr = unsafe { std::mem::zeroed() };
            (attributes.mq_maxmsg, attributes.mq_msgsize) = (depth as _, size as _);
            let how = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL | wait;
            // SAFETY: the name is a string, and the attributes live until the call returns.
            unsafe { libc::mq_open(name.as_ptr(), how, 0o600, &raw const attributes) }
        }
    };
    if queue < 0 { Err(io::Error::last_os_error()) } else { Ok(queue) }
}

impl<M: Message> Peer<M> for Queues {
    type Tx = End;
    type Rx = End;

    fn create(setup: &Setup) -> Result<Self> {
        let all = libc::RLIM_INFINITY;
        let limit = libc::rlimit { rlim_cur: all, rlim_max: all };
        // SAFETY: the limit lives until the call returns. Refused without privileges, and then ten messages may still do.
        unsafe { libc::setrlimit(libc::RLIMIT_MSGQUEUE, &raw const limit) };
        let queues = <Self as Peer<M>>::open(setup)?;
        for name in &queues.names {
            let deep = open(name, false, Some((setup.slots.min(DEEP), M::SIZE)));
            let queue = deep.or_else(|_| open(name, false, Some((SHALLOW, M::SIZE))));
            let queue = queue.map_err(|error| {
                format!("mq_open: {error} (see fs.mqueue.msgsize_max and ulimit -q)")
            })?;
            // SAFETY: opened just now, and used no more.
            unsafe { libc::mq_close(queue) };
        }
        Ok(queues)
    }
    fn open(setup: &Setup) -> Result<Self> {
        let names = (0..setup.links).map(|link| name(&setup.name, link)).collect::<Result<_>>()?;
        Ok(Self { names, sleeps: setup.sleeps, pause: setup.pause })
    }
    fn sender(&self, link: usize) -> Result<End> {
        let queue = open(&self.names[link], self.sleeps, None)?;
        Ok(End { queue, buffer: vec![0; M::SIZE], pause: self.pause })
    }
    fn receiver(&self, link: usize, _: usize) -> Result<End> {
        <Self as Peer<M>>::sender(self, link)
    }
}

fn name(of: &str, link: usize) -> Result<CString> {
    Ok(CString::new(format!("/{of}-{link}"))?)
}

/// Removes the queues of a piece of work, also of one that has died.
pub fn remove(of: &str) {
    for name in (0..2).flat_map(|link| name(of, link)) {
        // SAFETY: the name is a string.
        unsafe { libc::mq_unlink(name.as_ptr()) };
    }
}

/// Whether it was done; if not, then there is nothing, or no room.
fn done(what: &str, result: isize) -> bool {
    let later = || io::Error::last_os_error().kind() == io::ErrorKind::WouldBlock;
    assert!(result >= 0 || later(), "{}", sys::last_error(what));
    result >= 0
}

impl<M: Message> Sender<M> for End {
    #[inline(always)]
    fn send(&mut self, message: &[u8]) {
        self.pause.until(|| {
            // SAFETY: an open queue and as many bytes as said.
            let sent =
                unsafe { libc::mq_send(self.queue, message.as_ptr().cast(), message.len(), 0) };
            done("mq_send", sent as isize)
        });
    }
}

impl Receiver for End {
    #[inline(always)]
    fn poll(&mut self, read: &mut impl FnMut(&[u8])) -> bool {
        let (bytes, len) = (self.buffer.as_mut_ptr().cast(), self.buffer.len());
        // SAFETY: an open queue and as many bytes as said.
        let received = unsafe { libc::mq_receive(self.queue, bytes, len, std::ptr::null_mut()) };
        let received = done("mq_receive", received);
        if received {
            read(&self.buffer);
        }
        received
    }
}

impl Drop for End {
    fn drop(&mut self) {
        // SAFETY: opened by `sender`, closed once.
        unsafe { libc::mq_close(self.queue) };
    }
}
