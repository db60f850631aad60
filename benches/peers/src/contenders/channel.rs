//! crossbeam's bounded channel. Waiting is `send`'s and `recv`'s own.

use crossbeam_channel::{Receiver as Receiving, Sender as Sending, bounded};

use crate::Result;
use crate::message::Message;
use crate::peer::{Pause, Peer, Receiver, Sender, Setup};

/// A channel for each link.
pub struct Channels<M>(Vec<(Sending<M>, Receiving<M>)>);

impl<M: Message> Peer<M> for Channels<M> {
    type Tx = Sending<M>;
    type Rx = Receiving<M>;

    fn create(setup: &Setup) -> Result<Self> {
        Ok(Self((0..setup.links).map(|_| bounded(setup.slots)).collect()))
    }
    fn sender(&self, link: usize) -> Result<Self::Tx> {
        Ok(self.0[link].0.clone())
    }
    fn receiver(&self, link: usize, _: usize) -> Result<Self::Rx> {
        Ok(self.0[link].1.clone())
    }
}

impl<M: Message> Sender<M> for Sending<M> {
    #[inline(always)]
    fn send(&mut self, message: &[u8]) {
        Sending::send(self, M::from_bytes(message)).expect("a receiver is there");
    }
}

impl<M: Message> Receiver for Receiving<M> {
    #[inline(always)]
    fn poll(&mut self, read: &mut impl FnMut(&[u8])) -> bool {
        self.try_recv().map(|message| read(message.bytes())).is_ok()
    }
    #[inline(always)]
    fn wait(&mut self, _: Pause, read: &mut impl FnMut(&[u8])) {
        read(self.recv().expect("a sender is there").bytes());
    }
}
