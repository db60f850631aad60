//! What the server sends: INFO, `-ERR`, and the heads of messages.
//!
//! A message goes out as its head, then headers and payload as they are, then CR and LF. The head is encoded once for all who get the message: only the
//! subscription's id in its middle differs.

use std::fmt;

use serde_json::{Map, Value};

pub(super) const OK: &[u8] = b"+OK\r\n";
/// What a server may send, beside the PINGs of [`Connection::tick`](super::Connection::tick), for a sign: an [`Action::Pong`](super::Action::Pong) for each
/// follows, in order.
pub const PING: &[u8] = b"PING\r\n";
pub(super) const PONG: &[u8] = b"PONG\r\n";

/// What the server says of itself to each client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// The server's id, different for each start.
    pub server_id: String,
    /// The server's name.
    pub server_name: String,
    /// The version, as in `2.9.10`: clients derive features from it.
    pub version: String,
    /// Where it listens.
    pub host: String,
    /// The port; 0 for a Unix socket.
    pub port: u16,
    /// The client must start TLS after INFO.
    pub tls_required: bool,
    /// The client may start TLS after INFO.
    pub tls_available: bool,
    /// Where else a client can connect, as `host:port`.
    pub connect_urls: Vec<String>,
}

/// What the server knows of a client before it has said anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// The connection's number.
    pub id: u64,
    /// The client's address, without port; empty for a Unix socket.
    pub ip: String,
}

/// Writes INFO. What is off, empty or zero is left out, as the reference does.
pub(super) fn info(
    info: &Info,
    peer: &Peer,
    settings: &super::Settings,
    lame_duck: bool,
    out: &mut Vec<u8>,
) {
    let mut fields = Map::new();
    let mut set = |name: &str, value: Value| {
        fields.insert(name.into(), value);
    };
    set("server_id", info.server_id.as_str().into());
    set("server_name", info.server_name.as_str().into());
    set("version", info.version.as_str().into());
    set("proto", 1.into());
    set("host", info.host.as_str().into());
    set("port", info.port.into());
    set("headers", true.into());
    set("max_payload", settings.limits.max_payload.into());
    set("client_id", peer.id.into());
    if !peer.ip.is_empty() {
        set("client_ip", peer.ip.as_str().into());
    }
    if !info.connect_urls.is_empty() {
        set("connect_urls", info.connect_urls.clone().into());
    }
    let flags = [
        ("auth_required", settings.auth_required),
        ("tls_required", info.tls_required),
        ("tls_available", info.tls_available),
        ("ldm", lame_duck),
    ];
    for (name, _) in flags.into_iter().filter(|flag| flag.1) {
        set(name, true.into());
    }
    out.extend_from_slice(format!("INFO {} \r\n", Value::from(fields)).as_bytes());
}

/// What goes wrong, in the reference's words, which clients compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerError<'a> {
    /// Something that is no operation.
    UnknownOperation,
    /// A longer control line than allowed.
    ControlLine,
    /// A longer message than allowed.
    Payload,
    /// Credentials that are missing or wrong.
    Authorization,
    /// No CONNECT within the time.
    AuthenticationTimeout,
    /// The credentials are not valid any longer.
    AuthenticationExpired,
    /// PINGs without an answer.
    Stale,
    /// The client was to begin TLS and did not.
    TlsRequired,
    /// The client does not read what it has subscribed to.
    SlowConsumer,
    /// Too many connections.
    Connections,
    /// Too many subscriptions.
    Subscriptions,
    /// A protocol other than 0 and 1.
    ClientProtocol,
    /// `no_responders` without `headers`.
    NoRespondersWithoutHeaders,
    /// A subject that cannot be published to.
    PublishSubject,
    /// A subject that cannot be subscribed to.
    Subject,
    /// The block of headers is not well formed. The reference passes it on.
    Headers,
    /// The client may not publish to this subject.
    Publish(&'a [u8]),
    /// The client may not subscribe to this subject, in this queue group.
    Subscribe(&'a [u8], Option<&'a [u8]>),
    /// A subject of too many tokens.
    Tokens(&'a [u8]),
    /// A message that could not be published, and why. Clients survive what sounds like a permission.
    NotPublished(&'a [u8], &'a str),
    /// A subscription that could not be done, in this queue group, and why.
    NotSubscribed(&'a [u8], Option<&'a [u8]>, &'a str),
    /// Messages that a subscription has missed: of this queue, from the first position up to the second.
    Missed(&'a str, u64, u64),
    /// The caller's own words.
    Other(&'a str),
}

impl fmt::Display for ServerError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match *self {
            Self::UnknownOperation => "Unknown Protocol Operation",
            Self::ControlLine => "maximum control line exceeded",
            Self::Payload => "Maximum Payload Violation",
            Self::Authorization => "Authorization Violation",
            Self::AuthenticationTimeout => "Authentication Timeout",
            Self::AuthenticationExpired => "User Authentication Expired",
            Self::Stale => "Stale Connection",
            Self::TlsRequired => "Secure Connection - TLS Required",
            Self::SlowConsumer => "Slow Consumer",
            Self::Connections => "maximum connections exceeded",
            Self::Subscriptions => "maximum subscriptions exceeded",
            Self::ClientProtocol => "invalid client protocol",
            Self::NoRespondersWithoutHeaders => "no responders requires headers support",
            Self::PublishSubject => "Invalid Publish Subject",
            Self::Subject => "Invalid Subject",
            Self::Headers => "Invalid Headers",
            Self::Publish(subject) => {
                return write!(f, "Permissions Violation for Publish to {}", Quoted(subject));
            }
            Self::Subscribe(subject, group) => {
                write!(f, "Permissions Violation for Subscription to {}", Quoted(subject))?;
                return group.map_or(Ok(()), |group| write!(f, " using queue {}", Quoted(group)));
            }
            Self::NotPublished(subject, reason) => {
                return write!(f, "{}: {}", Self::Publish(subject), Words(reason));
            }
            Self::NotSubscribed(subject, group, reason) => {
                return write!(f, "{}: {}", Self::Subscribe(subject, group), Words(reason));
            }
            Self::Missed(queue, from, to) => {
                let what = "Permissions Violation for Delivery: Slow Consumer";
                return write!(f, "{what} of {queue}, positions {from} to {to} are overwritten");
            }
            Self::Tokens(subject) => {
                let subject = Quoted(subject);
                return write!(
                    f,
                    "Permissions Violation for Subscription to {subject}, too many tokens"
                );
            }
            Self::Other(text) => text,
        };
        f.write_str(text)
    }
}

impl std::error::Error for ServerError<'_> {}

/// A text that is to stand on one line, between single quotes.
struct Words<'a>(&'a str);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|letter| match letter {
            '\'' => f.write_str("`"),
            _ if letter.is_control() => f.write_str(" "),
            _ => write!(f, "{letter}"),
        })
    }
}

/// A name from the client in quotes, with all that does not print escaped.
struct Quoted<'a>(&'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for chunk in self.0.utf8_chunks() {
            for letter in chunk.valid().chars() {
                match letter {
                    '"' | '\\' => write!(f, "\\{letter}")?,
                    _ if letter.is_ascii_control() => write!(f, "\\x{:02x}", u32::from(letter))?,
                    _ if letter.is_control() => write!(f, "\\u{:04x}", u32::from(letter))?,
                    _ => write!(f, "{letter}")?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        f.write_str("\"")
    }
}

/// Writes `-ERR`.
pub(super) fn error(error: ServerError<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("-ERR '{error}'\r\n").as_bytes());
}

/// The status for a request that nobody answers.
pub(super) fn no_responders(reply: &[u8], sid: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(
        &[b"HMSG ", reply, b" ", sid, b" 16 16\r\nNATS/1.0 503\r\n\r\n\r\n"].concat(),
    );
}

/// The head of a message to subscribers, encoded once for all of them.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// `HMSG subject `, then the end with headers, then the end without.
    bytes: Vec<u8>,
    subject: usize,
    without: usize,
    headers: bool,
}

const HMSG: &[u8] = b"HMSG ";

impl Delivery {
    /// Encodes the head of a message with so many bytes of headers and of payload.
    pub fn new(subject: &[u8], reply: Option<&[u8]>, headers: usize, payload: usize) -> Self {
        let mut delivery = Self { bytes: Vec::new(), subject: 0, without: 0, headers: false };
        delivery.encode(subject, reply, headers, payload);
        delivery
    }

    /// The same in place of what was encoded before, whose memory is used again.
    pub fn encode(&mut self, subject: &[u8], reply: Option<&[u8]>, headers: usize, payload: usize) {
        self.headers = headers > 0;
        self.bytes.clear();
        self.bytes.extend_from_slice(HMSG);
        self.bytes.extend_from_slice(subject);
        self.bytes.push(b' ');
        self.subject = self.bytes.len();
        if self.headers {
            self.end(reply, &[headers, headers + payload]);
        }
        self.without = self.bytes.len();
        self.end(reply, &[payload]);
    }

    /// The message's subject.
    pub fn subject(&self) -> &[u8] {
        &self.bytes[HMSG.len()..self.subject - 1]
    }

    /// Whether the message has headers.
    pub fn has_headers(&self) -> bool {
        self.headers
    }

    /// The head in three pieces, for a subscriber that understands headers or does not; the second is the subscription's id. What follows is the headers, if
    /// the message has some and the subscriber understands them, the payload, CR and LF.
    pub fn parts<'a>(&'a self, sid: &'a [u8], headers: bool) -> [&'a [u8]; 3] {
        if headers && self.headers {
            [&self.bytes[..self.subject], sid, &self.bytes[self.subject..self.without]]
        } else {
            [&self.bytes[1..self.subject], sid, &self.bytes[self.without..]]
        }
    }

    fn end(&mut self, reply: Option<&[u8]>, sizes: &[usize]) {
        if let Some(reply) = reply {
            self.bytes.push(b' ');
            self.bytes.extend_from_slice(reply);
        }
        for size in sizes {
            self.bytes.push(b' ');
            decimal(*size, &mut self.bytes);
        }
        self.bytes.extend_from_slice(b"\r\n");
    }
}

fn decimal(mut number: usize, out: &mut Vec<u8>) {
    let start = out.len();
    loop {
        out.push(b'0' + (number % 10) as u8);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out[start..].reverse();
}
