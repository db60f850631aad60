//! Request and reply: requests are a work queue, replies a topic in which each client reads its own.

use slipring::{Queue, RecvError, Start};
use std::thread;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let requests = Queue::options().capacity(1 << 16).open_or_create("sums.requests")?;
    let replies = Queue::options().capacity(1 << 16).topic(true).open_or_create("sums.replies")?;

    // Any number of servers share the requests. The event of a request says whom to answer.
    let server = thread::spawn({
        let (requests, replies) = (requests.clone(), replies.clone());
        move || serve(&requests, &replies).expect("the server failed")
    });

    // A client: first it listens, then it asks. Its name must be its own, `client.<pid>` say.
    let name = "client.1";
    let answers = replies.consumer_options().start(Start::Latest).filter(name).open()?;
    let mut ask = requests.producer()?;
    for question in ["1 2 3", "40 2"] {
        ask.send_event(name, question.as_bytes())?;
        let answer = answers.recv()?;
        println!("{question} -> {}", String::from_utf8_lossy(answer.payload()));
        answer.ack()?;
    }

    requests.close()?;
    server.join().expect("the server has panicked");
    Queue::unlink("sums.requests")?;
    Queue::unlink("sums.replies")?;
    Ok(())
}

/// A request is acked once its reply is sent: a server that dies in between leaves it to another one, and the client may get
/// the same reply twice.
fn serve(requests: &Queue, replies: &Queue) -> Result<(), Box<dyn std::error::Error>> {
    let rx = requests.consumer("default")?;
    let mut tx = replies.producer()?;
    loop {
        match rx.recv() {
            Ok(request) => {
                let text = std::str::from_utf8(request.payload())?;
                let sum: i64 = text.split_whitespace().flat_map(str::parse::<i64>).sum();
                tx.send_event(request.event().unwrap_or("-"), sum.to_string().as_bytes())?;
                request.ack()?;
            }
            Err(RecvError::Closed) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}
