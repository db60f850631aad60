//! What the subjects share: cores, places for queues, processes for the other sides, and how criterion gets its figures.

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId};
use slipring::Queue;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

pub type Group<'c> = BenchmarkGroup<'c, WallTime>;

/// A benchmark whose `run` does its work so many times and says how long that took. It is set up only if it is not filtered out.
pub fn measure<S>(
    group: &mut Group<'_>,
    id: BenchmarkId,
    start: impl Fn() -> S,
    run: impl Fn(&mut S, u64) -> Duration,
) {
    let mut state = None;
    group.bench_function(id, |bencher| {
        let state = state.get_or_insert_with(&start);
        bencher.iter_custom(|count| run(state, count));
    });
}

/// The core of a side: the measuring process is side 0. With fewer cores than sides they are shared.
pub fn core(side: usize) -> usize {
    static CORES: OnceLock<Vec<usize>> = OnceLock::new();
    let cores = CORES.get_or_init(|| {
        // SAFETY: an all-zero set is a valid empty one.
        let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        // SAFETY: the set lives until the call returns.
        unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) };
        // SAFETY: the cores' numbers are within the set.
        (0..libc::CPU_SETSIZE as usize)
            .filter(|core| unsafe { libc::CPU_ISSET(*core, &set) })
            .collect()
    });
    cores[side % cores.len()]
}

/// A directory in shared memory. A shell keeps it, and removes it when we are gone, however we went.
pub struct Place {
    path: String,
    keeper: Child,
}

impl Place {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = format!("/dev/shm/slipring-engine-{}-{next}", std::process::id());
        let mut keeper = Command::new("sh");
        keeper.args(["-c", r#"cat; rm -rf -- "$0""#, &path]).stdin(Stdio::piped());
        // A group of its own: ^C is not for it.
        let keeper = keeper.process_group(0).spawn().expect("a shell");
        std::fs::create_dir(&path).expect("a directory in /dev/shm");
        Self { path, keeper }
    }

    /// A queue with all its pages in memory.
    pub fn queue(&self, name: &str, capacity: u64) -> Queue {
        let queue = Queue::options().capacity(capacity).topic(true).create(&self.path(name));
        let queue = queue.expect("room in /dev/shm");
        queue.prefault();
        queue
    }

    pub fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// Another process: this program again, which plays one of the roles in `sides.rs` until we close its standard input. An order is a
/// line with a number, and so is an answer.
pub struct Side {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Side {
    /// Starts it and waits until it is ready.
    pub fn start(side: usize, role: &str, args: &[&str]) -> Self {
        let program = std::env::current_exe().expect("own path");
        let mut command = Command::new(program);
        command.args(["--side", &core(side).to_string(), role]).args(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("another process");
        let orders = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut side = Self { child, orders, answers };
        side.answer();
        side
    }

    pub fn order(&mut self, number: u64) {
        let orders = self.orders.as_mut().expect("open until the end");
        writeln!(orders, "{number}").expect("the other side lives");
    }

    /// Waits until the order is carried out.
    pub fn answer(&mut self) {
        let mut line = String::new();
        let read = self.answers.read_line(&mut line).expect("a pipe");
        assert!(read > 0, "the other side has ended early");
    }

    /// SIGKILL, and wait until it is gone.
    pub fn kill(mut self) {
        self.child.kill().expect("the other side lives");
        self.child.wait().expect("the other side");
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        drop(self.orders.take());
        let _ = self.child.wait();
    }
}
