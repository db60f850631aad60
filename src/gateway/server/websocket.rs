//! The WebSocket face: messages of a group, which the client acks, or all messages from a place on.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::access::Grant;
use super::connection::Id;
use super::feed::{Batch, Format, Fresh};
use super::follower::{Follower, Next, Place};
use super::groups::{Verdict, Wish};
use super::page;
use super::problem::Problem;
use super::query;
use super::queues::Sent;
use super::wire::Wire;
use super::world::World;
use crate::gateway::http::Request;
use crate::gateway::websocket::{Connection as Codec, Event, Handshake, Opcode, code, write_frame};
use crate::{RecvError, Start};

/// So long a client may take to answer to a Close.
const LINGER: Duration = Duration::from_secs(2);

/// A client that speaks WebSocket.
pub(super) struct Socket {
    codec: Codec,
    talk: Talk,
    heard: Instant,
    pinged: bool,
    /// When this side said goodbye.
    closing: Option<Instant>,
}

/// What it wants, and has.
struct Talk {
    queue: String,
    grant: Grant,
    source: Source,
    raw: bool,
}

enum Source {
    /// Messages of a group, and the positions of those that the client holds.
    Group {
        key: usize,
        held: BTreeSet<u64>,
    },
    Follower(Follower),
    /// It gets nothing more.
    None,
    /// What the page shows; so much has been seen of it.
    Figures(u64),
    /// What it sends, for the protocol's test suite.
    Echo,
}

/// What a client says in a text message: one of `ack`, `retry`, `reject` and `send`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Command {
    ack: Option<u64>,
    retry: Option<u64>,
    reject: Option<u64>,
    reason: Option<String>,
    send: Option<Value>,
    id: Option<String>,
    event: Option<String>,
    encoding: Option<String>,
}

/// Paths of WebSockets: of a queue, of the figures, and for the protocol's test suite.
pub(super) fn is_for_sockets(path: &[&str], world: &World) -> bool {
    match path {
        ["ws"] | ["ws", _] => true,
        ["websocket"] => world.config.echo,
        _ => false,
    }
}

/// Makes a request a WebSocket; `None` if it was answered otherwise.
pub(super) fn open(
    request: &Request,
    grant: &Grant,
    path: &[&str],
    id: Id,
    wire: &mut Wire,
    world: &mut World,
) -> Result<Option<Socket>, Problem> {
    let handshake = match Handshake::parse(request, &world.access.cors.origins) {
        Ok(handshake) => handshake,
        Err(refusal) => {
            world.counters.errors += 1;
            refusal.write(request, wire.out());
            return Ok(None);
        }
    };
    let talk = match path {
        ["ws", queue] => Talk::open(request, grant, queue, id, world)?,
        ["ws"] => Talk::of_figures(grant, id, world)?,
        _ => Talk::without_queue(grant, Source::Echo),
    };
    handshake.accept(None, wire.out());
    Ok(Some(Socket {
        codec: Codec::new(world.websocket_limits()),
        talk,
        heard: Instant::now(),
        pinged: false,
        closing: None,
    }))
}

impl Socket {
    /// Takes what came.
    pub(super) fn take(&mut self, mut input: &mut [u8], wire: &mut Wire, world: &mut World) {
        (self.heard, self.pinged) = (Instant::now(), false);
        while let Some(event) = self.codec.next(&mut input) {
            let is_message = matches!(event, Event::Text(_) | Event::Binary(_));
            if is_message && !wire.meter.message() {
                self.refuse(world);
                return;
            }
            let reply = self.talk.on_event(event, world);
            // In the order of what they answer.
            if self.codec.has_output() && wire.has_room() {
                self.codec.take_output(wire.out());
            }
            if let Some((opcode, reply)) = reply.filter(|_| self.codec.is_open()) {
                write_frame(wire.out(), opcode, &reply);
            }
        }
    }

    /// Passes on what is new. Whether it is behind now.
    pub(super) fn offer(&mut self, batch: &mut Batch, wire: &mut Wire, world: &mut World) -> bool {
        let raw = self.talk.raw;
        let Source::Follower(follower) = &mut self.talk.source else { return false };
        let encoded = match raw {
            true => batch.encoded(&Format::Raw, write_raw),
            false => batch.encoded(&Format::Json, |message, out| write_json(out, message, None)),
        };
        world.counters.delivered += follower.share(batch, &encoded, &mut world.feeds, wire);
        follower.is_behind()
    }

    /// Passes on what there is, while the socket has room. `None`: the connection is over.
    pub(super) fn push(&mut self, wire: &mut Wire, id: Id, world: &mut World) -> Option<bool> {
        let mut pushed = false;
        while self.codec.is_open() && wire.has_room() {
            match self.talk.push_one(wire, world) {
                Ok(true) => wire.send_first(&mut pushed),
                Ok(false) => break,
                Err(end) => self.close(end.code, &end.reason),
            }
        }
        if !self.codec.is_open() {
            self.leave(id, world);
        }
        if self.codec.has_output() && wire.has_room() {
            self.codec.take_output(wire.out());
            pushed = true;
        }
        if self.codec.is_closed() && !self.codec.has_output() { None } else { Some(pushed) }
    }

    /// The client sends too much. `false`: it is closed already.
    pub(super) fn refuse(&mut self, world: &mut World) -> bool {
        if !self.codec.is_open() {
            return false;
        }
        world.counters.over_rate += 1;
        self.close(code::POLICY, "too much in a second");
        true
    }

    fn close(&mut self, code: u16, reason: &str) {
        self.codec.close(code, reason);
        self.closing = Some(Instant::now());
    }

    /// The client is to come back later.
    pub(super) fn go_away(&mut self) {
        self.close(code::GOING_AWAY, "come back");
    }

    pub(super) fn grant(&self) -> &Grant {
        &self.talk.grant
    }

    pub(super) fn deadline(&self, world: &World) -> Instant {
        let idle = world.idle_time();
        match self.closing {
            Some(since) => since + LINGER,
            None if self.pinged => self.heard + idle,
            None => self.heard + idle / 2,
        }
    }

    /// Nothing was heard for long; `true`: go on.
    pub(super) fn on_deadline(&mut self, wire: &mut Wire, world: &mut World) -> bool {
        if self.pinged || self.closing.is_some() {
            world.counters.timeouts += 1;
            return false;
        }
        self.pinged = true;
        if wire.has_room() {
            write_frame(wire.out(), Opcode::Ping, b"");
        }
        true
    }

    /// Gives back what the client holds.
    pub(super) fn leave(&mut self, id: Id, world: &mut World) {
        match &mut self.talk.source {
            Source::Group { key, held } => {
                for position in std::mem::take(held) {
                    let _ = world.groups.settle(*key, position, Verdict::Retry);
                }
                world.groups.leave(*key, id);
            }
            Source::Follower(follower) => follower.leave(&mut world.feeds),
            Source::Figures(_) => world.figures.leave(id),
            Source::None | Source::Echo => return,
        }
        self.talk.source = Source::None;
    }
}

/// Why this side closes.
struct End {
    code: u16,
    reason: String,
}

impl Talk {
    fn open(
        request: &Request,
        grant: &Grant,
        name: &str,
        id: Id,
        world: &mut World,
    ) -> Result<Self, Problem> {
        let raw = match query::text(request, "format").as_deref() {
            None | Some("json") => false,
            Some("raw") => true,
            Some(_) => return Err(Problem::new(400, "format: use json or raw")),
        };
        grant.subscribe(name)?;
        let queue = world.queues.get(name)?;
        let start = query::start(request)?;
        let filter = query::text(request, "event");
        let source = match query::text(request, "group") {
            Some(_) if raw => {
                return Err(Problem::new(
                    400,
                    "a group's messages carry positions: leave format=raw out",
                ));
            }
            Some(group) => {
                let start = start.unwrap_or_default();
                let wish = Wish { group: &group, start, filter: filter.as_deref() };
                Source::Group { key: world.groups.join(&queue, &wish, id)?, held: BTreeSet::new() }
            }
            None => {
                let place = Place::Start(start.unwrap_or(Start::Latest));
                let (feeds, filter) = (&mut world.feeds, filter.into());
                Source::Follower(Follower::open(feeds, &queue, place, filter, id.into())?)
            }
        };
        Ok(Self { queue: name.into(), grant: grant.clone(), source, raw })
    }

    fn of_figures(grant: &Grant, id: Id, world: &mut World) -> Result<Self, Problem> {
        grant.see_all()?;
        if !world.access.has_page {
            return Err(Problem::new(403, "set a token to see figures from elsewhere"));
        }
        world.figures.join(id, &mut world.timers);
        Ok(Self::without_queue(grant, Source::Figures(0)))
    }

    fn without_queue(grant: &Grant, source: Source) -> Self {
        Self { queue: String::new(), grant: grant.clone(), source, raw: false }
    }

    /// Sends the next message; `false` if there is none, or the client holds enough.
    fn push_one(&mut self, wire: &mut Wire, world: &mut World) -> Result<bool, End> {
        let failed = |reason: String| End { code: code::INTERNAL, reason };
        let closed = || End { code: code::NORMAL, reason: "the queue is closed".into() };
        match &mut self.source {
            Source::Group { held, .. } if held.len() >= world.config.window => return Ok(false),
            Source::Group { key, held } => match world.groups.take(*key) {
                Ok(position) => {
                    held.insert(position);
                    if let Some(message) = world.groups.message(*key, position) {
                        let deliveries = Some(message.deliveries());
                        write_json(wire.out(), &message.into(), deliveries);
                    }
                }
                Err(RecvError::Empty) => return Ok(false),
                Err(RecvError::Closed) => return Err(closed()),
                Err(error) => return Err(failed(error.to_string())),
            },
            Source::Follower(follower) => {
                let next = follower.pull(&mut world.feeds);
                match next.map_err(|problem| failed(problem.reason))? {
                    Next::Message(message) if self.raw => write_raw(&message, wire.out()),
                    Next::Message(message) => write_json(wire.out(), &message, None),
                    Next::Missed(missed) => {
                        world.counters.overruns += 1;
                        let text = json!({ "missed": { "from": missed.from, "to": missed.to } });
                        write_frame(wire.out(), Opcode::Text, text.to_string().as_bytes());
                        return Ok(true);
                    }
                    Next::More => return Ok(true),
                    Next::Live => return Ok(false),
                    Next::Closed => return Err(closed()),
                }
            }
            Source::None | Source::Echo => return Ok(false),
            Source::Figures(seen) => {
                let Some(frame) = world.figures.after(*seen) else { return Ok(false) };
                *seen = world.figures.serial;
                wire.out().extend_from_slice(frame);
                return Ok(true);
            }
        }
        world.counters.delivered += 1;
        Ok(true)
    }

    /// Takes what came; the answer, if there is one.
    fn on_event(&mut self, event: Event, world: &mut World) -> Option<(Opcode, Vec<u8>)> {
        let reply = match (event, &self.source) {
            (Event::Text(text), Source::Echo) => return Some((Opcode::Text, text.into())),
            (Event::Binary(bytes), Source::Echo) => return Some((Opcode::Binary, bytes.into())),
            (Event::Text(text), _) => self.on_text(text, world)?,
            (Event::Binary(bytes), _) => self.publish(None, "", bytes, world),
            _ => return None,
        };
        Some((Opcode::Text, reply.to_string().into()))
    }

    fn on_text(&mut self, text: &str, world: &mut World) -> Option<Value> {
        let command: Command = match serde_json::from_str(text) {
            Ok(command) => command,
            Err(error) => return Some(failure(&Problem::new(400, error))),
        };
        let settled = match &command {
            Command { ack: Some(position), .. } => self.settle(*position, Verdict::Ack, world),
            Command { retry: Some(position), .. } => self.settle(*position, Verdict::Retry, world),
            Command { reject: Some(position), reason, .. } => {
                let reason = reason.as_deref().unwrap_or("rejected over WebSocket");
                self.settle(*position, Verdict::Reject(reason), world)
            }
            Command { send: Some(payload), id, event, encoding, .. } => {
                let event = event.as_deref().unwrap_or_default();
                let id = id.as_deref();
                return Some(match decode(payload, encoding.as_deref()) {
                    Ok(payload) => self.publish(id, event, &payload, world),
                    Err(problem) => failure(&problem),
                });
            }
            _ => Err(Problem::new(400, "say one of ack, retry, reject and send")),
        };
        settled.err().as_ref().map(failure)
    }

    fn settle(
        &mut self,
        position: u64,
        verdict: Verdict,
        world: &mut World,
    ) -> Result<(), Problem> {
        match &mut self.source {
            Source::Group { key, held } if held.contains(&position) => {
                held.remove(&position);
                world.groups.settle(*key, position, verdict)?;
                world.counters.settled += 1;
                Ok(())
            }
            _ => Err(Problem::new(410, format_args!("{position} is no message that you hold"))),
        }
    }

    fn publish(&self, id: Option<&str>, event: &str, payload: &[u8], world: &mut World) -> Value {
        let allowed = self.grant.publish(&self.queue);
        match allowed.and_then(|()| world.publish(&self.queue, id, event, payload)) {
            Ok(Sent { position, duplicate: true }) => {
                json!({ "sent": position, "duplicate": true })
            }
            Ok(Sent { position, .. }) => json!({ "sent": position }),
            Err(problem) => failure(&problem),
        }
    }
}

fn failure(problem: &Problem) -> Value {
    json!({ "status": problem.status, "error": problem.reason })
}

/// The payload of a `send`: a text, or bytes in base64; what is neither goes as JSON.
fn decode(payload: &Value, encoding: Option<&str>) -> Result<Vec<u8>, Problem> {
    match (payload, encoding) {
        (Value::String(text), None | Some("utf-8")) => Ok(text.clone().into_bytes()),
        (Value::String(text), Some("base64")) => {
            STANDARD.decode(text).map_err(|error| Problem::new(400, error))
        }
        (value, None) => Ok(value.to_string().into_bytes()),
        _ => Err(Problem::new(400, "encoding: use utf-8 or base64, for a text")),
    }
}

fn write_raw(message: &Fresh, out: &mut Vec<u8>) {
    write_frame(out, Opcode::Binary, &message.payload);
}

fn write_json(out: &mut Vec<u8>, message: &Fresh, deliveries: Option<u32>) {
    let (encoding, payload) = page::encode(&message.payload, usize::MAX);
    let mut text = json!({
        "position": message.position,
        "event": message.event,
        "encoding": encoding,
        "payload": payload,
    });
    if let Some(deliveries) = deliveries {
        text["deliveries"] = deliveries.into();
    }
    write_frame(out, Opcode::Text, text.to_string().as_bytes());
}
