//! Whatever bytes a broken or hostile peer writes into a queue's file: nobody who uses it is killed by a signal, panics, hangs or
//! allocates without bound. Errors are expected; they are counted and printed.
//!
//! `HOSTILE_SEED` repeats a run, `HOSTILE_SCRIBBLES` makes it longer.

mod common;
#[path = "hostile/drive.rs"]
mod drive;
#[path = "hostile/patch.rs"]
mod patch;
#[path = "hostile/places.rs"]
mod places;
#[path = "hostile/watch.rs"]
mod watch;

use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use common::TempDir;
use drive::Actor;
use patch::{Bytes, PARTS, Random};
use places::{Memory, Places};
use slipring::Queue;
use watch::{Clock, Tally, Watch};

/// A call returns within this, or the test ends.
const BOUND: Duration = Duration::from_secs(2);
/// The queues are small; whoever needs more than this has believed a length.
const MOST_KIB: u64 = 192 << 10;
/// Of the queues that processes share, so that each knows the places without asking.
const SHARED: (usize, usize, usize, usize) = (64, 64, 6, 24);

fn seed() -> u64 {
    let given = std::env::var("HOSTILE_SEED").ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| std::process::id().into())
}

fn scribbles(default: u64) -> u64 {
    let given = std::env::var("HOSTILE_SCRIBBLES").ok().and_then(|count| count.parse().ok());
    given.unwrap_or(if cfg!(debug_assertions) { default / 10 } else { default })
}

fn create(path: &str, places: &Places, random: &mut Random) -> Queue {
    let _ = std::fs::remove_file(path);
    let capacity = (places.blocks * places.block_size) as u64;
    let base = [0, 0, 40, (1 << 32) - 30, (1 << 63) - 30, u64::MAX - 5000, 1 << 58];
    let options = Queue::options()
        .capacity(capacity)
        .block_size(places.block_size as u32)
        .max_groups(places.max_groups as u32)
        .max_members(places.max_members as u32)
        .topic(random.below(4) == 0)
        .fenced(random.below(4) == 0)
        .retain([0, 0, capacity / 4, capacity / 2][random.below(4) as usize])
        .base(base[random.below(7) as usize]);
    options.create(path).unwrap()
}

fn print(title: &str, tally: &Tally) {
    println!("{title}");
    for (what, count) in tally {
        println!("  {count:>9} {what}");
    }
}

fn merge(into: &mut Tally, from: Tally) {
    for (what, count) in from {
        *into.entry(what).or_default() += count;
    }
}

/// One thread, one string of random bytes a queue: every operation between patches, the same each time for the same seed.
#[test]
fn every_operation_between_scribbles() {
    let (dir, seed) = (TempDir::new(), seed());
    let clock = Arc::new(Clock::default());
    let words = format!("HOSTILE_SEED={seed}");
    println!("{words}");
    let _watch = Watch::over(vec![Arc::clone(&clock)], BOUND, words);
    let (mut random, mut tally) = (Random(seed), Tally::new());
    let (wanted, start) = (scribbles(50_000), Instant::now());
    let (mut done, mut queues) = (0, 0);
    while done < wanted {
        let blocks = [16, 64, 256][random.below(3) as usize];
        let block_size = [64, 64, 256][random.below(3) as usize];
        let places = Places::of(blocks, block_size, 1 + random.below(6) as usize, 12);
        let path = dir.path("q");
        let queue = create(&path, &places, &mut random);
        let memory = Memory::open(&path, places.end);
        let len = 600 + random.below(1500) as usize;
        let string = random.bytes(len);
        let mut bytes = Bytes::new(&string);
        // Some work before the first patch, so that there is something to spoil.
        let spoils = random.below(8) != 0;
        let mut actor = Actor::new(queue, (&memory, &places), &clock, &mut tally, spoils);
        while !bytes.done() {
            actor.step(&mut bytes);
        }
        done += actor.patches;
        queues += 1;
        drop(actor);
        let _ = std::fs::remove_file(dir.path("dead"));
    }
    let rate = done as f64 / start.elapsed().as_secs_f64();
    print(&format!("{done} scribbles over {queues} queues, {rate:.0}/s"), &tally);
    let names: Vec<_> = std::fs::read_dir(Path::new(&dir.path(""))).unwrap().flatten().collect();
    println!("files left: {names:?}");
    assert!(watch::peak_kib() < MOST_KIB, "{} KiB", watch::peak_kib());
    assert!(tally.get("send: Ok").is_some_and(|count| *count > 100), "nothing was at work");
    assert!(tally.get("recv: Ok").is_some_and(|count| *count > 100), "nothing was at work");
    assert!(tally.get("recv: Corrupt").is_some_and(|count| *count > 10), "nothing was spoiled");
}

/// Threads and processes work on one queue while it is spoiled under them.
#[test]
fn scribbles_while_threads_and_processes_work() {
    let (dir, seed) = (TempDir::new(), seed() ^ 0x5eed);
    println!("HOSTILE_SEED={}", seed ^ 0x5eed);
    let places = Places::of(SHARED.0, SHARED.1, SHARED.2, SHARED.3);
    let (path, mut random) = (dir.path("q"), Random(seed));
    drop(create(&path, &places, &mut random));
    let processes: Vec<Worker> = (0..3).map(|n| Worker::start(&path, seed ^ n)).collect();
    let stop = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = (10..13)
        .map(|n| {
            let (path, stop, places) = (path.clone(), Arc::clone(&stop), places);
            thread::spawn(move || work(&path, &places, seed ^ n, || stop.load(Relaxed)))
        })
        .collect();

    let (wanted, start) = (scribbles(100_000), Instant::now());
    let (mut done, mut queues, mut parts) = (0, 0u64, [0u64; PARTS.len()]);
    while done < wanted {
        let queue = create(&path, &places, &mut random);
        queues += 1;
        let memory = Memory::open(&path, places.end);
        // Some are spoiled with time between the scribbles, so that each is lived with for a while, some in a storm.
        let (count, pause) = [(24, 400), (150, 60), (400, 10)][random.below(3) as usize];
        thread::sleep(Duration::from_micros(300));
        for _ in 0..count {
            let string = random.bytes(160);
            parts[patch::patch(&mut Bytes::new(&string), &memory, &places)] += 1;
            if pause > 0 {
                thread::sleep(Duration::from_micros(pause));
            }
        }
        done += count;
        drop(queue);
        let _ = std::fs::remove_file(dir.path("dead"));
    }
    let seconds = start.elapsed().as_secs_f64();
    stop.store(true, Relaxed);
    std::fs::write(format!("{path}.stop"), "").unwrap();
    let mut tally = Tally::new();
    for thread in threads {
        merge(&mut tally, thread.join().unwrap());
    }
    for worker in processes {
        merge(&mut tally, worker.finish());
    }
    let rate = done as f64 / seconds;
    print(&format!("{done} scribbles over {queues} queues in {seconds:.1} s, {rate:.0}/s"), &tally);
    println!("by part: {:?}", PARTS.iter().zip(parts).collect::<Vec<_>>());
    assert!(watch::peak_kib() < MOST_KIB, "{} KiB", watch::peak_kib());
    for call in ["send: Ok", "recv: Ok", "recv: Corrupt", "settle: Ok", "recover: Ok"] {
        assert!(tally.get(call).is_some_and(|count| *count > 10), "too little {call:?}");
    }
}

/// Opens the queue again and again, and does what random bytes say.
fn work(path: &str, places: &Places, seed: u64, stopped: impl Fn() -> bool) -> Tally {
    let clock = Arc::new(Clock::default());
    let _watch = Watch::over(vec![Arc::clone(&clock)], BOUND, format!("worker seed {seed}"));
    let (mut random, mut tally) = (Random(seed), Tally::new());
    while !stopped() {
        let Ok(queue) = clock.time(60, || Queue::open(path)) else {
            *tally.entry("open: refused".into()).or_default() += 1;
            thread::sleep(Duration::from_micros(200));
            continue;
        };
        // Of this very file, which may have lost its name by now.
        let file = std::fs::File::from(queue.as_fd().try_clone_to_owned().unwrap());
        let memory = Memory::map(&file, places.end);
        let len = 200 + random.below(1200) as usize;
        let string = random.bytes(len);
        let mut bytes = Bytes::new(&string);
        let mut actor = Actor::new(queue, (&memory, places), &clock, &mut tally, false);
        while !bytes.done() {
            actor.step(&mut bytes);
        }
    }
    tally
}

/// A process that works; killed if the test ends before it.
struct Worker(Child);

impl Worker {
    fn start(path: &str, seed: u64) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "worker", "--ignored", "--nocapture"])
            .env("HOSTILE_PATH", path)
            .env("HOSTILE_SEED", seed.to_string())
            .stdout(Stdio::piped())
            .spawn();
        Self(child.unwrap())
    }

    /// Its tally. Fails if it was killed by a signal, panicked or was ended by its watch.
    fn finish(mut self) -> Tally {
        let mut text = String::new();
        let mut pipe = self.0.stdout.take().unwrap();
        std::io::Read::read_to_string(&mut pipe, &mut text).unwrap();
        let status = self.0.wait().unwrap();
        assert!(status.success(), "{status}: {text}");
        text.lines()
            .filter_map(|line| line.strip_prefix("tally "))
            .filter_map(|line| line.split_once(' '))
            .map(|(count, what)| (what.to_owned(), count.parse().unwrap()))
            .collect()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "a process of scribbles_while_threads_and_processes_work"]
fn worker() {
    let Ok(path) = std::env::var("HOSTILE_PATH") else { return };
    let places = Places::of(SHARED.0, SHARED.1, SHARED.2, SHARED.3);
    let stop = format!("{path}.stop");
    let parent = std::os::unix::process::parent_id();
    let stopped = || Path::new(&stop).exists() || std::os::unix::process::parent_id() != parent;
    for (what, count) in work(&path, &places, seed(), stopped) {
        println!("tally {count} {what}");
    }
    assert!(watch::peak_kib() < MOST_KIB, "{} KiB", watch::peak_kib());
}
