//! The Engine.IO protocol, version 4: sessions over polling and WebSocket.
//!
//! A request goes through [`admit`], which says whether it opens a session, belongs to one, or is refused, and with which words. A [`Session`] is told what
//! came in for it, and what time it is; it is then asked for its [`Output`]s (answers to requests, messages to a probing WebSocket, its end) and for
//! the [`Message`]s that its WebSocket may be given.
//!
//! The reference is the server `engine.io` 6.6. Where this differs: a `close` packet over WebSocket ends the session there and then; a method that is none of a
//! session's is answered 405, not 500; a POST that ends its session is answered 400, not cut off; a GET that is parked when the upgrade is complete is
//! answered `noop`, not `close`; the time to answer a ping is running during an upgrade, too; what waits to be sent is bounded.

mod handshake;
mod message;
mod outgoing;
mod output;
mod packet;
mod session;

use std::time::Duration;

pub use handshake::{Admission, Handshake, Method, Refusal, Reply, Transport, admit, session_id};
pub use message::{Data, Message};
pub use outgoing::SendError;
pub use output::{Output, Reason};
pub use packet::{Invalid, Packet, Payload, Type, encode_payload};
pub use session::{Posted, Session};

/// The limits and intervals of sessions. The defaults are the reference's, where it has any.
#[derive(Clone, Debug)]
pub struct Settings {
    /// From the session's start, and from each pong, to the next ping.
    pub ping_interval: Duration,
    /// From a ping to the end of a session that has not answered it.
    pub ping_timeout: Duration,
    /// From a probing WebSocket's coming to its end, if the upgrade is not complete.
    pub upgrade_timeout: Duration,
    /// While a WebSocket probes, a parked GET is answered this often, so that the client can let go of polling.
    pub noop_interval: Duration,
    /// From [`Session::close`] to the end, whether or not the client has fetched what waited.
    pub close_timeout: Duration,
    /// Bytes of a POST's body, and of a WebSocket message.
    pub max_payload: usize,
    /// Whether sessions may begin with polling.
    pub polling: bool,
    /// Whether sessions may begin with a WebSocket.
    pub websocket: bool,
    /// Whether a polling session may go over to a WebSocket.
    pub upgrades: bool,
    /// Bytes of messages that wait to be sent. What is sent when nothing waits may be longer.
    pub max_outgoing_bytes: usize,
    /// Messages that wait to be sent.
    pub max_outgoing_messages: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            upgrade_timeout: Duration::from_secs(10),
            noop_interval: Duration::from_millis(100),
            close_timeout: Duration::from_secs(30),
            max_payload: 1_000_000,
            polling: true,
            websocket: true,
            upgrades: true,
            max_outgoing_bytes: 1 << 20,
            max_outgoing_messages: 1024,
        }
    }
}

impl Settings {
    /// Whether a session may begin with this transport.
    fn allows(&self, transport: Transport) -> bool {
        match transport {
            Transport::Polling => self.polling,
            Transport::WebSocket => self.websocket,
        }
    }
}
