//! On tokio (feature `async`): tasks that share the messages of a group, and one that sends with back-pressure.

use futures_util::{SinkExt, StreamExt, stream};
use slipring::asynchronous::{AsyncConsumer, AsyncProducer};
use slipring::{Queue, RecvError};
use std::time::Duration;

type Error = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Error> {
    // Small, so that the sender has to wait for room; other tasks run meanwhile.
    let queue = Queue::options().capacity(4096).open_or_create("tasks")?;
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(tokio::spawn(work(AsyncConsumer::new(queue.consumer("default")?)?)));
    }

    let mut sink = AsyncProducer::new(queue.producer()?).into_sink();
    sink.send_all(&mut stream::iter(1..=1000).map(|number: u64| Ok(number.to_string()))).await?;
    // Workers receive what is left, and then `Closed`.
    queue.close()?;

    let mut sum = 0;
    for worker in workers {
        sum += worker.await??;
    }
    println!("the sum of 1 to 1000 is {sum}");
    Queue::unlink("tasks")?;
    Ok(())
}

/// Adds up what it receives.
async fn work(mut rx: AsyncConsumer) -> Result<u64, Error> {
    let mut sum = 0;
    loop {
        match rx.recv().await {
            Ok(message) => {
                let number: u64 = std::str::from_utf8(message.payload())?.parse()?;
                // A call to a database, say. If this future is dropped here, the message goes to another worker.
                tokio::time::sleep(Duration::from_micros(10)).await;
                sum += number;
                message.ack()?;
            }
            Err(RecvError::Closed) => return Ok(sum),
            Err(error) => return Err(error.into()),
        }
    }
}
