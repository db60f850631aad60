//! A WebSocket that an Engine.IO session speaks over, or tries out.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use super::connection::Id;
use super::engineio::write_message;
use super::feed::Batch;
use super::meter::Meter;
use super::wire::Wire;
use super::world::World;
use crate::gateway::engineio::{Data, Message};
use crate::gateway::websocket::{Connection as Codec, Event, code};

/// So long a client may take to answer to a Close.
const LINGER: Duration = Duration::from_secs(2);

/// Sessions see to it that their clients live.
const FOREVER: Duration = Duration::from_secs(24 * 3600);

/// A session's WebSocket.
pub(super) struct Upgraded {
    codec: Codec,
    session: u64,
    id: Id,
    /// When this side said goodbye.
    closing: Option<Instant>,
}

impl Upgraded {
    pub(super) fn new(session: u64, id: Id, world: &World) -> Self {
        Self { codec: Codec::new(world.websocket_limits()), session, id, closing: None }
    }

    /// Takes what came.
    pub(super) fn take(&mut self, mut input: &mut [u8], meter: &mut Meter, world: &mut World) {
        let id = self.id;
        while let Some(event) = self.codec.next(&mut input) {
            let data = match event {
                Event::Text(text) => Data::Text(text),
                Event::Binary(bytes) => Data::Binary(Cow::Borrowed(bytes)),
                _ => continue,
            };
            if !meter.message() {
                self.refuse(world);
                return;
            }
            world.in_session(self.session, Some(id), |entry, world| {
                entry.on_message(id, data, world);
            });
        }
    }

    /// More came than may. `false`: the client knows already that it is over.
    pub(super) fn refuse(&mut self, world: &mut World) -> bool {
        if !self.codec.is_open() {
            return false;
        }
        world.counters.over_rate += 1;
        self.end(code::POLICY, "too much in a second");
        true
    }

    /// Passes on what the session has for it, while the socket has room. `None`: the connection is over.
    pub(super) fn push(&mut self, wire: &mut Wire, world: &mut World) -> Option<bool> {
        let mut pushed = false;
        if self.codec.is_open() && wire.has_room() {
            let id = self.id;
            let sent = world.in_session(self.session, Some(id), |entry, _| {
                entry.codec.socket() == Some(id) && entry.send_to(wire)
            });
            pushed = sent == Some(true);
        }
        if self.codec.has_output() && wire.has_room() {
            self.codec.take_output(wire.out());
            pushed = true;
        }
        if self.codec.is_closed() && !self.codec.has_output() { None } else { Some(pushed) }
    }

    /// Passes on what is new for the session. Whether it is behind now.
    pub(super) fn offer(
        &mut self,
        slot: u64,
        batch: &mut Batch,
        wire: &mut Wire,
        world: &mut World,
    ) -> bool {
        if !self.codec.is_open() {
            return false;
        }
        let offered = world.in_session(self.session, Some(self.id), |entry, world| {
            entry.offer(slot, batch, Some(wire), world)
        });
        offered == Some(true)
    }

    /// Sends a message while the WebSocket is tried out.
    pub(super) fn send(&mut self, message: &Message, wire: &mut Wire) {
        if self.codec.is_open() {
            write_message(message, wire);
        }
    }

    /// The session wants it no more.
    pub(super) fn close(&mut self, world: &World) {
        let code = if world.draining { code::GOING_AWAY } else { code::NORMAL };
        self.end(code, "");
    }

    fn end(&mut self, code: u16, reason: &str) {
        self.codec.close(code, reason);
        self.closing = Some(Instant::now());
    }

    pub(super) fn deadline(&self, wire: &Wire) -> Instant {
        self.closing.map_or(wire.progress + FOREVER, |since| since + LINGER)
    }

    /// The client goes.
    pub(super) fn leave(&self, world: &mut World) {
        world.lose(self.session, self.id);
    }
}
