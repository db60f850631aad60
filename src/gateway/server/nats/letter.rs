//! A queue's message as it is sent to subscriptions: encoded once, whoever gets it.

use super::subjects;
use crate::gateway::nats::{Delivery, Stored};

/// What is written before a message's payload; its memory is used again for the next one.
pub(super) struct Letter {
    subject: Vec<u8>,
    pub(super) delivery: Delivery,
    pub(super) headers: Vec<u8>,
}

impl Letter {
    pub(super) fn new() -> Self {
        Self { subject: Vec::new(), delivery: Delivery::new(b"", None, 0, 0), headers: Vec::new() }
    }

    /// Addresses a message.
    pub(super) fn address(&mut self, queue: &str, event: Option<&str>) -> &[u8] {
        subjects::write(queue, event, &mut self.subject);
        &self.subject
    }

    /// Encodes what comes before the payload, with a header of our own if there is one to add.
    pub(super) fn encode(&mut self, stored: &Stored, own: Option<(&str, &str)>) {
        self.headers.clear();
        match own {
            Some((name, value)) => stored.write_headers(name, value, &mut self.headers),
            None => stored.headers.iter().for_each(|part| self.headers.extend_from_slice(part)),
        }
        self.delivery.encode(&self.subject, stored.reply, self.headers.len(), stored.payload.len());
    }

    /// Writes it for a subscription's id.
    pub(super) fn write(&self, sid: &[u8], headers: bool, payload: &[u8], out: &mut Vec<u8>) {
        self.delivery.parts(sid, headers).iter().for_each(|part| out.extend_from_slice(part));
        if headers {
            out.extend_from_slice(&self.headers);
        }
        out.extend_from_slice(payload);
        out.extend_from_slice(b"\r\n");
    }
}
