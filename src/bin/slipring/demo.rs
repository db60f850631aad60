//! `slipring demo`: the main job on real input, with murders.
//!
//! Two producer processes push every line of a text through one queue. A work-queue group of two worker processes shares the lines,
//! and a fan-out group of one process writes the whole stream, at the same time. Midway a worker and a producer are killed with
//! SIGKILL and replaced. At the end what came out is compared with what went in, byte for byte.
//!
//! `part.rs` is what the processes do, `crew.rs` starts and kills them, `check.rs` compares, `text.rs` finds a text.

mod check;
mod crew;
pub mod part;
mod text;

use crate::failure::{About, Done, FAILURE, Failure};
use crate::{interrupt, output, units};
use crew::Crew;
use indicatif::ProgressBar;
use serde_json::json;
use slipring::Queue;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Push a text through a queue while processes are killed, and compare what comes out with what went in
#[derive(clap::Args)]
pub struct Demo {
    /// The text; without it one that ships with the system
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// At least so many lines: files are added, or what there is is repeated
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    messages: usize,
    /// Bytes of payload that the queue holds
    #[arg(long, value_name = "SIZE", default_value = "256KiB", value_parser = units::size)]
    capacity: u64,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

pub const ARCHIVE: &str = "archive";
pub const WORKERS: &str = "workers";

/// Everything is over in a fraction of this; a queue that is wedged is not to hang the demo.
const LIMIT: Duration = Duration::from_secs(120);

/// What the run was.
struct Story {
    killed_worker: u32,
    killed_producer: u32,
    last_seen: usize,
    elapsed: Duration,
}

pub fn run(args: Demo) -> Done {
    let (source, text) = text::find(args.file.as_deref(), args.messages)?;
    let place = Place::new()?;
    place.write("text", &text)?;
    let lines: Vec<&[u8]> = text::lines(&text);
    let queue = Queue::options().capacity(args.capacity).topic(true);
    let queue = queue.create(&place.path("queue")).about("demo")?;
    let bar = output::progress(
        Some(lines.len() as u64),
        "{wide_bar} {human_pos}/{human_len} messages {msg}",
    );
    interrupt::last_words(&bar, |sent| {
        format!("demo: interrupted after {}", output::counted(sent, "message"))
    })?;
    let story = play(&place, &queue, lines.len(), &bar)?;
    bar.finish_and_clear();
    let outcome = check::compare(&place, &lines, queue.stats().groups)?;
    let rate = lines.len() as f64 / story.elapsed.as_secs_f64();
    if args.json {
        output::print_json(&json!({
            "text": source, "lines": lines.len(), "bytes": text.len(),
            "sent": outcome.sent, "delivered_workers": outcome.delivered_workers,
            "delivered_archive": outcome.delivered_archive, "redelivered": outcome.redelivered,
            "killed_worker": story.killed_worker, "killed_producer": story.killed_producer,
            "resumed_at": story.last_seen + 1, "seconds": story.elapsed.as_secs_f64(),
            "rate": rate, "repaired": queue.stats().repaired, "equal": outcome.faults.is_empty(),
            "faults": outcome.faults,
        }))?;
    } else {
        output::print(&format!(
            "text         {source}: {} lines, {} bytes\n\
             killed       worker {} and producer {} with SIGKILL; both replaced\n\
             resumed      the last line of the dead producer in the queue is {}; its successor began with {}\n\
             sent         {}\n\
             delivered    {} to the workers, {} to the fan-out group\n\
             redelivered  {} that the dead worker had not acked\n\
             rate         {rate:.0} messages/s in, twice that out; {:.2} s in all\n",
            lines.len(),
            text.len(),
            story.killed_worker,
            story.killed_producer,
            story.last_seen,
            story.last_seen + 1,
            outcome.sent,
            outcome.delivered_workers,
            outcome.delivered_archive,
            outcome.redelivered,
            story.elapsed.as_secs_f64(),
        ))?;
    }
    if !outcome.faults.is_empty() {
        return Err(Failure::new(FAILURE, outcome.faults.join("\nslipring: ")));
    }
    if !args.json {
        output::print(
            "compared     fan-out output equals the input, byte for byte\n\
             compared     lines acked by workers equal the input, each exactly once\n",
        )?;
    }
    Ok(())
}

/// Runs the processes, kills two, and waits for the others.
fn play(place: &Place, queue: &Queue, lines: usize, bar: &ProgressBar) -> Result<Story, Failure> {
    let deadline = Instant::now() + LIMIT;
    let mut crew = Crew::new(place)?;
    crew.archive()?;
    let workers = [crew.worker(0)?, crew.worker(1)?];
    // Groups begin with their first member; nobody is to miss the first lines.
    crew::until(deadline, "the groups to form", || {
        bar.tick();
        Ok(queue.stats().groups.iter().map(|group| group.members).sum::<u64>() >= 3)
    })?;
    let started = Instant::now();
    let middle = lines / 2;
    let mut producers = [crew.producer(0, 0, middle)?, crew.producer(1, middle, lines)?];
    let sent = || queue.stats().sent as usize;
    let reach = |share: usize| {
        crew::until(deadline, "messages to be sent", || {
            bar.set_position(sent() as u64);
            Ok(sent() >= share)
        })
    };
    reach(lines / 4)?;
    let killed_worker = crew.kill(workers[0], "worker")?;
    bar.set_message("killed a worker");
    crew.worker(2)?;
    reach(lines / 3)?;
    let killed_producer = crew.kill(producers[0], "producer")?;
    bar.set_message("killed a producer");
    queue.recover().about("demo")?;
    let last_seen = last_line(place, queue, 0, middle, deadline)?;
    producers[0] = crew.producer(0, last_seen, middle)?;
    for producer in producers {
        crew.go(producer)?;
    }
    for producer in producers {
        crew.join(producer, deadline, || bar.set_position(sent() as u64))?;
    }
    queue.close().about("demo")?;
    crew.join_all(deadline, || bar.set_position(sent() as u64))?;
    let elapsed = started.elapsed();
    Ok(Story { killed_worker, killed_producer, last_seen, elapsed })
}

/// The number of the last line, counted from one, that the queue has of a producer that is dead and repaired: everything up to now
/// has passed the fan-out group, so that its output tells.
fn last_line(
    place: &Place,
    queue: &Queue,
    first: usize,
    end: usize,
    deadline: Instant,
) -> Result<usize, Failure> {
    let latest = queue.stats().latest;
    crew::until(deadline, "the fan-out group to catch up", || {
        let groups = queue.stats().groups;
        let archive = groups.iter().find(|group| group.name == ARCHIVE);
        Ok(archive.is_some_and(|group| group.floor >= latest || group.lag == 0))
    })?;
    let stream = place.read("archive.0")?;
    let numbers = check::records(&stream).into_iter().filter_map(|record| record.line());
    let last = numbers.filter(|line| (first..end).contains(line)).max();
    Ok(last.map_or(first, |line| line + 1))
}

/// The demo's directory in shared memory, removed with it.
pub struct Place(PathBuf);

impl Place {
    fn new() -> Result<Self, Failure> {
        let shm = Path::new("/dev/shm");
        let base = if shm.is_dir() { shm.to_owned() } else { std::env::temp_dir() };
        let path = base.join(format!("slipring-demo-{}", std::process::id()));
        let failure = |error| Failure::io(&error, path.display());
        // What a --file holds may be private.
        std::fs::DirBuilder::new().mode(0o700).create(&path).map_err(failure)?;
        Ok(Self(path))
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Done {
        std::fs::write(self.0.join(name), bytes).map_err(|error| Failure::io(&error, name))
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, Failure> {
        std::fs::read(self.0.join(name)).map_err(|error| Failure::io(&error, name))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
