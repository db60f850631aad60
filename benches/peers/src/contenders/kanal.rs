//! kanal's bounded channel. Waiting is `send`'s and `recv`'s own; batches are received with `drain_into`, as its documentation
//! shows, and sent one by one, as it has nothing else.

use kanal::{Receiver as Receiving, Sender as Sending, bounded};

use crate::Result;
use crate::message::Message;
use crate::peer::{Pause, Peer, Receiver, Sender, Setup};

/// A channel for each link.
pub struct Channels<M>(Vec<(Sending<M>, Receiving<M>)>);

/// The end that receives.
pub struct Draining<M> {
    rx: Receiving<M>,
    drained: Vec<M>,
}

impl<M: Message> Peer<M> for Channels<M> {
    type Tx = Sending<M>;
    type Rx = Draining<M>;

    fn create(setup: &Setup) -> Result<Self> {
        Ok(Self((0..setup.links).map(|_| bounded(setup.slots)).collect()))
    }
    fn sender(&self, link: usize) -> Result<Self::Tx> {
        Ok(self.0[link].0.clone())
    }
    fn receiver(&self, link: usize, _: usize) -> Result<Self::Rx> {
        Ok(Draining { rx: self.0[link].1.clone(), drained: Vec::new() })
    }
}

impl<M: Message> Sender<M> for Sending<M> {
    #[inline(always)]
    fn send(&mut self, message: &[u8]) {
        Sending::send(self, M::from_bytes(message)).expect("a receiver is there");
    }
}

impl<M: Message> Receiver for Draining<M> {
    #[inline(always)]
    fn poll(&mut self, read: &mut impl FnMut(&[u8])) -> bool {
        let message = self.rx.try_recv().expect("a sender is there");
        message.map(|message| read(message.bytes())).is_some()
    }
    #[inline(always)]
    fn poll_batch(&mut self, read: &mut impl FnMut(&[u8])) -> bool {
        self.rx.drain_into(&mut self.drained).expect("a sender is there");
        let some = !self.drained.is_empty();
        self.drained.drain(..).for_each(|message| read(message.bytes()));
        some
    }
    #[inline(always)]
    fn wait(&mut self, _: Pause, read: &mut impl FnMut(&[u8])) {
        read(self.rx.recv().expect("a sender is there").bytes());
    }
    #[inline(always)]
    fn wait_batch(&mut self, pause: Pause, read: &mut impl FnMut(&[u8])) {
        if !self.poll_batch(read) {
            self.wait(pause, read);
        }
    }
}
