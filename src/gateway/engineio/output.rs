//! What a session tells its caller.

use std::fmt;

use super::handshake::Reply;
use super::message::Message;
use super::packet::Invalid;

/// Something for the caller to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output<T> {
    /// Answer the request on this connection.
    Reply(T, Reply),
    /// Send this to a WebSocket that probes.
    Send(T, Message),
    /// Close this WebSocket after what it has been given so far.
    Close(T),
    /// [`SendError::Full`](super::SendError::Full) is over: go on sending.
    Room,
    /// The session is over. Nothing follows; requests that still come for it are answered like those for an unknown one.
    Closed(Reason),
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The client said so.
    ClientClosed,
    /// The connection of a WebSocket, a parked GET or a POST broke.
    Lost,
    /// A GET while another was parked, or a POST while another was coming.
    Overlap,
    /// A POST of a binary type, which Engine.IO 4 does not have.
    BinaryPost,
    /// A ping, which is the server's to send.
    PingFromClient,
    /// A packet that is none.
    Invalid(Invalid),
    /// A body that is not UTF-8.
    NotUtf8,
    /// A ping was not answered in time.
    PingTimeout,
    /// [`Session::close`](super::Session::close) or [`Session::abort`](super::Session::abort).
    Closed,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::ClientClosed => "the client closed the session",
            Self::Lost => "the connection broke",
            Self::Overlap => "the client sent a request before its last was answered",
            Self::BinaryPost => "the client posted a binary body",
            Self::PingFromClient => "the client sent a ping, which is the server's to send",
            Self::Invalid(reason) => return reason.fmt(f),
            Self::NotUtf8 => "the client posted a body that is not UTF-8",
            Self::PingTimeout => "the client did not answer a ping in time",
            Self::Closed => "the server closed the session",
        })
    }
}
