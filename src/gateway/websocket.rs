//! WebSocket (RFC 6455), the server's side.
//!
//! A request becomes a connection by a [`Handshake`]. A [`Connection`] then takes what the client sends, in pieces of any size, and gives [`Event`]s; it writes
//! the answers that the protocol asks for itself. Everything that it takes it uses up: it keeps cut headers, control frames and messages, so that all
//! connections can be read through one buffer.
//!
//! ```
//! use slipring::gateway::websocket::{Connection, Event, Limits, Opcode, write_frame};
//!
//! let mut connection = Connection::new(Limits::default());
//! let mut out = Vec::new();
//! // "Hello" and a ping, as a client masks them.
//! let mut received = *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\x89\x80\0\0\0\0";
//! let mut input = &mut received[..];
//! while let Some(event) = connection.next(&mut input) {
//!     if let Event::Text(text) = event {
//!         write_frame(&mut out, Opcode::Text, text.as_bytes());
//!     }
//! }
//! connection.take_output(&mut out);
//! assert_eq!(out, b"\x81\x05Hello\x8a\x00");
//! ```
//!
//! Messages go out as frames from [`write_frame`], [`shared_frame`] or [`header`], while [`Connection::is_open`].

mod close;
mod decoder;
mod frame;
mod handshake;
mod output;
mod utf8;

pub use close::{Error, code, is_valid};
pub use frame::{Header, MAX_CONTROL, Opcode, header, shared_frame, write_frame};
pub use handshake::{Handshake, Refusal};

use decoder::{Decoder, Frame, Piece};
use output::{Output, State};
use utf8::Utf8;

/// What a client may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a message: 1 MiB.
    pub message: usize,
    /// Frames that a message comes in, the empty ones as well: 16,384.
    pub fragments: usize,
    /// A message of at least so many bytes that is one frame, and is not in the input as a whole, comes as [`Event::Part`]s instead of being gathered: never.
    pub stream_from: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { message: 1 << 20, fragments: 16_384, stream_from: usize::MAX }
    }
}

/// What a message is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8.
    Text,
    /// Bytes.
    Binary,
}

/// The next bytes of a message, where they lay in the input, without their mask.
#[derive(Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// The message's kind. A text's parts are UTF-8 together; one alone may end within a character.
    pub kind: Kind,
    /// The bytes.
    pub bytes: &'a mut [u8],
    /// It begins the message.
    pub first: bool,
    /// How many bytes of the message come after it.
    pub rest: usize,
}

/// What came from the client.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A whole text message.
    Text(&'a str),
    /// A whole binary message.
    Binary(&'a [u8]),
    /// A part of a large message; see [`Limits::stream_from`] and [`Connection::payload_due`].
    Part(Part<'a>),
    /// A ping; its answer is in the output.
    Ping(&'a [u8]),
    /// A pong.
    Pong(&'a [u8]),
    /// The client closes, or answers to [`Connection::close`]. Nothing else comes; send the output, then close the stream.
    Close {
        /// Why, if it says so.
        code: Option<u16>,
        /// Why, in words for a log.
        reason: &'a str,
    },
    /// The client broke a rule. Nothing else comes; send the output, then close the stream.
    Error(Error),
}

/// An event, before it borrows from the connection.
enum Ready<'i> {
    Text(&'i str),
    Binary(&'i [u8]),
    Gathered(Kind),
    Part(Part<'i>),
    Control(Opcode),
}

/// A client, after the handshake.
#[derive(Debug)]
pub struct Connection {
    decoder: Decoder,
    output: Output,
    stream_from: usize,
    /// The present message comes as parts.
    streams: bool,
    utf8: Utf8,
    text: String,
    binary: Vec<u8>,
    /// What was gathered has been passed on.
    told: bool,
}

impl Connection {
    /// A client whose handshake was accepted.
    pub fn new(limits: Limits) -> Self {
        Self {
            decoder: Decoder::new(limits),
            output: Output::new(),
            stream_from: limits.stream_from,
            streams: false,
            utf8: Utf8::default(),
            text: String::new(),
            binary: Vec::new(),
            told: false,
        }
    }

    /// Takes the next event from the front of what the client sent; `None` when that is used up. Payloads lose their mask in place.
    pub fn next<'s, 'i: 's>(&'s mut self, input: &mut &'i mut [u8]) -> Option<Event<'s>> {
        if std::mem::take(&mut self.told) {
            // Not kept for the next one: most connections are idle.
            self.text = String::new();
            self.binary = Vec::new();
        }
        if self.is_closed() {
            *input = &mut [];
            return None;
        }
        match self.advance(input) {
            Ok(None) => None,
            Ok(Some(Ready::Text(text))) => Some(Event::Text(text)),
            Ok(Some(Ready::Binary(bytes))) => Some(Event::Binary(bytes)),
            Ok(Some(Ready::Part(part))) => Some(Event::Part(part)),
            Ok(Some(Ready::Gathered(kind))) => {
                self.told = true;
                Some(match kind {
                    Kind::Text => Event::Text(&self.text),
                    Kind::Binary => Event::Binary(&self.binary),
                })
            }
            Ok(Some(Ready::Control(opcode))) => Some(self.on_control(opcode)),
            Err(error) => Some(fail(&mut self.output, error)),
        }
    }

    /// How many bytes of a message that comes as [`Event::Part`]s are due, after its first part. So many, or fewer, may be read from the socket straight to
    /// where they are wanted, and given to [`next`](Self::next) there.
    pub fn payload_due(&self) -> usize {
        if self.streams && !self.is_closed() { self.decoder.payload_due() } else { 0 }
    }

    /// Moves what the protocol has to say, pongs and a Close, behind `out`. It is bounded while it waits here, so that a client that does not read costs no
    /// memory: take it when there is room to send.
    pub fn take_output(&mut self, out: &mut Vec<u8>) {
        self.output.take(out);
    }

    /// There is something to take.
    pub fn has_output(&self) -> bool {
        !self.output.bytes.is_empty()
    }

    /// Messages may be sent. After a Close, from either side, they may not.
    pub fn is_open(&self) -> bool {
        self.output.state == State::Open
    }

    /// Both sides have closed, or the client broke a rule: send the output, then close the stream.
    pub fn is_closed(&self) -> bool {
        self.output.state == State::Closed
    }

    /// Says goodbye: with a code that [`is_valid`], and a reason of which 123 bytes are sent. Events come until the client has answered.
    pub fn close(&mut self, code: u16, reason: &str) {
        debug_assert!(is_valid(code), "{code} may not be sent");
        if self.is_open() {
            self.output.close(Some(code), reason, State::Closing);
        }
    }

    fn advance<'i>(&mut self, input: &mut &'i mut [u8]) -> Result<Option<Ready<'i>>, Error> {
        while let Some(frame) = self.decoder.next(input)? {
            let ready = match frame {
                Frame::Control(opcode) => Some(Ready::Control(opcode)),
                Frame::Piece(piece) => self.on_piece(piece)?,
            };
            if ready.is_some() {
                return Ok(ready);
            }
        }
        Ok(None)
    }

    fn on_piece<'i>(&mut self, piece: Piece<'i>) -> Result<Option<Ready<'i>>, Error> {
        let Piece { kind, bytes, first, rest } = piece;
        let last = rest == Some(0);
        if first && last {
            return Ok(Some(match kind {
                Kind::Text => Ready::Text(
                    simdutf8::basic::from_utf8(bytes).map_err(|_| Error::invalid_text())?,
                ),
                Kind::Binary => Ready::Binary(bytes),
            }));
        }
        if first {
            self.streams = rest.is_some_and(|rest| bytes.len() + rest >= self.stream_from);
        }
        let streams = self.streams;
        if kind == Kind::Text {
            let gather = |text: &str| {
                if !streams {
                    self.text.push_str(text)
                }
            };
            self.utf8.push(bytes, gather).map_err(|_| Error::invalid_text())?;
            if last && !self.utf8.is_complete() {
                return Err(Error::invalid_text());
            }
        } else if !streams {
            self.binary.extend_from_slice(bytes);
        }
        self.streams &= !last;
        Ok(match rest {
            Some(rest) if streams => Some(Ready::Part(Part { kind, bytes, first, rest })),
            _ => last.then_some(Ready::Gathered(kind)),
        })
    }

    fn on_control(&mut self, opcode: Opcode) -> Event<'_> {
        let payload = self.decoder.control();
        match opcode {
            Opcode::Ping => {
                self.output.pong(payload);
                Event::Ping(payload)
            }
            Opcode::Close => match close::parse(payload) {
                Ok((code, reason)) => {
                    self.output.close(code, "", State::Closed);
                    Event::Close { code, reason }
                }
                Err(error) => fail(&mut self.output, error),
            },
            _ => Event::Pong(payload),
        }
    }
}

fn fail<'a>(output: &mut Output, error: Error) -> Event<'a> {
    output.close(Some(error.code), error.reason, State::Closed);
    Event::Error(error)
}
