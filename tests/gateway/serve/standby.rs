//! A second gateway that takes over.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::common::{self, TempDir};
use super::{Client, LIMIT};

/// A gateway at a port of a test's own, killed with it.
struct Candidate {
    child: Child,
    stderr: BufReader<std::process::ChildStderr>,
}

impl Candidate {
    fn start(dir: &TempDir, port: u16, flags: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_slipring"));
        command.args(["serve", "--listen", &format!("127.0.0.1:{port}")]).args(flags);
        command.env("SLIPRING_DIR", dir.path("")).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, stderr }
    }

    /// Says what it is about.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stderr.read_line(&mut line).unwrap();
        line
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Candidate {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody has now.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Asks until there is an answer; for so long nobody was there.
fn gap(port: u16) -> Duration {
    let start = Instant::now();
    loop {
        if let Ok(stream) = std::net::TcpStream::connect(("127.0.0.1", port)) {
            stream.set_read_timeout(Some(LIMIT)).unwrap();
            let mut client = Client { stream: BufReader::new(stream) };
            assert_eq!(client.ask("GET", "/healthz", &[], b"").status, 200);
            return start.elapsed();
        }
        assert!(start.elapsed() < LIMIT, "nobody takes over");
        thread::sleep(Duration::from_micros(500));
    }
}

/// A stream of events that goes on, over several gateways, behind the last id that the client has; and a message that is sent again at each.
#[test]
fn the_standby_takes_over_and_clients_go_on() {
    let dir = TempDir::new();
    let queue = common::queue(&dir, "q", 1 << 20);
    let port = free_port();
    let mut active = Candidate::start(&dir, port, &[]);
    assert!(active.line().contains("listening"));
    let client = || Client::connect(([127, 0, 0, 1], port).into());
    let mut last = String::from("latest");
    let mut gaps = Vec::new();
    for round in 0..15 {
        let mut standby = Candidate::start(&dir, port, &["--standby"]);
        assert!(standby.line().contains("standing by"));
        let mut events = client();
        let field = format!("Last-Event-ID: {last}");
        let fields: &[&str] = if round == 0 { &[] } else { &[&field] };
        events.request("GET", "/q/q/events", fields, b"");
        assert_eq!(events.head().status, 200);
        let send = |client: &mut Client, number: u32| {
            let field = format!("Idempotency-Key: message-{number}");
            client.ask("POST", "/q/q", &[&field], format!("message {number}").as_bytes()).status
        };
        assert_eq!(send(&mut client(), 2 * round), 201);
        loop {
            let line = events.line();
            match line.split_once(": ") {
                Some(("id", id)) => last = id.to_owned(),
                Some(("data", data)) if data == format!("message {}", 2 * round) => break,
                Some(("data", data)) => assert_eq!(data, format!("message {}", 2 * round - 1)),
                _ => {}
            }
        }
        // This one comes while nobody listens to the stream.
        assert_eq!(send(&mut client(), 2 * round + 1), 201);
        active.kill();
        gaps.push(gap(port));
        assert_eq!(send(&mut client(), 2 * round + 1), 200, "it was sent before");
        assert!(standby.line().contains("listening"));
        active = standby;
    }
    assert_eq!(queue.stats().sent, 30);
    gaps.sort();
    let [.., max] = gaps[..] else { unreachable!() };
    println!("take-over: p50 {:?}, max {max:?} of {}", gaps[gaps.len() / 2], gaps.len());
}

#[test]
fn one_at_a_time() {
    let dir = TempDir::new();
    let port = free_port();
    let turn = ["--set", "turn=here"];
    let mut active = Candidate::start(&dir, port, &turn);
    assert!(active.line().contains("listening"));
    // Elsewhere, but in the same place by its name.
    let mut other = Candidate::start(&dir, free_port(), &turn);
    assert!(other.line().contains("--standby"));
    assert_eq!(other.child.wait().unwrap().code(), Some(1));
    let mut nowhere = Candidate::start(&dir, 0, &["--standby"]);
    assert!(nowhere.line().contains("standing by"));
    assert!(nowhere.line().contains("turn"));
    assert_eq!(nowhere.child.wait().unwrap().code(), Some(1));
    // Of two that stand by one gets the turn; it ends with a signal as well as with a kill.
    let standby = [&turn[..], &["--standby"]].concat();
    let mut two = [0, 1].map(|_| Candidate::start(&dir, port, &standby));
    for candidate in &mut two {
        assert!(candidate.line().contains("standing by"));
    }
    let pid = active.child.id().to_string();
    assert!(Command::new("kill").args(["-s", "TERM", &pid]).status().unwrap().success());
    assert_eq!(active.child.wait().unwrap().code(), Some(0));
    gap(port);
    assert!(two.iter_mut().all(|candidate| candidate.child.try_wait().unwrap().is_none()));
    for candidate in &mut two {
        candidate.kill();
    }
}

/// A token that was taken away while it stood by opens nothing; and to be told of that does not end it.
#[test]
fn with_the_settings_of_then() {
    let dir = TempDir::new();
    common::queue(&dir, "q", 1 << 20);
    let port = free_port();
    let file = dir.path(".settings");
    std::fs::write(&file, "token = 'before'").unwrap();
    let mut active = Candidate::start(&dir, port, &["--config", &file]);
    assert!(active.line().contains("listening"));
    let mut standby = Candidate::start(&dir, port, &["--config", &file, "--standby"]);
    assert!(standby.line().contains("standing by"));
    let start = Instant::now();
    while !catches_hup(standby.child.id()) {
        assert!(start.elapsed() < LIMIT, "it never takes the signal");
        thread::sleep(Duration::from_millis(5));
    }
    std::fs::write(&file, "token = 'after'").unwrap();
    let pid = standby.child.id().to_string();
    assert!(Command::new("kill").args(["-s", "HUP", &pid]).status().unwrap().success());
    active.kill();
    gap(port);
    let mut client = Client::connect(([127, 0, 0, 1], port).into());
    for (token, status) in [("before", 401), ("after", 204)] {
        let field = format!("Authorization: Bearer {token}");
        assert_eq!(client.ask("GET", "/q/q", &[&field], b"").status, status, "{token}");
    }
}

/// Whether a process has a handler for SIGHUP, the first of the signals.
fn catches_hup(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(mask.trim(), 16).unwrap() & 1 == 1
}
