//! Sending.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_sink::Sink;
use tokio::task::coop;

use super::pause::Pause;
use crate::{Producer, SendError};

/// A producer that awaits room.
#[derive(Debug)]
pub struct AsyncProducer(Producer);

impl AsyncProducer {
    /// Awaits room for a producer's messages.
    pub fn new(producer: Producer) -> Self {
        Self(producer)
    }

    /// Sends a message, waiting for room. Returns its position. A dropped future has sent nothing.
    ///
    /// # Errors
    /// As [`Producer::send`].
    pub async fn send(&mut self, payload: &[u8]) -> Result<u64, SendError> {
        self.until_there_is_room(|producer| producer.try_send(payload)).await
    }

    /// Sends a message with an event name, waiting for room. Returns its position. A dropped future has sent nothing.
    ///
    /// # Errors
    /// As [`Producer::send_event`].
    pub async fn send_event(&mut self, event: &str, payload: &[u8]) -> Result<u64, SendError> {
        self.until_there_is_room(|producer| producer.try_send_event(event, payload)).await
    }

    async fn until_there_is_room(
        &mut self,
        mut attempt: impl FnMut(&mut Producer) -> Result<u64, SendError>,
    ) -> Result<u64, SendError> {
        // A ring that always has room must not keep other tasks from their turn.
        coop::consume_budget().await;
        let mut pause = Pause::default();
        loop {
            match attempt(&mut self.0) {
                Err(SendError::Full) => poll_fn(|cx| pause.poll(cx)).await,
                result => return result,
            }
        }
    }

    /// A sink of payloads.
    pub fn into_sink<T: AsRef<[u8]>>(self) -> Sending<T> {
        Sending { producer: self.0, waiting: None, pause: Pause::default() }
    }

    /// The producer, for what needs no waiting: `try_reserve`, say.
    pub fn get_mut(&mut self) -> &mut Producer {
        &mut self.0
    }

    /// The producer.
    pub fn into_inner(self) -> Producer {
        self.0
    }
}

/// The sink of [`AsyncProducer::into_sink`]: each item is the payload of a message.
///
/// A message is sent at once if there is room, else it waits in the sink, one at most, and goes first: a sink that is dropped
/// before it was flushed may take it along. Closing the sink flushes it, and leaves the queue open for others.
///
/// ```
/// # let dir = std::env::temp_dir().join(format!("slipring-sink-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir)?;
/// # let name = dir.join("q"); let name = name.to_str().unwrap();
/// use futures_util::{SinkExt, StreamExt, stream};
/// use slipring::{Queue, asynchronous::AsyncProducer};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let queue = Queue::options().capacity(1 << 16).create(name)?;
/// let mut sink = AsyncProducer::new(queue.producer()?).into_sink();
/// sink.send_all(&mut stream::iter(["one", "two"]).map(Ok)).await?;
/// assert_eq!(queue.stats().sent, 2);
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "sinks do nothing unless they are polled"]
#[derive(Debug)]
pub struct Sending<T> {
    producer: Producer,
    /// Did not fit when it came.
    waiting: Option<T>,
    pause: Pause,
}

impl<T: AsRef<[u8]>> Sending<T> {
    /// The producer, and the item that waited for room.
    pub fn into_inner(self) -> (AsyncProducer, Option<T>) {
        (AsyncProducer(self.producer), self.waiting)
    }

    /// Keeps the item if there is no room.
    fn try_send(&mut self, item: T) -> Result<(), SendError> {
        match self.producer.try_send(item.as_ref()) {
            Ok(_) => self.pause = Pause::default(),
            Err(SendError::Full) => self.waiting = Some(item),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

// Nothing in it is pinned but the nap, which has a box of its own.
impl<T> Unpin for Sending<T> {}

impl<T: AsRef<[u8]>> Sink<T> for Sending<T> {
    type Error = SendError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let turn = ready!(coop::poll_proceed(cx));
        let result = ready!(self.poll_flush(cx));
        turn.made_progress();
        Poll::Ready(result)
    }

    fn start_send(self: Pin<&mut Self>, item: T) -> Result<(), SendError> {
        let this = self.get_mut();
        assert!(this.waiting.is_none(), "start_send without poll_ready");
        this.try_send(item)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let this = self.get_mut();
        while let Some(item) = this.waiting.take() {
            if let Err(error) = this.try_send(item) {
                return Poll::Ready(Err(error));
            }
            if this.waiting.is_some() {
                ready!(this.pause.poll(cx));
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.poll_flush(cx)
    }
}
