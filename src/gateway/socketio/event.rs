//! What clients want, how they are answered, and what they must not do.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde_json::Value;
use serde_json::value::RawValue;

use super::emit::{NoOffset, Offset};
use super::packet::Invalid;

/// What a client wants.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a, A> {
    /// To join a namespace. [`Connection`](super::Connection) is to be told to `accept` it, to take it as `recovered`, or to `refuse` it.
    Connect {
        /// The namespace.
        namespace: Cow<'a, str>,
        /// An object in JSON, or nothing.
        auth: Cow<'a, str>,
        /// From where on it wants to be sent what it missed.
        resume: Option<Resume>,
    },
    /// To leave a namespace.
    Disconnect {
        /// The namespace.
        namespace: Cow<'a, str>,
        /// The acks that will not come.
        unacked: Vec<(u64, A)>,
    },
    /// To send an event.
    Event {
        /// The namespace.
        namespace: Cow<'a, str>,
        /// The event's name.
        name: Cow<'a, str>,
        /// JSON values with commas between them.
        arguments: Cow<'a, str>,
        /// If it wants an answer: see [`Connection::answer`](super::Connection::answer).
        id: Option<u64>,
        /// What the placeholders in the arguments stand for.
        attachments: Vec<Vec<u8>>,
    },
    /// To answer an event, which [`Connection::expect`](super::Connection::expect) announced.
    Ack {
        /// The namespace.
        namespace: Cow<'a, str>,
        /// The event's id.
        id: u64,
        /// What was said to be given back.
        tag: A,
        /// JSON values with commas between them.
        arguments: Cow<'a, str>,
        /// What the placeholders in the arguments stand for.
        attachments: Vec<Vec<u8>>,
    },
}

/// A client that was here before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// What it was given when it joined.
    pub pid: String,
    /// The last event it saw: none yet, or one with this offset, or one with something that is no offset of ours.
    pub after: Option<Result<Offset, NoOffset>>,
}

/// How a client is taken in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Accept<'a> {
    /// Its id in this namespace, which others may know.
    pub sid: &'a str,
    /// What it can come back with; nobody else may know it. None: it can't come back.
    pub pid: Option<&'a str>,
    /// For a client that could not be recovered: the first event it missed, and the one after the last.
    pub missed: Option<(Offset, Offset)>,
}

/// A CONNECT that can't be answered so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AcceptError {
    /// There is no CONNECT to be answered for this namespace.
    NotConnecting,
    /// A client without a `pid` can't be recovered.
    NoPid,
    /// With the `pid` that it came with, the client would take itself for recovered.
    SamePid,
}

/// Why an ack is not waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExpectError {
    /// The client is not in the namespace.
    NotJoined,
    /// Too many are waited for already.
    Full,
}

/// What a client must not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// Send what is no packet.
    Invalid(Invalid),
    /// Send a text while attachments are due.
    Text,
    /// Send an attachment while none is due.
    Binary,
    /// Send attachments that are too long together.
    AttachmentBytes,
    /// Keep attachments back for too long.
    AttachmentTimeout,
    /// Connect without joining a namespace in time.
    ConnectTimeout,
    /// Send to a namespace that it is not in.
    NotJoined,
    /// Join a namespace again.
    Joined,
    /// Send a CONNECT_ERROR, which is the server's to send.
    ConnectError,
    /// Join more namespaces than allowed.
    Namespaces,
    /// Ask for more answers than allowed before it is given any.
    Unanswered,
}

impl fmt::Display for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::NotConnecting => "the client has not asked for this namespace, or was answered",
            Self::NoPid => "a client that came without a pid cannot be recovered; accept it",
            Self::SamePid => "a client that is not recovered needs a new pid",
        })
    }
}

impl std::error::Error for AcceptError {}

impl fmt::Display for ExpectError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::NotJoined => "the client is not in this namespace",
            Self::Full => "too many acks are waited for; send events that want none",
        })
    }
}

impl std::error::Error for ExpectError {}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Invalid(reason) => return reason.fmt(f),
            Self::Text => "the client sent a text while attachments were due",
            Self::Binary => "the client sent an attachment while none was due",
            Self::AttachmentBytes => "the client sent attachments that are too long together",
            Self::AttachmentTimeout => "the client did not send its attachments in time",
            Self::ConnectTimeout => "the client did not join a namespace in time",
            Self::NotJoined => "the client sent to a namespace that it is not in",
            Self::Joined => "the client joined a namespace again",
            Self::ConnectError => "the client sent a CONNECT_ERROR, which is the server's to send",
            Self::Namespaces => "the client joined more namespaces than allowed",
            Self::Unanswered => "the client asked for more answers than allowed at once",
        })
    }
}

impl std::error::Error for Violation {}

impl From<Invalid> for Violation {
    fn from(reason: Invalid) -> Self {
        Self::Invalid(reason)
    }
}

impl Resume {
    /// What a CONNECT's payload says.
    pub(super) fn from_auth(auth: &str) -> Option<Self> {
        let fields: HashMap<String, &RawValue> = serde_json::from_str(auth).ok()?;
        let pid = serde_json::from_str(fields.get("pid")?.get()).ok()?;
        let after = match fields.get("offset").map(|json| serde_json::from_str(json.get())) {
            None | Some(Ok(Value::Null)) => None,
            Some(Ok(Value::String(offset))) => Some(offset.parse()),
            Some(_) => Some(Err(NoOffset)),
        };
        Some(Self { pid, after })
    }
}

impl Accept<'_> {
    /// The payload of the answer.
    pub(super) fn to_json(self) -> String {
        let text = |text: &str| Value::from(text).to_string();
        let mut json = format!(r#"{{"sid":{}"#, text(self.sid));
        if let Some(pid) = self.pid {
            json.push_str(&format!(r#","pid":{}"#, text(pid)));
        }
        if let Some((from, to)) = self.missed {
            json.push_str(&format!(r#","missed":{{"from":"{from}","to":"{to}"}}"#));
        }
        json + "}"
    }
}

impl<A> Event<'_, A> {
    /// The event with texts of its own.
    pub(super) fn into_owned(self) -> Event<'static, A> {
        fn own(text: Cow<str>) -> Cow<'static, str> {
            Cow::Owned(text.into_owned())
        }
        match self {
            Self::Connect { namespace, auth, resume } => {
                Event::Connect { namespace: own(namespace), auth: own(auth), resume }
            }
            Self::Disconnect { namespace, unacked } => {
                Event::Disconnect { namespace: own(namespace), unacked }
            }
            Self::Event { namespace, name, arguments, id, attachments } => {
                let (namespace, name, arguments) = (own(namespace), own(name), own(arguments));
                Event::Event { namespace, name, arguments, id, attachments }
            }
            Self::Ack { namespace, id, tag, arguments, attachments } => {
                let (namespace, arguments) = (own(namespace), own(arguments));
                Event::Ack { namespace, id, tag, arguments, attachments }
            }
        }
    }
}
