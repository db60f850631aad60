//! What speaks in an Engine.IO session.

use std::time::Duration;

use super::connection::Id;
use super::echo::{Echo, EchoSocket};
use super::feed::Batch;
use super::socketio::SocketIo;
use super::wire::Wire;
use super::world::World;
use crate::gateway::engineio::{Data, Session};
use crate::gateway::http::Request;

/// An application.
pub(super) enum App {
    /// The queues, as namespaces of Socket.IO.
    Queues(Box<SocketIo>),
    /// For the protocols' test suites.
    Echo(Echo),
    EchoSocket(Box<EchoSocket>),
}

impl App {
    /// The one that a session's first request asks for.
    pub(super) fn new(key: u64, request: &Request, world: &World) -> Self {
        match world.config.echo {
            true if request.path.starts_with("/engine.io") => Self::Echo(Echo),
            true => Self::EchoSocket(Box::new(EchoSocket::new(world))),
            false => Self::Queues(Box::new(SocketIo::new(key, request, world))),
        }
    }

    /// Takes a message of the client's.
    pub(super) fn on_message(&mut self, data: Data, session: &mut Session<Id>, world: &mut World) {
        match self {
            Self::Queues(app) => app.on_message(data, session, world),
            Self::Echo(app) => app.on_message(data, session),
            Self::EchoSocket(app) => app.on_message(data, session, world.clock()),
        }
    }

    /// Passes on what the queues have for clients that read for themselves, while the session has room.
    pub(super) fn pull(&mut self, session: &mut Session<Id>, world: &mut World) {
        if let Self::Queues(app) = self {
            app.pull(session, world);
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
        match self {
            Self::Queues(app) => app.offer(slot, batch, session, wire, world),
            Self::Echo(_) | Self::EchoSocket(_) => false,
        }
    }

    /// A client of the session has come back elsewhere.
    pub(super) fn release(&mut self, slot: u64, session: &mut Session<Id>, world: &mut World) {
        if let Self::Queues(app) = self {
            app.release(slot, session, world);
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Duration> {
        match self {
            Self::Queues(app) => app.next_deadline(),
            Self::Echo(_) => None,
            Self::EchoSocket(app) => app.next_deadline(),
        }
    }

    /// Its time may have come.
    pub(super) fn tick(&mut self, session: &mut Session<Id>, world: &mut World) {
        match self {
            Self::Queues(app) => app.tick(session, world),
            Self::Echo(_) => {}
            Self::EchoSocket(app) => app.tick(session, world.clock()),
        }
    }

    /// Whether its clients may still do what they could.
    pub(super) fn is_granted(&self, world: &World) -> bool {
        match self {
            Self::Queues(app) => app.is_granted(world),
            Self::Echo(_) | Self::EchoSocket(_) => true,
        }
    }

    /// The session is over, or about to be.
    pub(super) fn end(&mut self, world: &mut World) {
        if let Self::Queues(app) = self {
            app.end(world);
        }
    }
}
