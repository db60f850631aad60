//! A client that only knows bytes, and what a server is set up with.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use slipring::gateway::nats::Permissions;

/// Nothing in these tests takes as long, unless a server does not answer.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How both servers are set up.
#[derive(Clone, Default)]
pub struct Setup {
    pub users: Vec<(&'static str, &'static str, Permissions)>,
    pub token: Option<&'static str>,
    pub auth_timeout: Option<Duration>,
    pub ping_interval: Option<Duration>,
    pub max_connections: Option<usize>,
    /// Tokens of a subject; else `MAX_TOKENS`.
    pub max_tokens: Option<usize>,
    /// With a certificate and its key, in these files, clients must speak TLS.
    pub certificate: Option<(String, String)>,
}

pub const MAX_PAYLOAD: usize = 1024;
pub const MAX_SUBSCRIPTIONS: usize = 8;
pub const MAX_TOKENS: usize = 6;
pub const MAX_PINGS_OUT: u32 = 1;

pub struct Wire {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Wire {
    pub fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream, read: Vec::new() }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server reads");
    }

    /// Lines up to the one that ends what is waited for, without it; as many like it come before.
    pub fn lines_until(&mut self, last: &str, mut before: usize) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            match self.line() {
                Some(line) if line == last && before == 0 => return lines,
                Some(line) => {
                    before -= usize::from(line == last);
                    lines.push(line);
                }
                None => panic!("the server hung up; before that: {lines:?}"),
            }
        }
    }

    /// All lines until the server hangs up.
    pub fn rest(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.line()).collect()
    }

    pub fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.read.windows(2).position(|two| two == b"\r\n") {
                let line: Vec<u8> = self.read.drain(..end + 2).collect();
                return Some(super::shown(&line[..end]));
            }
            if !self.more() {
                assert!(self.read.is_empty(), "half a line: {}", super::shown(&self.read));
                return None;
            }
        }
    }

    fn more(&mut self) -> bool {
        let mut buffer = [0; 4096];
        let len = loop {
            match self.stream.read(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read.expect("the server answers in time"),
            }
        };
        self.read.extend_from_slice(&buffer[..len]);
        len > 0
    }
}
