//! How messages of a queue are written for a client that has one subscription for them. Clients of the same form, such as those of one program, are sent the same
//! bytes, which are encoded once.

use std::rc::Rc;

use super::super::feed::{Batch, Encoded, Format};
use super::interest::Target;
use super::letter::Letter;
use super::outlet::LONG;
use crate::gateway::nats::{Connection as Codec, Key, Stored, subject};

#[derive(Debug, PartialEq, Eq, Hash)]
pub(in super::super) struct Form {
    queue: String,
    pattern: Box<[u8]>,
    sid: Box<[u8]>,
    headers: bool,
}

impl Target {
    /// What others may be sent as well, and the subscription for which it is. Long messages go from where they lie instead.
    pub(super) fn form(&mut self, batch: &Batch, codec: &Codec) -> Option<(Key, Rc<Form>)> {
        let is_long = || batch.messages.iter().any(|message| message.payload.len() >= LONG);
        if batch.clients < 2 || self.keys.len() != 1 || !self.late.is_empty() || is_long() {
            return None;
        }
        let key = *self.keys.first().filter(|_| self.only.is_none())?;
        let subscription =
            codec.subscription(key).filter(|subscription| !subscription.has_max())?;
        let headers = codec.headers();
        let form = match self.form.take().filter(|form| form.headers == headers) {
            Some(form) => form,
            None => Rc::new(Form {
                queue: self.queue.clone(),
                pattern: subscription.subject().into(),
                sid: subscription.sid().into(),
                headers,
            }),
        };
        self.form = Some(Rc::clone(&form));
        Some((key, form))
    }
}

impl Form {
    /// A batch as it is sent.
    pub(super) fn encode(self: Rc<Self>, batch: &mut Batch, letter: &mut Letter) -> Rc<Encoded> {
        batch.encoded(&Format::Nats(Rc::clone(&self)), |message, out| {
            let subject = letter.address(&self.queue, message.event.as_deref());
            if subject::matches(&self.pattern, subject) {
                let stored = Stored::parse(&message.payload);
                letter.encode(&stored, None);
                letter.write(&self.sid, self.headers, stored.payload, out);
            }
        })
    }
}
