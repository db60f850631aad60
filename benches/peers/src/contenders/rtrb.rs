//! rtrb: a ring of values for one sender and one receiver. One by one with `push` and `pop`, in batches with chunks.

use rtrb::{Consumer, Producer, RingBuffer};

use crate::Result;
use crate::message::Message;
use crate::peer::{Ends, Pause, Peer, Receiver, Sender, Setup, batch_of};

/// A ring for each link.
pub struct Rtrb<M> {
    senders: Ends<Pushing<M>>,
    receivers: Ends<Consumer<M>>,
}

/// The end that sends.
pub struct Pushing<M> {
    tx: Producer<M>,
    pause: Pause,
}

impl<M: Message> Peer<M> for Rtrb<M> {
    type Tx = Pushing<M>;
    type Rx = Consumer<M>;

    fn create(setup: &Setup) -> Result<Self> {
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..setup.links)
            .map(|_| {
                let (tx, rx) = RingBuffer::new(setup.slots);
                (Pushing { tx, pause: setup.pause }, rx)
            })
            .unzip();
        Ok(Self {
            senders: senders.into_iter().collect(),
            receivers: receivers.into_iter().collect(),
        })
    }
    fn sender(&self, link: usize) -> Result<Self::Tx> {
        self.senders.take(link)
    }
    fn receiver(&self, link: usize, _: usize) -> Result<Self::Rx> {
        self.receivers.take(link)
    }
}

impl<M: Message> Sender<M> for Pushing<M> {
    #[inline(always)]
    fn send(&mut self, message: &[u8]) {
        let message = M::from_bytes(message);
        self.pause.until(|| self.tx.push(message).is_ok());
    }
    #[inline(always)]
    fn send_batch(&mut self, messages: &[M]) {
        self.pause.until(|| self.tx.push_entire_slice(messages).is_ok());
    }
}

impl<M: Message> Receiver for Consumer<M> {
    #[inline(always)]
    fn poll(&mut self, read: &mut impl FnMut(&[u8])) -> bool {
        self.pop().map(|message| read(message.bytes())).is_ok()
    }
    #[inline(always)]
    fn poll_batch(&mut self, read: &mut impl FnMut(&[u8])) -> bool {
        let there = self.slots().min(batch_of(M::SIZE));
        let Ok(chunk) = self.read_chunk(there) else { return false };
        let (first, second) = chunk.as_slices();
        first.iter().chain(second).for_each(|message| read(message.bytes()));
        chunk.commit_all();
        there > 0
    }
}
