//! `slipring serve` as its clients see it: the real program on a free port, with a directory of its own.

#[path = "../common/mod.rs"]
mod common;

#[path = "serve/access.rs"]
mod access;
#[path = "serve/bad.rs"]
mod bad;
#[path = "serve/chat.rs"]
mod chat;
#[path = "serve/conformance.rs"]
mod conformance;
#[path = "serve/events.rs"]
mod events;
#[path = "serve/feed.rs"]
mod feed;
#[path = "serve/hostile.rs"]
mod hostile;
#[path = "serve/http.rs"]
mod http;
#[path = "serve/kills.rs"]
mod kills;
#[path = "serve/life.rs"]
mod life;
#[path = "serve/listen.rs"]
mod listen;
#[path = "serve/nats.rs"]
mod nats;
#[path = "serve/once.rs"]
mod once;
#[path = "serve/page.rs"]
mod page;
#[path = "serve/permissions.rs"]
mod permissions;
#[path = "serve/rates.rs"]
mod rates;

#[path = "serve/nats_clients.rs"]
mod nats_clients;
#[path = "serve/nats_example.rs"]
mod nats_example;
#[path = "serve/nats_kills.rs"]
mod nats_kills;
#[path = "serve/nats_queues.rs"]
mod nats_queues;
#[path = "serve/nats_shared.rs"]
mod nats_shared;
#[path = "serve/nats_tls.rs"]
mod nats_tls;
#[path = "serve/settings.rs"]
mod settings;
#[path = "serve/socketio.rs"]
mod socketio;
#[path = "serve/standby.rs"]
mod standby;
#[path = "serve/tls.rs"]
mod tls;
#[path = "serve/udp.rs"]
mod udp;
#[path = "serve/websocket.rs"]
mod websocket;

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use common::TempDir;
use slipring::Queue;

/// What is not over by then hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// A directory with queues, and a gateway that serves them.
struct Place {
    gateway: Gateway,
    dir: TempDir,
}

/// A gateway that runs.
struct Gateway {
    child: Child,
    address: SocketAddr,
    /// Kept open: what it says later goes there.
    stderr: BufReader<ChildStderr>,
}

/// What starts a gateway over the queues of a directory.
fn command(dir: &TempDir, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slipring"));
    command.args(["serve", "--listen", "127.0.0.1:0"]).args(flags);
    command.env("SLIPRING_DIR", dir.path(""));
    command
}

impl Gateway {
    fn start(dir: &TempDir, flags: &[&str]) -> Self {
        let mut child = command(dir, flags).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        stderr.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http");
        let address = address.and_then(|rest| rest.trim_start_matches('s').strip_prefix("://"));
        let address = address.unwrap_or_else(|| panic!("{line:?}")).parse().unwrap();
        Self { child, address, stderr }
    }

    /// At an address, where its clients look for it.
    fn start_at(dir: &TempDir, address: SocketAddr, flags: &[&str]) -> Self {
        let listen = format!("listen={address}");
        Self::start(dir, &[flags, &["--set", &listen]].concat())
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < LIMIT, "the gateway does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// What it says next.
    fn says(&mut self) -> String {
        let mut line = String::new();
        self.stderr.read_line(&mut line).unwrap();
        line
    }

    /// KiB of memory that the process has.
    fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Place {
    /// A gateway, and a queue `q` of a mebibyte.
    fn new(flags: &[&str]) -> Self {
        let dir = TempDir::new();
        common::queue(&dir, "q", 1 << 20);
        Self { gateway: Gateway::start(&dir, flags), dir }
    }

    fn queue(&self) -> Queue {
        Queue::open(&self.dir.path("q")).unwrap()
    }

    fn client(&self) -> Client {
        self.gateway.client()
    }

    /// One request on a connection of its own.
    fn ask(&self, method: &str, target: &str, body: &[u8]) -> Answer {
        self.client().ask(method, target, &[], body)
    }

    /// Kills the gateway and starts another one over the same queues.
    fn restart(&mut self) {
        self.gateway.signal("KILL");
        self.gateway.wait();
        self.gateway = Gateway::start(&self.dir, &[]);
    }

    /// The same, where its clients look for it.
    fn restart_at(&mut self, address: SocketAddr) {
        self.gateway.signal("KILL");
        self.gateway.wait();
        self.gateway = Gateway::start_at(&self.dir, address, &[]);
    }

    /// One of the figures in `/metrics`.
    fn metric(&self, name: &str) -> u64 {
        let text = self.ask("GET", "/metrics", b"").text();
        let line = text.lines().find(|line| line.split(' ').next() == Some(name));
        line.unwrap_or_else(|| panic!("no {name} in {text}"))
            .rsplit(' ')
            .next()
            .unwrap()
            .parse()
            .unwrap()
    }

    /// Waits until something is so.
    fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !is_so(self) {
            assert!(start.elapsed() < LIMIT, "never: {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A client over a plain socket.
struct Client {
    stream: BufReader<TcpStream>,
}

/// An answer with its whole body.
struct Answer {
    status: u16,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(have, _)| have.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Client {
    fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.set_write_timeout(Some(LIMIT)).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line.trim_end_matches(['\r', '\n']).to_owned()
    }

    /// The server has closed the connection, and sent nothing else before.
    fn is_closed(&mut self) -> bool {
        match self.stream.read_exact(&mut [0; 1]).map_err(|error| error.kind()) {
            Ok(()) => false,
            Err(ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => true,
            Err(other) => panic!("{other}"),
        }
    }

    fn request(&mut self, method: &str, target: &str, fields: &[&str], body: &[u8]) {
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n");
        for field in fields {
            head += &format!("{field}\r\n");
        }
        if method == "POST" {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        let bytes = [head.as_bytes(), b"\r\n", body].concat();
        self.send(&bytes);
    }

    fn head(&mut self) -> Answer {
        let line = self.line();
        let status = line.split(' ').nth(1).unwrap_or_else(|| panic!("{line:?}")).parse().unwrap();
        let mut fields = Vec::new();
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(": ") else { break };
            fields.push((name.to_owned(), value.to_owned()));
        }
        Answer { status, fields, body: Vec::new() }
    }

    fn answer(&mut self) -> Answer {
        let mut answer = self.head();
        let length = answer.field("Content-Length").map_or(0, |length| length.parse().unwrap());
        answer.body = vec![0; length];
        self.stream.read_exact(&mut answer.body).unwrap();
        answer
    }

    fn ask(&mut self, method: &str, target: &str, fields: &[&str], body: &[u8]) -> Answer {
        self.request(method, target, fields, body);
        self.answer()
    }
}
