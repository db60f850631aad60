//! What the demo's processes do. Each is this program, started again.

use super::{ARCHIVE, WORKERS, text};
use crate::failure::{About, Done, Failure};
use slipring::{Consumer, Message, Queue, RecvError};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};

/// One process of the demo
#[derive(clap::Args)]
pub struct Part {
    #[arg(value_enum)]
    role: Role,
    /// The demo's directory
    place: PathBuf,
    /// Which one of its kind
    number: usize,
    /// A producer's first line, from zero
    #[arg(default_value_t = 0)]
    first: usize,
    /// A producer's end
    #[arg(default_value_t = 0)]
    end: usize,
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub enum Role {
    Producer,
    Worker,
    Archive,
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Self::Producer => "producer",
            Self::Worker => "worker",
            Self::Archive => "archive",
        }
    }
}

pub fn run(args: Part) -> Done {
    let go = follow_the_parent(args.place.clone());
    let path = args.place.join("queue").display().to_string();
    let queue = Queue::open(&path).about(&path)?;
    match args.role {
        Role::Producer => produce(&queue, &args, &go),
        Role::Worker => work(&queue, &log(&args)?),
        Role::Archive => archive(&queue, &mut log(&args)?),
    }
}

/// When the demo itself goes, however it goes, its parts end and the last of them clears up. What it says on the way is handed on.
fn follow_the_parent(place: PathBuf) -> Receiver<()> {
    let (said, go) = channel();
    std::thread::spawn(move || {
        while std::io::stdin().read(&mut [0]).is_ok_and(|count| count > 0) {
            let _ = said.send(());
        }
        let _ = std::fs::remove_dir_all(place);
        std::process::exit(1);
    });
    go
}

fn log(args: &Part) -> Result<File, Failure> {
    let path = args.place.join(format!("{}.{}", args.role.name(), args.number));
    File::create(&path).map_err(|error| Failure::io(&error, path.display()))
}

/// Sends its lines; the event tells who sent which. Short of the end it waits for a word, so that whoever is to kill it does not
/// come too late.
fn produce(queue: &Queue, args: &Part, go: &Receiver<()>) -> Done {
    let text = args.place.join("text");
    let text = std::fs::read(&text).map_err(|error| Failure::io(&error, text.display()))?;
    let mut producer = queue.producer().about("producer")?;
    let lines = text::lines(&text);
    let hold = args.first + args.end.saturating_sub(args.first) * 9 / 10;
    for (line, payload) in lines.iter().enumerate().take(args.end).skip(args.first) {
        if line == hold {
            let _ = go.recv();
        }
        let event = format!("{}:{line}", args.number);
        producer.send_event(&event, payload).about("producer")?;
    }
    if hold >= args.end {
        let _ = go.recv();
    }
    Ok(())
}

/// A worker holds several messages, so that its death has something to give back.
const HELD: usize = 16;

/// Notes each message before it acks it, and again after. What it was killed between is settled by `check.rs`.
fn work(queue: &Queue, mut log: &File) -> Done {
    let consumer = queue.consumer(WORKERS).about(WORKERS)?;
    while let Some(messages) = batch(&consumer, HELD)? {
        for message in messages {
            write(log_line(b'W', &message), &mut log)?;
            let after = format!("A {} {}\n", message.position(), message.deliveries());
            message.ack().about(WORKERS)?;
            write(after.into_bytes(), &mut log)?;
        }
    }
    Ok(())
}

/// Writes the whole stream.
fn archive(queue: &Queue, log: &mut File) -> Done {
    let consumer = queue.consumer(ARCHIVE).about(ARCHIVE)?;
    while let Some(messages) = batch(&consumer, 256)? {
        let mut bytes = Vec::new();
        for message in &messages {
            bytes.extend(log_line(b'W', message));
        }
        write(bytes, log)?;
        for message in messages {
            message.ack().about(ARCHIVE)?;
        }
    }
    Ok(())
}

fn batch(consumer: &Consumer, most: usize) -> Result<Option<Vec<Message<'_>>>, Failure> {
    match consumer.recv_batch(most) {
        Err(RecvError::Closed) => Ok(None),
        other => other.map(Some).about("consumer"),
    }
}

/// `W position deliveries event payload`: the payload comes last, so that it may be anything but a newline.
fn log_line(tag: u8, message: &Message<'_>) -> Vec<u8> {
    let event = message.event().unwrap_or("-");
    let head =
        format!("{} {} {} {event} ", char::from(tag), message.position(), message.deliveries());
    [head.as_bytes(), message.payload(), b"\n"].concat()
}

fn write(bytes: Vec<u8>, log: &mut impl Write) -> Done {
    log.write_all(&bytes).map_err(|error| Failure::io(&error, "the demo's output"))
}

/// The arguments that start a part.
pub fn arguments(role: Role, place: &Path, number: usize, first: usize, end: usize) -> Vec<String> {
    let numbers = [number, first, end].map(|number| number.to_string());
    let head = ["demo-part".into(), role.name().into(), place.display().to_string()];
    head.into_iter().chain(numbers).collect()
}
