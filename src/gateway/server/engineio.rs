//! Engine.IO sessions on the loop: a session outlives its connections, and speaks over several at once.
//!
//! Who has something for a session goes through [`World::in_session`], which then does what the session wants done. What that means for other connections goes
//! into the mail, which the loop delivers before it waits again.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::app::App;
use super::connection::Id;
use super::feed::{Batch, Client};
use super::meter::Meter;
use super::timers::Due;
use super::wire::Wire;
use super::world::World;
use crate::gateway::config::Config;
use crate::gateway::engineio::{Data, Message, Output, Reply, Session, Settings, Transport};
use crate::gateway::websocket::{Opcode, write_frame};

/// What a session wants of a connection.
pub(super) enum Mail {
    /// The answer to the request that waits on it.
    Reply(Reply),
    /// A message to a WebSocket that probes.
    Send(Message),
    /// It is to be closed.
    Close,
    /// The session may have something for its WebSocket.
    Look,
}

/// A session and the application behind it.
pub(super) struct Entry {
    key: u64,
    pub(super) codec: Session<Id>,
    app: App,
    armed: Option<Instant>,
}

/// The sessions. Keys are never used again.
pub(super) struct Sessions {
    all: HashMap<u64, Box<Entry>>,
    keys: HashMap<String, u64>,
    last: u64,
    pub(super) settings: Arc<Settings>,
    random: BufReader<File>,
    /// The last ack that a client was asked for.
    ack: u64,
    pub(super) mail: VecDeque<(Id, Mail)>,
    /// Those whose applications have more to do than one turn.
    pub(super) again: Vec<u64>,
}

impl Sessions {
    pub(super) fn new(config: &Config) -> io::Result<Self> {
        let settings = Settings {
            ping_interval: Duration::from_millis(config.ping_interval_ms),
            ping_timeout: Duration::from_millis(config.ping_timeout_ms),
            upgrade_timeout: Duration::from_secs(config.handshake_seconds),
            max_payload: config.payload,
            max_outgoing_bytes: config.out_queue,
            ..Settings::default()
        };
        let mut random = BufReader::new(File::open("/dev/urandom")?);
        let mut bytes = [0; 8];
        random.read_exact(&mut bytes)?;
        Ok(Self {
            all: HashMap::new(),
            keys: HashMap::new(),
            last: 0,
            settings: Arc::new(settings),
            random,
            // Clients count in doubles.
            ack: u64::from_le_bytes(bytes) >> 16,
            mail: VecDeque::new(),
            again: Vec::new(),
        })
    }

    /// Bytes that nobody can guess.
    pub(super) fn random(&mut self) -> io::Result<[u8; 15]> {
        let mut bytes = [0; 15];
        self.random.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// The id of the next ack that a client is asked for: one from before a break, or from before a restart, means no other message.
    pub(super) fn next_ack(&mut self) -> u64 {
        self.ack += 1;
        self.ack
    }

    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    pub(super) fn keys(&self) -> Vec<u64> {
        self.all.keys().copied().collect()
    }

    /// The session with an id.
    pub(super) fn find(&self, sid: &str) -> Option<u64> {
        self.keys.get(sid).copied()
    }

    pub(super) fn transport(&self, key: u64) -> Option<Transport> {
        self.all.get(&key).map(|entry| entry.codec.transport())
    }

    /// The WebSocket over which a session speaks, if it does.
    pub(super) fn socket(&self, key: u64) -> Option<Id> {
        self.all.get(&key).and_then(|entry| entry.codec.socket())
    }
}

impl World {
    /// The clock that protocols are told.
    pub(super) fn clock(&self) -> Duration {
        self.began.elapsed()
    }

    /// Begins a session on a request or WebSocket.
    pub(super) fn open_session(
        &mut self,
        transport: Transport,
        id: Id,
        app: impl FnOnce(u64, &World) -> App,
    ) -> io::Result<u64> {
        let random = self.sessions.random()?;
        let settings = Arc::clone(&self.sessions.settings);
        let codec = Session::open(transport, id, random, settings, self.clock());
        self.sessions.last += 1;
        let key = self.sessions.last;
        self.sessions.keys.insert(codec.id().to_owned(), key);
        let app = app(key, self);
        let entry = Box::new(Entry { key, codec, app, armed: None });
        self.settle_session(entry, Some(id));
        Ok(key)
    }

    /// Does something with a session, if it is still there, and then what has to follow. `caller` is the connection that is being driven.
    pub(super) fn in_session<R>(
        &mut self,
        key: u64,
        caller: Option<Id>,
        act: impl FnOnce(&mut Entry, &mut Self) -> R,
    ) -> Option<R> {
        let mut entry = self.sessions.all.remove(&key)?;
        let result = act(&mut entry, self);
        self.settle_session(entry, caller);
        Some(result)
    }

    fn settle_session(&mut self, mut entry: Box<Entry>, caller: Option<Id>) {
        entry.app.pull(&mut entry.codec, self);
        let (mut over, mut room) = (false, false);
        loop {
            let mail = match entry.codec.next_output() {
                Some(Output::Reply(id, reply)) => (id, Mail::Reply(reply)),
                Some(Output::Send(id, message)) => (id, Mail::Send(message)),
                Some(Output::Close(id)) => (id, Mail::Close),
                // Once: what it has no room for even so waits until something has gone out.
                Some(Output::Room) => {
                    if !std::mem::replace(&mut room, true) {
                        entry.app.pull(&mut entry.codec, self);
                    }
                    continue;
                }
                Some(Output::Closed(_)) => {
                    over = true;
                    continue;
                }
                None => break,
            };
            self.sessions.mail.push_back(mail);
        }
        if over {
            self.sessions.keys.remove(entry.codec.id());
            self.disarm(&mut entry);
            return entry.app.end(self);
        }
        if let Some(socket) = entry.codec.socket().filter(|socket| Some(*socket) != caller) {
            self.sessions.mail.push_back((socket, Mail::Look));
        }
        self.arm(&mut entry);
        self.sessions.all.insert(entry.key, entry);
    }

    fn arm(&mut self, entry: &mut Entry) {
        let app = entry.app.next_deadline().filter(|_| entry.codec.is_open());
        let due = entry.codec.next_deadline().into_iter().chain(app).min();
        let Some(at) = due.map(|due| self.began + due) else { return };
        // One that comes too early is set anew then.
        if entry.armed.is_none_or(|armed| at < armed) {
            self.disarm(entry);
            self.timers.set(at, Due::Session(entry.key));
            entry.armed = Some(at);
        }
    }

    fn disarm(&mut self, entry: &mut Entry) {
        if let Some(before) = entry.armed.take() {
            self.timers.cancel(before, Due::Session(entry.key));
        }
    }

    /// A session's time may have come.
    pub(super) fn on_session_due(&mut self, key: u64) {
        self.in_session(key, None, |entry, world| {
            entry.armed = None;
            let now = world.clock();
            entry.codec.tick(now);
            if entry.codec.is_open() {
                entry.app.tick(&mut entry.codec, world);
            }
        });
    }

    /// A request of a session, or its WebSocket, is no more.
    pub(super) fn lose(&mut self, key: u64, id: Id) {
        self.in_session(key, Some(id), |entry, _| entry.codec.lost(id));
    }

    /// The clients of a session that read for themselves have more to do.
    pub(super) fn look_again(&mut self, client: Client) {
        if let Client::Session { session, .. } = client {
            self.sessions.again.push(session);
        }
    }

    /// The gateway is about to end.
    pub(super) fn drain_sessions(&mut self) {
        for key in self.sessions.keys() {
            self.in_session(key, None, Entry::close);
        }
    }

    /// Permissions have changed: whose are others now has to come back with them.
    pub(super) fn reload_sessions(&mut self) {
        for key in self.sessions.keys() {
            self.in_session(key, None, |entry, world| {
                if !entry.app.is_granted(world) {
                    entry.close(world);
                }
            });
        }
    }
}

impl Entry {
    /// The client is to come back later.
    fn close(&mut self, world: &mut World) {
        self.app.end(world);
        self.codec.close(world.clock());
    }

    /// A message over a WebSocket.
    pub(super) fn on_message(&mut self, id: Id, data: Data, world: &mut World) {
        if let Some(data) = self.codec.message(id, data, world.clock()) {
            self.app.on_message(data, &mut self.codec, world);
        }
    }

    /// The body of a POST, whose first message the request has counted for; `false`: there are too many.
    pub(super) fn on_body(
        &mut self,
        id: Id,
        body: &[u8],
        meter: &mut Meter,
        world: &mut World,
    ) -> bool {
        let Some(mut posted) = self.codec.body(id, body) else { return true };
        let mut first = true;
        while let Some(data) = self.codec.next_message(&mut posted, world.clock()) {
            if !std::mem::take(&mut first) && !meter.message() {
                return false;
            }
            self.app.on_message(data, &mut self.codec, world);
        }
        true
    }

    /// A client of the session has come back elsewhere.
    pub(super) fn release(&mut self, slot: u64, world: &mut World) {
        self.app.release(slot, &mut self.codec, world);
    }

    /// Passes on what is new in a queue, by reference if there is a WebSocket. Whether it is behind now.
    pub(super) fn offer(
        &mut self,
        slot: u64,
        batch: &mut Batch,
        mut wire: Option<&mut Wire>,
        world: &mut World,
    ) -> bool {
        if let Some(wire) = &mut wire {
            self.send_to(wire);
        }
        self.app.offer(slot, batch, &mut self.codec, wire, world)
    }

    /// Gives the session's WebSocket what waits for it. Whether there was something.
    pub(super) fn send_to(&mut self, wire: &mut Wire) -> bool {
        let mut sent = false;
        while wire.has_room()
            && let Some(message) = self.codec.pull()
        {
            write_message(&message, wire);
            sent = true;
        }
        sent
    }
}

/// Writes a message as a frame.
pub(super) fn write_message(message: &Message, wire: &mut Wire) {
    match message.frame() {
        Some(frame) => wire.out().extend_from_slice(frame),
        None => {
            let kind = if message.is_binary() { Opcode::Binary } else { Opcode::Text };
            write_frame(wire.out(), kind, message.content());
        }
    }
}
