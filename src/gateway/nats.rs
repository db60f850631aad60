//! The NATS client protocol, the server's side.
//!
//! [`Connection`] is one client: bytes in, bytes and [`Action`]s out. [`Index`] finds the subscriptions that get a message, over all connections.
//! [`Delivery`] is the head of a message, encoded once for all who get it. [`Parser`] and [`Headers`] are the parts that take bytes apart.
//!
//! The reference is nats-server: its order of checks, its words and its silences (arguments that make no sense end a connection without `-ERR`). Where
//! this differs, it is stricter with what would be passed on to others: a CR within a control line and a block of headers that is not well formed are
//! refused, and a permission for `a.*` does not allow a subscription to `a.>`. There is no early PING that only measures the way there and back.
//! `tests/gateway/nats/script.rs` has each difference with its reason.

mod connect;
mod connection;
mod encoder;
mod headers;
mod index;
mod line;
mod parser;
mod permissions;
mod settings;
mod stored;
pub mod subject;
mod subscriptions;

pub use connect::Connect;
pub use connection::{Action, Connection, Message, Reason, Sent};
pub use encoder::{Delivery, Info, PING, Peer, ServerError};
pub use headers::Headers;
pub use index::{Index, Matches};
pub use parser::{Head, Limits, Operation, ParseError, Parser};
pub use permissions::{Permissions, Rules};
pub use settings::Settings;
pub use stored::Stored;
pub use subscriptions::{Key, Subscription};
