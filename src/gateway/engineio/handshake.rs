//! Which session a request is for, and the answers to requests.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Settings;

/// How a session reaches its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// GETs that wait for messages, and POSTs that bring some.
    Polling,
    /// A WebSocket.
    WebSocket,
}

impl Transport {
    fn of(name: &str) -> Option<Self> {
        match name {
            "polling" => Some(Self::Polling),
            "websocket" => Some(Self::WebSocket),
            _ => None,
        }
    }
}

/// What there is to know of a request before its body.
#[derive(Clone, Debug, Default)]
pub struct Handshake<'a> {
    method: &'a str,
    origin: &'a [u8],
    upgrade: bool,
    eio: &'a str,
    transport: &'a str,
    sid: &'a str,
}

impl<'a> Handshake<'a> {
    /// A request with this method and these pairs of the query, of which the last with a name counts. `upgrade` says whether it asks for a WebSocket.
    pub fn new(
        method: &'a str,
        query: impl IntoIterator<Item = (&'a str, &'a str)>,
        upgrade: bool,
    ) -> Self {
        let mut request = Self { method, upgrade, ..Self::default() };
        for (name, value) in query {
            match name {
                "EIO" => request.eio = value,
                "transport" => request.transport = value,
                "sid" => request.sid = value,
                _ => {}
            }
        }
        request
    }

    /// The value of the `Origin` header.
    pub fn origin(mut self, value: &'a [u8]) -> Self {
        self.origin = value;
        self
    }
}

/// What a session does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// [`Session::get`](super::Session::get)
    Get,
    /// [`Session::post`](super::Session::post)
    Post,
    /// [`Session::probe`](super::Session::probe), after the WebSocket handshake.
    Upgrade,
}

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission<'a> {
    /// A new session.
    Open(Transport),
    /// The session with this id.
    Session(&'a str, Method),
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// No such transport, or not allowed here.
    UnknownTransport,
    /// No session with that id; it may be over.
    UnknownSession,
    /// Sessions are opened by GET.
    BadHandshakeMethod,
    /// A request that makes no sense at this point.
    BadRequest,
    /// The server does not want this client, for the reason given, if any.
    Forbidden(Option<String>),
    /// Not Engine.IO 4.
    UnsupportedVersion,
    /// A session answers GET and POST.
    MethodNotAllowed,
}

impl Refusal {
    /// The protocol's code and words; without a code where the protocol has none.
    fn code_and_words(&self) -> (Option<u8>, &str) {
        match self {
            Self::UnknownTransport => (Some(0), "Transport unknown"),
            Self::UnknownSession => (Some(1), "Session ID unknown"),
            Self::BadHandshakeMethod => (Some(2), "Bad handshake method"),
            Self::BadRequest => (Some(3), "Bad request"),
            Self::Forbidden(reason) => (Some(4), reason.as_deref().unwrap_or("Forbidden")),
            Self::UnsupportedVersion => (Some(5), "Unsupported protocol version"),
            Self::MethodNotAllowed => (None, "Method not allowed"),
        }
    }

    /// The answer to the request. One that asked for a WebSocket is answered with the words alone, after which its connection is closed.
    pub fn reply(&self, upgrade: bool) -> Reply {
        let (code, words) = self.code_and_words();
        let Some(code) = code else { return Reply { status: 405, headers: ALLOW, body: vec![] } };
        if upgrade {
            return Reply { status: 400, headers: LAST_WORDS, body: words.into() };
        }
        let status = if matches!(self, Self::Forbidden(_)) { 403 } else { 400 };
        let message = serde_json::Value::from(words);
        let body = format!(r#"{{"code":{code},"message":{message}}}"#).into();
        Reply { status, headers: JSON, body }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.code_and_words().1)
    }
}

impl std::error::Error for Refusal {}

/// An answer to a request. Its length is the caller's to state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Names and values.
    pub headers: &'static [(&'static str, &'static str)],
    /// The body.
    pub body: Vec<u8>,
}

type Headers = &'static [(&'static str, &'static str)];
const JSON: Headers = &[("Content-Type", "application/json")];
const LAST_WORDS: Headers = &[("Connection", "close"), ("Content-Type", "text/html")];
const ALLOW: Headers = &[("Allow", "GET, POST")];
const PAYLOAD: Headers =
    &[("Content-Type", "text/plain; charset=UTF-8"), ("Cache-Control", "no-store")];
// Not text/plain, which some browsers would offer as a download.
const TAKEN: Headers = &[("Content-Type", "text/html"), ("Cache-Control", "no-store")];

impl Reply {
    /// Packets for the client.
    pub(super) fn payload(body: Vec<u8>) -> Self {
        Self { status: 200, headers: PAYLOAD, body }
    }
    /// A POST was taken.
    pub(super) fn taken() -> Self {
        Self { status: 200, headers: TAKEN, body: b"ok".into() }
    }
    /// A request that ends its session.
    pub(super) fn bad() -> Self {
        Self { status: 400, headers: &[], body: vec![] }
    }
    /// A body over the limit.
    pub(super) fn too_large() -> Self {
        Self { status: 413, headers: &[], body: vec![] }
    }
}

/// Decides what a request is about. `transport_of` says by which transport a session is reached at the moment, if there is a session with this id;
/// `allow` whether the server wants a session with this client, if not, perhaps, why.
///
/// # Errors
/// The refusal to answer with: what the request or the server has against it.
pub fn admit<'a>(
    request: &Handshake<'a>,
    settings: &Settings,
    transport_of: impl FnOnce(&str) -> Option<Transport>,
    allow: impl FnOnce() -> Result<(), Option<String>>,
) -> Result<Admission<'a>, Refusal> {
    let transport = Transport::of(request.transport).filter(|one| settings.allows(*one));
    let transport = transport.ok_or(Refusal::UnknownTransport)?;
    if !request.origin.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~' | 0x80..)) {
        return Err(Refusal::BadRequest);
    }
    if !request.sid.is_empty() {
        let current = transport_of(request.sid).ok_or(Refusal::UnknownSession)?;
        return Ok(Admission::Session(request.sid, within(request, transport, current, settings)?));
    }
    if request.method != "GET" {
        return Err(Refusal::BadHandshakeMethod);
    }
    if request.upgrade != (transport == Transport::WebSocket) {
        return Err(Refusal::BadRequest);
    }
    allow().map_err(Refusal::Forbidden)?;
    if request.eio != "4" {
        return Err(Refusal::UnsupportedVersion);
    }
    Ok(Admission::Open(transport))
}

/// What a session that is reached by `current` does with a request for `transport`.
fn within(
    request: &Handshake,
    transport: Transport,
    current: Transport,
    settings: &Settings,
) -> Result<Method, Refusal> {
    let upgrades = settings.upgrades && request.upgrade && transport == Transport::WebSocket;
    match request.method {
        "GET" if upgrades => Ok(Method::Upgrade),
        _ if request.upgrade || transport != current || current != Transport::Polling => {
            Err(Refusal::BadRequest)
        }
        "GET" => Ok(Method::Get),
        "POST" => Ok(Method::Post),
        _ => Err(Refusal::MethodNotAllowed),
    }
}

/// An id of random bytes: 20 letters of Base64 for URLs.
pub fn session_id(random: [u8; 15]) -> String {
    URL_SAFE_NO_PAD.encode(random)
}

/// The first packet of a session.
pub(super) fn open_packet(sid: &str, transport: Transport, settings: &Settings) -> String {
    let upgrades = transport == Transport::Polling && settings.websocket && settings.upgrades;
    let upgrades = if upgrades { r#"["websocket"]"# } else { "[]" };
    let interval = settings.ping_interval.as_millis();
    let timeout = settings.ping_timeout.as_millis();
    let max = settings.max_payload;
    format!(
        r#"0{{"sid":"{sid}","upgrades":{upgrades},"pingInterval":{interval},"pingTimeout":{timeout},"maxPayload":{max}}}"#
    )
}
