//! A first look at speed: 64-byte messages between two processes, beside rtrb between two threads and beside a bare cache line
//! bounced between two processes, all in one run, interleaved, each side pinned to a core. `make bench` runs it.
//!
//! The host moves the two cores between places that are near each other and far from each other, which changes everything. So a repeat is short, with the
//! cache line probed before and after it; repeats between which the cores were moved are left out, and near and far are told apart. Prints
//! medians, of the ratios too, with the middle half's range.

#[path = "common/cores.rs"]
mod cores;

use cores::pin;
use std::hint::{black_box, spin_loop};
use std::process::{Child, Command};
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Release},
};
use std::time::Instant;

use slipring::{Consumer, Producer, Queue};

const MESSAGES: u64 = 500_000;
const ROUNDS: u64 = 30_000;
const REPEATS: usize = 60;
/// A cache line there and back, in nanoseconds: below this the cores share a cache.
const NEAR: f64 = 200.0;

/// One repeat's figures, in nanoseconds.
struct Repeat {
    line: f64,
    ours: f64,
    theirs: f64,
    trip: f64,
}

fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    match (args.next().as_deref(), args.next()) {
        (Some("drain"), Some(dir)) => return drain(&dir),
        (Some("echo"), Some(dir)) => return echo(&dir),
        (Some("bounce"), Some(dir)) => return bounce(&dir),
        _ => {}
    }
    let dir = format!("/dev/shm/slipring-bench-{}", std::process::id());
    std::fs::create_dir_all(&dir).expect("a directory in shared memory");
    let repeats: Vec<Repeat> = (0..REPEATS).filter_map(|_| repeat(&dir)).collect();
    let _ = std::fs::remove_dir_all(&dir);
    println!("{} of {REPEATS} repeats in which the cores stayed where they were", repeats.len());
    for (place, near) in [("cores share a cache", true), ("cores apart", false)] {
        let here: Vec<&Repeat> = repeats.iter().filter(|one| (one.line < NEAR) == near).collect();
        if !here.is_empty() {
            println!("{place}, {} repeats:", here.len());
            report(&here);
        }
    }
}

fn report(repeats: &[&Repeat]) {
    let of = |figure: fn(&Repeat) -> f64| middle(repeats.iter().map(|one| figure(one)).collect());
    println!(
        "  one way, 64 B: slipring between processes {} ns, rtrb between threads {} ns: ratio {} (goal: at most 1)",
        of(|one| one.ours),
        of(|one| one.theirs),
        of(|one| one.ours / one.theirs)
    );
    println!(
        "  round trip, 64 B: slipring {} ns, a bare cache line {} ns: ratio {} (goal: at most 1.5)",
        of(|one| one.trip),
        of(|one| one.line),
        of(|one| one.trip / one.line)
    );
}

/// `None` if the cores were moved meanwhile.
fn repeat(dir: &str) -> Option<Repeat> {
    let (before, trip, after) = (bare(dir), round_trip(dir), bare(dir));
    let (first, ours, second) = (rtrb_one_way(), one_way(dir), rtrb_one_way());
    let last = bare(dir);
    let (least, most) = (before.min(after).min(last), before.max(after).max(last));
    let line = (before + after) / 2.0;
    (most < 1.3 * least).then_some(Repeat { line, ours, theirs: (first + second) / 2.0, trip })
}

/// The median, and the range of the middle half.
fn middle(mut figures: Vec<f64>) -> String {
    figures.sort_by(f64::total_cmp);
    let at = |part: usize| figures[(figures.len() - 1) * part / 4];
    if at(2) < 10.0 {
        format!("{:.2} ({:.2} to {:.2})", at(2), at(1), at(3))
    } else {
        format!("{:.0} ({:.0} to {:.0})", at(2), at(1), at(3))
    }
}

/// Runs this program again, for the other side.
fn other(role: &str, dir: &str) -> Child {
    Command::new(std::env::current_exe().expect("own path"))
        .args([role, dir])
        .spawn()
        .expect("a second process")
}

fn queue(path: &str) -> Queue {
    let queue = Queue::options().capacity(1 << 20).open_or_create(path).expect("a queue");
    queue.prefault();
    queue
}

#[inline(always)]
fn receive(rx: &Consumer) -> [u8; 64] {
    let message = rx.recv().expect("a message");
    let payload = message.payload().try_into().expect("64 bytes");
    message.ack().expect("ack");
    payload
}

#[inline(always)]
fn send(tx: &mut Producer, payload: &[u8; 64]) {
    tx.send(payload).expect("room");
}

/// Nanoseconds a message; every byte is written and read.
fn one_way(dir: &str) -> f64 {
    let path = format!("{dir}/one-way");
    let done = queue(&format!("{dir}/done"));
    let data = queue(&path);
    let mut child = other("drain", dir);
    let ready = done.consumer("default").expect("consumer");
    receive(&ready);
    pin(0);
    let mut tx = data.producer().expect("producer");
    let start = Instant::now();
    for n in 0..MESSAGES {
        send(&mut tx, &[n as u8; 64]);
    }
    receive(&ready);
    let each = start.elapsed().as_nanos() as f64 / MESSAGES as f64;
    child.wait().expect("child");
    for name in ["one-way", "done"] {
        Queue::unlink(&format!("{dir}/{name}")).expect("unlink");
    }
    each
}

fn drain(dir: &str) {
    pin(1);
    let rx = queue(&format!("{dir}/one-way")).consumer("default").expect("consumer");
    let mut done = queue(&format!("{dir}/done")).producer().expect("producer");
    send(&mut done, &[0; 64]);
    for _ in 0..MESSAGES {
        black_box(receive(&rx));
    }
    send(&mut done, &[0; 64]);
}

fn rtrb_one_way() -> f64 {
    let (mut tx, mut rx) = rtrb::RingBuffer::<[u8; 64]>::new(1 << 14);
    let reader = std::thread::spawn(move || {
        pin(1);
        for _ in 0..MESSAGES {
            loop {
                if let Ok(message) = rx.pop() {
                    black_box(message);
                    break;
                }
                spin_loop();
            }
        }
    });
    pin(0);
    let start = Instant::now();
    for n in 0..MESSAGES {
        while tx.push([n as u8; 64]).is_err() {
            spin_loop();
        }
    }
    reader.join().expect("reader");
    start.elapsed().as_nanos() as f64 / MESSAGES as f64
}

fn round_trip(dir: &str) -> f64 {
    let (there, back) = (queue(&format!("{dir}/there")), queue(&format!("{dir}/back")));
    let mut child = other("echo", dir);
    pin(0);
    let rx = back.consumer("default").expect("consumer");
    let mut tx = there.producer().expect("producer");
    send(&mut tx, &[0; 64]);
    receive(&rx);
    let start = Instant::now();
    for n in 0..ROUNDS {
        send(&mut tx, &[n as u8; 64]);
        assert_eq!(receive(&rx)[63], n as u8);
    }
    let each = start.elapsed().as_nanos() as f64 / ROUNDS as f64;
    child.wait().expect("child");
    for name in ["there", "back"] {
        Queue::unlink(&format!("{dir}/{name}")).expect("unlink");
    }
    each
}

fn echo(dir: &str) {
    pin(1);
    let rx = queue(&format!("{dir}/there")).consumer("default").expect("consumer");
    let mut tx = queue(&format!("{dir}/back")).producer().expect("producer");
    for _ in 0..=ROUNDS {
        // As a worker does: the reply first, straight from the ring, and then the ack.
        let message = rx.recv().expect("a message");
        tx.send(message.payload()).expect("a reply");
        message.ack().expect("ack");
    }
}

/// Two words on lines of their own, in a file that both processes map.
fn lines(dir: &str) -> (&'static AtomicU64, &'static AtomicU64) {
    let path = format!("{dir}/lines");
    let file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .expect("a file");
    file.set_len(4096).expect("a page");
    let map = Box::leak(Box::new(memmap2::MmapRaw::map_raw(&file).expect("a mapping")));
    let word = |at: usize| {
        let at = map.as_mut_ptr().wrapping_add(at).cast::<AtomicU64>();
        // SAFETY: inside the page, aligned, mapped for ever; atomics may change under us.
        unsafe { &*at }
    };
    (word(0), word(512))
}

/// The physical limit: one line there, one back.
fn bare(dir: &str) -> f64 {
    let (there, back) = lines(dir);
    let mut child = other("bounce", dir);
    pin(0);
    while back.load(Acquire) != u64::MAX {
        spin_loop();
    }
    let start = Instant::now();
    for n in 1..=ROUNDS {
        there.store(n, Release);
        while back.load(Acquire) != n {
            spin_loop();
        }
    }
    let each = start.elapsed().as_nanos() as f64 / ROUNDS as f64;
    child.wait().expect("child");
    std::fs::remove_file(format!("{dir}/lines")).expect("unlink");
    each
}

fn bounce(dir: &str) {
    pin(1);
    let (there, back) = lines(dir);
    back.store(u64::MAX, Release);
    for n in 1..=ROUNDS {
        while there.load(Acquire) != n {
            spin_loop();
        }
        back.store(n, Release);
    }
}
