//! iceoryx2: publish-subscribe between processes, samples of the message's type. Nothing is dropped: no overflow, and a publisher
//! retries while a subscriber's buffer is full. Copied works loan, write and send; in place only the ends are written.

use std::mem::MaybeUninit;

use iceoryx2::config::Config;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::*;

use crate::Result;
use crate::message::Message;
use crate::peer::{Peer, Receiver, Sender, Setup};

/// Samples that wait for a subscriber at most: an index queue of its own for each.
const BUFFER: usize = 1024;

/// A service for each link.
pub struct Iceoryx {
    config: Config,
    groups: usize,
    buffer: usize,
}

type Factory<M> =
    iceoryx2::service::port_factory::publish_subscribe::PortFactory<ipc::Service, M, ()>;

impl Iceoryx {
    /// A node for each end, as ends belong to threads.
    fn service<M: Message>(&self, link: usize) -> Result<(Node<ipc::Service>, Factory<M>)> {
        let node = NodeBuilder::new().config(&self.config).create::<ipc::Service>()?;
        let name = ServiceName::new(&format!("link-{link}"))?;
        let service = node
            .service_builder(&name)
            .publish_subscribe::<M>()
            .enable_safe_overflow(false)
            .history_size(0)
            .max_publishers(1)
            .max_subscribers(self.groups)
            .subscriber_max_buffer_size(self.buffer)
            .open_or_create()?;
        Ok((node, service))
    }
}

impl<M: Message> Peer<M> for Iceoryx {
    type Tx = Publishing<M>;
    type Rx = Subscribing<M>;

    fn create(setup: &Setup) -> Result<Self> {
        <Self as Peer<M>>::open(setup)
    }
    fn open(setup: &Setup) -> Result<Self> {
        set_log_level(LogLevel::Error);
        let mut config = Config::default();
        config.global.prefix = FileName::new(format!("{}-", setup.name).as_bytes())?;
        config
            .global
            .set_root_path(&Path::new(setup.dir.join("iceoryx2").to_string_lossy().as_bytes())?);
        Ok(Self { config, groups: setup.groups, buffer: setup.slots.min(BUFFER) })
    }
    fn sender(&self, link: usize) -> Result<Publishing<M>> {
        let (node, service) = self.service(link)?;
        let tx = service
            .publisher_builder()
            .max_loaned_samples(1)
            .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
            .create()?;
        Ok(Publishing { tx, _node: node })
    }
    fn receiver(&self, link: usize, _: usize) -> Result<Subscribing<M>> {
        let (node, service) = self.service(link)?;
        let rx = service.subscriber_builder().create()?;
        Ok(Subscribing { rx, _node: node })
    }
}

/// The end that publishes.
pub struct Publishing<M: Message> {
    tx: Publisher<ipc::Service, M, ()>,
    _node: Node<ipc::Service>,
}

impl<M: Message> Publishing<M> {
    #[inline(always)]
    fn publish(&mut self, write: impl FnOnce(&mut [u8])) {
        let mut sample = self.tx.loan_uninit().expect("a free sample");
        let payload: &mut MaybeUninit<M> = sample.payload_mut();
        // SAFETY: any bytes are a message, and those in shared memory were written before (by the system, as zeros).
        write(unsafe { payload.assume_init_mut() }.bytes_mut());
        // SAFETY: as above.
        let sample = unsafe { sample.assume_init() };
        sample.send().expect("a subscriber");
    }
}

impl<M: Message> Sender<M> for Publishing<M> {
    #[inline(always)]
    fn send(&mut self, message: &[u8]) {
        self.publish(|sample| sample.copy_from_slice(message));
    }
    #[inline(always)]
    fn send_in_place(&mut self, write: impl FnOnce(&mut [u8])) {
        self.publish(write);
    }
}

/// The end that subscribes.
pub struct Subscribing<M: Message> {
    rx: Subscriber<ipc::Service, M, ()>,
    _node: Node<ipc::Service>,
}

impl<M: Message> Receiver for Subscribing<M> {
    /// A subscriber connects when it looks for the first time; for one that has not, a publisher with a full buffer would not wait.
    fn connect(&mut self) {
        self.rx.has_samples().expect("a connection");
    }
    #[inline(always)]
    fn poll(&mut self, read: &mut impl FnMut(&[u8])) -> bool {
        let sample = self.rx.receive().expect("a connection");
        sample.map(|sample| read(sample.payload().bytes())).is_some()
    }
}
