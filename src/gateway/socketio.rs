//! The Socket.IO protocol, version 5: packets in Engine.IO messages.
//!
//! A [`Connection`] is what one Engine.IO session carries: it is told the session's messages and gives [`Event`]s, of which a CONNECT wants a decision.
//! Packets to clients are written by [`Packet::encode`] and [`Emit::encode`], with the Engine.IO type before them, so that an event is written once,
//! whoever receives it and however.
//!
//! The reference is the server `socket.io` 4.8. Where this differs: an EVENT or ACK cannot be without a payload, a binary one not without a number of
//! attachments, and no packet without a type; placeholders are checked when the packet comes, not when its last attachment does; missing attachments
//! are waited for only so long; what comes for a namespace that the server has just put the client out of is ignored; everything that is kept for a
//! client is bounded.
//!
//! # Missed events
//!
//! A client that was given a `pid` sends it with its next CONNECT, and with it the last [`Offset`] it saw: [`Resume`]. Whoever can send all
//! that was missed since then sends it first, and then [`Connection::recovered`]; whoever cannot sends nothing of it, and [`Connection::accept`] with a
//! new `pid`, which tells the client that it was not recovered.

mod connection;
mod emit;
mod event;
mod packet;

use std::time::Duration;

pub use connection::Connection;
pub use emit::{Emit, NoOffset, Offset, ReservedName, is_reserved};
pub use event::{Accept, AcceptError, Event, ExpectError, Resume, Violation};
pub use packet::{Invalid, Kind, Packet};

/// What a client that asks for an unknown namespace is told.
pub const INVALID_NAMESPACE: &str = "Invalid namespace";

/// The limits and time-outs of connections. The defaults are the reference's, where it has any.
#[derive(Clone, Debug)]
pub struct Settings {
    /// From the connection's start to its end, if it has not joined a namespace.
    pub connect_timeout: Duration,
    /// Attachments of a packet.
    pub max_attachments: usize,
    /// Bytes of a packet's attachments together.
    pub max_attachment_bytes: usize,
    /// From a packet to its last attachment.
    pub attachment_timeout: Duration,
    /// Namespaces that a connection is in.
    pub max_namespaces: usize,
    /// Bytes of a namespace's name.
    pub max_namespace_len: usize,
    /// A client's events in one namespace that still want an answer.
    pub max_unanswered: usize,
    /// Acks that are waited for from a client in one namespace.
    pub max_expected: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(45),
            max_attachments: 10,
            max_attachment_bytes: 10_000_000,
            attachment_timeout: Duration::from_secs(60),
            max_namespaces: 64,
            max_namespace_len: 256,
            max_unanswered: 1024,
            max_expected: 1024,
        }
    }
}
