//! Runs the program in a directory of its own.

use crate::common::TempDir;
use serde_json::Value;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What is not over by then hangs.
const LIMIT: Duration = Duration::from_secs(120);

pub struct Shell(TempDir);

/// What a command said and how it ended.
pub struct Said {
    /// The exit code; none after a signal.
    pub code: Option<i32>,
    pub out: Vec<u8>,
    pub err: String,
}

impl Shell {
    pub fn new() -> Self {
        Self(TempDir::new())
    }

    pub fn dir(&self) -> String {
        self.0.path("").trim_end_matches('/').to_owned()
    }

    /// A file's path in the queues' directory.
    pub fn path(&self, name: &str) -> String {
        self.0.path(name)
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_slipring"));
        command.args(args).env("SLIPRING_DIR", self.dir());
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> Said {
        self.feed(args, b"")
    }

    /// The same, with something on standard input.
    pub fn feed(&self, args: &[&str], input: &[u8]) -> Said {
        let mut running = self.start(args);
        let mut stdin = running.child().stdin.take().unwrap();
        let input = input.to_vec();
        // A command that does not want it all closes the pipe.
        let writer = thread::spawn(move || drop(stdin.write_all(&input)));
        let said = running.end();
        writer.join().unwrap();
        said
    }

    /// Runs a command that is to succeed; returns its standard output.
    pub fn ok(&self, args: &[&str]) -> String {
        String::from_utf8(self.run(args).fine(args)).unwrap()
    }

    /// The same, of a command that prints one JSON value.
    pub fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.ok(args)).unwrap()
    }

    /// Starts a command with pipes at all ends.
    pub fn start(&self, args: &[&str]) -> Running {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running::new(&mut command)
    }

    /// The same, and its standard output is read from the start, so that it never waits for its reader.
    pub fn start_read(&self, args: &[&str]) -> Running {
        let mut running = self.start(args);
        running.out = Some(collect(running.child().stdout.take()));
        running
    }

    /// Waits until a queue's figures are so.
    pub fn until(&self, queue: &str, mut so: impl FnMut(&Value) -> bool) {
        let end = Instant::now() + LIMIT;
        loop {
            let stats = self.json(&["stat", queue, "--json"]);
            if so(&stats) {
                return;
            }
            assert!(Instant::now() < end, "not in time: {stats}");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Said {
    /// Asserts that all went well; returns standard output.
    pub fn fine(self, args: &[&str]) -> Vec<u8> {
        assert_eq!(self.code, Some(0), "{args:?}: {}", self.err);
        self.out
    }
}

/// A command at work. Killed when dropped.
pub struct Running {
    child: Option<Child>,
    out: Option<JoinHandle<Vec<u8>>>,
}

impl Running {
    pub fn new(command: &mut Command) -> Self {
        Self { child: Some(command.spawn().unwrap()), out: None }
    }

    pub fn child(&mut self) -> &mut Child {
        self.child.as_mut().unwrap()
    }

    pub fn id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Closes its standard input and waits for its end, within a limit.
    pub fn end(mut self) -> Said {
        let out = self.out.take();
        let child = self.child();
        drop(child.stdin.take());
        let out = out.unwrap_or_else(|| collect(child.stdout.take()));
        let err = collect(child.stderr.take());
        let end = Instant::now() + LIMIT;
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < end, "it hangs");
            thread::sleep(Duration::from_millis(2));
        };
        self.child = None;
        let err = String::from_utf8(err.join().unwrap()).unwrap();
        Said { code: status.code(), out: out.join().unwrap(), err }
    }

    /// Sends it a signal (INT, TERM, ...).
    pub fn signal(&self, name: &str) {
        let id = self.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// SIGKILL, and wait until it is gone.
    pub fn kill(mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn collect(from: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut from) = from {
            from.read_to_end(&mut bytes).unwrap();
        }
        bytes
    })
}
