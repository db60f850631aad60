//! Replay after a reconnect: a reader that remembers its position goes on behind it, or is told that it came too late.

use slipring::{JoinError, Queue, Start};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A topic keeps the last messages as long as there is room for them; `retain` keeps that much in any queue.
    let queue = Queue::options().capacity(4096).topic(true).open_or_create("prices")?;
    let mut tx = queue.producer()?;
    tx.send_batch((0..6).map(|price| format!("price {price}")))?;

    // A first connection reads three, and notes where it stopped: its queue's id and the last position.
    let mut last = 0;
    let reader = queue.consumer_options().open()?;
    for _ in 0..3 {
        let message = reader.recv()?;
        last = message.position();
        message.ack()?;
    }
    drop(reader);
    println!("stopped at position {last}");

    // Later: the next one, and all that were sent meanwhile.
    let reader = queue.consumer_options().start(Start::Position(last + 1)).open()?;
    while let Ok(message) = reader.try_recv() {
        println!("again: {}", String::from_utf8_lossy(message.payload()));
        message.ack()?;
    }
    drop(reader);

    // Much later the position has been overwritten, and the reader is told instead of being given a part.
    tx.send_batch((0..200).map(|price| format!("price {price}")))?;
    match queue.consumer_options().start(Start::Position(last + 1)).open() {
        Err(JoinError::Lagged { earliest }) => println!("too late: the oldest is {earliest}"),
        Err(error) => return Err(error.into()),
        Ok(_) => println!("still there"),
    }
    Queue::unlink("prices")?;
    Ok(())
}
