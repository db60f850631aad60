//! How a server is set up.

use std::time::Duration;

use super::encoder::Info;
use super::parser::Limits;

/// What all connections of a server have in common.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What INFO says.
    pub info: Info,
    /// Nothing but CONNECT is taken from a client that was not accepted.
    pub auth_required: bool,
    /// How long such a client has for its CONNECT.
    pub auth_timeout: Duration,
    /// What a client may send.
    pub limits: Limits,
    /// Subscriptions of one connection.
    pub max_subscriptions: usize,
    /// Tokens of a subject that is subscribed to.
    pub max_tokens: usize,
    /// A client that was quiet for so long is sent PING.
    pub ping_interval: Duration,
    /// As many PINGs without PONG end the connection when the next is due.
    pub max_pings_out: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            info: Info::default(),
            auth_required: false,
            auth_timeout: Duration::from_secs(2),
            limits: Limits::default(),
            max_subscriptions: 4096,
            max_tokens: 64,
            ping_interval: Duration::from_secs(120),
            max_pings_out: 2,
        }
    }
}
