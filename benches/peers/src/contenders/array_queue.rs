//! crossbeam's `ArrayQueue`: a bounded ring of values for many senders and receivers, which has no waiting of its own.

use std::sync::Arc;

use crossbeam_queue::ArrayQueue;

use crate::Result;
use crate::message::Message;
use crate::peer::{Pause, Peer, Receiver, Sender, Setup};

/// A queue for each link.
pub struct Queues<M>(Vec<End<M>>);

/// One end, either one.
#[derive(Clone)]
pub struct End<M> {
    queue: Arc<ArrayQueue<M>>,
    pause: Pause,
}

impl<M: Message> Peer<M> for Queues<M> {
    type Tx = End<M>;
    type Rx = End<M>;

    fn create(setup: &Setup) -> Result<Self> {
        let end = |_| End { queue: Arc::new(ArrayQueue::new(setup.slots)), pause: setup.pause };
        Ok(Self((0..setup.links).map(end).collect()))
    }
    fn sender(&self, link: usize) -> Result<End<M>> {
        Ok(self.0[link].clone())
    }
    fn receiver(&self, link: usize, _: usize) -> Result<End<M>> {
        Ok(self.0[link].clone())
    }
}

impl<M: Message> Sender<M> for End<M> {
    #[inline(always)]
    fn send(&mut self, message: &[u8]) {
        let message = M::from_bytes(message);
        self.pause.until(|| self.queue.push(message).is_ok());
    }
}

impl<M: Message> Receiver for End<M> {
    #[inline(always)]
    fn poll(&mut self, read: &mut impl FnMut(&[u8])) -> bool {
        self.queue.pop().map(|message| read(message.bytes())).is_some()
    }
}
