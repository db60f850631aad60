//! Receiving.

use std::future::Future;
use std::io;
use std::ops::Deref;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::coop;

use crate::{AckError, Consumer, Message, RecvError};

/// A consumer whose messages are awaited.
pub struct AsyncConsumer {
    // Dropped first, so that it is watched no more when the consumer takes it down.
    bell: AsyncFd<OwnedFd>,
    consumer: Consumer,
}

impl AsyncConsumer {
    /// Watches a consumer's descriptor.
    ///
    /// # Errors
    /// When the system has no descriptors left, or the consumer was made before a `fork`.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O enabled.
    pub fn new(consumer: Consumer) -> io::Result<Self> {
        let fd = consumer.pollable()?.try_clone_to_owned()?;
        // SAFETY: an `OwnedFd` stays open, and the same, until it is dropped, which the registration does after itself.
        let bell = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }?;
        Ok(Self { bell, consumer })
    }

    /// Receives a message, waiting for one. A dropped future has taken none.
    ///
    /// The message borrows the consumer, so there is one at a time; in return it and the future may go to another thread
    /// (`tokio::spawn`). To work on several at once make several consumers of one group, or use [`messages`](Self::messages).
    ///
    /// # Errors
    /// As [`Consumer::recv`].
    pub fn recv(&mut self) -> Recv<'_> {
        Recv(Some(self))
    }

    /// The messages, one after the other; several may be held at once. It ends when the queue is closed and drained.
    ///
    /// Neither the stream nor its messages may go to another thread: use it in `block_on` or a `LocalSet`.
    pub fn messages(&mut self) -> Messages<'_> {
        Messages { consumer: self, over: false }
    }

    /// The consumer, for what needs no waiting.
    pub fn get_ref(&self) -> &Consumer {
        &self.consumer
    }

    /// The consumer, watched no more.
    pub fn into_inner(self) -> Consumer {
        self.consumer
    }

    /// One at a time may wait, which `&mut self` of the public functions sees to.
    fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<Result<Message<'_>, RecvError>> {
        // A queue that is never empty must not keep other tasks from their turn.
        let turn = ready!(coop::poll_proceed(cx));
        loop {
            // Nothing: then this armed the bell before it looked for the last time, and whatever comes now rings.
            let result = self.consumer.try_recv();
            if !matches!(result, Err(RecvError::Empty)) {
                turn.made_progress();
                return Poll::Ready(result);
            }
            match ready!(self.bell.poll_read_ready(cx)) {
                // Forgotten before the next look, not after it.
                Ok(mut rung) => rung.clear_ready(),
                Err(error) => panic!("polled outside of its tokio runtime: {error}"),
            }
        }
    }
}

impl std::fmt::Debug for AsyncConsumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("AsyncConsumer").field(&self.consumer).finish()
    }
}

/// The future of [`AsyncConsumer::recv`].
#[must_use = "futures do nothing unless they are awaited"]
#[derive(Debug)]
pub struct Recv<'c>(Option<&'c AsyncConsumer>);

// SAFETY: made from the only borrow of a consumer that may itself be sent, and it gives that borrow away with its message: there
// is never a second one who uses the consumer.
unsafe impl Send for Recv<'_> {}

impl<'c> Future for Recv<'c> {
    type Output = Result<Delivery<'c>, RecvError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(consumer) = self.0 else { panic!("polled after it was ready") };
        let result = ready!(consumer.poll_recv(cx));
        self.0 = None;
        Poll::Ready(result.map(Delivery))
    }
}

/// A [`Message`] that is the only one its consumer holds, and may go to another thread. Dropped without ack, retry or reject it
/// is given back.
///
/// ```compile_fail,E0499
/// # async fn two(mut rx: slipring::asynchronous::AsyncConsumer) {
/// let one = rx.recv().await.unwrap();
/// let two = rx.recv().await.unwrap(); // still borrowed by `one`
/// # drop((one, two)); }
/// ```
#[must_use = "a message that is dropped without ack is delivered again"]
#[derive(Debug)]
pub struct Delivery<'c>(Message<'c>);

// SAFETY: it holds the only borrow of its consumer, which may itself be sent (see `Recv`); a message knows no thread either.
unsafe impl Send for Delivery<'_> {}

impl Delivery<'_> {
    /// Done; see [`Message::ack`].
    ///
    /// # Errors
    /// As [`Message::ack`].
    pub fn ack(self) -> Result<(), AckError> {
        self.0.ack()
    }

    /// Gives it back, to be delivered again; see [`Message::retry`].
    ///
    /// # Errors
    /// As [`Message::retry`].
    pub fn retry(self) -> Result<(), AckError> {
        self.0.retry()
    }

    /// Not to be tried again; see [`Message::reject`].
    ///
    /// # Errors
    /// As [`Message::reject`].
    pub fn reject(self, reason: &str) -> Result<(), AckError> {
        self.0.reject(reason)
    }
}

impl<'c> Deref for Delivery<'c> {
    type Target = Message<'c>;
    fn deref(&self) -> &Message<'c> {
        &self.0
    }
}

/// The stream of [`AsyncConsumer::messages`].
///
/// A lossy reader that was overrun gets [`RecvError::Lagged`] between its messages; any other error is the last item.
///
/// ```
/// # let dir = std::env::temp_dir().join(format!("slipring-stream-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir)?;
/// # let name = dir.join("q"); let name = name.to_str().unwrap();
/// use futures_util::StreamExt;
/// use slipring::{Queue, asynchronous::AsyncConsumer};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let queue = Queue::options().capacity(1 << 16).create(name)?;
/// queue.producer()?.send_batch([b"one", b"two"])?;
/// queue.close()?;
/// let mut rx = AsyncConsumer::new(queue.consumer("default")?)?;
/// let mut messages = rx.messages();
/// while let Some(message) = messages.next().await {
///     message?.ack()?;
/// }
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "streams do nothing unless they are polled"]
#[derive(Debug)]
pub struct Messages<'c> {
    consumer: &'c AsyncConsumer,
    over: bool,
}

impl<'c> Stream for Messages<'c> {
    type Item = Result<Message<'c>, RecvError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.over {
            return Poll::Ready(None);
        }
        let result = ready!(self.consumer.poll_recv(cx));
        self.over = !matches!(result, Ok(_) | Err(RecvError::Lagged { .. }));
        Poll::Ready(if matches!(result, Err(RecvError::Closed)) { None } else { Some(result) })
    }
}
