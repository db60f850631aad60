//! A client, as it is sent what queues hold.

use super::super::wire::Wire;
use super::letter::Letter;
use crate::gateway::nats::{Connection as Codec, Key, ServerError, Stored, Subscription};

/// A longer payload goes to the socket from where it lies.
pub(super) const LONG: usize = 16 << 10;

/// The header that tells what was missed.
const MISSED: &str = "Slipring-Missed";

/// The way to a client: what messages pass on it.
pub(super) struct Outlet<'a> {
    pub(super) codec: &'a mut Codec,
    pub(super) wire: &'a mut Wire,
    pub(super) letter: &'a mut Letter,
    /// Who gets the present message.
    pub(super) keys: Vec<Key>,
    /// Subscriptions that have ended by their last message.
    pub(super) ended: Vec<(Key, Subscription)>,
}

impl<'a> Outlet<'a> {
    pub(super) fn new(codec: &'a mut Codec, wire: &'a mut Wire, letter: &'a mut Letter) -> Self {
        Self { codec, wire, letter, keys: Vec::new(), ended: Vec::new() }
    }

    /// Sends the letter to a subscription, unless that is over.
    pub(super) fn send(&mut self, key: Key, payload: &[u8]) -> bool {
        let out = self.wire.out();
        let Some(sent) = self.codec.deliver(key, &self.letter.delivery, false, out) else {
            return false;
        };
        if sent.headers {
            out.extend_from_slice(&self.letter.headers);
        }
        if payload.len() < LONG {
            out.extend_from_slice(payload);
        } else {
            self.wire.send(payload);
        }
        self.wire.out().extend_from_slice(b"\r\n");
        self.ended.extend(sent.ended.map(|subscription| (key, subscription)));
        true
    }

    /// Tells a subscription what it has missed of a queue, by a message that is nothing but a header.
    pub(super) fn tell(&mut self, key: Key, queue: &str, what: &str) {
        self.letter.address(queue, None);
        self.letter.encode(&Stored::parse(b""), Some((MISSED, what)));
        self.send(key, b"");
    }

    /// Tells the client what is wrong.
    pub(super) fn error(&mut self, error: ServerError) {
        self.codec.error(error, self.wire.out());
    }
}
