//! What connections of NATS have in common: who has subscribed to what, and live messages between them, which no queue holds.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::connection::Id;
use super::subjects::Wanted;
use crate::gateway::config::Config;
use crate::gateway::nats::{Delivery, Index, Info, Key, Limits, Message, Settings};

/// The server whose features clients find here.
const VERSION: &str = "2.9.10";

/// A message on its way to the clients that are here now.
pub(in super::super) struct Live {
    pub(super) delivery: Delivery,
    pub(super) headers: Vec<u8>,
    pub(super) payload: Vec<u8>,
    pub(super) reply: Option<Vec<u8>>,
}

impl Live {
    pub(super) fn new(message: &Message, payload: &[u8]) -> Self {
        let headers = message.headers.as_bytes();
        let Message { subject, reply, .. } = *message;
        Self {
            delivery: Delivery::new(subject, reply, headers.len(), payload.len()),
            headers: headers.to_vec(),
            payload: payload.to_vec(),
            reply: reply.map(<[u8]>::to_vec),
        }
    }
}

/// A live message for a subscription of a connection.
pub(in super::super) struct Mail {
    pub(in super::super) to: Id,
    pub(super) key: Key,
    pub(super) live: Rc<Live>,
}

/// Who gets a live message: each of the first, and one of each of the others.
pub(super) struct Receivers {
    pub(super) plain: Vec<(Id, Key)>,
    pub(super) groups: Vec<Vec<(Id, Key)>>,
}

pub(in super::super) struct Hub {
    pub(super) settings: Arc<Settings>,
    pub(super) index: Index<(Id, Key)>,
    mail: VecDeque<Mail>,
    /// Which member of a group is the next.
    turn: usize,
    started: Instant,
    /// Connections, to be told of queues that come and go.
    pub(super) clients: Vec<Id>,
    /// The queues, with their ids, when somebody last looked, and how often they have changed.
    queues: Vec<(String, u128)>,
    pub(super) changes: u64,
}

impl Hub {
    pub(in super::super) fn new(config: &Config, address: Option<SocketAddr>) -> Self {
        let half_idle = Duration::from_secs(config.idle_seconds) / 2;
        let info = Info {
            server_id: format!("SLIPRING{:016X}", RandomState::new().hash_one(std::process::id())),
            server_name: "slipring".into(),
            version: VERSION.into(),
            host: address.map_or(String::new(), |address| address.ip().to_string()),
            port: address.map_or(0, |address| address.port()),
            ..Info::default()
        };
        let settings = Settings {
            info,
            auth_required: config.asks_for_tokens(),
            auth_timeout: Duration::from_secs(config.handshake_seconds),
            limits: Limits { max_payload: config.payload, ..Limits::default() },
            max_subscriptions: config.subscriptions,
            ping_interval: half_idle.max(Duration::from_millis(1)),
            max_pings_out: 1,
            ..Settings::default()
        };
        Self {
            settings: Arc::new(settings),
            index: Index::default(),
            mail: VecDeque::new(),
            turn: 0,
            started: Instant::now(),
            clients: Vec::new(),
            queues: Vec::new(),
            changes: 0,
        }
    }

    /// The time as the codec counts it.
    pub(super) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    pub(super) fn instant(&self, at: Duration) -> Instant {
        self.started + at
    }

    /// Who gets a message now; members of groups begin with another one each time.
    pub(super) fn receivers(&mut self, subject: &[u8]) -> Receivers {
        let found = self.index.matches(subject);
        let plain = found.plain().collect();
        let mut groups: Vec<Vec<(Id, Key)>> = found.groups().into_values().collect();
        self.turn = self.turn.wrapping_add(1);
        for members in &mut groups {
            let first = self.turn % members.len();
            members.rotate_left(first);
        }
        Receivers { plain, groups }
    }

    pub(super) fn post(&mut self, (to, key): (Id, Key), live: &Rc<Live>) {
        self.mail.push_back(Mail { to, key, live: live.clone() });
    }

    /// Messages to be handed over.
    pub(in super::super) fn take_mail(&mut self) -> VecDeque<Mail> {
        std::mem::take(&mut self.mail)
    }

    /// A client wants to be told of queues.
    pub(super) fn enter(&mut self, id: Id) {
        if !self.clients.contains(&id) {
            self.clients.push(id);
        }
    }

    pub(super) fn leave(&mut self, id: Id) {
        self.clients.retain(|client| *client != id);
    }

    pub(in super::super) fn has_clients(&self) -> bool {
        !self.clients.is_empty()
    }

    /// Takes note of the queues that there are now; who has to be told if they are others than before.
    pub(in super::super) fn look(&mut self, queues: Vec<(String, u128)>) -> &[Id] {
        if queues == self.queues {
            return &[];
        }
        self.queues = queues;
        self.changes += 1;
        &self.clients
    }

    /// The queues that a subscription is about.
    pub(super) fn queues_of(&self, wanted: &Wanted) -> Vec<String> {
        let names = self.queues.iter().map(|(name, _)| name);
        names.filter(|name| wanted.is(name)).cloned().collect()
    }
}
