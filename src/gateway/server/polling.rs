//! Requests of Engine.IO clients: which session they are for, and their answers.

use std::time::{Duration, Instant};

use super::app::App;
use super::asked::Asked;
use super::connection::{Face, Id};
use super::http::{Answer, Post, Task};
use super::problem::Problem;
use super::upgraded::Upgraded;
use super::wire::Wire;
use super::world::World;
use crate::gateway::engineio::{
    Admission, Handshake, Method as For, Refusal, Reply, Transport, admit,
};
use crate::gateway::http::{Body, Cors, Method, Request};
use crate::gateway::websocket::Handshake as Opening;

/// A request that is answered when its session says so.
pub(super) struct Poll {
    pub(super) asked: Asked,
    pub(super) session: u64,
    pub(super) id: Id,
    since: Instant,
}

impl Poll {
    pub(super) fn new(asked: Asked, session: u64, id: Id) -> Self {
        Self { asked, session, id, since: Instant::now() }
    }

    /// When the session must have said something, if it is only by a ping.
    pub(super) fn deadline(&self, world: &World) -> Instant {
        let settings = &world.sessions.settings;
        let slack = Duration::from_secs(60);
        self.since + settings.ping_interval + settings.ping_timeout + settings.close_timeout + slack
    }
}

/// Writes a session's answer; `true`: the connection goes on.
pub(super) fn write_reply(asked: &Asked, reply: &Reply, wire: &mut Wire, world: &World) -> bool {
    let field = |wanted: &str| {
        let found = reply.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| *value)
    };
    let mut asked = asked.clone();
    if field("Connection") == Some("close") {
        asked.reply = asked.reply.close();
    }
    let mut head = asked.begin(&world.access.cors, wire.out(), reply.status);
    for name in ["Cache-Control", "Allow"] {
        if let Some(value) = field(name) {
            head = head.header(name, value);
        }
    }
    match field("Content-Type") {
        Some(kind) => head.body(kind, &reply.body),
        None => head.empty(),
    }
    asked.reply.keeps_alive()
}

/// What is for sessions begins with this.
pub(super) fn is_for_sessions(path: &str, world: &World) -> bool {
    let below = |base: &str| {
        path.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    below("/socket.io") || world.config.echo && below("/engine.io")
}

/// Finds the session that a request is for.
pub(super) fn route(
    request: &Request,
    asked: Asked,
    id: Id,
    wire: &mut Wire,
    world: &mut World,
) -> Answer {
    if Cors::is_preflight(request) {
        world.access.cors.write_preflight(request, wire.out());
        return Answer::Done;
    }
    let upgrade = Opening::is_asked_for(request);
    match admitted(request, upgrade, world) {
        Ok(About::New(transport)) => match open(request, transport, id, wire, world) {
            Ok(Some(session)) if upgrade => become_socket(session, id, world),
            Ok(Some(session)) => Answer::Poll(Poll::new(asked, session, id)),
            Ok(None) => Answer::Become(Face::closing()),
            Err(problem) => {
                asked.refuse(world, wire.out(), &problem);
                Answer::Done
            }
        },
        Ok(About::Old(session, how)) => within(request, session, how, asked, id, wire, world),
        Err(refusal) => {
            world.counters.errors += 1;
            let goes_on = write_reply(&asked, &refusal.reply(upgrade), wire, world);
            if goes_on { Answer::Done } else { Answer::Become(Face::closing()) }
        }
    }
}

/// What a request is about: a new session, or one that there is.
enum About {
    New(Transport),
    Old(u64, For),
}

fn admitted(request: &Request, upgrade: bool, world: &World) -> Result<About, Refusal> {
    if let Err(problem) = world.access.check_origin(request) {
        return Err(Refusal::Forbidden(Some(problem.reason)));
    }
    let method = match request.method {
        Method::Get => "GET",
        Method::Post => "POST",
        _ => "",
    };
    let params: Vec<_> = request.params().collect();
    let pairs = params.iter().map(|(name, value)| (&**name, &**value));
    let handshake =
        Handshake::new(method, pairs, upgrade).origin(request.header("Origin").unwrap_or_default());
    let sessions = &world.sessions;
    let transport_of = |sid: &str| sessions.find(sid).and_then(|key| sessions.transport(key));
    let allow = || match sessions.count() < world.config.connections {
        _ if world.draining => Err(Some("the gateway is about to end".to_owned())),
        true => Ok(()),
        false => Err(Some("too many sessions".to_owned())),
    };
    match admit(&handshake, &sessions.settings, transport_of, allow)? {
        Admission::Open(transport) => Ok(About::New(transport)),
        Admission::Session(sid, how) => {
            let session = sessions.find(sid).ok_or(Refusal::UnknownSession)?;
            Ok(About::Old(session, how))
        }
    }
}

/// Begins a session; `None` if its WebSocket was refused.
fn open(
    request: &Request,
    transport: Transport,
    id: Id,
    wire: &mut Wire,
    world: &mut World,
) -> Result<Option<u64>, Problem> {
    if transport == Transport::WebSocket && !upgraded(request, wire, world) {
        return Ok(None);
    }
    let app = |key, world: &World| App::new(key, request, world);
    Ok(Some(world.open_session(transport, id, app)?))
}

/// Makes the request a WebSocket; `false` if it was answered otherwise.
fn upgraded(request: &Request, wire: &mut Wire, world: &mut World) -> bool {
    match Opening::parse(request, &world.access.cors.origins) {
        Ok(opening) => {
            opening.accept(None, wire.out());
            true
        }
        Err(refusal) => {
            world.counters.errors += 1;
            refusal.write(request, wire.out());
            false
        }
    }
}

fn become_socket(session: u64, id: Id, world: &World) -> Answer {
    Answer::Become(Face::Upgraded(Box::new(Upgraded::new(session, id, world))))
}

/// A request for a session that there is.
fn within(
    request: &Request,
    session: u64,
    how: For,
    asked: Asked,
    id: Id,
    wire: &mut Wire,
    world: &mut World,
) -> Answer {
    let now = world.clock();
    match how {
        For::Get => {
            world.in_session(session, Some(id), |entry, _| entry.codec.get(id, now));
        }
        For::Post => {
            let kind = request.header("Content-Type").unwrap_or_default();
            let kind = String::from_utf8_lossy(kind);
            let length = match request.body {
                Body::Length(length) => usize::try_from(length).ok(),
                Body::None => Some(0),
                Body::Chunked => None,
            };
            let wanted =
                world.in_session(session, Some(id), |entry, _| entry.codec.post(id, &kind, length));
            if wanted == Some(true) {
                return Post::begin(request, asked, Task::Packets { session, id });
            }
        }
        For::Upgrade => {
            if !upgraded(request, wire, world) {
                return Answer::Become(Face::closing());
            }
            world.in_session(session, Some(id), |entry, _| entry.codec.probe(id, now));
            return become_socket(session, id, world);
        }
    }
    Answer::Poll(Poll::new(asked, session, id))
}
