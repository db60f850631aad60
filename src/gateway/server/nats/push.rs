//! From the queues to a client: the next message, for all of its subscriptions that match.

use super::super::events;
use super::super::feed::{Batch, Fresh};
use super::super::follower::Next;
use super::super::groups::Verdict;
use super::super::wire::Wire;
use super::super::world::World;
use super::interest::{Interest, Source, Target, pattern};
use super::letter::{Letter, Outcome};
use crate::RecvError;
use crate::gateway::nats::{
    Connection as Codec, Index, Key, ServerError, Stored, Subscription, subject,
};

const POSITION: &str = "Slipring-Position";
const MISSED: &str = "Slipring-Missed";

/// What came of a look for something to send.
pub(super) enum Pushed {
    Nothing,
    Sent,
    /// A message of a group, which is held until the client has it.
    Held(usize, u64),
}

/// Subscriptions that have ended by their last message.
pub(super) type Ended = Vec<(Key, Subscription)>;

impl Interest {
    /// Sends the next message that there is, of one queue after another.
    pub(super) fn push(
        &mut self,
        with_groups: bool,
        codec: &mut Codec,
        wire: &mut Wire,
        ended: &mut Ended,
        world: &mut World,
    ) -> Pushed {
        let sources = self.sources.len();
        let all = sources + if with_groups { self.memberships.len() } else { 0 };
        for _ in 0..all {
            let which = self.turn % all;
            let pushed = if which < sources {
                self.push_source(which, codec, wire, ended, world)
            } else {
                self.push_group(which - sources, codec, wire, ended, world)
            };
            if !matches!(pushed, Pushed::Nothing) {
                return pushed;
            }
            self.turn = self.turn.wrapping_add(1);
        }
        Pushed::Nothing
    }

    /// What a source reads for itself, as long as it is behind.
    fn push_source(
        &mut self,
        which: usize,
        codec: &mut Codec,
        wire: &mut Wire,
        ended: &mut Ended,
        world: &mut World,
    ) -> Pushed {
        let Self { shared, sources, letter, keys, .. } = self;
        let Some(source) = sources.get_mut(which).filter(|source| !source.over) else {
            return Pushed::Nothing;
        };
        if std::mem::take(&mut source.is_other) {
            source.target.tell(letter, "another queue has the name now", codec, wire);
        }
        match source.follower.pull(&mut world.feeds) {
            Ok(Next::Live) => return Pushed::Nothing,
            Ok(Next::More) => {}
            Ok(Next::Message(message)) => {
                let count =
                    source.target.write(&message, (shared, letter, keys), codec, wire, ended);
                world.counters.delivered += count;
            }
            Ok(Next::Missed(missed)) => {
                world.counters.overruns += 1;
                if source.target.only.is_some() {
                    source.target.tell(
                        letter,
                        &format!("{}-{}", missed.from, missed.to),
                        codec,
                        wire,
                    );
                } else {
                    let error = ServerError::Missed(&source.target.queue, missed.from, missed.to);
                    codec.error(error, wire.out());
                }
            }
            Ok(Next::Closed) => source.over = true,
            Err(problem) => {
                source.over = true;
                let text = format!("{}: {}", source.target.queue, problem.reason);
                codec.error(ServerError::Other(&text), wire.out());
            }
        }
        Pushed::Sent
    }

    /// Passes on what is new in a queue. Whether the source is behind now.
    pub(super) fn offer(
        &mut self,
        number: u64,
        batch: &mut Batch,
        codec: &mut Codec,
        wire: &mut Wire,
        ended: &mut Ended,
        world: &mut World,
    ) -> bool {
        let Self { shared, sources, letter, keys, .. } = self;
        let Some(source) = sources.iter_mut().find(|source| source.number == number) else {
            return false;
        };
        let Source { follower, target, .. } = source;
        if let Some((key, form)) = target.form(batch, codec) {
            let encoded = form.encode(batch, letter);
            let count = follower.share(batch, &encoded, &mut world.feeds, wire);
            codec.delivered(key, count);
            world.counters.delivered += count;
            return follower.is_behind();
        }
        let mut count = 0;
        follower.offer(batch, &mut world.feeds, |_, message| {
            let has_room = wire.has_room();
            if has_room {
                count += target.write(message, (shared, letter, keys), codec, wire, ended);
            }
            has_room
        });
        world.counters.delivered += count;
        follower.is_behind()
    }

    fn push_group(
        &mut self,
        which: usize,
        codec: &mut Codec,
        wire: &mut Wire,
        ended: &mut Ended,
        world: &mut World,
    ) -> Pushed {
        let Self { memberships, letter, .. } = self;
        let Some(member) = memberships.get_mut(which).filter(|member| !member.over) else {
            return Pushed::Nothing;
        };
        let position = match world.groups.take(member.group) {
            Ok(position) => position,
            Err(RecvError::Empty) => return Pushed::Nothing,
            Err(error) => {
                member.over = true;
                if error != RecvError::Closed {
                    let text = format!("{}: {error}", member.queue);
                    codec.error(ServerError::Other(&text), wire.out());
                }
                return Pushed::Sent;
            }
        };
        let Some(message) = world.groups.message(member.group, position) else {
            return Pushed::Nothing;
        };
        let stored = Stored::parse(message.payload());
        let subject = letter.address(&member.queue, message.event());
        let wants = |key: &Key| {
            codec
                .subscription(*key)
                .is_some_and(|it| member.whole || subject::matches(pattern(it), subject))
        };
        let key = member.keys.iter().position(wants);
        let outcome = key.map_or(Outcome::Kept, |at| {
            let key = member.keys.remove(at);
            // Another one's turn next time.
            member.keys.push(key);
            letter.encode(&stored, None);
            letter.send(key, stored.payload, codec, wire)
        });
        match outcome {
            // The group's filter lets through more than its subject.
            Outcome::Kept => {
                let _ = world.groups.settle(member.group, position, Verdict::Ack);
                return Pushed::Sent;
            }
            Outcome::Delivered => {}
            Outcome::Ended(subscription) => {
                ended.extend(member.keys.last().map(|key| (*key, subscription)))
            }
        }
        world.counters.delivered += 1;
        Pushed::Held(member.group, position)
    }
}

impl Target {
    /// Sends a message to the subscriptions that match; to how many.
    fn write(
        &mut self,
        message: &Fresh,
        (shared, letter, keys): (&Index<Key>, &mut Letter, &mut Vec<Key>),
        codec: &mut Codec,
        wire: &mut Wire,
        ended: &mut Ended,
    ) -> u64 {
        let (position, stored) = (message.position, Stored::parse(&message.payload));
        let subject = letter.address(&self.queue, message.event.as_deref());
        keys.clear();
        if self.keys.len() > 1 {
            keys.extend(shared.matches(subject).plain());
        } else {
            let wants = |it: &Subscription| subject::matches(pattern(it), subject);
            let wants = |key: &&Key| codec.subscription(**key).is_some_and(wants);
            keys.extend(self.keys.iter().filter(wants));
        }
        if !self.late.is_empty() {
            let is_late =
                |key| self.late.iter().any(|(late, from)| *late == key && position < *from);
            keys.retain(|key| !is_late(*key));
            self.late.retain(|(_, from)| position < *from);
        }
        if keys.is_empty() {
            return 0;
        }
        let place = self.only.map(|_| events::id_before(self.id, position.wrapping_add(1)));
        letter.encode(&stored, place.as_deref().map(|place| (POSITION, place)));
        let mut count = 0;
        for key in &*keys {
            match letter.send(*key, stored.payload, codec, wire) {
                Outcome::Kept => continue,
                Outcome::Delivered => {}
                Outcome::Ended(subscription) => ended.push((*key, subscription)),
            }
            count += 1;
        }
        count
    }

    /// Tells a subscription what it has missed, by a message that is nothing but a header.
    fn tell(&self, letter: &mut Letter, what: &str, codec: &mut Codec, wire: &mut Wire) {
        if let Some(key) = self.only {
            letter.address(&self.queue, None);
            letter.encode(&Stored::parse(b""), Some((MISSED, what)));
            letter.send(key, b"", codec, wire);
        }
    }
}
