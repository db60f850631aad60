//! A connection: a socket, and the face that speaks over it.

use std::io::ErrorKind;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::engineio::Mail;
use super::events::Events;
use super::feed::Batch;
use super::http::{Http, Step};
use super::nats::{self, Nats};
use super::timers::Due;
use super::upgraded::Upgraded;
use super::websocket::Socket;
use super::wire::Wire;
use super::world::World;

/// Turns that a connection gets before others do.
const TURNS: usize = 16;

/// So long a client may take to read the last answer, before the connection is cut off.
const LINGER: Duration = Duration::from_secs(2);

/// Names a connection for ever: places are used again, serial numbers are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id {
    pub(super) index: usize,
    pub(super) serial: u64,
}

/// What is spoken.
pub(super) enum Face {
    Http(Box<Http>),
    Events(Box<Events>),
    WebSocket(Box<Socket>),
    /// The WebSocket of an Engine.IO session.
    Upgraded(Box<Upgraded>),
    Nats(Box<Nats>),
    /// Nothing any more: what waits is sent, and what comes thrown away, until the client has closed as well. (To close at once could
    /// destroy the answer on its way.)
    Closing {
        ended: Option<Instant>,
    },
}

impl Face {
    pub(super) fn closing() -> Self {
        Self::Closing { ended: None }
    }
}

/// What is to become of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It waits for its socket, the ring or the time.
    Stay,
    /// It has more to do.
    Again,
    Gone,
}

pub(super) struct Connection {
    pub(super) id: Id,
    /// Where it comes from, unless it is of this machine by its nature.
    pub(super) address: Option<IpAddr>,
    pub(super) wire: Wire,
    face: Face,
    armed: Option<Instant>,
}

impl Connection {
    pub(super) fn new(id: Id, address: Option<IpAddr>, wire: Wire, face: Face) -> Self {
        tracing::debug!(connection = id.serial, ?address, "accepted");
        Self { id, address, wire, face, armed: None }
    }

    /// Does what can be done now.
    pub(super) fn drive(&mut self, world: &mut World, buffer: &mut [u8]) -> Fate {
        for _ in 0..TURNS {
            if self.wire.flush().is_err() {
                return Fate::Gone;
            }
            let pushed = self.push(world);
            // Who has waited for it has it before anything else is done.
            if pushed && self.wire.flush().is_err() {
                return Fate::Gone;
            }
            match self.read(world, buffer) {
                Ok(false) if !pushed => {
                    self.arm(world);
                    return Fate::Stay;
                }
                // What it has published goes out before more is taken.
                Ok(_) if std::mem::take(&mut world.nats.published) => return Fate::Again,
                Ok(_) => {}
                Err(Ended) => return Fate::Gone,
            }
        }
        Fate::Again
    }

    /// Passes on what is new in the queue that it follows.
    pub(super) fn offer(&mut self, batch: &mut Batch, world: &mut World) -> Fate {
        let behind = match &mut self.face {
            Face::Events(events) => events.offer(batch, &mut self.wire, world),
            Face::WebSocket(socket) => socket.offer(batch, &mut self.wire, world),
            Face::Http(_) | Face::Nats(_) | Face::Upgraded(_) | Face::Closing { .. } => {
                return Fate::Stay;
            }
        };
        self.offered(behind, world)
    }

    /// Passes on what is new to a place in the session that it is the WebSocket of.
    pub(super) fn offer_session(
        &mut self,
        slot: u64,
        batch: &mut Batch,
        world: &mut World,
    ) -> Fate {
        let Face::Upgraded(socket) = &mut self.face else { return Fate::Stay };
        let behind = socket.offer(slot, batch, &mut self.wire, world);
        self.offered(behind, world)
    }

    /// The same for one of the queues that it follows.
    pub(super) fn offer_source(
        &mut self,
        source: u64,
        batch: &mut Batch,
        world: &mut World,
    ) -> Fate {
        let Face::Nats(nats) = &mut self.face else { return Fate::Stay };
        let behind = nats.offer(source, batch, self.id, &mut self.wire, world);
        self.offered(behind, world)
    }

    fn offered(&mut self, behind: bool, world: &mut World) -> Fate {
        if self.wire.flush().is_err() {
            return Fate::Gone;
        }
        self.arm(world);
        // The socket may have taken all by now; then nothing else would wake it.
        if behind { Fate::Again } else { Fate::Stay }
    }

    /// Passes on what the queues have for it.
    fn push(&mut self, world: &mut World) -> bool {
        let pushed = match &mut self.face {
            Face::Http(http) => match http.push(&mut self.wire, world) {
                None => Some(false),
                Some(Step::Close) => None,
                Some(_) => Some(true),
            },
            Face::Events(events) => events.push(&mut self.wire, world),
            Face::WebSocket(socket) => socket.push(&mut self.wire, self.id, world),
            Face::Upgraded(socket) => socket.push(&mut self.wire, world),
            Face::Nats(nats) => nats.push(&mut self.wire, self.id, world),
            Face::Closing { ended } => {
                if self.wire.is_empty() && ended.is_none() {
                    *ended = Some(Instant::now());
                    self.wire.end();
                }
                Some(false)
            }
        };
        // Nothing more comes from this face.
        pushed.unwrap_or_else(|| {
            self.close(world);
            true
        })
    }

    /// Takes what the client has sent, if it is wanted now.
    fn read(&mut self, world: &mut World, buffer: &mut [u8]) -> Result<bool, Ended> {
        if !self.wire.has_room() {
            return Ok(false);
        }
        if let Face::Http(http) = &mut self.face {
            if http.is_waiting() {
                return Ok(false);
            }
            if !http.pending.is_empty() {
                let mut pending = std::mem::take(&mut http.pending);
                self.take(&mut pending, world);
                return Ok(true);
            }
            if world.draining && http.is_idle() {
                self.close(world);
                return Ok(true);
            }
        }
        if let Face::Nats(nats) = &mut self.face {
            if nats.is_waiting() {
                return Ok(false);
            }
            if !nats.pending.is_empty() {
                let mut pending = std::mem::take(&mut nats.pending);
                self.take(&mut pending, world);
                return Ok(true);
            }
            match nats.receive(&mut self.wire) {
                None => {}
                Some(Ok(None)) => return Ok(false),
                Some(Ok(Some(count))) if count > 0 => {
                    if !self.wire.meter.bytes(count) {
                        self.refuse(world);
                    }
                    return Ok(true);
                }
                Some(_) => return Err(Ended),
            }
        }
        match self.wire.read(buffer) {
            Ok(None) => Ok(false),
            Ok(Some(0)) => self.on_end(world),
            Ok(Some(count)) => {
                if self.wire.meter.bytes(count) || !self.refuse(world) {
                    self.take(&mut buffer[..count], world);
                }
                Ok(true)
            }
            Err(error) => {
                world.counters.tls_failures += u64::from(error.kind() == ErrorKind::InvalidData);
                Err(Ended)
            }
        }
    }

    /// The client sends nothing any more; what it has asked for is still answered.
    fn on_end(&mut self, world: &mut World) -> Result<bool, Ended> {
        match &self.face {
            Face::Http(_) if !self.wire.is_empty() => {
                self.close(world);
                Ok(true)
            }
            Face::Closing { .. } if !self.wire.is_empty() => Ok(false),
            _ => Err(Ended),
        }
    }

    fn take(&mut self, input: &mut [u8], world: &mut World) {
        match &mut self.face {
            Face::Http(http) => match http.take(input, self.id, &mut self.wire, world) {
                Step::Become(face, used) => {
                    self.face = face;
                    self.take(&mut input[used..], world);
                }
                step => self.step(step, world),
            },
            Face::WebSocket(socket) => socket.take(input, &mut self.wire, world),
            Face::Upgraded(socket) => socket.take(input, &mut self.wire.meter, world),
            Face::Nats(nats) => nats.take(input, self.id, &mut self.wire, world),
            Face::Events(_) | Face::Closing { .. } => {}
        }
    }

    /// More came than may. `false`: the client knows already that it is over.
    fn refuse(&mut self, world: &mut World) -> bool {
        match &mut self.face {
            Face::Http(http) => http.refuse(&mut self.wire, world),
            Face::WebSocket(socket) => return socket.refuse(world),
            Face::Upgraded(socket) => return socket.refuse(world),
            Face::Events(events) => events.end(&mut self.wire),
            Face::Nats(nats) => nats.refuse_more(&mut self.wire, world),
            Face::Closing { .. } => return false,
        }
        self.close(world);
        true
    }

    fn step(&mut self, step: Step, world: &mut World) {
        if matches!(step, Step::Close) {
            self.close(world);
        }
    }

    fn close(&mut self, world: &mut World) {
        self.let_go(world);
        self.face = Face::closing();
    }

    /// The client has closed its side, or the socket is broken: who only listens is gone then.
    pub(super) fn is_over(&self) -> bool {
        match &self.face {
            Face::Http(http) => http.is_waiting(),
            Face::Events(_) => true,
            _ => false,
        }
    }

    /// Takes a message from another connection. Whether [`Self::send`] is to follow.
    pub(super) fn hand_over(
        &mut self,
        address: nats::Address,
        mail: &nats::Mail,
        world: &mut World,
    ) -> bool {
        let Face::Nats(nats) = &mut self.face else { return false };
        nats.hand_over(address, mail, &mut self.wire, world)
    }

    /// Sends what it was handed.
    pub(super) fn send(&mut self, world: &mut World) -> Fate {
        let is_over = matches!(&self.face, Face::Nats(nats) if nats.is_over());
        self.offered(is_over, world)
    }

    /// Its time may be over.
    pub(super) fn on_deadline(&mut self, world: &mut World, buffer: &mut [u8]) -> Fate {
        self.armed = None;
        let now = Instant::now();
        if !self.wire.is_empty() && now >= self.wire.progress + world.idle_time() {
            world.counters.timeouts += 1;
            return Fate::Gone;
        }
        if now >= self.deadline(world) {
            let goes_on = match &mut self.face {
                Face::Http(http) => http.on_deadline(&mut self.wire, world),
                Face::Events(events) => {
                    if self.wire.is_empty() {
                        events.beat(&mut self.wire);
                    }
                    true
                }
                Face::WebSocket(socket) => socket.on_deadline(&mut self.wire, world),
                Face::Upgraded(_) => false,
                Face::Nats(nats) => {
                    nats.on_deadline(&mut self.wire, world);
                    true
                }
                Face::Closing { .. } => return Fate::Gone,
            };
            if !goes_on {
                self.close(world);
            }
        }
        self.drive(world, buffer)
    }

    /// Takes what a session wants of it.
    pub(super) fn deliver(&mut self, mail: Mail, world: &mut World, buffer: &mut [u8]) -> Fate {
        match (mail, &mut self.face) {
            (Mail::Reply(reply), Face::Http(http)) => {
                let goes_on = http.answer(&reply, &mut self.wire, world);
                if !goes_on {
                    self.close(world);
                }
            }
            (Mail::Send(message), Face::Upgraded(socket)) => socket.send(&message, &mut self.wire),
            (Mail::Close, Face::Upgraded(socket)) => socket.close(world),
            // It may have become something else meanwhile.
            _ => {}
        }
        self.drive(world, buffer)
    }

    /// Permissions have changed: whose are others now has to come back with them.
    pub(super) fn on_reload(&mut self, world: &mut World, buffer: &mut [u8]) -> Fate {
        let grant = match &self.face {
            Face::Http(http) => http.grant(),
            Face::Events(events) => Some(&events.grant),
            Face::WebSocket(socket) => Some(socket.grant()),
            Face::Nats(nats) => nats.grant.as_ref(),
            // Sessions have theirs.
            Face::Upgraded(_) | Face::Closing { .. } => None,
        };
        if grant.is_none_or(|grant| world.access.still_grants(grant)) {
            return Fate::Stay;
        }
        self.drain(world, buffer)
    }

    /// The client is to come back later, perhaps to another gateway.
    pub(super) fn drain(&mut self, world: &mut World, buffer: &mut [u8]) -> Fate {
        match &mut self.face {
            Face::Http(http) if http.is_waiting() => {
                http.on_deadline(&mut self.wire, world);
                self.close(world);
            }
            Face::Events(events) => {
                events.end(&mut self.wire);
                self.close(world);
            }
            Face::WebSocket(socket) => socket.go_away(),
            Face::Nats(nats) => nats.go_away(self.id, &mut self.wire, world),
            // Sessions see to theirs.
            Face::Http(_) | Face::Upgraded(_) | Face::Closing { .. } => {}
        }
        self.drive(world, buffer)
    }

    /// It is gone.
    pub(super) fn leave(&mut self, world: &mut World) {
        tracing::debug!(connection = self.id.serial, "closed");
        self.let_go(world);
        if let Some(at) = self.armed.take() {
            world.timers.cancel(at, Due::Connection(self.id));
        }
    }

    /// Gives back what it holds.
    fn let_go(&mut self, world: &mut World) {
        match &mut self.face {
            Face::Http(http) => http.leave(world),
            Face::WebSocket(socket) => socket.leave(self.id, world),
            Face::Nats(nats) => nats.leave(self.id, world),
            Face::Events(events) => events.leave(world),
            Face::Upgraded(socket) => socket.leave(world),
            Face::Closing { .. } => {}
        }
    }

    fn deadline(&self, world: &World) -> Instant {
        match &self.face {
            Face::Http(http) => http.deadline(world),
            Face::Events(events) => events.last + world.idle_time() / 4,
            Face::WebSocket(socket) => socket.deadline(world),
            Face::Upgraded(socket) => socket.deadline(&self.wire),
            Face::Nats(nats) => nats.deadline(world),
            Face::Closing { ended: Some(since) } => *since + LINGER,
            Face::Closing { ended: None } => self.wire.progress + world.idle_time(),
        }
    }

    fn arm(&mut self, world: &mut World) {
        let mut at = self.deadline(world);
        if !self.wire.is_empty() {
            let stuck = self.wire.progress + world.idle_time();
            // Who has no room needs no sign of life.
            at = if matches!(self.face, Face::Events(_)) { stuck } else { at.min(stuck) };
        }
        // One that comes too early is set anew then.
        if self.armed.is_none_or(|armed| at < armed) {
            if let Some(before) = self.armed.replace(at) {
                world.timers.cancel(before, Due::Connection(self.id));
            }
            world.timers.set(at, Due::Connection(self.id));
        }
    }
}

/// The connection is no more.
struct Ended;
