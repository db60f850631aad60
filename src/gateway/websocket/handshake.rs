//! The handshake: a request that asks for a connection, and the answer.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use crate::gateway::http::{Body, Method, Origins, Request};

/// Why a request does not become a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status: 400, 403, 405 or 426.
    pub status: u16,
    /// What is wrong.
    pub reason: &'static str,
}

impl Refusal {
    /// Appends the answer. The connection is to be closed: what the client sends next may be of either protocol.
    pub fn write(&self, request: &Request, out: &mut Vec<u8>) {
        let head = request.reply().close().begin(out, self.status);
        let head = match self.status {
            405 => head.header("Allow", "GET"),
            426 => head
                .header("Upgrade", "websocket")
                .header("Connection", "upgrade")
                .header("Sec-WebSocket-Version", "13"),
            _ => head,
        };
        head.error(self.reason);
    }
}

/// A request that may become a connection.
#[derive(Clone, Copy, Debug)]
pub struct Handshake<'a> {
    request: Request<'a>,
    key: &'a [u8],
}

impl<'a> Handshake<'a> {
    /// Whether a request asks for WebSocket at all.
    pub fn is_asked_for(request: &Request) -> bool {
        request.has_token("Upgrade", "websocket")
    }

    /// Checks a request, and where it comes from: no other rule keeps a page of any origin from connecting with its visitor's rights.
    ///
    /// # Errors
    /// The refusal to answer with, its status and its reason.
    pub fn parse(request: &Request<'a>, origins: &Origins) -> Result<Self, Refusal> {
        let refuse = |status, reason| Err(Refusal { status, reason });
        if request.method != Method::Get {
            return refuse(405, "a WebSocket begins with GET");
        }
        if !Self::is_asked_for(request) || !request.has_token("Connection", "upgrade") {
            return refuse(426, "this path is for WebSocket: Upgrade and Connection must say so");
        }
        if !request.http_1_1 || request.body != Body::None {
            return refuse(400, "a WebSocket begins with HTTP/1.1, and without a body");
        }
        if single(request, "Sec-WebSocket-Version") != Some(b"13") {
            return refuse(426, "the only version of WebSocket here is 13");
        }
        let Some(key) = single(request, "Sec-WebSocket-Key").filter(|key| is_key(key)) else {
            return refuse(400, "Sec-WebSocket-Key must be 16 bytes in base64");
        };
        if !origins.admit(request) {
            return refuse(403, "pages of this origin may not connect");
        }
        Ok(Self { request: *request, key })
    }

    /// The first of the client's subprotocols that the server knows too.
    pub fn choose<'p>(&self, known: &[&'p str]) -> Option<&'p str> {
        self.request
            .tokens("Sec-WebSocket-Protocol")
            .find_map(|asked| known.iter().copied().find(|known| known.as_bytes() == asked))
    }

    /// Appends the answer that makes it a connection, with one of the subprotocols that the client asked for or without. No extension is agreed on.
    pub fn accept(&self, protocol: Option<&str>, out: &mut Vec<u8>) {
        out.extend_from_slice(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
        );
        let accept = accept_key(self.key);
        let fields = [("Accept", Some(accept.as_str())), ("Protocol", protocol)];
        for (name, value) in fields.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            for part in ["Sec-WebSocket-", name, ": ", value, "\r\n"] {
                out.extend_from_slice(part.as_bytes());
            }
        }
        out.extend_from_slice(b"\r\n");
    }
}

fn single<'a>(request: &Request<'a>, name: &str) -> Option<&'a [u8]> {
    let mut values = request.headers().filter(|(have, _)| have.eq_ignore_ascii_case(name));
    let (_, first) = values.next()?;
    values.next().is_none().then_some(first)
}

fn is_key(key: &[u8]) -> bool {
    let mut bytes = [0; 18];
    key.len() == 24 && STANDARD.decode_slice(key, &mut bytes) == Ok(16)
}

fn accept_key(key: &[u8]) -> String {
    let digest = Sha1::new().chain_update(key).chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(digest.finalize())
}
