//! Socket.IO: a namespace is a queue, an event a message of that name, a room an event filter.
//!
//! What a client sends becomes a message, and all who are in the namespace get it, the sender too. A client of a group gets each message with a function to call
//! when it is done with it. What comes back after a break goes on where it was, from the queue; see [`recovery`](super::recovery).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::access::Grant;
use super::arguments;
use super::connection::Id;
use super::feed::{Batch, Format};
use super::follower::Filter;
use super::groups::Verdict;
use super::joining::Wants;
use super::problem::Problem;
use super::query;
use super::space::{self, Codec, Source, Space};
use super::wire::Wire;
use super::world::World;
use crate::gateway::engineio::{Data, Message, Session};
use crate::gateway::http::Request;
use crate::gateway::socketio::{Event, Kind, Packet, Settings};

/// Rooms that a client may be in, and bytes of a room's name.
const ROOMS: usize = 64;
const ROOM_BYTES: usize = 255;

/// Answers that may wait beside what the session takes.
const BACKLOG: usize = 4096;

/// A client.
pub(super) struct SocketIo {
    pub(super) session: u64,
    pub(super) codec: Codec,
    /// What the query of its first request says.
    pub(super) wants: Wants,
    /// What that request may do, if it showed a token.
    pub(super) grant: Option<Grant>,
    spaces: Vec<Space>,
    pub(super) slots: u64,
    /// Answers that the session had no room for.
    backlog: VecDeque<Message>,
}

impl SocketIo {
    pub(super) fn new(session: u64, request: &Request, world: &World) -> Self {
        let config = &world.config;
        let settings = Settings {
            connect_timeout: Duration::from_millis(config.connect_timeout_ms),
            max_attachment_bytes: config.payload,
            max_expected: config.window.max(1024),
            ..Settings::default()
        };
        let wants = Wants {
            group: query::text(request, "group"),
            from: query::text(request, "from").map(Value::String),
            ..Wants::default()
        };
        Self {
            session,
            codec: Codec::new(Arc::new(settings), world.clock()),
            wants,
            grant: world.access.grant(request).ok(),
            spaces: Vec::new(),
            slots: 0,
            backlog: VecDeque::new(),
        }
    }

    /// Takes a message of the client's.
    pub(super) fn on_message(&mut self, data: Data, session: &mut Session<Id>, world: &mut World) {
        match self.codec.receive(data, world.clock()) {
            Ok(Some(event)) => self.on_event(event, session, world),
            Ok(None) => {}
            Err(_) => self.give_up(session, world),
        }
    }

    fn on_event(&mut self, event: Event<u64>, session: &mut Session<Id>, world: &mut World) {
        match event {
            Event::Connect { namespace, auth, resume } => {
                match self.join(&namespace, &auth, resume, world) {
                    Ok(space) => self.spaces.push(space),
                    Err(problem) => self.refuse(&namespace, &problem, session, world),
                }
            }
            Event::Disconnect { namespace, .. } => self.leave(&namespace, world),
            Event::Event { namespace, name, arguments, id, attachments } => {
                let done = match &*name {
                    "join" | "leave" => self.change_rooms(&namespace, &name, &arguments),
                    _ => self.publish(&namespace, &name, &arguments, &attachments, world),
                };
                self.answer(&namespace, &name, id, done, session, world);
            }
            Event::Ack { namespace, tag, arguments, .. } => {
                if let Some(space) = self.spaces.iter_mut().find(|space| space.is(&namespace)) {
                    settle(space, tag, &arguments, world);
                }
            }
        }
    }

    fn publish(
        &self,
        namespace: &str,
        name: &str,
        arguments: &str,
        attachments: &[Vec<u8>],
        world: &mut World,
    ) -> Result<Value, Problem> {
        let space = self.spaces.iter().find(|space| space.is(namespace));
        let space = space.ok_or_else(|| Problem::new(404, "no queue"))?;
        space.grant.publish(&space.queue)?;
        let payload = arguments::to_payload(arguments, attachments);
        let sent = world.publish(&space.queue, None, name, &payload)?;
        Ok(json!({ "position": sent.position }))
    }

    /// Joins rooms, or leaves them.
    fn change_rooms(&mut self, namespace: &str, how: &str, names: &str) -> Result<Value, Problem> {
        let names: Vec<String> = serde_json::from_str(&format!("[{names}]"))
            .map_err(|_| Problem::new(400, "rooms are named by texts: join(\"order.*\")"))?;
        check_rooms(&names)?;
        let space = self.spaces.iter_mut().find(|space| space.is(namespace));
        let Some(Source::Follower(follower)) = space.map(|space| &mut space.source) else {
            return Err(Problem::new(409, "a group's filter is set when the group is made"));
        };
        let mut rooms = match std::mem::replace(&mut follower.filter, Filter::All) {
            Filter::Any(rooms) => rooms,
            Filter::All if how == "leave" => return Ok(json!({ "rooms": null })),
            Filter::All => Vec::new(),
        };
        for name in names {
            rooms.retain(|room| *room != name);
            if how == "join" {
                rooms.push(name);
            }
        }
        let full = rooms.len() > ROOMS;
        rooms.truncate(ROOMS);
        let answer = json!({ "rooms": rooms });
        follower.filter = Filter::Any(rooms);
        if full { Err(too_many()) } else { Ok(answer) }
    }

    /// Says how an event went: to its ack, or, without one, if it went wrong.
    fn answer(
        &mut self,
        namespace: &str,
        name: &str,
        id: Option<u64>,
        done: Result<Value, Problem>,
        session: &mut Session<Id>,
        world: &mut World,
    ) {
        let mut text = Vec::new();
        let problem = done.as_ref().err().map(|one| (one.status, one.reason.clone()));
        match (id, problem) {
            (Some(id), problem) if self.codec.answer(namespace, id) => {
                let failed =
                    problem.map(|(status, error)| json!({ "status": status, "error": error }));
                let payload = format!("[{}]", failed.unwrap_or_else(|| done.unwrap_or_default()));
                let (kind, attachments, payload) = (Kind::Ack, None, payload.as_str());
                Packet { kind, attachments, namespace, id: Some(id), payload }.encode(&mut text);
            }
            (None, Some((status, error))) => {
                let what = json!({ "status": status, "error": error, "event": name });
                space::write_own(namespace, "failed", &what, &mut text);
            }
            _ => return,
        }
        self.send(text, session, world);
    }

    fn refuse(
        &mut self,
        namespace: &str,
        problem: &Problem,
        session: &mut Session<Id>,
        world: &mut World,
    ) {
        world.counters.errors += 1;
        let data = json!({ "status": problem.status, "error": problem.reason }).to_string();
        let message = match problem.status {
            404 => crate::gateway::socketio::INVALID_NAMESPACE,
            _ => &problem.reason,
        };
        let mut text = Vec::new();
        let _ = self.codec.refuse(namespace, message, Some(&data), &mut text);
        self.send(text, session, world);
    }

    /// Sends an answer, which is never left out.
    fn send(&mut self, text: Vec<u8>, session: &mut Session<Id>, world: &mut World) {
        self.backlog.push_back(Message::framed(&[], &text, false));
        self.send_backlog(session);
        if self.backlog.len() > BACKLOG {
            self.give_up(session, world);
        }
    }

    fn send_backlog(&mut self, session: &mut Session<Id>) {
        while let Some(message) = self.backlog.front() {
            if session.send(std::slice::from_ref(message)).is_err() {
                return;
            }
            self.backlog.pop_front();
        }
    }

    /// The client has broken a rule.
    fn give_up(&mut self, session: &mut Session<Id>, world: &mut World) {
        world.counters.errors += 1;
        self.end(world);
        session.close(world.clock());
    }

    /// Passes on what there is for clients that read for themselves, or take part in groups, while the session has room.
    pub(super) fn pull(&mut self, session: &mut Session<Id>, world: &mut World) {
        self.send_backlog(session);
        if !self.backlog.is_empty() {
            return;
        }
        let mut over = Vec::new();
        for space in &mut self.spaces {
            if space.pull(&mut self.codec, session, world) == space::State::Over {
                over.push(Arc::clone(&space.name));
            }
        }
        for name in over {
            self.leave(&name, world);
        }
    }

    /// Passes on what is new. Whether the client is behind now.
    pub(super) fn offer(
        &mut self,
        slot: u64,
        batch: &mut Batch,
        session: &mut Session<Id>,
        wire: Option<&mut Wire>,
        world: &mut World,
    ) -> bool {
        let space = self.spaces.iter_mut().find(|space| space.slot == slot);
        let Some(Space { name, epoch, source: Source::Follower(follower), .. }) = space else {
            return false;
        };
        let format = Format::SocketIo(Arc::clone(name));
        let (feeds, delivered) = (&mut world.feeds, &mut world.counters.delivered);
        match wire {
            Some(wire) => {
                let encoded = batch.encoded(&format, |message, out| {
                    space::write_frames(name, *epoch, message, out);
                });
                *delivered += follower.share(batch, &encoded, feeds, wire);
            }
            None => {
                let packets = batch.packets(&format, |message| {
                    space::packets(name, *epoch, message, None).unwrap_or_default()
                });
                follower.offer(batch, feeds, |index, _| {
                    let sent = session.send(&packets[index]).is_ok();
                    *delivered += u64::from(sent);
                    sent
                });
            }
        }
        follower.is_behind()
    }

    pub(super) fn next_deadline(&self) -> Option<Duration> {
        self.codec.next_deadline()
    }

    /// Its time may have come.
    pub(super) fn tick(&mut self, session: &mut Session<Id>, world: &mut World) {
        let now = world.clock();
        if self.codec.tick(now).is_err() {
            return self.give_up(session, world);
        }
        while let Some((namespace, _, position)) = self.codec.expired(now) {
            world.counters.leases_over += 1;
            if let Some(space) = self.spaces.iter_mut().find(|space| space.is(namespace)) {
                let _ = space.settle(position, Verdict::Retry, world);
            }
        }
    }

    fn leave(&mut self, namespace: &str, world: &mut World) {
        let found = self.spaces.iter().position(|space| space.is(namespace));
        if let Some(index) = found {
            self.spaces.remove(index).leave(world);
        }
    }

    /// The client has come back elsewhere.
    pub(super) fn release(&mut self, slot: u64, session: &mut Session<Id>, world: &mut World) {
        let Some(index) = self.spaces.iter().position(|space| space.slot == slot) else { return };
        let space = self.spaces.remove(index);
        let mut text = Vec::new();
        self.codec.disconnect(&space.name, &mut text);
        space.leave(world);
        if self.spaces.is_empty() {
            session.abort();
        } else {
            self.send(text, session, world);
        }
    }

    /// Whether the client may still do what it could when it joined.
    pub(super) fn is_granted(&self, world: &World) -> bool {
        self.spaces.iter().all(|space| world.access.still_grants(&space.grant))
    }

    /// The session is over, or about to be.
    pub(super) fn end(&mut self, world: &mut World) {
        for space in self.spaces.drain(..) {
            space.leave(world);
        }
    }
}

/// A client of a group says what has become of a message: done, unless it says something else.
fn settle(space: &mut Space, position: u64, arguments: &str, world: &mut World) {
    let said: Value = serde_json::from_str(&format!("[{arguments}]")).unwrap_or_default();
    let (retry, reject) = (&said[0]["retry"], &said[0]["reject"]);
    let verdict = match reject.as_str() {
        Some(reason) => Verdict::Reject(reason),
        None if *retry == true => Verdict::Retry,
        None => Verdict::Ack,
    };
    if space.settle(position, verdict, world).is_ok() {
        world.counters.settled += 1;
    }
}

pub(super) fn check_rooms(rooms: &[String]) -> Result<(), Problem> {
    if rooms.len() > ROOMS {
        return Err(too_many());
    }
    match rooms.iter().find(|room| room.is_empty() || room.len() > ROOM_BYTES) {
        Some(_) => {
            Err(Problem::new(400, format_args!("a room's name has 1 to {ROOM_BYTES} bytes")))
        }
        None => Ok(()),
    }
}

fn too_many() -> Problem {
    Problem::new(409, format_args!("a client may be in {ROOMS} rooms"))
}
