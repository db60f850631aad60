//! How a client joins a namespace: for the first time, or again.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

use super::feed::Client;
use super::follower::{Filter, Follower, Missed, Place};
use super::groups::Wish;
use super::problem::Problem;
use super::query;
use super::recovery::{self, Had, Pid};
use super::socketio::{SocketIo, check_rooms};
use super::space::{Joining, Source, Space};
use super::world::World;
use crate::gateway::socketio::{Offset, Resume};
use crate::{Queue, Start};

/// What a client says as it joins: `auth`, or its first request's query.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wants {
    pub(super) token: String,
    /// To take part in a group.
    pub(super) group: Option<String>,
    /// Where to begin, if it is new.
    pub(super) from: Option<Value>,
    pub(super) rooms: Option<Vec<String>>,
    /// It would rather miss events than get them late.
    pub(super) volatile: bool,
}

impl Wants {
    fn start(&self) -> Result<Option<Start>, Problem> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        self.from.as_ref().map(|value| query::parse_start(&text(value))).transpose()
    }

    fn filter(&self) -> Filter {
        self.rooms.clone().map_or(Filter::All, Filter::Any)
    }
}

impl SocketIo {
    /// Lets a client in, if it may. The answer follows when it has been sent what it missed.
    pub(super) fn join(
        &mut self,
        namespace: &str,
        auth: &str,
        resume: Option<Resume>,
        world: &mut World,
    ) -> Result<Space, Problem> {
        let wants = self.wants_of(auth)?;
        let grant = match wants.token.is_empty() {
            true => self.grant.clone(),
            false => world.access.grant_for(wants.token.as_bytes()),
        };
        let grant = grant.ok_or_else(|| Problem::new(401, "a token is needed: auth: { token }"))?;
        let name = match namespace.trim_start_matches('/') {
            "" => world.config.default_queue.clone(),
            name => name.to_owned(),
        };
        if name.is_empty() {
            return Err(Problem::new(404, "a namespace is a queue's name, as /orders"));
        }
        grant.subscribe(&name)?;
        let queue = world.queues.get(&name)?;
        let epoch = queue.id() as u64;
        self.slots += 1;
        let slot = self.slots;
        let back = resume.and_then(|resume| recovery::place(&resume, epoch));
        let had = back.as_ref().and_then(|(pid, _)| world.take_over(pid));
        let (sid, filter) = match had {
            Some(Had { sid, filter }) => (sid, filter),
            None => (world.random_text()?, None),
        };
        let filter = filter.unwrap_or_else(|| wants.filter());
        let client = Client::Session { session: self.session, slot };
        let seat = match &wants.group {
            Some(group) => {
                take_part(&queue, group, &wants, back.map(|(pid, _)| pid), client, world)?
            }
            None => follow(&queue, &wants, back, filter, client, world)?,
        };
        world.recovery.enter(seat.pid.as_str(), self.session, slot);
        Ok(Space {
            session: self.session,
            slot,
            name: Arc::from(namespace),
            queue: name,
            grant,
            epoch,
            sid,
            pid: seat.pid,
            joining: seat.joining,
            source: seat.source,
            pending: Vec::new(),
            over: false,
        })
    }

    fn wants_of(&self, auth: &str) -> Result<Wants, Problem> {
        let auth = if auth.is_empty() { "{}" } else { auth };
        let mut wants: Wants = serde_json::from_str(auth)
            .map_err(|error| Problem::new(400, format_args!("auth: {error}")))?;
        wants.group = wants.group.or_else(|| self.wants.group.clone());
        wants.from = wants.from.or_else(|| self.wants.from.clone());
        check_rooms(wants.rooms.as_deref().unwrap_or_default())?;
        Ok(wants)
    }
}

/// Where a client is to be.
struct Seat {
    pid: Pid,
    joining: Joining,
    source: Source,
}

/// Of a group a client misses nothing: what it had goes to it, or to another one.
fn take_part(
    queue: &Queue,
    group: &str,
    wants: &Wants,
    back: Option<Pid>,
    client: Client,
    world: &mut World,
) -> Result<Seat, Problem> {
    let filter = match wants.rooms.as_deref() {
        None => None,
        Some([room]) => Some(room.as_str()),
        Some(_) => return Err(Problem::new(400, "a group has one filter: one room")),
    };
    let wish = Wish { group, start: wants.start()?.unwrap_or_default(), filter };
    let key = world.groups.join(queue, &wish, client)?;
    let began = Offset { epoch: queue.id() as u64, position: 0 };
    let (pid, joining) = match back {
        Some(pid) => (pid, Joining::Recovering(0)),
        None => (world.new_pid(began)?, Joining::New(None)),
    };
    Ok(Seat { pid, joining, source: Source::Group { key, held: BTreeSet::new() } })
}

fn follow(
    queue: &Queue,
    wants: &Wants,
    back: Option<(Pid, Place)>,
    filter: Filter,
    client: Client,
    world: &mut World,
) -> Result<Seat, Problem> {
    let mut gap = None;
    if let Some((pid, place)) = back {
        let mut follower = Follower::open(&mut world.feeds, queue, place, filter.clone(), client)?;
        gap = follower.take_missed();
        if gap.is_none() {
            follower.volatile = wants.volatile;
            let joining = Joining::Recovering(queue.bounds().end);
            return Ok(Seat { pid, joining, source: Source::Follower(follower) });
        }
        follower.leave(&mut world.feeds);
    }
    let start = Place::Start(wants.start()?.unwrap_or(Start::Latest));
    let mut follower = Follower::open(&mut world.feeds, queue, start, filter, client)?;
    follower.volatile = wants.volatile;
    let told = follower.take_missed();
    let next = follower.next_position();
    // Not a part of it: it begins anew, and knows from where on it has nothing.
    let missed = gap.map(|gap| Missed { from: gap.from, to: next.max(gap.to) }).or(told);
    let pid = world.new_pid(Offset { epoch: queue.id() as u64, position: next })?;
    Ok(Seat { pid, joining: Joining::New(missed), source: Source::Follower(follower) })
}

impl World {
    fn random_text(&mut self) -> io::Result<String> {
        Ok(URL_SAFE_NO_PAD.encode(self.sessions.random()?))
    }

    /// What a client can come back with that begins here.
    pub(super) fn new_pid(&mut self, began: Offset) -> io::Result<Pid> {
        Ok(Pid::new(&self.random_text()?, began))
    }

    /// Takes the place of a client that has come back, and may still look connected.
    fn take_over(&mut self, pid: &Pid) -> Option<Had> {
        if let Some((session, slot)) = self.recovery.find(pid.as_str()) {
            self.in_session(session, None, |entry, world| entry.release(slot, world));
        }
        self.recovery.take(pid.as_str())
    }
}
