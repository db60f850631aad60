//! disruptor: a ring of events that one producer writes in place and that event pollers read in place, each poller all of them.
//! Pollers rather than managed threads, as one thread has to read several groups on a machine of two cores.

use disruptor::{
    BusySpin, EventPoller, MultiConsumerBarrier, Polling, Producer, SingleConsumerBarrier,
    SingleProducer, SingleProducerBarrier, build_single_producer,
};

use crate::Result;
use crate::message::Message;
use crate::peer::{Ends, Peer, Receiver, Sender, Setup, batch_of};

/// A disruptor for each link.
pub struct Disruptor<M> {
    producers: Ends<Publishing<M>>,
    /// By link, or by group if there is one link.
    pollers: Ends<EventPoller<M, SingleProducerBarrier>>,
}

/// A producer's type depends on whether it waits for one or for several.
pub enum Publishing<M> {
    One(SingleProducer<M, SingleConsumerBarrier>),
    Many(SingleProducer<M, MultiConsumerBarrier>),
}

impl<M: Message> Peer<M> for Disruptor<M> {
    type Tx = Publishing<M>;
    type Rx = EventPoller<M, SingleProducerBarrier>;

    fn create(setup: &Setup) -> Result<Self> {
        let slots = setup.slots.next_power_of_two();
        let (mut producers, mut pollers) = (Vec::new(), Vec::new());
        for _ in 0..setup.links {
            let builder = build_single_producer(slots, M::filled, BusySpin);
            producers.push(if setup.groups == 1 {
                let (poller, builder) = builder.new_event_poller();
                pollers.push(poller);
                Publishing::One(builder.build())
            } else {
                let mut builder = builder.with_multi_consumer();
                for _ in 0..setup.groups {
                    let (poller, next) = builder.new_event_poller();
                    pollers.push(poller);
                    builder = next;
                }
                Publishing::Many(builder.build())
            });
        }
        Ok(Self {
            producers: producers.into_iter().collect(),
            pollers: pollers.into_iter().collect(),
        })
    }
    fn sender(&self, link: usize) -> Result<Self::Tx> {
        self.producers.take(link)
    }
    fn receiver(&self, link: usize, group: usize) -> Result<Self::Rx> {
        self.pollers.take(link + group)
    }
}

impl<M: Message> Sender<M> for Publishing<M> {
    #[inline(always)]
    fn send(&mut self, message: &[u8]) {
        let update = |event: &mut M| event.bytes_mut().copy_from_slice(message);
        match self {
            Self::One(producer) => producer.publish(update),
            Self::Many(producer) => producer.publish(update),
        }
    }
    #[inline(always)]
    fn send_batch(&mut self, messages: &[M]) {
        match self {
            Self::One(producer) => publish_batch(producer, messages),
            Self::Many(producer) => publish_batch(producer, messages),
        }
    }
}

#[inline(always)]
fn publish_batch<M: Message>(producer: &mut impl Producer<M>, messages: &[M]) {
    producer.batch_publish(messages.len(), |events| {
        events.zip(messages).for_each(|(event, message)| *event = *message);
    });
}

impl<M: Message> Receiver for EventPoller<M, SingleProducerBarrier> {
    #[inline(always)]
    fn poll(&mut self, read: &mut impl FnMut(&[u8])) -> bool {
        take(self, 1, read)
    }
    #[inline(always)]
    fn poll_batch(&mut self, read: &mut impl FnMut(&[u8])) -> bool {
        take(self, batch_of(M::SIZE) as u64, read)
    }
}

#[inline(always)]
fn take<M: Message>(
    poller: &mut EventPoller<M, SingleProducerBarrier>,
    most: u64,
    read: &mut impl FnMut(&[u8]),
) -> bool {
    match poller.take(most) {
        Ok(mut events) => {
            (&mut events).for_each(|event| read(event.bytes()));
            true
        }
        Err(Polling::NoEvents) => false,
        Err(Polling::Shutdown) => panic!("the producer went away"),
    }
}
