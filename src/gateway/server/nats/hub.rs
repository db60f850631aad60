//! What connections of NATS have in common: who has subscribed to what, and live messages between them, which no queue holds.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::connection::Id;
use super::subjects::Wanted;
use crate::gateway::config::Config;
use crate::gateway::nats::{Delivery, Index, Info, Key, Limits, Message, Settings, Subscription};

/// The server whose features clients find here.
const VERSION: &str = "2.9.10";

/// A message on its way to the clients that are here now.
pub(in super::super) struct Live {
    pub(super) delivery: Delivery,
    /// Headers, payload, CR and LF.
    body: Vec<u8>,
    headers: usize,
    pub(super) reply: Option<Vec<u8>>,
}

impl Live {
    pub(super) fn new(message: &Message, payload: &[u8]) -> Self {
        let headers = message.headers.as_bytes();
        let Message { subject, reply, .. } = *message;
        Self {
            delivery: Delivery::new(subject, reply, headers.len(), payload.len()),
            body: [headers, payload, b"\r\n"].concat(),
            headers: headers.len(),
            reply: reply.map(<[u8]>::to_vec),
        }
    }

    /// What follows the head.
    pub(super) fn body(&self, with_headers: bool) -> &[u8] {
        &self.body[if with_headers { 0 } else { self.headers }..]
    }
}

/// A subscription of a connection.
pub(in super::super) type Address = (Id, Key);

/// A live message for other connections.
pub(in super::super) struct Mail {
    pub(super) live: Live,
    pub(super) from: Id,
    pub(super) receivers: Rc<Receivers>,
    /// Of each queue group the one that gets it.
    pub(super) chosen: Vec<Address>,
}

impl Mail {
    /// Who is to get it.
    pub(in super::super) fn addresses(&self) -> impl Iterator<Item = Address> {
        let others = self.receivers.plain.iter().filter(|(to, _)| *to != self.from);
        others.chain(&self.chosen).copied()
    }
}

/// Who gets a live message: each of the first, and one of each of the others.
#[derive(Default)]
pub(super) struct Receivers {
    pub(super) plain: Vec<Address>,
    pub(super) groups: Vec<Vec<Address>>,
}

/// Subjects whose receivers are remembered.
const KNOWN: usize = 1024;

pub(in super::super) struct Hub {
    settings: Arc<Settings>,
    /// The same for clients that are to speak TLS.
    secure: Arc<Settings>,
    index: Index<Address>,
    /// What was found in the index since it last changed.
    known: HashMap<Box<[u8]>, Rc<Receivers>>,
    mail: Vec<Mail>,
    /// Others have something to do.
    pub(in super::super) published: bool,
    /// Names for which there was no queue, while what came with one read is taken: who sent that has sent it before.
    pub(super) absent: HashSet<String>,
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
        let info = Info { tls_required: true, ..settings.info.clone() };
        Self {
            secure: Arc::new(Settings { info, ..settings.clone() }),
            settings: Arc::new(settings),
            index: Index::default(),
            known: HashMap::new(),
            mail: Vec::new(),
            published: false,
            absent: HashSet::new(),
            turn: 0,
            started: Instant::now(),
            clients: Vec::new(),
            queues: Vec::new(),
            changes: 0,
        }
    }

    /// What a client is told at the beginning.
    pub(super) fn settings(&self, secure: bool) -> Arc<Settings> {
        Arc::clone(if secure { &self.secure } else { &self.settings })
    }

    /// The time as the codec counts it.
    pub(super) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    pub(super) fn instant(&self, at: Duration) -> Instant {
        self.started + at
    }

    /// A subscription begins.
    pub(super) fn add(&mut self, subscription: &Subscription, address: Address) {
        self.index.insert(subscription.subject(), subscription.group(), address);
        self.known.clear();
    }

    /// A subscription has ended.
    pub(super) fn remove(&mut self, subscription: &Subscription, address: Address) {
        self.index.remove(subscription.subject(), subscription.group(), address);
        self.known.clear();
    }

    /// Who gets a message of this subject, and with which member of its groups to begin: another one each time.
    pub(super) fn receivers(&mut self, subject: &[u8]) -> (Rc<Receivers>, usize) {
        self.turn = self.turn.wrapping_add(1);
        if let Some(known) = self.known.get(subject) {
            return (Rc::clone(known), self.turn);
        }
        let found = self.index.matches(subject);
        let (plain, groups) = (found.plain().collect(), found.groups().into_values().collect());
        let receivers = Rc::new(Receivers { plain, groups });
        if self.known.len() == KNOWN {
            self.known.clear();
        }
        self.known.insert(subject.into(), Rc::clone(&receivers));
        (receivers, self.turn)
    }

    /// To whom of a connection's own subscriptions an answer would go.
    pub(super) fn own(&self, subject: &[u8], id: Id) -> Option<Key> {
        let found = self.index.matches(subject);
        found.plain().find(|(to, _)| *to == id).map(|(_, key)| key)
    }

    pub(super) fn post(&mut self, mail: Mail) {
        self.mail.push(mail);
    }

    /// Messages to be handed over.
    pub(in super::super) fn take_mail(&mut self) -> Vec<Mail> {
        std::mem::take(&mut self.mail)
    }

    /// The memory of those that were handed over is used again.
    pub(in super::super) fn give_back(&mut self, mut mail: Vec<Mail>) {
        mail.clear();
        self.mail = mail;
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
