//! A client in a namespace: how far it has joined, and where it is in the queue.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::access::Grant;
use super::arguments;
use super::connection::Id;
use super::feed::{Client, Fresh};
use super::follower::{Follower, Missed, Next};
use super::groups::Verdict;
use super::problem::Problem;
use super::recovery::{Had, Pid};
use super::world::World;
use crate::RecvError;
use crate::gateway::engineio::{Message, Session};
use crate::gateway::socketio::{Accept, Connection, Emit, Offset, ReservedName};
use crate::gateway::websocket::{Opcode, write_frame};

/// The protocol's side; with an ack comes the position of the message that was acked.
pub(super) type Codec = Connection<u64>;

/// Where a client's events come from.
pub(super) enum Source {
    Follower(Follower),
    /// A group, and the positions of the messages that the client has.
    Group {
        key: usize,
        held: BTreeSet<u64>,
    },
}

/// How far a client has joined.
pub(super) enum Joining {
    /// It is new, or what it missed is no longer there.
    New(Option<Missed>),
    /// It is sent what it missed, up to this position.
    Recovering(u64),
    Joined,
}

/// What a [`Space::pull`] has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    On,
    /// The client is no longer in the namespace.
    Over,
}

/// A client in a namespace.
pub(super) struct Space {
    pub(super) session: u64,
    pub(super) slot: u64,
    pub(super) name: Arc<str>,
    pub(super) queue: String,
    pub(super) grant: Grant,
    pub(super) epoch: u64,
    pub(super) sid: String,
    pub(super) pid: Pid,
    pub(super) joining: Joining,
    pub(super) source: Source,
    /// What the session had no room for.
    pub(super) pending: Vec<Message>,
    /// After what is pending, nothing.
    pub(super) over: bool,
}

impl Space {
    pub(super) fn is(&self, namespace: &str) -> bool {
        *self.name == *namespace
    }

    /// Sends what there is, while the session has room.
    pub(super) fn pull(
        &mut self,
        codec: &mut Codec,
        session: &mut Session<Id>,
        world: &mut World,
    ) -> State {
        loop {
            if !self.pending.is_empty() && session.send(&self.pending).is_err() {
                return State::On;
            }
            self.pending.clear();
            if self.over {
                return State::Over;
            }
            let more = match &self.joining {
                Joining::New(missed) => {
                    let missed = *missed;
                    self.accept(missed, codec, world);
                    true
                }
                Joining::Recovering(target) if self.has_reached(*target) => {
                    self.recovered(codec);
                    true
                }
                _ => self.next(codec, world),
            };
            if !more {
                return State::On;
            }
        }
    }

    fn has_reached(&self, target: u64) -> bool {
        match &self.source {
            Source::Follower(follower) => {
                follower.next_position() >= target || !follower.is_behind()
            }
            Source::Group { .. } => true,
        }
    }

    /// Takes the client in anew. What it missed it is told by an event, too, which the stock client hears.
    fn accept(&mut self, missed: Option<Missed>, codec: &mut Codec, world: &mut World) {
        let mut text = Vec::new();
        let offset = |position| Offset { epoch: self.epoch, position };
        let range = missed.map(|missed| (offset(missed.from), offset(missed.to)));
        let accept = Accept { sid: &self.sid, pid: Some(self.pid.as_str()), missed: range };
        let _ = codec.accept(&self.name, accept, &mut text);
        self.push(&text);
        self.joining = Joining::Joined;
        if let Some(missed) = missed {
            self.tell_missed(missed, world);
        }
    }

    /// The client has all that it missed.
    fn recovered(&mut self, codec: &mut Codec) {
        let mut text = Vec::new();
        let _ = codec.recovered(&self.name, &self.sid, &mut text);
        self.push(&text);
        self.joining = Joining::Joined;
    }

    fn tell_missed(&mut self, missed: Missed, world: &mut World) {
        world.counters.overruns += 1;
        self.tell("missed", &json!({ "from": missed.from, "to": missed.to }));
    }

    /// An event of the gateway's own.
    fn tell(&mut self, name: &str, what: &Value) {
        let mut text = Vec::new();
        write_own(&self.name, name, what, &mut text);
        self.push(&text);
    }

    fn push(&mut self, text: &[u8]) {
        self.pending.push(Message::framed(&[], text, false));
    }

    /// Makes the next message pending; `false` if there is none for now.
    fn next(&mut self, codec: &mut Codec, world: &mut World) -> bool {
        match &mut self.source {
            Source::Follower(follower) => match follower.pull(&mut world.feeds) {
                Ok(Next::Message(message)) => {
                    if let Ok(packets) = packets(&self.name, self.epoch, &message, None) {
                        world.counters.delivered += 1;
                        self.pending = packets;
                    }
                }
                Ok(Next::Missed(missed)) => self.missed(missed, world),
                Ok(Next::More) => {
                    world.look_again(follower.client());
                    return false;
                }
                // It may be all that was missed.
                Ok(Next::Live) => return matches!(self.joining, Joining::Recovering(_)),
                Ok(Next::Closed) => self.finish("closed", &json!({}), codec),
                Err(problem) => self.finish("failed", &json!({ "error": problem.reason }), codec),
            },
            Source::Group { held, .. } if held.len() >= world.config.window => return false,
            Source::Group { key, held } => match world.groups.take(*key) {
                Ok(position) => {
                    let Some(message) = world.groups.message(*key, position) else { return true };
                    let message = Fresh::from(message);
                    let id = world.sessions.next_ack();
                    held.insert(position);
                    let until = world.clock() + world.ack_time();
                    let packets = packets(&self.name, self.epoch, &message, Some(id));
                    let expected = codec.expect(&self.name, id, position, until);
                    match (packets, expected) {
                        (Ok(packets), Ok(_)) => self.pending = packets,
                        // It can't be sent to any client of this kind.
                        (Err(reserved), _) => {
                            let reason = reserved.to_string();
                            let _ = self.settle(position, Verdict::Reject(&reason), world);
                            return true;
                        }
                        _ => {
                            let _ = self.settle(position, Verdict::Retry, world);
                            return false;
                        }
                    }
                    world.counters.delivered += 1;
                }
                Err(RecvError::Empty) => return false,
                Err(RecvError::Closed) => self.finish("closed", &json!({}), codec),
                Err(error) => self.finish("failed", &json!({ "error": error.to_string() }), codec),
            },
        }
        true
    }

    /// The client was overrun.
    fn missed(&mut self, missed: Missed, world: &mut World) {
        if matches!(self.joining, Joining::Recovering(_)) {
            // Too late to recover: it goes on as a new one, behind the gap.
            let began = Offset { epoch: self.epoch, position: missed.to };
            if let Ok(pid) = world.new_pid(began) {
                world.recovery.rename(self.pid.as_str(), pid.as_str());
                self.pid = pid;
            }
            self.joining = Joining::New(Some(missed));
        } else {
            self.tell_missed(missed, world);
        }
    }

    /// The last event; then the client is put out of the namespace.
    fn finish(&mut self, event: &str, what: &Value, codec: &mut Codec) {
        let mut text = Vec::new();
        match &self.joining {
            Joining::Recovering(_) => {
                let _ = codec.recovered(&self.name, &self.sid, &mut text);
                self.push(&text);
            }
            Joining::New(_) | Joining::Joined => {}
        }
        self.tell(event, what);
        let mut text = Vec::new();
        codec.disconnect(&self.name, &mut text);
        self.push(&text);
        self.over = true;
    }

    /// Settles a message that the client has.
    pub(super) fn settle(
        &mut self,
        position: u64,
        verdict: Verdict,
        world: &mut World,
    ) -> Result<(), Problem> {
        if let Source::Group { key, held } = &mut self.source
            && held.remove(&position)
        {
            return world.groups.settle(*key, position, verdict);
        }
        Err(Problem::new(410, "the message is not held any more"))
    }

    /// The client goes. What it has goes back.
    pub(super) fn leave(self, world: &mut World) {
        let (session, slot) = (self.session, self.slot);
        let client = Client::Session { session, slot };
        let filter = match self.source {
            Source::Follower(follower) => {
                follower.leave(&mut world.feeds);
                Some(follower.filter)
            }
            Source::Group { key, held } => {
                for position in held {
                    let _ = world.groups.settle(key, position, Verdict::Retry);
                }
                world.groups.leave(key, client);
                None
            }
        };
        let had = Had { sid: self.sid, filter };
        world.recovery.leave(self.pid.as_str(), (session, slot), had);
    }
}

/// Writes an event of the gateway's own.
pub(super) fn write_own(namespace: &str, name: &str, what: &Value, out: &mut Vec<u8>) {
    let arguments = what.to_string();
    let _ = Emit { namespace, name, arguments: &arguments, ..Emit::default() }.encode(out);
}

/// Writes a message as an event; returns its attachments.
fn write_event(
    namespace: &str,
    epoch: u64,
    message: &Fresh,
    id: Option<u64>,
    out: &mut Vec<u8>,
) -> Result<Vec<Vec<u8>>, ReservedName> {
    let (arguments, attachments) = arguments::of_payload(&message.payload);
    // Clients that are to ack an event take no offset from it.
    let offset = Offset { epoch, position: message.position };
    let emit = Emit {
        namespace,
        name: message.event.as_deref().unwrap_or("message"),
        arguments: &arguments,
        attachments: attachments.len(),
        id,
        offset: id.is_none().then_some(offset),
    };
    emit.encode(out)?;
    Ok(attachments)
}

/// A message as Engine.IO's.
pub(super) fn packets(
    namespace: &str,
    epoch: u64,
    message: &Fresh,
    id: Option<u64>,
) -> Result<Vec<Message>, ReservedName> {
    let mut text = Vec::new();
    let attachments = write_event(namespace, epoch, message, id, &mut text)?;
    let attachments = attachments.iter().map(|bytes| Message::binary(bytes));
    Ok([Message::framed(&[], &text, false)].into_iter().chain(attachments).collect())
}

/// Writes a message as WebSocket frames; nothing, if its event has a name that can't be sent.
pub(super) fn write_frames(namespace: &str, epoch: u64, message: &Fresh, out: &mut Vec<u8>) {
    let mut text = Vec::new();
    if let Ok(attachments) = write_event(namespace, epoch, message, None, &mut text) {
        write_frame(out, Opcode::Text, &text);
        for bytes in attachments {
            write_frame(out, Opcode::Binary, &bytes);
        }
    }
}
