//! Sends the records of a file, or writes what it receives as records.
//!
//! ```text
//! records send QUEUE FILE
//! records work QUEUE GROUP FILE [N]
//! ```
//!
//! A record is an event name and a payload, each after its length (u32, little-endian); no name means no event. `work` ends when the
//! queue is closed and drained. With N it stops for ever at its Nth message, to show that another worker gets it when this one is killed.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::ExitCode;
use std::time::Duration;

use slipring::{Queue, RecvError};

type Result = std::result::Result<(), Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["send", queue, file] => send(queue, file),
        ["work", queue, group, file] => work(queue, group, file, None),
        ["work", queue, group, file, stop_at] => match stop_at.parse() {
            Ok(stop_at) => work(queue, group, file, Some(stop_at)),
            Err(_) => return usage(),
        },
        _ => return usage(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("records: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: records send QUEUE FILE | work QUEUE GROUP FILE [N]");
    ExitCode::from(2)
}

fn send(queue: &str, file: &str) -> Result {
    let mut file = BufReader::new(File::open(file).map_err(failed("open the file"))?);
    let queue = Queue::open(queue).map_err(failed("open the queue"))?;
    let mut producer = queue.producer().map_err(failed("become a producer"))?;
    while !file.fill_buf()?.is_empty() {
        let event = String::from_utf8(part(&mut file)?)?;
        let payload = part(&mut file)?;
        // An empty name is none.
        producer.send_event(&event, &payload).map_err(failed("send"))?;
    }
    // For good: consumers get what is left, and then the end.
    queue.close().map_err(failed("close the queue"))?;
    Ok(())
}

fn work(queue: &str, group: &str, file: &str, stop_at: Option<u64>) -> Result {
    let mut file =
        File::options().append(true).create(true).open(file).map_err(failed("open the file"))?;
    let queue = Queue::open(queue).map_err(failed("open the queue"))?;
    let consumer = queue.consumer(group).map_err(failed("join the group"))?;
    for count in 1.. {
        let message = match consumer.recv() {
            Ok(message) => message,
            Err(RecvError::Closed) => break,
            Err(error) => return Err(failed("receive")(error).into()),
        };
        if stop_at == Some(count) {
            println!("holding");
            loop {
                std::thread::sleep(Duration::MAX);
            }
        }
        let mut record = Vec::new();
        for part in [message.event().unwrap_or("").as_bytes(), message.payload()] {
            record.extend_from_slice(&(part.len() as u32).to_le_bytes());
            record.extend_from_slice(part);
        }
        file.write_all(&record).map_err(failed("write"))?;
        // After it was written: a worker that dies before leaves the message to another.
        message.ack().map_err(failed("ack"))?;
    }
    Ok(())
}

fn part(file: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut len = [0; 4];
    file.read_exact(&mut len)?;
    let mut part = vec![0; u32::from_le_bytes(len) as usize];
    file.read_exact(&mut part)?;
    Ok(part)
}

/// Puts what was being done in front of what went wrong.
fn failed<E: std::fmt::Display>(what: &str) -> impl Fn(E) -> String + '_ {
    move |error| format!("{what}: {error}")
}
