//! Clients that come back. A kind is a line of `KINDS` and a [`Client`]; who reads along keeps his place, and who is of a group keeps nothing.

use std::collections::HashMap;
use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

use super::books::Tally;
use crate::serve::LIMIT;

/// A kind of client.
pub struct Kind {
    pub name: &'static str,
    pub client: fn(Arc<Tally>) -> Box<dyn Client>,
}

/// Groups that the kinds make.
pub const GROUPS: usize = 2;

pub const KINDS: [Kind; 5] = [
    Kind { name: "server-sent events", client: |tally| Box::new(EventSource::new(tally)) },
    Kind { name: "WebSocket", client: |tally| Box::new(Listener::new(tally)) },
    Kind { name: "Socket.IO", client: |tally| Box::new(Visitor::new(tally)) },
    Kind { name: "WebSocket, of a group", client: |tally| Box::new(Member { tally }) },
    Kind { name: "pull", client: |tally| Box::new(Puller { tally }) },
];

/// Why a session is over.
type Over = Box<dyn Error>;

pub trait Client: Send {
    /// Takes part until the connection breaks.
    fn session(&mut self, address: SocketAddr) -> Result<(), Over>;
}

fn connect(address: SocketAddr) -> Result<TcpStream, Over> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Every tenth message is given back when it comes for the first time.
fn is_wanted(number: u64, delivery: u64) -> bool {
    number % 10 != 3 || delivery > 1
}

/// Server-sent events: `Last-Event-ID` is its place.
struct EventSource {
    tally: Arc<Tally>,
    next: Arc<AtomicU64>,
    last: String,
}

impl EventSource {
    fn new(tally: Arc<Tally>) -> Self {
        Self { next: tally.reader(), tally, last: String::new() }
    }

    /// An event is one at its empty line: what was cut off is none.
    fn event(&mut self, lines: &[String]) {
        let field = |name: &str| lines.iter().find_map(|line| line.strip_prefix(name));
        match (field("event: "), field("data: ")) {
            (Some("n"), Some(data)) => self.tally.read(&self.next, data),
            (None, None) => {}
            (event, data) => self.tally.told(&format!("{event:?} {data:?}")),
        }
        if let Some(id) = field("id: ") {
            self.last = id.into();
        }
    }
}

impl Client for EventSource {
    fn session(&mut self, address: SocketAddr) -> Result<(), Over> {
        let mut stream = connect(address)?;
        // In HTTP/1.0 all that comes is the body.
        let mut request =
            "GET /q/q/events?from=earliest HTTP/1.0\r\nHost: localhost\r\n".to_owned();
        if !self.last.is_empty() {
            request += &format!("Last-Event-ID: {}\r\n", self.last);
        }
        stream.write_all((request + "\r\n").as_bytes())?;
        let mut stream = BufReader::new(stream);
        if head(&mut stream)?.0 != 200 {
            return Ok(());
        }
        let mut lines = Vec::new();
        loop {
            let line = line(&mut stream)?;
            if line.is_empty() {
                self.event(&lines);
                lines.clear();
            } else {
                lines.push(line);
            }
        }
    }
}

/// WebSocket without a group: the position behind the last message is its place.
struct Listener {
    tally: Arc<Tally>,
    next: Arc<AtomicU64>,
    from: String,
}

impl Listener {
    fn new(tally: Arc<Tally>) -> Self {
        Self { next: tally.reader(), tally, from: "earliest".into() }
    }
}

impl Client for Listener {
    fn session(&mut self, address: SocketAddr) -> Result<(), Over> {
        let mut socket = open(address, &format!("/ws/q?from={}", self.from))?;
        loop {
            let Message::Text(text) = socket.read()? else { continue };
            let message: Value = serde_json::from_str(&text)?;
            match (message["position"].as_u64(), message["payload"].as_str()) {
                (Some(position), Some(payload)) => {
                    self.tally.read(&self.next, payload);
                    self.from = (position + 1).to_string();
                }
                _ => self.tally.told(&text),
            }
        }
    }
}

/// Socket.IO, over WebSocket as the stock client does it: what it was called (`pid`) and the last event's offset are its place.
struct Visitor {
    tally: Arc<Tally>,
    next: Arc<AtomicU64>,
    auth: Value,
}

impl Visitor {
    fn new(tally: Arc<Tally>) -> Self {
        Self { next: tally.reader(), tally, auth: json!({ "from": "earliest" }) }
    }

    /// A packet of the namespace.
    fn packet(&mut self, kind: &str, data: &str) -> Result<(), Over> {
        let data: Value = serde_json::from_str(data)?;
        match kind {
            "0" => {
                let (had, pid) = (self.auth.get("pid"), &data["pid"]);
                if had.is_some_and(|had| had != pid) {
                    self.tally.told(&format!("not recovered: {data}"));
                }
                self.auth["pid"] = pid.clone();
            }
            "2" if data[0] == "n" => {
                let number = data[1].as_str().ok_or_else(|| data.to_string())?;
                self.tally.read(&self.next, number);
                self.auth["offset"] = data[2].clone();
            }
            _ => self.tally.told(&format!("{kind} {data}")),
        }
        Ok(())
    }
}

impl Client for Visitor {
    fn session(&mut self, address: SocketAddr) -> Result<(), Over> {
        let mut socket = open(address, "/socket.io/?EIO=4&transport=websocket")?;
        loop {
            let Message::Text(text) = socket.read()? else { continue };
            if text.starts_with('0') {
                socket.send(Message::text(format!("40/q,{}", self.auth)))?;
            } else if text == "2" {
                socket.send(Message::text("3"))?;
            } else if let Some((kind, data)) =
                text.strip_prefix('4').and_then(|packet| packet.split_once("/q,"))
            {
                self.packet(kind, data)?;
            }
        }
    }
}

/// WebSocket with a group. An ack has no answer; but who answers to a ping has read what came before it.
struct Member {
    tally: Arc<Tally>,
}

impl Client for Member {
    fn session(&mut self, address: SocketAddr) -> Result<(), Over> {
        let mut socket = open(address, "/ws/q?group=sockets&from=earliest")?;
        let mut acks = HashMap::new();
        loop {
            match socket.read()? {
                Message::Text(text) => {
                    let message: Value = serde_json::from_str(&text)?;
                    let part = |name: &str| message[name].as_u64().ok_or_else(|| text.to_string());
                    let number = message["payload"].as_str().ok_or_else(|| text.to_string())?;
                    let (number, position, delivery) =
                        (number.parse::<u64>()?, part("position")?, part("deliveries")?);
                    self.tally.delivered(number, delivery);
                    if is_wanted(number, delivery) {
                        acks.insert(number, delivery);
                        socket.send(Message::text(json!({ "ack": position }).to_string()))?;
                        socket.send(Message::Ping(number.to_be_bytes().to_vec().into()))?;
                    } else {
                        socket.send(Message::text(json!({ "retry": position }).to_string()))?;
                    }
                }
                Message::Pong(number) => {
                    let number = u64::from_be_bytes(number[..].try_into()?);
                    let delivery = acks.remove(&number).ok_or("a pong to no ping")?;
                    self.tally.acked(number, delivery);
                }
                _ => {}
            }
        }
    }
}

/// Pulls over HTTP; an ack is answered by 204.
struct Puller {
    tally: Arc<Tally>,
}

impl Client for Puller {
    fn session(&mut self, address: SocketAddr) -> Result<(), Over> {
        let mut stream = BufReader::new(connect(address)?);
        loop {
            let (status, fields) =
                ask(&mut stream, "GET", "/q/q?group=pullers&from=earliest&wait=5s")?;
            if status != 200 {
                continue;
            }
            let field = |name: &str| fields.get(name).map(String::as_str).ok_or(name.to_owned());
            let mut body = vec![0; field("content-length")?.parse()?];
            stream.read_exact(&mut body)?;
            let number: u64 = String::from_utf8(body)?.parse()?;
            let delivery = field("slipring-deliveries")?.parse()?;
            self.tally.delivered(number, delivery);
            let wanted = is_wanted(number, delivery);
            let how = if wanted { "ack" } else { "retry" };
            let target = format!("/q/q/{how}?token={}", field("slipring-ack")?);
            let (status, _) = ask(&mut stream, "POST", &target)?;
            match status {
                204 if wanted => self.tally.acked(number, delivery),
                204 => {}
                other => self.tally.told(&format!("{other} to {how}")),
            }
        }
    }
}

fn open(address: SocketAddr, target: &str) -> Result<WebSocket<TcpStream>, Over> {
    let url = format!("ws://localhost{target}");
    Ok(tungstenite::client(url, connect(address)?).map_err(|error| error.to_string())?.0)
}

type Fields = HashMap<String, String>;

/// A request, and the head of its answer.
fn ask(
    stream: &mut BufReader<TcpStream>,
    method: &str,
    target: &str,
) -> Result<(u16, Fields), Over> {
    let length = if method == "POST" { "Content-Length: 0\r\n" } else { "" };
    let request = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{length}\r\n");
    stream.get_mut().write_all(request.as_bytes())?;
    let (status, fields) = head(stream)?;
    if status >= 300 {
        return Err(format!("{status}").into());
    }
    Ok((status, fields))
}

fn head(stream: &mut BufReader<TcpStream>) -> Result<(u16, Fields), Over> {
    let first = line(stream)?;
    let status = first.split(' ').nth(1).ok_or("no status")?.parse()?;
    let mut fields = Fields::new();
    loop {
        let line = line(stream)?;
        let Some((name, value)) = line.split_once(": ") else { return Ok((status, fields)) };
        fields.insert(name.to_ascii_lowercase(), value.to_owned());
    }
}

/// A whole line, without its end.
fn line(stream: &mut BufReader<TcpStream>) -> Result<String, Over> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    if !line.ends_with('\n') {
        return Err("cut off".into());
    }
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(line)
}
