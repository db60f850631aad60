//! Typed messages with serde: the event name says which type it is.

use serde::{Deserialize, Serialize};
use slipring::Queue;

#[derive(Debug, Serialize, Deserialize)]
struct Order {
    id: u64,
    items: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Refund {
    id: u64,
    cents: u32,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let queue = Queue::options().capacity(1 << 20).open_or_create("typed")?;
    let mut tx = queue.producer()?;
    let order = Order { id: 17, items: vec!["apple".into(), "pear".into()] };
    tx.send_event("order", &serde_json::to_vec(&order)?)?;
    tx.send_event("refund", &serde_json::to_vec(&Refund { id: 17, cents: 250 })?)?;
    tx.send_event("order", b"{\"id\": \"seventeen\"}")?;

    let rx = queue.consumer("default")?;
    while let Ok(message) = rx.try_recv() {
        // Read where it lies, without a copy of the bytes.
        let read = match message.event() {
            Some("order") => serde_json::from_slice(message.payload()).map(|order: Order| {
                println!("order {} of {}", order.id, order.items.join(" and "));
            }),
            Some("refund") => serde_json::from_slice(message.payload()).map(|refund: Refund| {
                println!("refund of {} cents for order {}", refund.cents, refund.id);
            }),
            _ => Ok(()),
        };
        match read {
            Ok(()) => message.ack()?,
            // It will never be right: put it aside, with the reason. Without a dead-letter queue it is counted, and gone.
            Err(error) => {
                println!("rejected: {error}");
                message.reject(&error.to_string())?;
            }
        }
    }
    Queue::unlink("typed")?;
    Ok(())
}
