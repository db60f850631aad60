//! NATS at the gateway's own sockets: the same answers as nats-server, a beginning and an end.

use std::io::{BufRead, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::Duration;

use super::common::TempDir;
use super::{Gateway, LIMIT, Place, command};
use crate::nats::reference::compare_at;
use crate::nats::script::{self, Step};
use crate::nats::wire::{MAX_PAYLOAD, MAX_SUBSCRIPTIONS, Setup, Wire};

pub const NATS: &[&str] = &["--nats", "127.0.0.1:0"];

/// Starts a gateway that speaks NATS too; where it does.
pub fn start(dir: &TempDir, flags: &[&str]) -> (Gateway, SocketAddr) {
    let mut gateway = Gateway::start(dir, flags);
    let mut line = String::new();
    gateway.stderr.read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("listening on ");
    let address = url.and_then(|url| url.strip_prefix("nats://").or(url.strip_prefix("tls://")));
    let address = address.unwrap_or_else(|| panic!("{line:?}")).parse().unwrap();
    (gateway, address)
}

/// A gateway with a queue `q`, and clients of NATS.
pub struct Nats {
    pub place: Place,
    pub address: SocketAddr,
}

impl Nats {
    pub fn new(flags: &[&str]) -> Self {
        let dir = TempDir::new();
        super::common::queue(&dir, "q", 1 << 20);
        let (gateway, address) = start(&dir, &[NATS, flags].concat());
        Self { place: Place { gateway, dir }, address }
    }

    /// A client that has been let in.
    pub fn client(&self) -> Wire {
        let mut client = Wire::open(self.address);
        assert!(client.line().unwrap().starts_with("INFO "));
        client.send(b"CONNECT {\"verbose\":false,\"headers\":true,\"no_responders\":true}\r\n");
        assert_eq!(sync(&mut client), [""; 0]);
        client
    }

    /// A client that subscribes; messages may come at once.
    pub fn subscribing(&self, subscriptions: &str) -> Wire {
        let mut client = self.client();
        client.send(subscriptions.as_bytes());
        client
    }

    /// A client that has subscribed, where nothing comes yet.
    pub fn subscribed(&self, subscriptions: &str) -> Wire {
        let mut client = self.subscribing(subscriptions);
        assert_eq!(sync(&mut client), [""; 0]);
        client
    }
}

/// What has come by the time that the gateway has done all that the client sent.
pub fn sync(client: &mut Wire) -> Vec<String> {
    client.send(b"PING\r\n");
    client.lines_until("PONG", 0)
}

/// The next lines, PINGs left out and answered.
pub fn lines(client: &mut Wire, count: usize) -> Vec<String> {
    let mut lines = Vec::new();
    while lines.len() < count {
        match client.line().expect("the gateway goes on").as_str() {
            "PING" => client.send(b"PONG\r\n"),
            line => lines.push(line.to_owned()),
        }
    }
    lines
}

fn compare(flags: &[&str], setup: Setup, steps: &[Step]) {
    let dir = TempDir::new();
    let payload = format!("payload={MAX_PAYLOAD}");
    let subscriptions = format!("subscriptions={MAX_SUBSCRIPTIONS}");
    let limits = ["--set", payload.as_str(), "--set", subscriptions.as_str()];
    let (_gateway, address) = start(&dir, &[NATS, &limits, flags].concat());
    compare_at(&[address], &Setup { max_tokens: Some(64), ..setup }, steps);
}

#[test]
fn answers_as_the_reference_does() {
    compare(&[], Setup::default(), &script::plain());
    compare(&[], Setup::default(), &script::endings());
}

#[test]
fn lets_in_whom_the_reference_does() {
    compare(&["--set", "token=s3cret-token"], script::token(), &script::with_token());
    compare(&["--set", "connections=2"], script::crowd(), &script::with_a_crowd());
    let impatient = ["token=t", "handshake_seconds=1", "idle_seconds=2"];
    let impatient: Vec<&str> = impatient.iter().flat_map(|setting| ["--set", setting]).collect();
    compare(&impatient, script::impatient(), &script::without_patience());
}

/// The token may also come as a password, for clients that have no field for it.
#[test]
fn the_token_as_a_password() {
    let nats = Nats { ..Nats::new_closed() };
    for (credentials, answer) in [
        ("\"user\":\"any\",\"pass\":\"secret\"", "PONG"),
        ("\"auth_token\":\"secret\"", "PONG"),
        ("\"user\":\"secret\",\"pass\":\"wrong\"", "-ERR \\'Authorization Violation\\'"),
        ("\"user\":\"any\"", "-ERR \\'Authorization Violation\\'"),
    ] {
        let mut client = Wire::open(nats.address);
        assert!(client.line().unwrap().contains("\\\"auth_required\\\":true"));
        client.send(format!("CONNECT {{\"verbose\":false,{credentials}}}\r\nPING\r\n").as_bytes());
        assert_eq!(client.line().unwrap(), answer, "{credentials}");
    }
}

impl Nats {
    fn new_closed() -> Self {
        Self::new(&["--set", "token=secret"])
    }
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let dir = TempDir::new();
    let failed = |flags: &[&str]| {
        let output = command(&dir, flags).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(failed(&["--nats", &address]).contains(&address));
    assert!(failed(&["--nats", "0.0.0.0:0"]).contains("set a token"));
    assert!(failed(&["--nats", "nonsense"]).contains("nats = \"nonsense\""));
}

#[test]
fn a_unix_socket_too() {
    let dir = TempDir::new();
    super::common::queue(&dir, "q", 1 << 20);
    let path = dir.path("nats.sock");
    let setting = format!("nats_unix={path}");
    let gateway = Gateway::start(&dir, &["--set", &setting]);
    let mut client = UnixStream::connect(&path).unwrap();
    client.set_read_timeout(Some(LIMIT)).unwrap();
    client.write_all(b"CONNECT {\"verbose\":true}\r\nSUB q.x 1\r\nPUB q.x 2\r\nhi\r\n").unwrap();
    let mut text = String::new();
    while !text.ends_with("MSG q.x 1 2\r\nhi\r\n") {
        let mut byte = [0; 1];
        client.read_exact(&mut byte).unwrap();
        text.push(char::from(byte[0]));
    }
    assert!(!text.contains("client_ip"), "{text}");
    // Who was killed leaves the name, and the next one takes it over.
    drop(gateway);
    let _gateway = Gateway::start(&dir, &["--set", &setting]);
    UnixStream::connect(&path).unwrap();
}

#[test]
fn the_end_is_announced() {
    let mut nats = Nats::new(&[]);
    let mut client = nats.client();
    client.send(b"CONNECT {\"verbose\":false,\"protocol\":1}\r\n");
    sync(&mut client);
    nats.place.gateway.signal("TERM");
    assert!(client.line().unwrap().contains("\\\"ldm\\\":true"));
    assert_eq!(client.line().unwrap(), "PING");
    // What was on its way is still taken.
    client.send(b"PUB q.late 4\r\nlate\r\nPONG\r\n");
    assert_eq!(client.rest(), [""; 0]);
    drop(client);
    assert_eq!(nats.place.gateway.wait().code(), Some(0));
    assert!(TcpStream::connect(nats.address).is_err());
    let queue = nats.place.queue();
    let message = queue.consumer("default").unwrap();
    let message = message.recv_timeout(Duration::from_secs(30)).unwrap();
    assert_eq!((message.event(), message.payload()), (Some("late"), &b"late"[..]));
}
