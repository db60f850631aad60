//! Server-sent events: a follower whose place the client keeps, as `Last-Event-ID`.

use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::access::Grant;
use super::asked::Asked;
use super::connection::Id;
use super::feed::{Batch, Format, Fresh};
use super::follower::{Follower, Next, Place};
use super::problem::Problem;
use super::query;
use super::wire::Wire;
use super::world::World;
use crate::gateway::http::{Request, ServerSentEvent, Stream};
use crate::{Queue, Start};

/// A client that reads a stream of events.
pub(super) struct Events {
    follower: Follower,
    sink: Sink,
    pub(super) grant: Grant,
    /// When something was last sent to it.
    pub(super) last: Instant,
}

/// How events are written.
#[derive(Clone, Copy)]
struct Sink {
    stream: Stream,
    queue: u128,
}

impl Events {
    /// Begins the stream.
    pub(super) fn open(
        request: &Request,
        (asked, grant): (&Asked, &Grant),
        queue: &str,
        id: Id,
        wire: &mut Wire,
        world: &mut World,
    ) -> Result<Self, Problem> {
        grant.subscribe(queue)?;
        let queue = world.queues.get(queue)?;
        let last = request.header("Last-Event-ID").filter(|id| !id.is_empty());
        let resumed = last.map(|last| resume(&queue, last)).transpose()?;
        let place = match resumed {
            Some(place) => place.unwrap_or(Place::Start(Start::Earliest)),
            None => Place::Start(query::start(request)?.unwrap_or(Start::Latest)),
        };
        let filter = query::text(request, "event").into();
        let follower = Follower::open(&mut world.feeds, &queue, place, filter, id.into())?;
        let head = asked.begin(&world.access.cors, wire.out(), 200);
        let stream = head.header("Cache-Control", "no-store").stream("text/event-stream");
        let sink = Sink { stream, queue: queue.id() };
        // A client that comes back before its first event misses none either.
        sink.write(
            wire.out(),
            ServerSentEvent { id: Some(&sink.id(follower.next_position())), ..EMPTY },
        );
        if resumed == Some(None) {
            let data = json!({ "reason": "this is another queue of that name" }).to_string();
            sink.write(wire.out(), named("missed", &data));
        }
        Ok(Self { follower, sink, grant: grant.clone(), last: Instant::now() })
    }

    /// Passes on what is new. Whether it is behind now.
    pub(super) fn offer(&mut self, batch: &mut Batch, wire: &mut Wire, world: &mut World) -> bool {
        let sink = self.sink;
        let format = Format::Events(sink.stream);
        let encoded = batch.encoded(&format, |message, out| sink.write_message(out, message));
        world.counters.delivered += self.follower.share(batch, &encoded, &mut world.feeds, wire);
        self.last = Instant::now();
        self.follower.is_behind()
    }

    /// The client goes.
    pub(super) fn leave(&self, world: &mut World) {
        self.follower.leave(&mut world.feeds);
    }

    /// Passes on what there is, while the socket has room. `None`: the stream is over.
    pub(super) fn push(&mut self, wire: &mut Wire, world: &mut World) -> Option<bool> {
        let sink = self.sink;
        let mut pushed = false;
        while wire.has_room() {
            match self.follower.pull(&mut world.feeds) {
                Ok(Next::Live) => return Some(pushed),
                Ok(Next::More) => return Some(true),
                Ok(Next::Message(message)) => {
                    world.counters.delivered += 1;
                    sink.write_message(wire.out(), &message);
                }
                Ok(Next::Missed(missed)) => {
                    world.counters.overruns += 1;
                    let data = json!({ "from": missed.from, "to": missed.to }).to_string();
                    let id = sink.id(missed.to);
                    sink.write(
                        wire.out(),
                        ServerSentEvent { id: Some(&id), ..named("missed", &data) },
                    );
                }
                Ok(Next::Closed) => {
                    sink.write(wire.out(), named("closed", "{}"));
                    sink.stream.end(wire.out());
                    return None;
                }
                Err(problem) => {
                    let data = json!({ "error": problem.reason }).to_string();
                    sink.write(wire.out(), named("failed", &data));
                    sink.stream.end(wire.out());
                    return None;
                }
            }
            pushed = true;
            self.last = Instant::now();
        }
        Some(pushed)
    }

    /// Shows that the connection lives, also to proxies.
    pub(super) fn beat(&mut self, wire: &mut Wire) {
        let mut text = Vec::new();
        ServerSentEvent::write_comment(&mut text, "still here");
        self.sink.stream.write(wire.out(), &text);
        self.last = Instant::now();
    }

    /// Ends the stream; the client comes back with the last id.
    pub(super) fn end(&self, wire: &mut Wire) {
        self.sink.stream.end(wire.out());
    }
}

impl Sink {
    /// The id after which a client goes on at a position.
    fn id(&self, next: u64) -> String {
        id_before(self.queue, next)
    }

    fn write(&self, out: &mut Vec<u8>, event: ServerSentEvent) {
        let mut text = Vec::new();
        event.write(&mut text);
        self.stream.write(out, &text);
    }

    fn write_message(&self, out: &mut Vec<u8>, message: &Fresh) {
        let id = self.id(message.position.wrapping_add(1));
        let (id, event, payload) = (Some(id.as_str()), &message.event, &message.payload);
        match std::str::from_utf8(payload) {
            Ok(text) => {
                let data = Some(text);
                self.write(out, ServerSentEvent { id, event: event.as_deref(), data, ..EMPTY });
            }
            Err(_) => {
                let payload = STANDARD.encode(payload);
                let data = json!({ "event": event, "encoding": "base64", "payload": payload });
                self.write(out, ServerSentEvent { id, ..named("binary", &data.to_string()) });
            }
        }
    }
}

const EMPTY: ServerSentEvent = ServerSentEvent { id: None, event: None, retry: None, data: None };

fn named<'a>(event: &'a str, data: &'a str) -> ServerSentEvent<'a> {
    ServerSentEvent { event: Some(event), data: Some(data), ..EMPTY }
}

/// The id after which a client goes on at a position of a queue.
pub(super) fn id_before(queue: u128, next: u64) -> String {
    format!("{queue:032x}-{}", next.wrapping_sub(1))
}

/// Where a client goes on that saw an id last; `None` if that was in another queue.
pub(super) fn resume(queue: &Queue, last: &[u8]) -> Result<Option<Place>, Problem> {
    let parsed = std::str::from_utf8(last).ok().and_then(|text| {
        let (id, position) = text.split_once('-')?;
        Some((u128::from_str_radix(id, 16).ok()?, position.parse::<u64>().ok()?))
    });
    match parsed {
        Some((id, last)) if id == queue.id() => Ok(Some(Place::After(last))),
        Some(_) => Ok(None),
        None => Err(Problem::new(400, "the id to go on from is none that this server gives")),
    }
}
