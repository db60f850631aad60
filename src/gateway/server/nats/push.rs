//! From the queues to a client: the next message, for all of its subscriptions that match.

use super::super::events;
use super::super::feed::{Batch, Fresh};
use super::super::follower::{Missed, Next};
use super::super::groups::Verdict;
use super::super::world::World;
use super::interest::{Interest, Source, Target, pattern};
use super::outlet::Outlet;
use crate::RecvError;
use crate::gateway::nats::{Index, Key, ServerError, Stored, Subscription, subject};

const POSITION: &str = "Slipring-Position";

/// What came of a look for something to send.
pub(super) enum Pushed {
    Nothing,
    Sent,
    /// A message of a group, which is held until the client has it.
    Held(usize, u64),
}

impl Interest {
    /// Sends the next message that there is, of one queue after another.
    pub(super) fn push(
        &mut self,
        with_groups: bool,
        outlet: &mut Outlet,
        world: &mut World,
    ) -> Pushed {
        let sources = self.sources.len();
        let all = sources + if with_groups { self.memberships.len() } else { 0 };
        for _ in 0..all {
            let which = self.turn % all;
            let pushed = if which < sources {
                self.push_source(which, outlet, world)
            } else {
                self.push_group(which - sources, outlet, world)
            };
            if !matches!(pushed, Pushed::Nothing) {
                return pushed;
            }
            self.turn = self.turn.wrapping_add(1);
        }
        Pushed::Nothing
    }

    /// What a source reads for itself, as long as it is behind.
    fn push_source(&mut self, which: usize, outlet: &mut Outlet, world: &mut World) -> Pushed {
        let Self { shared, sources, .. } = self;
        let Some(source) = sources.get_mut(which).filter(|source| !source.over) else {
            return Pushed::Nothing;
        };
        let target = &mut source.target;
        if let (true, Some(key)) = (std::mem::take(&mut source.is_other), target.only) {
            outlet.tell(key, &target.queue, "another queue has the name now");
        }
        match source.follower.pull(&mut world.feeds) {
            Ok(Next::Live) => return Pushed::Nothing,
            Ok(Next::More) => {}
            Ok(Next::Message(message)) => {
                world.counters.delivered += target.write(&message, shared, outlet);
            }
            Ok(Next::Missed(Missed { from, to })) => {
                world.counters.overruns += 1;
                match target.only {
                    Some(key) => outlet.tell(key, &target.queue, &format!("{from}-{to}")),
                    None => outlet.error(ServerError::Missed(&target.queue, from, to)),
                }
            }
            Ok(Next::Closed) => source.over = true,
            Err(problem) => {
                let text = format!("{}: {}", target.queue, problem.reason);
                outlet.error(ServerError::Other(&text));
                source.over = true;
            }
        }
        Pushed::Sent
    }

    /// Passes on what is new in a queue. Whether the source is behind now.
    pub(super) fn offer(
        &mut self,
        number: u64,
        batch: &mut Batch,
        outlet: &mut Outlet,
        world: &mut World,
    ) -> bool {
        let Self { shared, sources, .. } = self;
        let Some(source) = sources.iter_mut().find(|source| source.number == number) else {
            return false;
        };
        let Source { follower, target, .. } = source;
        if let Some((key, form)) = target.form(batch, outlet.codec) {
            let encoded = form.encode(batch, outlet.letter);
            let count = follower.share(batch, &encoded, &mut world.feeds, outlet.wire);
            outlet.codec.delivered(key, count);
            world.counters.delivered += count;
            return follower.is_behind();
        }
        let mut count = 0;
        follower.offer(batch, &mut world.feeds, |_, message| {
            let has_room = outlet.wire.has_room();
            if has_room {
                count += target.write(message, shared, outlet);
            }
            has_room
        });
        world.counters.delivered += count;
        follower.is_behind()
    }

    fn push_group(&mut self, which: usize, outlet: &mut Outlet, world: &mut World) -> Pushed {
        let Some(member) = self.memberships.get_mut(which).filter(|member| !member.over) else {
            return Pushed::Nothing;
        };
        let position = match world.groups.take(member.group) {
            Ok(position) => position,
            Err(RecvError::Empty) => return Pushed::Nothing,
            Err(error) => {
                member.over = true;
                if error != RecvError::Closed {
                    let text = format!("{}: {error}", member.queue);
                    outlet.error(ServerError::Other(&text));
                }
                return Pushed::Sent;
            }
        };
        let Some(message) = world.groups.message(member.group, position) else {
            return Pushed::Nothing;
        };
        let stored = Stored::parse(message.payload());
        let subject = outlet.letter.address(&member.queue, message.event());
        let wants = |it: &Subscription| member.whole || subject::matches(pattern(it), subject);
        let wants = |key: &Key| outlet.codec.subscription(*key).is_some_and(wants);
        let sent = member.keys.iter().position(wants).is_some_and(|at| {
            // Another one's turn next time.
            let key = member.keys.remove(at);
            member.keys.push(key);
            outlet.letter.encode(&stored, None);
            outlet.send(key, stored.payload)
        });
        if !sent {
            // The group's filter lets through more than its subject.
            let _ = world.groups.settle(member.group, position, Verdict::Ack);
            return Pushed::Sent;
        }
        world.counters.delivered += 1;
        Pushed::Held(member.group, position)
    }
}

impl Target {
    /// Sends a message to the subscriptions that match; to how many.
    fn write(&mut self, message: &Fresh, shared: &Index<Key>, outlet: &mut Outlet) -> u64 {
        let (position, stored) = (message.position, Stored::parse(&message.payload));
        let subject = outlet.letter.address(&self.queue, message.event.as_deref());
        let mut keys = std::mem::take(&mut outlet.keys);
        keys.clear();
        if self.keys.len() > 1 {
            keys.extend(shared.matches(subject).plain());
        } else {
            let wants = |it: &Subscription| subject::matches(pattern(it), subject);
            let wants = |key: &&Key| outlet.codec.subscription(**key).is_some_and(wants);
            keys.extend(self.keys.iter().filter(wants));
        }
        if !self.late.is_empty() {
            let is_late =
                |key| self.late.iter().any(|(late, from)| *late == key && position < *from);
            keys.retain(|key| !is_late(*key));
            self.late.retain(|(_, from)| position < *from);
        }
        if !keys.is_empty() {
            let place = self.only.map(|_| events::id_before(self.id, position.wrapping_add(1)));
            outlet.letter.encode(&stored, place.as_deref().map(|place| (POSITION, place)));
        }
        let count = keys.iter().map(|key| u64::from(outlet.send(*key, stored.payload))).sum();
        outlet.keys = keys;
        count
    }
}
