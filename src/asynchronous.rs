//! Queues in async programs, on tokio: receiving as a future or a [`Stream`](futures_core::Stream), sending as a future or a
//! [`Sink`](futures_sink::Sink).
//!
//! ```
//! # let dir = std::env::temp_dir().join(format!("slipring-async-{}", std::process::id()));
//! # std::fs::create_dir_all(&dir)?;
//! # let orders = dir.join("orders"); let orders = orders.to_str().unwrap();
//! use slipring::Queue;
//! use slipring::asynchronous::{AsyncConsumer, AsyncProducer};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let queue = Queue::options().capacity(1 << 20).open_or_create(orders)?;
//! let mut tx = AsyncProducer::new(queue.producer()?);
//! let mut rx = AsyncConsumer::new(queue.consumer("billing")?)?;
//! let worker = tokio::spawn(async move {
//!     let message = rx.recv().await?;
//!     assert_eq!(message.payload(), b"hello");
//!     // Whatever is awaited here, the message is this task's until it is acked.
//!     message.ack().map_err(Box::<dyn std::error::Error + Send + Sync>::from)
//! });
//! tx.send(b"hello").await?;
//! worker.await??;
//! # std::fs::remove_dir_all(&dir)?;
//! # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//! ```
//!
//! # How it waits
//! A consumer has a descriptor that others make readable ([`Consumer::pollable`](crate::Consumer::pollable)); tokio watches it beside
//! its sockets. Each look at an empty queue arms it, and a wait always follows such a look, so that no wake-up is lost.
//!
//! A producer has none: room is made by acks, and no ack is to cost more because somebody might wait for it. So a full ring is
//! looked at again: at once, after other tasks have had their turn, a few times (the receiver may be one of them); then after 1, 2, 4 and 8
//! milliseconds, and so on. A ring holds far more than a receiver does in that time, so it does not run dry. A thread that blocks
//! (`spawn_blocking`) would notice sooner, but a dropped future could not call it back: the message would be sent although
//! nobody waits for it any more.
//!
//! # Dropped futures
//! A dropped [`recv`](AsyncConsumer::recv) has taken no message, and a dropped [`send`](AsyncProducer::send) has sent none. A consumer that
//! nobody polls may still be the one of its group whose bell is rung; its fellows then find the message by themselves, within 50 ms.
//!
//! # Runtimes
//! Consumers must be made, and everything here be polled, inside a tokio runtime with I/O and time enabled (`enable_all`).

mod consumer;
mod pause;
mod producer;

pub use consumer::{AsyncConsumer, Delivery, Messages, Recv};
pub use producer::{AsyncProducer, Sending};
