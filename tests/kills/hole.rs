//! The hole of a dead producer is skipped as soon as the kernel has freed its lock.

use super::child::{Child, Times, alone, listen, load, say};
use super::common::{TempDir, queue};
use slipring::{Queue, RoleStats};
use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

const TRIALS: u64 = 200;
const BOUND: Duration = Duration::from_millis(1);

/// Reserves, and keeps the reservation until killed.
pub fn play(arguments: &[String]) {
    let queue = Queue::open(&arguments[0]).unwrap();
    let mut tx = queue.producer().unwrap();
    let slot = tx.reserve(100).unwrap();
    say(&slot.position().to_string());
    listen();
}

/// Does anybody hold the lock of a member's row? Asked through a description of our own.
fn is_locked(file: &File, row: usize) -> bool {
    let mut lock = libc::flock {
        l_type: libc::F_WRLCK as i16,
        l_whence: libc::SEEK_SET as i16,
        l_start: (1 << 62) + 1 + row as i64,
        l_len: 1,
        l_pid: 0,
    };
    // SAFETY: F_OFD_GETLK reads and writes one `flock`, which outlives the call.
    let done = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) };
    assert_eq!(done, 0);
    lock.l_type != libc::F_UNLCK as i16
}

/// How late this machine wakes a sleeper just now.
fn lateness(stop: &AtomicBool) -> Times {
    let nap = Duration::from_micros(500);
    let mut times = Times::default();
    while !stop.load(Ordering::Relaxed) {
        let start = Instant::now();
        std::thread::sleep(nap);
        times.add(start.elapsed().saturating_sub(nap));
        std::thread::sleep(Duration::from_millis(5));
    }
    times
}

#[test]
fn a_dead_producers_hole_is_skipped_within_a_millisecond() {
    let _alone = alone();
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 1 << 16);
    let file = OpenOptions::new().read(true).write(true).open(queue.name()).unwrap();
    let rx = queue.consumer("default").unwrap();
    let (got, received) = mpsc::channel();
    let stop = AtomicBool::new(false);
    let (mut skipped, mut freed) = (Times::default(), Times::default());
    let mut late = std::thread::scope(|scope| {
        scope.spawn(move || {
            for expected in 0..TRIALS {
                let message = rx.recv().unwrap();
                got.send(Instant::now()).unwrap();
                assert_eq!(message.payload(), expected.to_le_bytes());
                message.ack().unwrap();
            }
        });
        let late = scope.spawn(|| lateness(&stop));
        let mut tx = queue.producer().unwrap();
        for trial in 0..TRIALS {
            let (free_after, skipped_after) = one_trial(&queue, &mut tx, &file, trial, &received);
            freed.add(free_after);
            skipped.add(skipped_after);
        }
        stop.store(true, Ordering::Relaxed);
        late.join().unwrap()
    });
    println!("load {}", load());
    freed.report("kill to lock free");
    skipped.report("lock free to the message behind the hole");
    late.report("for comparison, lateness of a sleeper");
    // Half of them: the slowest ones tell of the machine.
    assert!(skipped.percentile(50) < BOUND + late.percentile(50));
}

/// From the kill to the free lock, and from there to the message behind the hole.
fn one_trial(
    queue: &Queue,
    tx: &mut slipring::Producer,
    file: &File,
    trial: u64,
    received: &mpsc::Receiver<Instant>,
) -> (Duration, Duration) {
    let mut child = Child::start("hole", &[queue.name()]);
    let hole: u64 = child.hear().parse().unwrap();
    let pid = child.pid() as u64;
    let members = queue.stats().members;
    let his = members.iter().find(|at| at.role == RoleStats::Producer && at.pid == pid);
    let row = his.unwrap().row;
    assert!(is_locked(file, row));
    assert!(tx.send(&trial.to_le_bytes()).unwrap() > hole);
    // The consumer has long seen the hole and sleeps; it must not get past it.
    assert!(received.recv_timeout(Duration::from_millis(3)).is_err());
    let start = Instant::now();
    child.kill();
    while is_locked(file, row) {
        std::thread::yield_now();
    }
    let free = Instant::now();
    let got = received.recv_timeout(Duration::from_secs(10)).expect("nobody skips the hole");
    // Repair itself takes the lock, so that we may see it free only after the message has come.
    (free - start, got.saturating_duration_since(free))
}
