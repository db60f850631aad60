//! Events to clients, written once for all who receive them.

use std::fmt;
use std::str::FromStr;

use super::packet::{Kind, Packet};

/// Where an event lies in a queue: which queue of that name it was, and the position. A client sends the last one it saw when it comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offset {
    /// Tells a queue from one that had the same name before it.
    pub epoch: u64,
    /// The event's position in it.
    pub position: u64,
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.position)
    }
}

/// Not an offset of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoOffset;

impl fmt::Display for NoOffset {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an offset must be two numbers with a hyphen between them")
    }
}

impl std::error::Error for NoOffset {}

impl FromStr for Offset {
    type Err = NoOffset;

    fn from_str(text: &str) -> Result<Self, NoOffset> {
        let (epoch, position) = text.split_once('-').ok_or(NoOffset)?;
        let number = |text: &str| text.parse().map_err(|_| NoOffset);
        let offset = Self { epoch: number(epoch)?, position: number(position)? };
        // One way to write each: no signs, no leading zeros.
        if offset.to_string() == text { Ok(offset) } else { Err(NoOffset) }
    }
}

/// Whether an event must not have this name: the two sides use it for themselves, and clients close the connection over it.
pub fn is_reserved(name: &str) -> bool {
    const RESERVED: [&str; 6] = [
        "connect",
        "connect_error",
        "disconnect",
        "disconnecting",
        "newListener",
        "removeListener",
    ];
    RESERVED.contains(&name)
}

/// An event with a reserved name, which cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReservedName(pub String);

impl fmt::Display for ReservedName {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}: a name that the protocol keeps for itself; take another one", self.0)
    }
}

impl std::error::Error for ReservedName {}

/// An event to clients.
#[derive(Clone, Debug, Default)]
pub struct Emit<'a> {
    /// The namespace, which begins with a slash.
    pub namespace: &'a str,
    /// The event's name.
    pub name: &'a str,
    /// JSON values with commas between them, and an [`Emit::placeholder`] where an attachment belongs.
    pub arguments: &'a str,
    /// How many binary messages will follow.
    pub attachments: usize,
    /// Asks for an ack with this id.
    pub id: Option<u64>,
    /// Rides as the last argument, where clients take it from, and where the application sees it. An event that asks for an ack is better off without: clients
    /// call the application with the function that answers as last argument, and look for an offset there in vain.
    pub offset: Option<Offset>,
}

impl Emit<'_> {
    /// What stands for the attachment with this number, from 0, in an event's arguments.
    pub fn placeholder(number: usize) -> String {
        format!(r#"{{"_placeholder":true,"num":{number}}}"#)
    }

    /// Writes the event as an Engine.IO message.
    ///
    /// # Errors
    /// [`ReservedName`]: the event is called like one of the protocol's own.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), ReservedName> {
        if is_reserved(self.name) {
            return Err(ReservedName(self.name.to_owned()));
        }
        let attachments = (self.attachments > 0).then_some(self.attachments);
        let (namespace, id) = (self.namespace, self.id);
        Packet { kind: Kind::Event, attachments, namespace, id, payload: "[" }.encode(out);
        serde_json::to_writer(&mut *out, self.name).expect("a text, into memory");
        if !self.arguments.is_empty() {
            out.push(b',');
            out.extend_from_slice(self.arguments.as_bytes());
        }
        if let Some(offset) = self.offset {
            out.extend_from_slice(format!(r#","{offset}""#).as_bytes());
        }
        out.push(b']');
        Ok(())
    }
}
