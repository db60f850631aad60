//! `slipring send`.

use crate::failure::{About, Done, FAILURE, Failure, USAGE};
use crate::{interrupt, output, units};
use indicatif::ProgressBar;
use slipring::{Producer, Queue};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Read};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Send messages: a text, all of standard input (-), or each of its lines (--lines)
#[derive(clap::Args)]
pub struct Send {
    /// The queue
    name: String,
    /// The message; `-` stands for all of standard input
    text: Option<OsString>,
    /// An event name for the messages, at most 255 bytes
    #[arg(long)]
    event: Option<String>,
    /// Each line of standard input is a message, without its newline
    #[arg(long)]
    lines: bool,
    /// Send the text that often; with --lines stop after that many
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Messages a second, at most
    #[arg(long, value_name = "R", value_parser = units::rate)]
    rate: Option<f64>,
    /// Wait for room no longer than that (exit code 5); 0 does not wait
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    timeout: Option<Duration>,
    /// Close the queue at the end
    #[arg(long)]
    close: bool,
}

pub fn run(args: Send) -> Done {
    let stdin = args.text.as_ref().is_none_or(|text| text == "-");
    if args.text.is_none() && !args.lines {
        return Err(Failure::new(
            USAGE,
            "send what? Give a TEXT, - for all of standard input, or --lines",
        ));
    }
    if args.lines && !stdin {
        return Err(Failure::new(USAGE, "--lines reads standard input, so it takes no TEXT"));
    }
    let queue = Queue::open(&args.name).about(&args.name)?;
    let mut sender = Sender {
        producer: queue.producer().about(&args.name)?,
        event: args.event,
        timeout: args.timeout,
        pace: args.rate.map(|rate| Pace { rate, start: Instant::now(), sent: 0 }),
        name: &args.name,
        sent: Arc::default(),
    };
    let bar = if args.lines { bar()? } else { ProgressBar::hidden() };
    let (sent, name) = (Arc::clone(&sender.sent), args.name.clone());
    interrupt::last_words(&bar, move |_| {
        let sent = sent.lock().map_or(0, |sent| *sent);
        format!("{name}: interrupted; at least {} sent", output::counted(sent, "message"))
    })?;
    if args.lines {
        let count = args.count.unwrap_or(u64::MAX);
        send_lines(&mut sender, queue.capacity(), count, &bar)?;
    } else {
        let message = match &args.text {
            Some(text) if !stdin => text.as_bytes().to_vec(),
            _ => whole_input(sender.producer.max_message())?,
        };
        for _ in 0..args.count.unwrap_or(1) {
            sender.send(&message)?;
        }
    }
    drop(sender);
    if args.close { queue.close().about(&args.name) } else { Ok(()) }
}

struct Sender<'a> {
    producer: Producer,
    event: Option<String>,
    timeout: Option<Duration>,
    pace: Option<Pace>,
    name: &'a str,
    /// So many, for the last words.
    sent: Arc<Mutex<u64>>,
}

impl Sender<'_> {
    fn send(&mut self, payload: &[u8]) -> Done {
        if let Some(pace) = &mut self.pace {
            pace.wait();
        }
        let producer = &mut self.producer;
        let sent = match (&self.event, self.timeout) {
            (None, None) => producer.send(payload),
            (None, Some(Duration::ZERO)) => producer.try_send(payload),
            (None, Some(timeout)) => producer.send_timeout(payload, timeout),
            (Some(event), None) => producer.send_event(event, payload),
            (Some(event), Some(timeout)) => producer.send_event_timeout(event, payload, timeout),
        };
        sent.map(drop).about(self.name)?;
        self.count(1);
        Ok(())
    }

    fn count(&self, messages: u64) {
        if let Ok(mut sent) = self.sent.lock() {
            *sent += messages;
        }
    }

    /// Batches have neither events nor time-outs, and no pace.
    fn batches(&self) -> bool {
        self.event.is_none() && self.timeout.is_none() && self.pace.is_none()
    }

    fn send_all(&mut self, lines: &mut Vec<&[u8]>) -> Done {
        if lines.is_empty() {
            return Ok(());
        }
        if self.batches() && lines.len() > 1 {
            let count = lines.len() as u64;
            self.producer.send_batch(lines.drain(..)).about(self.name)?;
            self.count(count);
            return Ok(());
        }
        lines.drain(..).try_for_each(|line| self.send(line))
    }
}

/// Sends at most so many a second, evenly.
struct Pace {
    rate: f64,
    start: Instant,
    sent: u64,
}

impl Pace {
    fn wait(&mut self) {
        let due =
            Duration::try_from_secs_f64(self.sent as f64 / self.rate).unwrap_or(Duration::MAX);
        std::thread::sleep(due.saturating_sub(self.start.elapsed()));
        self.sent += 1;
    }
}

/// Lines in one batch at the most, so that receivers start early.
const BATCH: usize = 512;
const CHUNK: usize = 256 << 10;

/// Whatever a read brings is sent before the next read: a line that trickles in does not wait for others.
fn send_lines(sender: &mut Sender<'_>, capacity: u64, count: u64, bar: &ProgressBar) -> Done {
    let mut input = stdin()?;
    let max = sender.producer.max_message();
    let mut lines = Lines { left: count, number: 0, share: (capacity / 8) as usize, max, sender };
    let mut buffer = vec![0; CHUNK];
    let mut filled = 0;
    while lines.left > 0 {
        if filled == buffer.len() {
            if filled > max {
                return Err(lines.too_large(filled));
            }
            buffer.resize(filled * 2, 0);
        }
        let free = buffer.get_mut(filled..).unwrap_or(&mut []);
        let count = match input.read(free) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(Failure::io(&error, "standard input")),
        };
        bar.inc(count as u64);
        let new = filled..filled + count;
        filled += count;
        let end =
            buffer.get(new.clone()).and_then(|new| new.iter().rposition(|byte| *byte == b'\n'));
        if let Some(end) = end.map(|end| new.start + end) {
            lines.send(buffer.get(..end).unwrap_or(&[]))?;
            buffer.copy_within(end + 1..filled, 0);
            filled -= end + 1;
        }
        if count == 0 {
            break;
        }
    }
    // The last line may lack its newline.
    if filled > 0 && lines.left > 0 {
        lines.send(buffer.get(..filled).unwrap_or(&[]))?;
    }
    bar.finish_and_clear();
    Ok(())
}

struct Lines<'s, 'a> {
    sender: &'s mut Sender<'a>,
    left: u64,
    number: u64,
    /// Bytes in one batch at the most.
    share: usize,
    max: usize,
}

impl Lines<'_, '_> {
    /// Sends the lines of a text whose last newline was taken off.
    fn send(&mut self, text: &[u8]) -> Done {
        let mut batch: Vec<&[u8]> = Vec::with_capacity(BATCH);
        let mut bytes = 0;
        for line in text.split(|byte| *byte == b'\n') {
            if self.left == 0 {
                break;
            }
            self.number += 1;
            self.left -= 1;
            if line.len() > self.max {
                self.sender.send_all(&mut batch)?;
                return Err(self.too_large(line.len()));
            }
            bytes += line.len();
            batch.push(line);
            if batch.len() == BATCH || bytes >= self.share {
                self.sender.send_all(&mut batch)?;
                bytes = 0;
            }
        }
        self.sender.send_all(&mut batch)
    }

    fn too_large(&self, len: usize) -> Failure {
        let (name, line, max) = (self.sender.name, self.number.max(1), self.max);
        Failure::new(
            FAILURE,
            format_args!(
                "{name}: line {line} has {len} bytes or more, and this queue takes at most {max}; create one with a larger --capacity"
            ),
        )
    }
}

/// All of standard input, as far as it can be one message.
fn whole_input(max: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let limit = max as u64 + 1;
    let read = stdin()?.take(limit).read_to_end(&mut bytes);
    read.map_err(|error| Failure::io(&error, "standard input"))?;
    if bytes.len() > max {
        return Err(Failure::new(
            FAILURE,
            format_args!(
                "standard input is longer than {max} bytes, the most that this queue takes as one message; send its --lines, or create a queue with a larger --capacity"
            ),
        ));
    }
    Ok(bytes)
}

fn stdin() -> Result<File, Failure> {
    let fd = io::stdin().as_fd().try_clone_to_owned();
    Ok(File::from(fd.map_err(|error| Failure::io(&error, "standard input"))?))
}

/// Shown only where it is in nobody's way: a terminal that is not being typed on.
fn bar() -> Result<ProgressBar, Failure> {
    if io::stdin().is_terminal() {
        return Ok(ProgressBar::hidden());
    }
    let len = stdin()?.metadata().ok().filter(|meta| meta.is_file()).map(|meta| meta.len());
    let template = match len {
        Some(_) => "{wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
        None => "{spinner} {bytes} {bytes_per_sec}",
    };
    Ok(output::progress(len, template))
}
