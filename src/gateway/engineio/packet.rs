//! Packets: one is a WebSocket message, and a request's body is a payload of one or more, with a separator between them.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::message::{Data, Message};

/// Between the packets of a payload. JSON never contains it.
const SEPARATOR: u8 = 0x1e;

/// Before the Base64 of a binary packet in a payload.
const BINARY: u8 = b'b';

/// Browsers pad, others need not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The types of text packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Type {
    /// The server's first packet.
    Open = b'0',
    /// The session is over.
    Close = b'1',
    /// The server asks whether the client is there; or a client tries a WebSocket out.
    Ping = b'2',
    /// The answer to a ping.
    Pong = b'3',
    /// A text of the application.
    Message = b'4',
    /// The client goes over to the WebSocket it has tried out.
    Upgrade = b'5',
    /// Nothing but an end to a GET.
    Noop = b'6',
}

impl Type {
    fn of(digit: u8) -> Option<Self> {
        const ALL: [Type; 7] = [
            Type::Open,
            Type::Close,
            Type::Ping,
            Type::Pong,
            Type::Message,
            Type::Upgrade,
            Type::Noop,
        ];
        ALL.get(usize::from(digit.wrapping_sub(b'0'))).copied()
    }
}

/// One packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// A type, and what follows it.
    Text(Type, &'a str),
    /// Bytes of the application.
    Binary(Cow<'a, [u8]>),
}

/// Not a packet of Engine.IO 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Invalid {
    /// The first letter is no packet type; or there is none.
    Type,
    /// What follows `b` is no Base64.
    Base64,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Type => "a packet must begin with a type, 0 to 6",
            Self::Base64 => "a binary packet in a payload must be Base64",
        })
    }
}

impl std::error::Error for Invalid {}

impl<'a> Packet<'a> {
    /// A text message of a WebSocket. A binary one needs no parsing: it is a [`Packet::Binary`].
    ///
    /// # Errors
    /// [`Invalid::Type`]: it does not begin with a packet's digit.
    pub fn parse(text: &'a str) -> Result<Self, Invalid> {
        let digit = *text.as_bytes().first().ok_or(Invalid::Type)?;
        Ok(Self::Text(Type::of(digit).ok_or(Invalid::Type)?, &text[1..]))
    }

    /// A part of a payload.
    fn parse_part(text: &'a str) -> Result<Self, Invalid> {
        match text.strip_prefix(char::from(BINARY)) {
            Some(base64) => {
                let bytes = BASE64.decode(base64).map_err(|_| Invalid::Base64)?;
                Ok(Self::Binary(Cow::Owned(bytes)))
            }
            None => Self::parse(text),
        }
    }

    /// The packet as a message to clients.
    pub fn to_message(&self) -> Message {
        match self {
            Self::Text(kind, text) => Message::text(&format!("{}{text}", char::from(*kind as u8))),
            Self::Binary(bytes) => Message::binary(bytes),
        }
    }
}

impl<'a> From<Data<'a>> for Packet<'a> {
    fn from(data: Data<'a>) -> Self {
        match data {
            Data::Text(text) => Self::Text(Type::Message, text),
            Data::Binary(bytes) => Self::Binary(bytes),
        }
    }
}

/// The packets of a payload, one after another. Ends after the first that is invalid.
#[derive(Clone, Debug)]
pub struct Payload<'a> {
    rest: Option<&'a str>,
}

impl<'a> Payload<'a> {
    /// The packets of a request's body.
    pub fn new(body: &'a str) -> Self {
        Self { rest: Some(body) }
    }
}

impl<'a> Iterator for Payload<'a> {
    type Item = Result<Packet<'a>, Invalid>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take()?;
        let part = match memchr::memchr(SEPARATOR, rest.as_bytes()) {
            Some(end) => {
                self.rest = Some(&rest[end + 1..]);
                &rest[..end]
            }
            None => rest,
        };
        let packet = Packet::parse_part(part);
        if packet.is_err() {
            self.rest = None;
        }
        Some(packet)
    }
}

/// Messages as the body of a polling answer.
pub fn encode_payload<'m>(messages: impl IntoIterator<Item = &'m Message>) -> Vec<u8> {
    let mut body = Vec::new();
    for (index, message) in messages.into_iter().enumerate() {
        if index > 0 {
            body.push(SEPARATOR);
        }
        if message.is_binary() {
            body.push(BINARY);
            let start = body.len();
            let length = base64::encoded_len(message.content().len(), true);
            body.resize(start + length.expect("shorter than memory"), 0);
            let written = BASE64.encode_slice(message.content(), &mut body[start..]);
            written.expect("room for what its length was asked of");
        } else {
            body.extend_from_slice(message.content());
        }
    }
    body
}
