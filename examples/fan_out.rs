//! Fan-out: every group sees every message, whatever the others do; a filter takes some; who only watches holds nobody up.

use slipring::{Consumer, Queue, RecvError};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A topic has no group of its own: what nobody asked for is overwritten.
    let queue = Queue::options().capacity(1 << 20).topic(true).open_or_create("events")?;
    let billing = queue.consumer("billing")?;
    let audit = queue.consumer("audit")?;
    let refunds = queue.consumer_options().group("refunds").filter("order.refunded*").open()?;
    let mut watcher = queue.observe()?;

    let mut tx = queue.producer()?;
    tx.send_event("order.created", b"17")?;
    tx.send_event("order.paid", b"17")?;
    tx.send_event("order.refunded.partly", b"17")?;

    for (name, group) in [("billing", &billing), ("audit", &audit), ("refunds", &refunds)] {
        println!("{name}: {}", drain(group)?.join(", "));
    }
    let seen = std::iter::from_fn(|| watcher.try_recv().ok()).count();
    println!("watcher: {seen} messages");
    Queue::unlink("events")?;
    Ok(())
}

/// The names of the events that wait for a group.
fn drain(consumer: &Consumer) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let mut events = Vec::new();
    loop {
        match consumer.try_recv() {
            Ok(message) => {
                events.push(message.event().unwrap_or("-").to_owned());
                message.ack()?;
            }
            Err(RecvError::Empty) => return Ok(events),
            Err(error) => return Err(error.into()),
        }
    }
}
