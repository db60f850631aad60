//! Packets: what kind, of which namespace, with which id, and a payload of JSON.

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;
use serde_json::value::RawValue;

use super::Settings;
use super::emit::is_reserved;

/// The Engine.IO type of a text message: every packet begins with it.
pub(super) const MESSAGE: u8 = b'4';

/// What a packet is. Events and acks with attachments have types of their own on the wire: see [`Packet::attachments`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A client wants to join a namespace, or has joined it.
    Connect,
    /// One side leaves the namespace.
    Disconnect,
    /// An event.
    Event,
    /// The answer to an event that wanted one.
    Ack,
    /// A client may not join the namespace.
    ConnectError,
}

/// A packet as it is on the wire, less the attachments, which are binary messages after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// What it is.
    pub kind: Kind,
    /// Of an event or ack of the binary type: how many attachments follow.
    pub attachments: Option<usize>,
    /// The namespace, which begins with a slash.
    pub namespace: &'a str,
    /// Of an event that wants an answer, and of the answer.
    pub id: Option<u64>,
    /// JSON, or nothing.
    pub payload: &'a str,
}

/// Not a packet of Socket.IO 5, or over a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Invalid {
    /// The first letter is no packet type; or there is none.
    Type,
    /// A binary type must be followed by a number and a hyphen.
    Attachments,
    /// More attachments than allowed.
    TooManyAttachments,
    /// The namespace's name is longer than allowed.
    Namespace,
    /// The id is too large.
    Id,
    /// Not JSON, or not what such a packet carries.
    Payload,
    /// A placeholder for an attachment that there is not.
    Placeholder,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Type => "a packet must begin with a type, 0 to 6",
            Self::Attachments => "a binary packet must say how many attachments it has",
            Self::TooManyAttachments => "a packet has more attachments than allowed",
            Self::Namespace => "a namespace's name is longer than allowed",
            Self::Id => "an id is too large",
            Self::Payload => "a packet's payload is not what such a packet carries",
            Self::Placeholder => "a placeholder is for an attachment that there is not",
        })
    }
}

impl std::error::Error for Invalid {}

impl<'a> Packet<'a> {
    /// Parses the text of an Engine.IO message.
    ///
    /// # Errors
    /// [`Invalid`] says what is wrong with it.
    pub fn parse(text: &'a str, settings: &Settings) -> Result<Self, Invalid> {
        let packet = Self::split(text)?;
        if packet.attachments.is_some_and(|count| count > settings.max_attachments) {
            return Err(Invalid::TooManyAttachments);
        }
        if packet.namespace.len() > settings.max_namespace_len {
            return Err(Invalid::Namespace);
        }
        if !packet.has_valid_payload() {
            return Err(Invalid::Payload);
        }
        if let Some(count) = packet.attachments {
            let json = serde_json::from_str(packet.payload).map_err(|_| Invalid::Payload)?;
            if !has_valid_placeholders(&json, count) {
                return Err(Invalid::Placeholder);
            }
        }
        Ok(packet)
    }

    /// Finds the parts, and leaves the payload unread.
    pub(super) fn split(text: &'a str) -> Result<Self, Invalid> {
        let (kind, binary) = match text.as_bytes().first() {
            Some(b'0') => (Kind::Connect, false),
            Some(b'1') => (Kind::Disconnect, false),
            Some(b'2') => (Kind::Event, false),
            Some(b'3') => (Kind::Ack, false),
            Some(b'4') => (Kind::ConnectError, false),
            Some(b'5') => (Kind::Event, true),
            Some(b'6') => (Kind::Ack, true),
            _ => return Err(Invalid::Type),
        };
        let mut rest = &text[1..];
        let mut attachments = None;
        if binary {
            let digits = take_digits(&mut rest);
            rest = rest.strip_prefix('-').ok_or(Invalid::Attachments)?;
            attachments = Some(digits.parse().map_err(|_| Invalid::Attachments)?);
        }
        let mut namespace = "/";
        if rest.starts_with('/') {
            (namespace, rest) = rest.split_once(',').unwrap_or((rest, ""));
        }
        let digits = take_digits(&mut rest);
        let id = if digits.is_empty() { None } else { Some(digits.parse()) };
        let id = id.transpose().map_err(|_| Invalid::Id)?;
        Ok(Self { kind, attachments, namespace, id, payload: rest })
    }

    fn has_valid_payload(&self) -> bool {
        if self.payload.is_empty() {
            return matches!(self.kind, Kind::Connect | Kind::Disconnect);
        }
        let Ok(json) = serde_json::from_str::<&RawValue>(self.payload) else { return false };
        match (self.kind, json.get().as_bytes()[0]) {
            (Kind::Connect | Kind::ConnectError, b'{') | (Kind::ConnectError, b'"') => true,
            (Kind::Event, b'[') => self.name().is_some(),
            (Kind::Ack, b'[') => true,
            _ => false,
        }
    }

    /// What is in the array that the payload is.
    fn elements(&self) -> Option<&'a str> {
        self.payload.trim_ascii().strip_prefix('[')?.strip_suffix(']')
    }

    /// The first element, and what follows it.
    fn first(&self) -> Option<(&'a str, &'a str)> {
        let elements = self.elements()?;
        let mut values = serde_json::Deserializer::from_str(elements).into_iter::<&RawValue>();
        let first = values.next()?.ok()?;
        let rest = elements[values.byte_offset()..].trim_ascii();
        Some((first.get(), rest.strip_prefix(',').unwrap_or("").trim_ascii()))
    }

    /// The name of an event: its first element, a number or a text that is not reserved.
    pub fn name(&self) -> Option<Cow<'a, str>> {
        let (first, _) = self.first()?;
        match first.as_bytes()[0] {
            b'"' => {
                let plain = serde_json::from_str(first).map(Cow::Borrowed);
                let name = plain.or_else(|_| serde_json::from_str(first).map(Cow::Owned)).ok()?;
                (!is_reserved(&name)).then_some(name)
            }
            b'-' | b'0'..=b'9' => Some(Cow::Borrowed(first)),
            _ => None,
        }
    }

    /// The arguments of an event or ack: JSON values with commas between them.
    pub fn arguments(&self) -> &'a str {
        match self.kind {
            Kind::Event => self.first().map(|(_, rest)| rest),
            _ => self.elements().map(str::trim_ascii),
        }
        .unwrap_or("")
    }

    /// Writes the packet as an Engine.IO message.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let kind = match (self.kind, self.attachments) {
            (Kind::Connect, _) => b'0',
            (Kind::Disconnect, _) => b'1',
            (Kind::Event, None) => b'2',
            (Kind::Ack, None) => b'3',
            (Kind::ConnectError, _) => b'4',
            (Kind::Event, Some(_)) => b'5',
            (Kind::Ack, Some(_)) => b'6',
        };
        out.extend([MESSAGE, kind]);
        if let (Kind::Event | Kind::Ack, Some(count)) = (self.kind, self.attachments) {
            out.extend_from_slice(count.to_string().as_bytes());
            out.push(b'-');
        }
        if self.namespace != "/" {
            out.extend_from_slice(self.namespace.as_bytes());
            out.push(b',');
        }
        if let Some(id) = self.id {
            out.extend_from_slice(id.to_string().as_bytes());
        }
        out.extend_from_slice(self.payload.as_bytes());
    }
}

/// The digits at the beginning, which are then no longer there.
fn take_digits<'a>(text: &mut &'a str) -> &'a str {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at(end);
    *text = rest;
    digits
}

/// Whether every placeholder is for one of so many attachments. A receiver of another one would close its connection.
fn has_valid_placeholders(json: &Value, count: usize) -> bool {
    match json {
        Value::Object(object) if object.get("_placeholder") == Some(&Value::Bool(true)) => {
            object.get("num").and_then(Value::as_u64).is_some_and(|num| num < count as u64)
        }
        Value::Object(object) => object.values().all(|one| has_valid_placeholders(one, count)),
        Value::Array(array) => array.iter().all(|one| has_valid_placeholders(one, count)),
        _ => true,
    }
}
