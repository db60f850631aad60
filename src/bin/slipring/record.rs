//! `slipring record`: messages into a file, as `replay` takes them. The file's format is in `format.rs`.

pub mod format;

use crate::failure::{About, Done, FAILURE, Failure, USAGE};
use crate::interrupt::{GLANCE, Interrupt};
use crate::peek::lagged;
use crate::{output, recv, units};
use format::{Frame, Header};
use serde_json::json;
use slipring::{Message, Observer, Queue, RecvError, Start};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, IsTerminal, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Record the messages of a queue in a file, until interrupted or until the queue is closed
///
/// As an observer, which holds nobody up and may be overrun; or with --group as its member, and then nothing is missed: a message is acked
/// after it is safe in the file.
#[derive(clap::Args)]
pub struct Record {
    /// The queue
    name: String,
    /// The file, which must not exist; `-` is standard output
    file: PathBuf,
    /// The group to join; made if there is none of that name
    #[arg(long)]
    group: Option<String>,
    /// Where to start: earliest, latest or a position; a group that exists goes on where it is
    #[arg(long, value_name = "START", value_parser = units::start)]
    from: Option<Start>,
    /// Stop after so many messages
    #[arg(short = 'n', long = "count", value_name = "N")]
    count: Option<u64>,
    /// Stop when nothing is left now
    #[arg(long)]
    drain: bool,
    /// At the end one JSON object, that says what was recorded
    #[arg(long)]
    json: bool,
}

pub fn run(args: Record) -> Done {
    if args.json && args.file == Path::new("-") {
        return Err(Failure::new(USAGE, "with --json the recording goes to a file; name one"));
    }
    let queue = Observer::open(&args.name).about(&args.name)?;
    let interrupt = Interrupt::new()?;
    let mut recorder = Recorder::create(&args.file, queue.stats().id)?;
    let wanted = args.count.unwrap_or(u64::MAX);
    let done = match &args.group {
        Some(group) => as_member(&args, group, wanted, &mut recorder, &interrupt),
        None => as_observer(&args, queue, wanted, &mut recorder, &interrupt),
    };
    // Whatever has happened, the file is whole.
    let finished = recorder.finish();
    summary(&args, &recorder, interrupt.has_come())?;
    done.and(finished)?;
    if recorder.missed > 0 {
        let (name, missed) = (&args.name, recorder.missed);
        let text = format!(
            "{name}: positions overwritten before they were recorded: {missed}; with --group senders wait for the recorder"
        );
        return Err(Failure::new(FAILURE, text));
    }
    Ok(())
}

fn summary(args: &Record, recorder: &Recorder, interrupted: bool) -> Done {
    if args.json {
        return output::print_json(&json!({
            "queue": args.name, "file": args.file.display().to_string(),
            "messages": recorder.messages, "missed": recorder.missed, "interrupted": interrupted,
        }));
    }
    let count = output::counted(recorder.messages, "message");
    let how = if interrupted { "interrupted; " } else { "" };
    output::say(format_args!("{}: {how}{count} recorded", args.name));
    Ok(())
}

fn as_observer(
    args: &Record,
    mut observer: Observer,
    wanted: u64,
    recorder: &mut Recorder,
    interrupt: &Interrupt,
) -> Done {
    match observer.seek(args.from.unwrap_or_default()) {
        // It goes on with the oldest message still there.
        Err(RecvError::Lagged { missed }) => {
            lagged(&args.name, missed);
            recorder.gap(missed);
        }
        sought => sought.about(&args.name)?,
    }
    let end = if args.drain { observer.stats().latest } else { u64::MAX };
    while recorder.messages < wanted && !interrupt.has_come() {
        let next = match observer.try_recv() {
            Err(RecvError::Empty) => {
                recorder.flush()?;
                if args.drain {
                    return Ok(());
                }
                observer.recv_timeout(GLANCE)
            }
            next => next,
        };
        match next {
            Ok(seen) if seen.position >= end => return Ok(()),
            Ok(seen) => {
                let event = seen.event.as_deref().unwrap_or("");
                recorder.message(seen.position, event, &seen.payload)?;
                if recorder.is_full() {
                    recorder.flush()?;
                }
            }
            Err(RecvError::Timeout) => {}
            Err(RecvError::Lagged { missed }) => {
                lagged(&args.name, missed);
                recorder.gap(missed);
            }
            Err(RecvError::Closed) => return Ok(()),
            Err(error) => return Err(error).about(&args.name),
        }
    }
    Ok(())
}

/// Messages that are held at the most, until they are safe.
const HELD: usize = 1024;

fn as_member(
    args: &Record,
    group: &str,
    wanted: u64,
    recorder: &mut Recorder,
    interrupt: &Interrupt,
) -> Done {
    let queue = Queue::open(&args.name).about(&args.name)?;
    let consumer = recv::joining(&queue, group, args.from).open().about(&args.name)?;
    let mut held = Vec::new();
    while recorder.messages < wanted && !interrupt.has_come() {
        let next = match consumer.try_recv() {
            Err(RecvError::Empty) => {
                settle(&mut held, recorder, &args.name)?;
                if args.drain {
                    // Messages may stand behind what somebody dead has left.
                    queue.recover().about(&args.name)?;
                    consumer.try_recv()
                } else {
                    consumer.recv_timeout(GLANCE)
                }
            }
            next => next,
        };
        match next {
            Ok(message) => {
                let event = message.event().unwrap_or("");
                recorder.message(message.position(), event, message.payload())?;
                held.push(message);
                if recorder.is_full() || held.len() == HELD {
                    settle(&mut held, recorder, &args.name)?;
                }
            }
            Err(RecvError::Timeout) => {}
            Err(RecvError::Empty | RecvError::Closed) => break,
            Err(error) => return Err(error).about(&args.name),
        }
    }
    settle(&mut held, recorder, &args.name)
}

/// Acks what is safe. What could not be written goes back to the group.
fn settle(held: &mut Vec<Message<'_>>, recorder: &mut Recorder, name: &str) -> Done {
    recorder.flush()?;
    recorder.sync()?;
    held.drain(..).try_for_each(|message| message.ack().about(name))
}

/// The file, as far as it is written, and what is to follow.
struct Recorder {
    out: File,
    /// Not for a pipe, which cannot be cut back.
    path: Option<PathBuf>,
    buffer: Vec<u8>,
    /// Bytes in the file, all of whole frames, and the messages in them.
    written: u64,
    safe: u64,
    /// Messages in the file and in the buffer.
    messages: u64,
    missed: u64,
}

const BUFFER: usize = 64 << 10;

impl Recorder {
    fn create(path: &Path, queue_id: u128) -> Result<Self, Failure> {
        let piped = path == Path::new("-");
        if piped && std::io::stdout().is_terminal() {
            return Err(Failure::new(
                FAILURE,
                "a recording is nothing for a terminal; name a file",
            ));
        }
        let out = if piped {
            output::stdout()?
        } else {
            // As private as a queue.
            let options = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
            options.map_err(|error| match error.kind() {
                ErrorKind::AlreadyExists => {
                    let text = format!("{}: exists already; name another file", path.display());
                    Failure::new(FAILURE, text)
                }
                _ => Failure::making(&error, path),
            })?
        };
        let path = (!piped).then(|| path.to_owned());
        let mut buffer = Vec::with_capacity(BUFFER);
        Header { queue_id, started_unix_ns: unix_ns() }.write(&mut buffer);
        let mut recorder = Self { out, path, buffer, written: 0, safe: 0, messages: 0, missed: 0 };
        recorder.flush()?;
        Ok(recorder)
    }

    fn message(&mut self, position: u64, event: &str, payload: &[u8]) -> Done {
        let time_unix_ns = unix_ns();
        let frame = Frame::Message { position, time_unix_ns, event: event.as_bytes(), payload };
        if !frame.write(&mut self.buffer) {
            let text = format!("the message at {position} is too large to be recorded (4 GiB)");
            return Err(Failure::new(FAILURE, text));
        }
        self.messages += 1;
        Ok(())
    }

    fn gap(&mut self, missed: u64) {
        self.missed += missed;
        let _fits = Frame::Gap { missed }.write(&mut self.buffer);
    }

    fn is_full(&self) -> bool {
        self.buffer.len() >= BUFFER
    }

    /// Writes all there is; or nothing, and then the file ends behind what was written before.
    fn flush(&mut self) -> Done {
        let done = match &self.path {
            None => output::write_counted(&mut self.out, &self.buffer).1,
            Some(path) => {
                let written = self.out.write_all(&self.buffer);
                written.map_err(|error| Failure::io(&error, path.display()))
            }
        };
        let len = std::mem::take(&mut self.buffer).len() as u64;
        if done.is_ok() {
            (self.written, self.safe) = (self.written + len, self.messages);
        } else {
            self.messages = self.safe;
            if self.path.is_some() && self.out.set_len(self.written).is_ok() {
                let _ = self.out.seek(SeekFrom::Start(self.written));
            }
        }
        done
    }

    /// What is in the file outlives a power failure from now on.
    fn sync(&self) -> Done {
        let Some(path) = &self.path else { return Ok(()) };
        self.out.sync_data().map_err(|error| Failure::io(&error, path.display()))
    }

    fn finish(&mut self) -> Done {
        let _fits = Frame::End { messages: self.messages }.write(&mut self.buffer);
        self.flush()?;
        self.sync()
    }
}

fn unix_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64)
}
