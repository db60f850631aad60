//! The gateway as a server: one loop over non-blocking sockets and the queues' descriptors.
//!
//! Everything that happens wakes the loop: bytes from a client, room in a socket, a message in a queue, a signal, a time. What is woken is driven until it
//! waits again. A connection speaks by its face, a state machine of its own (`http`, `events`, `websocket`); what faces share is the world: open queues,
//! memberships, time-outs, figures. Nothing that matters is kept here but in the queues, so that the process may be killed at any time.

mod access;
mod app;
mod arguments;
mod asked;
mod connection;
mod echo;
mod engineio;
mod events;
mod feed;
mod figures;
mod follower;
mod groups;
mod http;
mod ids;
mod joining;
mod leases;
mod listen;
mod meter;
pub mod metrics;
mod nats;
mod page;
mod polling;
mod pool;
mod problem;
mod pull;
mod query;
mod queues;
mod recovery;
mod reload;
mod socketio;
mod space;
mod standby;
mod timers;
mod tls;
mod token;
mod udp;
mod upgraded;
mod websocket;
mod wire;
mod world;

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Registry};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_mio::v1_0::Signals;
use slab::Slab;

use super::config::Config;
use crate::Turn;
use access::Access;
use connection::{Connection, Fate, Id};
use engineio::Sessions;
use feed::{Batch, Client, Feeds};
use figures::Figures;
use groups::Groups;
use http::HTTP;
use leases::Leases;
use listen::{Port, Protocol, Socket};
use metrics::Counters;
use nats::{Hub, NATS};
use pool::Pool;
use queues::Queues;
use recovery::Recovery;
use reload::Reloader;
use timers::{Due, Timers};
use token::Whose;
use udp::Collector;
use wire::Wire;
use world::World;

/// One buffer for all that comes in.
const BUFFER: usize = 64 << 10;

/// Without descriptors, the time until another try to accept.
const RETRY: Duration = Duration::from_millis(100);

/// A gateway that listens.
///
/// ```no_run
/// use slipring::gateway::{config::Config, server::Server};
///
/// let mut server = Server::bind(Config::default())?;
/// println!("listening on {}", server.url());
/// server.run()?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Server {
    // Before the world: what it holds goes back while the groups are there.
    connections: Slab<Connection>,
    addresses: HashMap<IpAddr, usize>,
    serial: u64,
    ports: Vec<Port>,
    local: SocketAddr,
    reloader: Reloader,
    nats: Option<SocketAddr>,
    signals: Signals,
    /// Connections that have more to do than one turn.
    again: Vec<Id>,
    /// Feeds, likewise.
    fed: Vec<usize>,
    buffer: Vec<u8>,
    pool: Pool,
    world: World,
    poll: Poll,
    /// Last: who stands by finds all else free.
    _turn: Option<Turn>,
}

impl Server {
    fn bind_at(config: Config) -> io::Result<Self> {
        let address = listen::resolve("listen", &config.listen)?;
        let nats = Some(&config.nats).filter(|address| !address.is_empty());
        let nats = nats.map(|address| listen::resolve("nats", address)).transpose()?;
        let loopback = address.ip().is_loopback();
        let all_loopback = loopback && nats.is_none_or(|address| address.ip().is_loopback());
        reload::check_open(&config, all_loopback)?;
        let identity = reload::identity(&config)?;
        let poll = Poll::new()?;
        let registry = poll.registry();
        let ports = open_ports(&config, address, nats, registry)?;
        let collectors = open_collectors(&config, registry)?;
        let mut addresses = ports.iter().filter_map(Port::address);
        let local = addresses.next().unwrap_or(address);
        let nats = addresses.next();
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
        registry.register(&mut signals, token::SIGNALS, Interest::READABLE)?;
        let world = World {
            access: Access::new(&config, loopback),
            identity,
            queues: Queues::new(config.ids),
            groups: Groups::new(registry.try_clone()?),
            feeds: Feeds::new(registry.try_clone()?),
            leases: Leases::new(Duration::from_secs(config.ack_seconds)),
            collectors,
            sessions: Sessions::new(&config)?,
            recovery: Recovery::new(
                Duration::from_secs(config.recovery_seconds),
                config.connections,
            ),
            timers: Timers::default(),
            began: Instant::now(),
            nats: Hub::new(&config, nats),
            counters: Counters::default(),
            figures: Figures::new(),
            draining: false,
            config: config.clone(),
        };
        Ok(Self {
            connections: Slab::new(),
            addresses: HashMap::new(),
            serial: 0,
            ports,
            local,
            reloader: Box::new(move || Ok(config.clone())),
            nats,
            signals,
            again: Vec::new(),
            fed: Vec::new(),
            buffer: vec![0; BUFFER],
            pool: Pool::default(),
            world,
            poll,
            _turn: None,
        })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Where it listens, as clients call it.
    pub fn url(&self) -> String {
        let scheme = if self.world.identity.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.local)
    }

    /// Where it listens for NATS over TCP, as clients call it, if it does.
    pub fn nats_url(&self) -> Option<String> {
        let scheme = if self.world.identity.is_some() { "tls" } else { "nats" };
        self.nats.map(|address| format!("{scheme}://{address}"))
    }

    /// Where it listens for NATS over TCP, if it does.
    pub fn nats_addr(&self) -> Option<SocketAddr> {
        self.nats
    }

    /// What was done since it began: connections taken, messages published by clients and sent to them.
    pub fn served(&self) -> [u64; 3] {
        let counters = &self.world.counters;
        [counters.accepted, counters.published, counters.delivered]
    }

    /// Serves until a signal, and then until what has begun is finished. A second signal ends it at once, as [`ErrorKind::Interrupted`].
    pub fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        if self.nats.is_some() || !self.world.config.nats_unix.is_empty() {
            self.look();
        }
        while !(self.world.draining && self.connections.is_empty()) {
            let again = &self.world.sessions.again;
            let idle = self.again.is_empty() && self.fed.is_empty() && again.is_empty();
            let timeout = if idle { self.world.idle() } else { Some(Duration::ZERO) };
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            self.world.queues.begin_turn(Instant::now());
            for event in &events {
                match token::whose(event.token()) {
                    Whose::Signals => self.on_signal()?,
                    Whose::Group(key) => self.on_group(key),
                    Whose::Port(index) => self.accept(index),
                    Whose::Feed(key) => self.fed.push(key),
                    Whose::Collector(index) => self.world.collect(index),
                    Whose::Connection(index) => {
                        self.on_connection(index, event.is_read_closed() || event.is_error());
                    }
                }
            }
            for key in std::mem::take(&mut self.fed) {
                self.on_feed(key);
            }
            for id in std::mem::take(&mut self.again) {
                self.drive(id);
            }
            for key in std::mem::take(&mut self.world.sessions.again) {
                self.world.in_session(key, None, |_, _| ());
            }
            let now = Instant::now();
            self.world.end_leases(now);
            while let Some(due) = self.world.timers.pop(now) {
                match due {
                    Due::Connection(id) => {
                        self.with(id, |connection, world, buffer| {
                            connection.on_deadline(world, buffer)
                        });
                    }
                    Due::Session(key) => self.world.on_session_due(key),
                    Due::Accept(index) => self.accept(index),
                    Due::Figures => self.show_figures(now),
                    Due::Collect(index) => self.world.collect(index),
                    Due::Look => self.look(),
                    Due::Drain => return Ok(()),
                }
            }
            self.deliver_mail();
        }
        Ok(())
    }

    fn on_connection(&mut self, index: usize, closed: bool) {
        let Some(connection) = self.connections.get(index) else { return };
        let id = connection.id;
        if closed && connection.is_over() {
            self.remove(id);
        } else {
            self.drive(id);
        }
    }

    /// There may be messages for the clients of a group.
    fn on_group(&mut self, key: usize) {
        for _ in 0..self.world.groups.wake(key) {
            match self.world.groups.next_client(key) {
                Some(Client::Connection(id) | Client::Source { connection: id, .. }) => {
                    self.drive(id);
                }
                Some(Client::Session { session, .. }) => {
                    self.world.in_session(session, None, |_, _| ());
                }
                None => return,
            }
        }
    }

    /// There may be messages for those who follow a feed.
    fn on_feed(&mut self, key: usize) {
        let mut batch = self.world.feeds.read(key);
        let clients = self.world.feeds.live(key);
        batch.clients = clients.len();
        if batch.more && !self.fed.contains(&key) {
            self.fed.push(key);
        }
        if batch.messages.is_empty() && !batch.broken {
            return;
        }
        for client in clients {
            match client {
                Client::Connection(id) => {
                    self.with(id, |connection, world, _| connection.offer(&mut batch, world));
                }
                Client::Session { session, slot } => self.offer_session(session, slot, &mut batch),
                Client::Source { connection, source } => {
                    self.with(connection, |connection, world, _| {
                        connection.offer_source(source, &mut batch, world)
                    });
                }
            }
        }
    }

    fn show_figures(&mut self, now: Instant) {
        let world = &mut self.world;
        for viewer in world.figures.take(now, &world.counters, &mut world.timers) {
            self.drive(viewer);
        }
    }

    fn offer_session(&mut self, session: u64, slot: u64, batch: &mut Batch) {
        match self.world.sessions.socket(session) {
            Some(id) => {
                self.with(id, |connection, world, _| connection.offer_session(slot, batch, world))
            }
            None => {
                self.world.in_session(session, None, |entry, world| {
                    entry.offer(slot, batch, None, world)
                });
            }
        }
    }

    /// What sessions want of their connections.
    fn deliver_mail(&mut self) {
        while let Some((id, mail)) = self.world.sessions.mail.pop_front() {
            self.with(id, |connection, world, buffer| connection.deliver(mail, world, buffer));
        }
    }

    fn drive(&mut self, id: Id) {
        self.with(id, |connection, world, buffer| connection.drive(world, buffer));
    }

    /// Does something with a connection, if it is still there, and then what has to follow.
    fn with(&mut self, id: Id, act: impl FnOnce(&mut Connection, &mut World, &mut [u8]) -> Fate) {
        let connection = self.connections.get_mut(id.index);
        let Some(connection) = connection.filter(|connection| connection.id == id) else { return };
        match act(connection, &mut self.world, &mut self.buffer) {
            Fate::Stay => {}
            Fate::Again => self.again.push(id),
            Fate::Gone => self.remove(id),
        }
        self.hand_over();
    }

    fn remove(&mut self, id: Id) {
        let mut connection = self.connections.remove(id.index);
        connection.leave(&mut self.world);
        let _ = self.poll.registry().deregister(connection.wire.socket.source());
        if let Some(address) = connection.address
            && let Some(count) = self.addresses.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                self.addresses.remove(&address);
            }
        }
        self.world.counters.connections = self.connections.len();
    }

    fn accept(&mut self, index: usize) {
        while let Some(port) = self.ports.get(index) {
            match port.accept() {
                Ok((socket, address)) => {
                    self.admit(socket, address, (port.protocol, port.secure));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // The client has gone again.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::ConnectionAborted | ErrorKind::Interrupted
                    ) => {}
                // No descriptors, or no memory; the listener would not wake the loop again.
                Err(_) => {
                    return self.world.timers.set(Instant::now() + RETRY, Due::Accept(index));
                }
            }
        }
    }

    /// Takes a connection in, within the limits.
    fn admit(
        &mut self,
        mut socket: Socket,
        address: Option<IpAddr>,
        (protocol, secure): (Protocol, bool),
    ) {
        let config = &self.world.config;
        let count = address.and_then(|address| self.addresses.get(&address)).copied().unwrap_or(0);
        let entry = self.connections.vacant_entry();
        let wake = token::connection(entry.key());
        let full = entry.key() >= config.connections || count >= config.connections_per_address;
        let both = Interest::READABLE | Interest::WRITABLE;
        if full || self.poll.registry().register(socket.source(), wake, both).is_err() {
            self.world.counters.refused += 1;
            tracing::warn!(?address, "refused: too many connections");
            let mut answer = Vec::new();
            (protocol.refuse)(&mut answer, address, secure, &self.world);
            let _ = io::Write::write(&mut socket, &answer);
            return;
        }
        self.serial += 1;
        let id = Id { index: entry.key(), serial: self.serial };
        let mut wire = Wire::new(socket, config, &self.pool);
        let identity = self.world.identity.as_ref().filter(|_| secure);
        let face = (protocol.greet)(&mut wire, identity, &self.world);
        entry.insert(Connection::new(id, address, wire, face));
        if let Some(address) = address {
            *self.addresses.entry(address).or_default() += 1;
        }
        self.world.counters.accepted += 1;
        self.world.counters.connections = self.connections.len();
        self.drive(id);
    }

    fn on_signal(&mut self) -> io::Result<()> {
        let signals: Vec<_> = self.signals.pending().collect();
        for signal in signals {
            match signal {
                SIGHUP => self.reload(),
                _ if self.world.draining => {
                    return Err(io::Error::new(ErrorKind::Interrupted, "a second signal"));
                }
                _ => self.drain(),
            }
        }
        Ok(())
    }

    /// No new clients; those that are there finish what they have begun.
    fn drain(&mut self) {
        self.world.begin_to_drain();
        self.ports.clear();
        for collector in &mut self.world.collectors {
            collector.finish(&mut self.world.queues);
        }
        let time = Duration::from_secs(self.world.config.drain_seconds);
        self.world.timers.set(Instant::now() + time, Due::Drain);
        self.world.drain_sessions();
        let ids: Vec<Id> = self.connections.iter().map(|(_, connection)| connection.id).collect();
        for id in ids {
            self.with(id, |connection, world, buffer| connection.drain(world, buffer));
        }
    }
}

/// Listens wherever the settings say.
fn open_ports(
    config: &Config,
    address: SocketAddr,
    nats: Option<SocketAddr>,
    registry: &Registry,
) -> io::Result<Vec<Port>> {
    let mut ports = vec![Port::tcp(address, HTTP, config.is_secure())?];
    if let Some(address) = nats {
        ports.push(Port::tcp(address, NATS, config.is_secure())?);
    }
    if !config.nats_unix.is_empty() {
        ports.push(Port::unix(&config.nats_unix, NATS)?);
    }
    if !config.listen_unix.is_empty() {
        ports.push(Port::unix(&config.listen_unix, HTTP)?);
    }
    for (index, port) in ports.iter_mut().enumerate() {
        port.register(registry, token::port(index))?;
    }
    Ok(ports)
}

fn open_collectors(config: &Config, registry: &Registry) -> io::Result<Vec<Collector>> {
    let open = |(index, setting): (usize, &String)| {
        let mut collector = Collector::open(setting, config)?;
        collector.register(registry, token::collector(index))?;
        Ok(collector)
    };
    config.udp.iter().enumerate().map(open).collect()
}
