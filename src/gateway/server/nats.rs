//! The NATS face. What is published to a queue's subject goes into the queue, and comes from there to whoever has subscribed; what is published to any other
//! subject goes to the clients that are here now, as with NATS itself.

mod form;
mod hub;
mod interest;
mod letter;
mod outlet;
mod post;
mod publish;
mod push;
mod subjects;
mod upgrade;

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::access::Grant;
use super::connection::{Face, Id};
use super::feed::Batch;
use super::groups::Verdict;
use super::listen::Protocol;
use super::wire::Wire;
use super::world::World;
use crate::gateway::nats::{
    Action, Connection as Codec, Key, PING, Peer, ServerError, Subscription,
};
pub(super) use form::Form;
use hub::Live;
pub(super) use hub::{Address, Hub, Mail};
use interest::Interest;
use letter::Letter;
use outlet::Outlet;
use publish::{Fate, Long, Sender, Waiting};
use push::Pushed;
use subjects::Wanted;
use upgrade::Upgrade;

/// NATS, at a port of its own.
pub(super) const NATS: Protocol = Protocol {
    greet: |wire, identity, world| {
        let address = wire.socket.peer();
        let codec = open(address, identity.is_some(), world, wire.out());
        let mut nats = Nats::new(codec, world.access.grant_for(b""));
        nats.upgrade = identity.map(|_| Upgrade::new(world));
        Face::Nats(Box::new(nats))
    },
    refuse: |out, address, secure, world| {
        open(address, secure, world, out).fail(ServerError::Connections, out);
    },
};

/// Greets a client.
fn open(address: Option<IpAddr>, secure: bool, world: &World, out: &mut Vec<u8>) -> Codec {
    let ip = address.map_or(String::new(), |ip| ip.to_string());
    let peer = Peer { id: world.counters.accepted + 1, ip };
    Codec::new(world.nats.settings(secure), peer, world.nats.now(), out)
}

/// The longest piece of a long message that is received at once.
const PIECE: usize = 256 << 10;

/// A client that speaks NATS.
pub(super) struct Nats {
    codec: Codec,
    /// It has yet to begin TLS, or to say something by it.
    upgrade: Option<Upgrade>,
    /// What it may do, as soon as that is known.
    pub(super) grant: Option<Grant>,
    interest: Interest,
    letter: Letter,
    /// A long message that is coming in.
    long: Option<Long>,
    /// A message for which its queue has no room yet; nothing is taken from the client meanwhile.
    waiting: Option<Waiting>,
    /// Came behind it.
    pub(super) pending: Vec<u8>,
    sender: Sender,
    held: Held,
    /// Which queues there were when it last looked.
    seen: u64,
    /// The gateway ends.
    leaving: bool,
}

/// Messages of groups that were sent to the client, and PINGs behind them: what it answers to shows what it has.
#[derive(Default)]
struct Held {
    messages: VecDeque<(usize, u64)>,
    sent: u64,
    confirmed: u64,
    /// For each PING without an answer, how many messages were sent before it.
    pings: VecDeque<u64>,
    asked: Option<Instant>,
}

impl Nats {
    fn new(codec: Codec, grant: Option<Grant>) -> Self {
        Self {
            codec,
            upgrade: None,
            grant,
            interest: Interest::new(),
            letter: Letter::new(),
            long: None,
            waiting: None,
            pending: Vec::new(),
            sender: Sender::default(),
            held: Held::default(),
            seen: 0,
            leaving: false,
        }
    }

    /// Nothing is taken from the client now.
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Receives a piece of a long message straight to where it is kept; `None` if none is due.
    pub(super) fn receive(&mut self, wire: &mut Wire) -> Option<io::Result<Option<usize>>> {
        let missing = self.codec.missing().min(PIECE);
        let long = self.long.as_mut().filter(|_| missing > 0)?;
        let received = long.receive(missing, wire);
        if let Ok(Some(count)) = received {
            self.codec.received(count);
        }
        Some(received)
    }

    /// Takes what came.
    pub(super) fn take(&mut self, mut input: &[u8], id: Id, wire: &mut Wire, world: &mut World) {
        if let Some(upgrade) = self.upgrade.as_mut().filter(|upgrade| !upgrade.has_begun) {
            return upgrade.begin(input, &mut self.codec, wire, world);
        }
        self.upgrade = None;
        let now = world.nats.now();
        world.nats.absent.clear();
        while self.waiting.is_none() && self.step(&mut input, now, id, wire, world) {}
        self.pending.extend_from_slice(if self.waiting.is_some() { input } else { &[] });
    }

    /// One operation; `false` if there is none.
    fn step(
        &mut self,
        input: &mut &[u8],
        now: Duration,
        id: Id,
        wire: &mut Wire,
        world: &mut World,
    ) -> bool {
        let Some(action) = self.codec.next(now, input, wire.out()) else { return false };
        match action {
            Action::Continue | Action::Close(_) => {}
            Action::Publish(..) | Action::Begin(..) if !wire.meter.message() => {
                self.refuse_more(wire, world);
            }
            Action::Publish(message, payload) => {
                let fate = self.sender.publish(&message, payload, self.grant.as_ref(), world);
                self.settle(fate, id, wire, world);
            }
            Action::Begin(message, _) => self.long = Some(Long::new(&message)),
            Action::Payload(part) => {
                self.long.iter_mut().for_each(|long| long.payload.extend_from_slice(part));
            }
            Action::End => {
                let Some(long) = self.long.take() else { return true };
                let (message, grant) = (long.message(), self.grant.as_ref());
                let fate = self.sender.publish(&message, &long.payload, grant, world);
                self.settle(fate, id, wire, world);
            }
            Action::Connect(options) => {
                let shown = [&options.auth_token, &options.pass];
                let grants = shown.map(|shown| world.access.grant_for(shown.as_bytes()));
                self.grant = grants.into_iter().flatten().next();
                self.sender = Sender::default();
                self.admit(now, id, wire, world);
            }
            Action::Subscribe(key, _) => self.subscribe(key, id, wire, world),
            Action::Unsubscribe(key, subscription) => self.forget(key, &subscription, id, world),
            Action::Pong => self.on_pong(world),
        }
        true
    }

    /// The client sends more in a second than it may.
    pub(super) fn refuse_more(&mut self, wire: &mut Wire, world: &mut World) {
        world.counters.over_rate += 1;
        self.codec.fail(ServerError::Other("Rate Limit Exceeded"), wire.out());
    }

    /// Answers to a message.
    fn settle(&mut self, fate: Fate, id: Id, wire: &mut Wire, world: &mut World) {
        world.nats.published = true;
        match fate {
            Fate::Sent => self.codec.ok(wire.out()),
            Fate::Live(live) => {
                self.codec.ok(wire.out());
                self.route(live, id, wire, world);
            }
            Fate::Refused(subject, reason) => {
                world.counters.errors += 1;
                self.codec.error(ServerError::NotPublished(&subject, &reason), wire.out());
            }
            Fate::Waits(waiting) => self.waiting = Some(waiting),
        }
    }

    fn subscribe(&mut self, key: Key, id: Id, wire: &mut Wire, world: &mut World) {
        let Some(subscription) = self.codec.subscription(key) else { return };
        match self.interest.add(key, subscription, self.grant.as_ref(), id, world) {
            Ok(()) => {
                world.nats.add(subscription, (id, key));
                self.codec.ok(wire.out());
            }
            Err(problem) => self.refuse(key, &problem.reason, id, wire, world),
        }
    }

    fn admit(&mut self, now: Duration, id: Id, wire: &mut Wire, world: &mut World) {
        if self.grant.is_some() {
            self.codec.accept(Default::default(), now, wire.out());
            world.nats.enter(id);
        } else {
            world.counters.errors += 1;
            self.codec.fail(ServerError::Authorization, wire.out());
        }
    }

    /// A subscription can't be done, or not any longer.
    fn refuse(&mut self, key: Key, reason: &str, id: Id, wire: &mut Wire, world: &mut World) {
        let Some(subscription) = self.codec.unsubscribe(key) else { return };
        world.counters.errors += 1;
        let (subject, group) = (subscription.subject(), subscription.group());
        self.codec.error(ServerError::NotSubscribed(subject, group, reason), wire.out());
        self.forget(key, &subscription, id, world);
    }

    /// A subscription has ended.
    fn forget(&mut self, key: Key, subscription: &Subscription, id: Id, world: &mut World) {
        world.nats.remove(subscription, (id, key));
        self.interest.remove(key, subscription, id, world);
    }

    /// Sends a message to who is here now: to the client itself at once, since answers may follow, to the others as soon as its turn is over.
    fn route(&mut self, live: Live, id: Id, wire: &mut Wire, world: &mut World) {
        let (receivers, turn) = world.nats.receivers(live.delivery.subject());
        let mut chosen = Vec::new();
        let (mut delivered, mut has_others) = (false, false);
        for (to, key) in &receivers.plain {
            has_others |= *to != id;
            delivered |= *to == id && self.deliver(*key, &live, true, id, wire, world);
        }
        for members in &receivers.groups {
            for (to, key) in members.iter().cycle().skip(turn % members.len()).take(members.len()) {
                if *to != id {
                    chosen.push((*to, *key));
                    break;
                }
                if self.deliver(*key, &live, true, id, wire, world) {
                    delivered = true;
                    break;
                }
            }
        }
        if has_others || !chosen.is_empty() {
            world.nats.post(Mail { live, from: id, receivers, chosen });
        } else if let Some(reply) = live.reply.as_deref().filter(|_| !delivered)
            && let Some(key) = world.nats.own(reply, id)
        {
            self.codec.no_responders(reply, key, wire.out());
        }
    }

    /// Writes a live message.
    fn deliver(
        &mut self,
        key: Key,
        live: &Live,
        own: bool,
        id: Id,
        wire: &mut Wire,
        world: &mut World,
    ) -> bool {
        let (grant, subject) = (self.grant.as_ref(), live.delivery.subject());
        if !grant.is_some_and(Grant::receives_all) && Wanted::by(subject).check(grant).is_err() {
            return false;
        }
        let out = wire.out();
        let Some(sent) = self.codec.deliver(key, &live.delivery, own, out) else { return false };
        out.extend_from_slice(live.body(sent.headers));
        world.counters.delivered += 1;
        if let Some(subscription) = sent.ended {
            self.forget(key, &subscription, id, world);
        }
        true
    }

    /// A message from another client. No queue holds it, so that there is an end to what may wait for a client that does not read. Whether the client has to be
    /// looked after now: nothing waited for it before, or it is over.
    pub(super) fn hand_over(
        &mut self,
        (id, key): Address,
        mail: &Mail,
        wire: &mut Wire,
        world: &mut World,
    ) -> bool {
        if self.codec.is_over() {
            return false;
        }
        if wire.waiting() > world.config.live_queue {
            let _ = wire.flush();
        }
        if wire.waiting() > world.config.live_queue {
            world.counters.overruns += 1;
            self.codec.fail(ServerError::SlowConsumer, wire.out());
            return true;
        }
        wire.is_empty() & self.deliver(key, &mail.live, false, id, wire, world)
    }

    /// It is to be closed.
    pub(super) fn is_over(&self) -> bool {
        self.codec.is_over()
    }

    /// Passes on what is new in a queue. Whether there is more to do.
    pub(super) fn offer(
        &mut self,
        source: u64,
        batch: &mut Batch,
        id: Id,
        wire: &mut Wire,
        world: &mut World,
    ) -> bool {
        let mut outlet = Outlet::new(&mut self.codec, wire, &mut self.letter);
        let behind = self.interest.offer(source, batch, &mut outlet, world);
        for (key, subscription) in outlet.ended {
            self.forget(key, &subscription, id, world);
        }
        behind || self.codec.is_over()
    }

    /// Passes on what there is, while the socket has room. `None`: the connection is over.
    pub(super) fn push(&mut self, wire: &mut Wire, id: Id, world: &mut World) -> Option<bool> {
        if self.codec.is_over() {
            return None;
        }
        let mut pushed = self.try_again(wire, world);
        if self.seen != world.nats.changes {
            self.seen = world.nats.changes;
            for (key, problem) in self.interest.look(&self.codec, self.grant.as_ref(), id, world) {
                self.refuse(key, &problem.reason, id, wire, world);
            }
        }
        let mut outlet = Outlet::new(&mut self.codec, wire, &mut self.letter);
        while outlet.wire.has_room() && outlet.ended.is_empty() {
            let with_groups = self.held.messages.len() < world.config.window && !self.leaving;
            match self.interest.push(with_groups, &mut outlet, world) {
                Pushed::Nothing => break,
                Pushed::Sent => {}
                Pushed::Held(group, position) => self.held.add(group, position),
            }
            pushed = true;
        }
        for (key, subscription) in outlet.ended {
            self.forget(key, &subscription, id, world);
        }
        if self.held.wants_ping() {
            wire.out().extend_from_slice(PING);
            self.held.pinged();
            pushed = true;
        }
        if self.leaving && self.held.pings.is_empty() && wire.is_empty() {
            None
        } else {
            Some(pushed)
        }
    }

    /// Is there room now for the message that waits?
    fn try_again(&mut self, wire: &mut Wire, world: &mut World) -> bool {
        let Some(waiting) = &mut self.waiting else { return false };
        match waiting.try_again(world) {
            None => return false,
            Some(Ok(())) => self.codec.ok(wire.out()),
            Some(Err(reason)) => {
                self.sender.give_up();
                world.counters.errors += 1;
                self.codec.error(ServerError::NotPublished(&waiting.subject, &reason), wire.out());
            }
        }
        self.waiting = None;
        true
    }

    fn on_pong(&mut self, world: &mut World) {
        for (group, position) in self.held.ponged() {
            if world.groups.settle(group, position, Verdict::Ack).is_ok() {
                world.counters.settled += 1;
            }
        }
    }

    pub(super) fn deadline(&self, world: &World) -> Instant {
        if let Some(upgrade) = self.upgrade.as_ref().filter(|_| !self.codec.is_over()) {
            return upgrade.until;
        }
        let codec = self.codec.deadline().map(|at| world.nats.instant(at));
        let waiting = self.waiting.as_ref().map(|waiting| waiting.next);
        let held = self.held.asked.map(|asked| asked + world.ack_time());
        let ended = Instant::now();
        codec.into_iter().chain(waiting).chain(held).min().unwrap_or(ended)
    }

    /// Something is due.
    pub(super) fn on_deadline(&mut self, wire: &mut Wire, world: &mut World) {
        if self.upgrade.is_some() {
            world.counters.timeouts += 1;
            return self.codec.fail(ServerError::TlsRequired, wire.out());
        }
        let before = wire.waiting();
        self.codec.tick(world.nats.now(), wire.out());
        let is_unsure = self.held.asked.is_some_and(|asked| asked.elapsed() >= world.ack_time());
        if is_unsure {
            self.codec.fail(ServerError::Stale, wire.out());
        }
        if self.codec.is_over() {
            world.counters.timeouts += 1;
        } else if wire.waiting() > before {
            self.held.pinged();
        }
    }

    /// The gateway is about to end: what the client has sent by the time that it answers is still taken.
    pub(super) fn go_away(&mut self, id: Id, wire: &mut Wire, world: &mut World) {
        self.leaving = true;
        self.interest.leave_groups(id, world);
        if self.codec.is_open() {
            self.codec.lame_duck(wire.out());
            wire.out().extend_from_slice(PING);
            self.held.pinged();
        }
    }

    /// It is gone: others get what it was sent and may not have.
    pub(super) fn leave(&mut self, id: Id, world: &mut World) {
        world.nats.leave(id);
        for (key, subscription) in self.codec.subscriptions() {
            world.nats.remove(subscription, (id, key));
        }
        for (group, position) in std::mem::take(&mut self.held).messages {
            let _ = world.groups.settle(group, position, Verdict::Retry);
        }
        self.interest.leave(id, world);
    }
}

impl Held {
    fn add(&mut self, group: usize, position: u64) {
        self.messages.push_back((group, position));
        self.sent += 1;
    }

    /// There are messages that no PING is behind; one PING at a time.
    fn wants_ping(&self) -> bool {
        self.pings.is_empty() && self.sent > self.confirmed
    }

    fn pinged(&mut self) {
        self.pings.push_back(self.sent);
        if self.sent > self.confirmed {
            self.asked.get_or_insert_with(Instant::now);
        }
    }

    /// The messages that the client has by now.
    fn ponged(&mut self) -> Vec<(usize, u64)> {
        let Some(sent) = self.pings.pop_front() else { return Vec::new() };
        let count = sent - self.confirmed;
        self.confirmed = sent;
        self.asked = None;
        self.messages.drain(..count as usize).collect()
    }
}
