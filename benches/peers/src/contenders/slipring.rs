//! Slipring: a queue for each link, its default group or one group for each who is to see everything. Messages are read in
//! place and acked one by one; waiting is `recv`'s own, which spins and then sleeps.

use slipring::{Consumer, Producer, Queue, RecvError};

use crate::Result;
use crate::message::Message;
use crate::peer::{Pause, Peer, Receiver, Sender, Setup, batch_of};

/// A queue for each link.
pub struct Slipring {
    queues: Vec<Queue>,
    groups: usize,
    batch: usize,
}

impl Slipring {
    fn of<M: Message>(setup: &Setup, open: impl Fn(&str) -> Result<Queue>) -> Result<Self> {
        let queues = (0..setup.links)
            .map(|link| open(&setup.link(link).to_string_lossy()))
            .collect::<Result<Vec<_>>>()?;
        queues.iter().for_each(Queue::prefault);
        Ok(Self { queues, groups: setup.groups, batch: batch_of(M::SIZE) })
    }
}

impl<M: Message> Peer<M> for Slipring {
    type Tx = Producer;
    type Rx = Consuming;

    fn create(setup: &Setup) -> Result<Self> {
        let capacity = (setup.slots * M::SIZE.max(64)) as u64;
        let options = Queue::options().capacity(capacity).topic(setup.groups > 1);
        Self::of::<M>(setup, |path| Ok(options.create(path)?))
    }
    fn open(setup: &Setup) -> Result<Self> {
        Self::of::<M>(setup, |path| Ok(Queue::open(path)?))
    }
    fn sender(&self, link: usize) -> Result<Producer> {
        Ok(self.queues[link].producer()?)
    }
    fn receiver(&self, link: usize, group: usize) -> Result<Consuming> {
        let group =
            if self.groups > 1 { format!("group-{group}") } else { slipring::DEFAULT_GROUP.into() };
        Ok(Consuming { rx: self.queues[link].consumer(&group)?, batch: self.batch })
    }
}

impl<M: Message> Sender<M> for Producer {
    #[inline(always)]
    fn send(&mut self, message: &[u8]) {
        Producer::send(self, message).expect("the queue is open");
    }
    #[inline(always)]
    fn send_batch(&mut self, messages: &[M]) {
        Producer::send_batch(self, messages.iter().map(M::bytes)).expect("the queue is open");
    }
    #[inline(always)]
    fn send_in_place(&mut self, write: impl FnOnce(&mut [u8])) {
        let mut slot = self.reserve(M::SIZE).expect("the queue is open");
        write(&mut slot);
        slot.commit(M::SIZE);
    }
}

/// The end that receives.
pub struct Consuming {
    rx: Consumer,
    batch: usize,
}

impl Receiver for Consuming {
    #[inline(always)]
    fn poll(&mut self, read: &mut impl FnMut(&[u8])) -> bool {
        match self.rx.try_recv() {
            Ok(message) => {
                read(message.payload());
                message.ack().expect("ack");
                true
            }
            Err(RecvError::Empty) => false,
            Err(error) => panic!("{error}"),
        }
    }
    #[inline(always)]
    fn poll_batch(&mut self, read: &mut impl FnMut(&[u8])) -> bool {
        match self.rx.try_recv_each(self.batch, |message| read(message.payload())) {
            Ok(_) => true,
            Err(RecvError::Empty) => false,
            Err(error) => panic!("{error}"),
        }
    }
    #[inline(always)]
    fn wait(&mut self, _: Pause, read: &mut impl FnMut(&[u8])) {
        let message = self.rx.recv().expect("the queue is open");
        read(message.payload());
        message.ack().expect("ack");
    }
    #[inline(always)]
    fn wait_batch(&mut self, _: Pause, read: &mut impl FnMut(&[u8])) {
        let handle = |message: &slipring::Message<'_>| read(message.payload());
        self.rx.recv_each(self.batch, handle).expect("the queue is open");
    }
}
