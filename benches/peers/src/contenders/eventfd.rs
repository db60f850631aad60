//! An eventfd, whose counter is the stamp: the kernel's cheapest way to wake another process through a descriptor.

use std::fs::File;
use std::os::fd::OwnedFd;

use super::fd::{End, Inherited, owned};
use crate::Result;
use crate::message::Message;
use crate::peer::{Pause, Peer, Setup};

/// The only link.
pub struct Eventfd {
    fd: [OwnedFd; 1],
    pause: Pause,
}

impl<M: Message> Peer<M> for Eventfd {
    type Tx = End;
    type Rx = End;

    fn create(setup: &Setup) -> Result<Self> {
        // SAFETY: plain system call; without close-on-exec: other processes inherit it.
        let fd = [owned("eventfd", unsafe { libc::eventfd(0, 0) })?];
        fd.bequeath(setup, 0)?;
        Ok(Self { fd, pause: setup.pause })
    }
    fn open(setup: &Setup) -> Result<Self> {
        Ok(Self { fd: Inherited::inherit(setup, 0)?, pause: setup.pause })
    }
    fn sender(&self, _: usize) -> Result<End> {
        Ok(End::new::<M>(File::from(self.fd[0].try_clone()?), self.pause))
    }
    fn receiver(&self, link: usize, _: usize) -> Result<End> {
        <Self as Peer<M>>::sender(self, link)
    }
}
