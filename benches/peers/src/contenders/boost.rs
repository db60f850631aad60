//! boost::interprocess::message_queue, through a few lines of C++ (boost.cpp). Spinning where nobody is to sleep: `try_send` and
//! `try_receive`; else `send` and `receive`.

use std::ffi::{CStr, CString, c_char, c_int, c_void};

use crate::message::Message;
use crate::peer::{Pause, Peer, Receiver, Sender, Setup};
use crate::{Error, Result};

unsafe extern "C" {
    fn peers_boost_open(name: *const c_char, depth: usize, size: usize) -> *mut c_void;
    fn peers_boost_close(queue: *mut c_void);
    fn peers_boost_send(queue: *mut c_void, bytes: *const u8, len: usize, sleeps: bool) -> c_int;
    fn peers_boost_receive(queue: *mut c_void, bytes: *mut u8, len: usize, sleeps: bool) -> c_int;
    fn peers_boost_error() -> *const c_char;
    fn peers_boost_version() -> *const c_char;
}

fn said() -> Error {
    // SAFETY: no conditions.
    let said = unsafe { peers_boost_error() };
    // SAFETY: a string of this thread, which no other call has touched since.
    unsafe { CStr::from_ptr(said) }.to_string_lossy().into()
}

/// As users write it.
pub fn version() -> String {
    // SAFETY: no conditions.
    let version = unsafe { peers_boost_version() };
    // SAFETY: a constant string.
    unsafe { CStr::from_ptr(version) }.to_string_lossy().replace('_', ".")
}

/// A named queue for each link.
pub struct Boost {
    names: Vec<CString>,
    sleeps: bool,
    pause: Pause,
}

/// One end, either one.
pub struct End {
    queue: *mut c_void,
    buffer: Vec<u8>,
    sleeps: bool,
    pause: Pause,
}

impl Boost {
    fn end(&self, link: usize, size: usize) -> Result<End> {
        // SAFETY: the name is a string.
        let queue = unsafe { peers_boost_open(self.names[link].as_ptr(), 0, 0) };
        if queue.is_null() {
            return Err(said());
        }
        Ok(End { queue, buffer: vec![0; size], sleeps: self.sleeps, pause: self.pause })
    }
}

impl<M: Message> Peer<M> for Boost {
    type Tx = End;
    type Rx = End;

    fn create(setup: &Setup) -> Result<Self> {
        let boost = <Self as Peer<M>>::open(setup)?;
        for name in &boost.names {
            // SAFETY: the name is a string.
            let queue = unsafe { peers_boost_open(name.as_ptr(), setup.slots, M::SIZE) };
            if queue.is_null() {
                return Err(said());
            }
            // SAFETY: opened just now, and used no more.
            unsafe { peers_boost_close(queue) };
        }
        Ok(boost)
    }
    fn open(setup: &Setup) -> Result<Self> {
        let name = |link| CString::new(format!("{}-{link}", setup.name));
        let names = (0..setup.links).map(name).collect::<std::result::Result<_, _>>()?;
        Ok(Self { names, sleeps: setup.sleeps, pause: setup.pause })
    }
    fn sender(&self, link: usize) -> Result<End> {
        self.end(link, M::SIZE)
    }
    fn receiver(&self, link: usize, _: usize) -> Result<End> {
        self.end(link, M::SIZE)
    }
}

impl<M: Message> Sender<M> for End {
    #[inline(always)]
    fn send(&mut self, message: &[u8]) {
        self.pause.until(|| {
            // SAFETY: an open queue and as many bytes as said.
            let sent = unsafe {
                peers_boost_send(self.queue, message.as_ptr(), message.len(), self.sleeps)
            };
            assert!(sent >= 0, "{}", said());
            sent > 0
        });
    }
}

impl Receiver for End {
    #[inline(always)]
    fn poll(&mut self, read: &mut impl FnMut(&[u8])) -> bool {
        let (bytes, len) = (self.buffer.as_mut_ptr(), self.buffer.len());
        // SAFETY: an open queue and as many bytes as said.
        let received = unsafe { peers_boost_receive(self.queue, bytes, len, self.sleeps) };
        assert!(received >= 0, "{}", said());
        if received > 0 {
            read(&self.buffer);
        }
        received > 0
    }
}

impl Drop for End {
    fn drop(&mut self) {
        // SAFETY: opened by `end`, closed once.
        unsafe { peers_boost_close(self.queue) };
    }
}
