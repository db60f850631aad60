//! `slipring replay`: what `record` wrote, sent again.

use crate::failure::{About, CORRUPT, Done, FAILURE, Failure};
use crate::interrupt::{GLANCE, Interrupt};
use crate::output;
use crate::record::format::{Broken, Frame, Reader, VERSION};
use serde_json::json;
use slipring::{Producer, Queue, SendError};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Send recorded messages to a queue, at the speed they were recorded or faster
///
/// Of a file that is damaged or cut off the whole messages are sent, and then it says how many they were.
#[derive(clap::Args)]
pub struct Replay {
    /// The recording; `-` is standard input
    file: PathBuf,
    /// The queue
    #[arg(required_unless_present = "check")]
    name: Option<String>,
    /// So many times as fast as it was recorded; `max` does not wait at all
    #[arg(long, value_name = "SPEED", default_value = "1", value_parser = speed)]
    speed: f64,
    /// Begin with the message at this position, or with the first one after it
    #[arg(long, value_name = "POSITION", default_value_t = 0)]
    from: u64,
    /// Stop after so many messages
    #[arg(short = 'n', long = "count", value_name = "N")]
    count: Option<u64>,
    /// Only see whether the file is whole, and what is in it
    #[arg(long, conflicts_with = "name")]
    check: bool,
    /// At the end one JSON object, that says what was sent, or is in the file
    #[arg(long)]
    json: bool,
}

/// Infinite: without waiting.
fn speed(text: &str) -> Result<f64, String> {
    let speed = if text == "max" { Some(f64::INFINITY) } else { text.parse().ok() };
    let speed = speed.filter(|speed: &f64| *speed > 0.0 && !speed.is_nan());
    speed.ok_or_else(|| "use a number above zero, as 2 or 0.5, or max".into())
}

pub fn run(args: Replay) -> Done {
    let file = args.file.display().to_string();
    let opened = Reader::new(BufReader::new(open(&args.file)?));
    let (header, reader) = opened.map_err(|broken| explain(&file, &broken, 0))?;
    let mut replay = Replayed { reader, file, sent: 0, gaps: 0 };
    let Some(name) = &args.name else {
        replay.each(&args, |_| Ok(true))?;
        if args.json {
            return replay.print_json(None, header.queue_id, false);
        }
        let (count, gaps) = (output::counted(replay.sent, "message"), replay.gaps_text());
        let text =
            format!("{}: whole: {count} of queue {:032x}{gaps}\n", replay.file, header.queue_id);
        return output::print(&text);
    };
    let queue = Queue::open(name).about(name)?;
    let mut sender = Sender {
        producer: queue.producer().about(name)?,
        name,
        interrupt: Interrupt::new()?,
        speed: args.speed,
        start: None,
    };
    let done = replay.each(&args, |frame| sender.send(frame));
    let interrupted = sender.interrupt.has_come();
    if args.json {
        return replay.print_json(Some(name), header.queue_id, interrupted).and(done);
    }
    let (count, gaps) = (output::counted(replay.sent, "message"), replay.gaps_text());
    let how = if interrupted { "interrupted; " } else { "" };
    output::say(format_args!("{name}: {how}{count} sent{gaps}"));
    done
}

fn open(path: &Path) -> Result<Box<dyn Read>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(std::io::stdin()));
    }
    let opened = File::open(path).map_err(|error| Failure::reading(&error, path));
    Ok(Box::new(opened?))
}

struct Replayed {
    reader: Reader<BufReader<Box<dyn Read>>>,
    file: String,
    sent: u64,
    gaps: u64,
}

impl Replayed {
    /// Does something with each message that was asked for, until it says no.
    fn each(
        &mut self,
        args: &Replay,
        mut act: impl FnMut(&Frame<&[u8]>) -> Result<bool, Failure>,
    ) -> Done {
        while self.sent < args.count.unwrap_or(u64::MAX) {
            let frame = match self.reader.next() {
                Ok(frame) => frame,
                Err(broken) => return Err(explain(&self.file, &broken, self.reader.messages)),
            };
            match frame {
                Frame::End { .. } => return Ok(()),
                Frame::Gap { .. } => self.gaps += 1,
                Frame::Message { position, .. } if position < args.from => {}
                Frame::Message { .. } => {
                    if !act(&frame)? {
                        return Ok(());
                    }
                    self.sent += 1;
                }
            }
        }
        Ok(())
    }

    fn print_json(&self, queue: Option<&str>, recorded: u128, interrupted: bool) -> Done {
        output::print_json(&json!({
            "file": self.file, "queue": queue, "recorded_queue_id": format!("{recorded:032x}"),
            "messages": self.sent, "gaps": self.gaps, "interrupted": interrupted,
        }))
    }

    fn gaps_text(&self) -> String {
        match self.gaps {
            0 => String::new(),
            gaps => format!("; {} where the recorder was overrun", output::counted(gaps, "gap")),
        }
    }
}

fn explain(file: &str, broken: &Broken, whole: u64) -> Failure {
    let whole = format!(
        "{} before that {} whole",
        output::counted(whole, "message"),
        if whole == 1 { "is" } else { "are" }
    );
    match broken {
        Broken::NoRecording => Failure::new(
            CORRUPT,
            format_args!("{file}: not a recording; `slipring record` makes them"),
        ),
        Broken::Version(version) => Failure::new(
            CORRUPT,
            format_args!(
                "{file}: recorded in version {version} of the format, this program reads version {VERSION}; use the program that recorded it, or a later one"
            ),
        ),
        Broken::Cut => Failure::new(
            CORRUPT,
            format_args!("{file}: cut off, its end is missing (was the recorder killed?); {whole}"),
        ),
        Broken::Damaged => {
            Failure::new(CORRUPT, format_args!("{file}: damaged, a checksum is wrong; {whole}"))
        }
        Broken::Io(error) => Failure::new(FAILURE, format_args!("{file}: {error}; {whole}")),
    }
}

struct Sender<'a> {
    producer: Producer,
    name: &'a str,
    interrupt: Interrupt,
    speed: f64,
    /// When we sent the first message, and when that was recorded.
    start: Option<(Instant, u64)>,
}

impl Sender<'_> {
    /// False if interrupted.
    fn send(&mut self, frame: &Frame<&[u8]>) -> Result<bool, Failure> {
        let Frame::Message { time_unix_ns, event, payload, .. } = *frame else { return Ok(true) };
        let (start, first) = *self.start.get_or_insert((Instant::now(), time_unix_ns));
        // A clock that was set back does not hold up what follows.
        let recorded = Duration::from_nanos(time_unix_ns.saturating_sub(first)).as_secs_f64();
        let due = Duration::try_from_secs_f64(recorded / self.speed).unwrap_or(Duration::MAX);
        let mut left = due.saturating_sub(start.elapsed());
        while !left.is_zero() {
            if self.interrupt.wait(left) {
                return Ok(false);
            }
            left = due.saturating_sub(start.elapsed());
        }
        let event = String::from_utf8_lossy(event);
        loop {
            if self.interrupt.has_come() {
                return Ok(false);
            }
            let sent = if event.is_empty() {
                self.producer.send_timeout(payload, GLANCE)
            } else {
                self.producer.send_event_timeout(&event, payload, GLANCE)
            };
            // Whoever is to make room is as slow as he is.
            if sent != Err(SendError::Timeout) {
                return sent.map(|_| true).about(self.name);
            }
        }
    }
}
