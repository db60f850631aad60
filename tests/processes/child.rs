//! Child processes: a test binary runs itself with a role, which its test `child` plays.
#![allow(dead_code)]

#[path = "namespace.rs"]
mod namespace;
#[path = "numbers.rs"]
mod numbers;

#[allow(unused_imports)]
pub use numbers::{Random, Times};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ROLE: &str = "SLIPRING_TEST_ROLE";
/// Set in a child that is pid 1 of its own namespace.
const FIRST: &str = "SLIPRING_TEST_FIRST";
const SEPARATOR: char = '\u{1f}';
/// No child outlives this, whatever happens to its parent.
const LIFE_SECONDS: u32 = 1200;
/// What a healthy child answers within.
pub const SOON: Duration = Duration::from_secs(30);

/// A child process with a line to talk over. Killed when dropped.
pub struct Child {
    process: std::process::Child,
    /// Its pid as we see it.
    pid: i32,
    heard: Vec<u8>,
}

impl Child {
    /// Runs this binary in a role.
    pub fn start(role: &str, arguments: &[&str]) -> Self {
        Self::start_with(role, arguments, &[])
    }

    pub fn start_with(role: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::over(command(role, arguments).envs(environment.iter().copied()).spawn().unwrap())
    }

    /// As pid 1 of a PID namespace of its own, with its own /proc if the kernel allows. An error if it allows no namespaces.
    pub fn start_as_first(role: &str, arguments: &[&str]) -> std::io::Result<Self> {
        let mut command = command(role, arguments);
        command.env(FIRST, "1");
        // SAFETY: `become_first` makes system calls only.
        unsafe { command.pre_exec(namespace::become_first) };
        let mut child = Self::over(command.spawn()?);
        // The process in between says its pid, at some time; it speaks for itself meanwhile.
        let mut early = String::new();
        child.pid = loop {
            let line = child.hear();
            match line.strip_prefix("first ") {
                Some(pid) => break pid.parse().unwrap(),
                None => early += &format!("> {line}\n"),
            }
        };
        child.heard.splice(..0, early.bytes());
        assert_eq!(child.hear(), "1", "it is pid 1 of its own namespace");
        Ok(child)
    }

    fn over(process: std::process::Child) -> Self {
        let pid = process.id() as i32;
        Self { process, pid, heard: Vec::new() }
    }

    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// One line to the child.
    pub fn tell(&mut self, line: &str) {
        let mut to = self.process.stdin.as_ref().unwrap();
        to.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// The next line that the child said.
    pub fn hear(&mut self) -> String {
        self.hear_within(SOON).unwrap_or_else(|| panic!("child {} says nothing", self.pid()))
    }

    pub fn hear_within(&mut self, limit: Duration) -> Option<String> {
        let end = Instant::now() + limit;
        loop {
            while let Some(at) = self.heard.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.heard.drain(..=at).collect();
                // The test harness talks on the same line.
                if let Some(said) = line.strip_prefix(b"> ") {
                    return Some(String::from_utf8_lossy(said).trim_end().to_owned());
                }
            }
            let from = self.process.stdout.as_mut().unwrap();
            if !readable(from.as_raw_fd(), end.saturating_duration_since(Instant::now())) {
                return None;
            }
            let mut bytes = [0; 4096];
            match from.read(&mut bytes) {
                Ok(0) | Err(_) => return None,
                Ok(len) => self.heard.extend_from_slice(&bytes[..len]),
            }
        }
    }

    pub fn signal(&self, signal: i32) {
        signal_to(self.pid(), signal);
    }

    /// SIGKILL; what is left of it is reaped when it is dropped.
    pub fn kill(&self) {
        self.signal(libc::SIGKILL);
    }

    /// Kills it and waits until it is gone. True if it was the kill that ended it.
    pub fn kill_and_reap(&mut self) -> bool {
        self.kill();
        self.process.wait().unwrap().signal() == Some(libc::SIGKILL)
    }

    /// What the kernel says of its threads: time on a processor, and time it wanted one and had none.
    pub fn cpu(&self) -> Cpu {
        Cpu::of(self.pid)
    }

    /// Stops it, and waits until it is stopped.
    pub fn stop(&self) {
        self.signal(libc::SIGSTOP);
        let end = Instant::now() + SOON;
        while state_of(self.pid()) != Some('T') {
            assert!(Instant::now() < end, "not stopped");
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    pub fn go_on(&self) {
        self.signal(libc::SIGCONT);
    }

    /// Has it ended by itself?
    pub fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.process.try_wait().unwrap()
    }

    /// Waits for a good end.
    pub fn finish(mut self) {
        let end = Instant::now() + SOON * 4;
        loop {
            if let Some(status) = self.ended() {
                assert!(status.success(), "child {}: {status}", self.pid());
                return;
            }
            assert!(Instant::now() < end, "child {} does not end", self.pid());
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// This binary, to be run in a role.
fn command(role: &str, arguments: &[&str]) -> Command {
    let mut line = vec![role];
    line.extend(arguments);
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(ROLE, line.join(&SEPARATOR.to_string()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// In a child: its role and arguments. The child does not outlive its parent.
pub fn role() -> Option<Vec<String>> {
    let line = std::env::var(ROLE).ok()?;
    die_with_parent();
    if std::env::var_os(FIRST).is_some() {
        say(&std::process::id().to_string());
    }
    // SAFETY: no pointers.
    unsafe { libc::alarm(LIFE_SECONDS) };
    Some(line.split(SEPARATOR).map(str::to_owned).collect())
}

/// The kernel kills this process when the thread that started it ends.
pub fn die_with_parent() {
    // SAFETY: this option takes a signal number and no pointers.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
}

/// In a child: one line to the parent. Its own line, whatever the harness has begun to write.
pub fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n> {line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// In a child: the next line of the parent; empty when the parent is gone.
pub fn listen() -> String {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

pub fn signal_to(pid: i32, signal: i32) {
    // SAFETY: no pointers.
    unsafe { libc::kill(pid, signal) };
}

/// Waits until a descriptor can be read.
pub fn readable(fd: i32, limit: Duration) -> bool {
    let mut poll = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    let limit = limit.as_micros().div_ceil(1000).min(i32::MAX as u128) as i32;
    // SAFETY: one `pollfd`, which outlives the call.
    let ready = unsafe { libc::poll(&mut poll, 1, limit) };
    ready == 1
}

/// The letter for a process's state in /proc.
pub fn state_of(pid: i32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Time of a process's threads on a processor, and waiting for one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu {
    pub ran: Duration,
    pub waited: Duration,
}

impl Cpu {
    /// Nothing where the kernel does not count it.
    pub fn of(pid: i32) -> Self {
        let mut sum = Self::default();
        for task in std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let text = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            let mut numbers = text.split_whitespace().map(|word| word.parse().unwrap_or(0));
            sum.ran += Duration::from_nanos(numbers.next().unwrap_or(0));
            sum.waited += Duration::from_nanos(numbers.next().unwrap_or(0));
        }
        sum
    }
}

/// What a host has taken from this machine's processors, all of them, since it began: in steps of some milliseconds.
pub fn stolen() -> Duration {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let ticks = text.lines().next().and_then(|line| line.split_whitespace().nth(8)?.parse().ok());
    // SAFETY: asks for a constant.
    let a_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    Duration::from_secs_f64(ticks.unwrap_or(0.0) / a_second as f64)
}

/// Load of the machine, for people.
pub fn load() -> String {
    std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim().to_owned()
}

/// Tests of one binary that measure time run one at a time.
pub fn alone() -> std::sync::MutexGuard<'static, ()> {
    static LOCK: std::sync::Mutex<()> = std::sync::Mutex::new(());
    LOCK.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
