//! Unix domain sockets that keep messages apart (`SOCK_SEQPACKET`), a pair for each link, with the system's own buffer sizes.

use std::fs::File;
use std::os::fd::OwnedFd;

use super::fd::{End, Inherited, owned};
use crate::Result;
use crate::message::Message;
use crate::peer::{Pause, Peer, Setup};

/// A pair for each link.
pub struct Sockets {
    /// By link: the end to send with, and the one to receive with.
    pairs: Vec<[OwnedFd; 2]>,
    pause: Pause,
}

/// Without close-on-exec: other processes inherit it.
fn pair(sleeps: bool) -> Result<[OwnedFd; 2]> {
    let kind = libc::SOCK_SEQPACKET | if sleeps { 0 } else { libc::SOCK_NONBLOCK };
    let mut fds = [-1; 2];
    // SAFETY: room for two.
    unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, fds.as_mut_ptr()) };
    let [tx, rx] = fds.map(|fd| owned("socketpair", fd));
    Ok([tx?, rx?])
}

impl<M: Message> Peer<M> for Sockets {
    type Tx = End;
    type Rx = End;

    fn create(setup: &Setup) -> Result<Self> {
        let pairs = (0..setup.links).map(|_| pair(setup.sleeps)).collect::<Result<Vec<_>>>()?;
        pairs.iter().enumerate().try_for_each(|(link, pair)| pair.bequeath(setup, link))?;
        Ok(Self { pairs, pause: setup.pause })
    }
    fn open(setup: &Setup) -> Result<Self> {
        let pairs =
            (0..setup.links).map(|link| Inherited::inherit(setup, link)).collect::<Result<_>>()?;
        Ok(Self { pairs, pause: setup.pause })
    }
    fn sender(&self, link: usize) -> Result<End> {
        Ok(End::new::<M>(File::from(self.pairs[link][0].try_clone()?), self.pause))
    }
    fn receiver(&self, link: usize, _: usize) -> Result<End> {
        Ok(End::new::<M>(File::from(self.pairs[link][1].try_clone()?), self.pause))
    }
}
