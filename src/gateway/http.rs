//! HTTP/1.1, the server's side.
//!
//! A [`Parser`] takes what a client sends, in pieces of any size, and gives [`Event`]s: a request, the pieces of its body as they come, the body's end. What it
//! keeps is a head cut in the middle; bodies pass through. A [`Reply`] writes the answer. What could be read in two ways (request smuggling) is refused.
//!
//! ```
//! use slipring::gateway::http::{Event, Limits, Method, Parser};
//!
//! let mut parser = Parser::new(Limits::default());
//! let mut out = Vec::new();
//! let mut input = &b"GET /queues/orders?from=7 HTTP/1.1\r\nHost: localhost\r\n\r\n"[..];
//! while let Some(event) = parser.next(&mut input)? {
//!     if let Event::Request(request) = event {
//!         assert_eq!((request.method, request.path), (Method::Get, "/queues/orders"));
//!         assert_eq!(request.param("from").as_deref(), Some("7"));
//!         request.reply().begin(&mut out, 200).body("text/plain", b"hello");
//!     }
//! }
//! assert_eq!(out, b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello");
//! # Ok::<(), slipring::gateway::http::Error>(())
//! ```
//!
//! Requests may be pipelined: a caller that can't answer the next one yet stops calling [`Parser::next`] and keeps what is left of the input. After an upgrade,
//! what is left belongs to the other protocol.

mod chunked;
mod cors;
mod events;
mod head;
mod reply;
mod request;

pub use cors::{Cors, Origins};
pub use events::ServerSentEvent;
pub use reply::{CONTINUE, Reply, ReplyHead, Stream};
pub use request::{Body, Method, Request};

use std::mem;

use chunked::{Chunks, Piece};
use head::Scan;

/// What a client may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the request line and the header fields together, and of a chunked body's trailers: 8 KiB.
    pub head: usize,
    /// Bytes of a body: 1 MiB.
    pub body: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { head: 8 << 10, body: 1 << 20 }
    }
}

/// A request that is refused. The connection can't go on: answer with [`Error::reply`], then close it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// The status: 400, 413, 417, 431, 501 or 505.
    pub status: u16,
    /// What is wrong.
    pub reason: &'static str,
}

impl Error {
    fn bad(reason: &'static str) -> Self {
        Self { status: 400, reason }
    }

    /// Appends the answer.
    pub fn reply(&self, out: &mut Vec<u8>) {
        Reply::last().error(out, self.status, self.reason);
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.reason, self.status)
    }
}

impl std::error::Error for Error {}

/// What came from the client.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A request. If its [`Body`] is not `None`, pieces and an end follow.
    Request(Request<'a>),
    /// The next bytes of the body, where they lay in the input.
    Body(&'a [u8]),
    /// The body is complete.
    End,
}

#[derive(Debug)]
enum State {
    /// Nothing of the next request has come.
    Between,
    /// A part of a head is kept.
    Head,
    /// So many bytes of the body are due.
    Length(u64),
    Chunked(Chunks),
    Failed,
}

/// A client, request by request.
#[derive(Debug)]
pub struct Parser {
    limits: Limits,
    state: State,
    head: Vec<u8>,
    scan: Scan,
}

impl Parser {
    /// A client that has just connected.
    pub fn new(limits: Limits) -> Self {
        Self { limits, state: State::Between, head: Vec::new(), scan: Scan::default() }
    }

    /// Takes the next event from the front of what the client sent; `None` when that is used up, and after an error.
    ///
    /// # Errors
    /// What the client did against the protocol or the limits, with the status to answer.
    pub fn next<'s, 'i: 's>(
        &'s mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Event<'s>>, Error> {
        // What returns early has failed.
        match mem::replace(&mut self.state, State::Failed) {
            State::Between => {
                self.head = Vec::new();
                self.scan = Scan::default();
                self.next_head(input)
            }
            State::Head => self.next_head(input),
            State::Length(0) => {
                self.state = State::Between;
                Ok(Some(Event::End))
            }
            State::Length(due) => {
                let n = usize::try_from(due).unwrap_or(usize::MAX).min(input.len());
                self.state = State::Length(due - n as u64);
                Ok((n > 0).then_some(Event::Body(take(input, n))))
            }
            State::Chunked(mut chunks) => {
                let piece = chunks.next(input)?;
                self.state = State::Chunked(chunks);
                Ok(piece.map(|piece| match piece {
                    Piece::Data(data) => Event::Body(data),
                    Piece::End => {
                        self.state = State::Between;
                        Event::End
                    }
                }))
            }
            State::Failed => {
                *input = &[];
                Ok(None)
            }
        }
    }

    fn next_head<'s, 'i: 's>(
        &'s mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Event<'s>>, Error> {
        let room = self.limits.head - self.scan.len;
        let window = &input[..input.len().min(room)];
        let Some(end) = self.scan.end(window)? else {
            if window.len() == room {
                return Err(Error { status: 431, reason: "the head is over the limit" });
            }
            self.head.extend_from_slice(take(input, window.len()));
            self.state = if self.head.is_empty() { State::Between } else { State::Head };
            return Ok(None);
        };
        let mut bytes = take(input, end);
        if !self.head.is_empty() {
            self.head.extend_from_slice(bytes);
            bytes = &self.head;
        }
        let request = head::parse(bytes)?;
        self.state = match request.body {
            Body::None => State::Between,
            Body::Length(len) if len > self.limits.body => return Err(too_large()),
            Body::Length(len) => State::Length(len),
            Body::Chunked => State::Chunked(Chunks::new(self.limits)),
        };
        Ok(Some(Event::Request(request)))
    }

    /// How many bytes of a body with a known length are due. So many, or fewer, may be read from the socket straight to where they are wanted, and given to
    /// [`next`](Self::next) there.
    pub fn body_due(&self) -> u64 {
        match self.state {
            State::Length(due) => due,
            _ => 0,
        }
    }

    /// Nothing of the next request has come.
    pub fn is_between(&self) -> bool {
        matches!(self.state, State::Between)
    }
}

fn too_large() -> Error {
    Error { status: 413, reason: "the body is over the limit" }
}

/// Takes bytes from the front.
fn take<'i>(input: &mut &'i [u8], n: usize) -> &'i [u8] {
    let (front, rest) = input.split_at(n);
    *input = rest;
    front
}
