//! The model: what a queue promises, kept in plain maps.

use std::collections::{BTreeMap, VecDeque};

use super::ops::{FILTERS, GROUPS, MAX_GROUPS, MAX_MEMBERS, Shape, Who};
use super::ring::{Claim, Ring, Room};

/// What a message is to a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Free,
    /// In the hands of a consumer.
    Taken(usize),
    Acked,
    /// Not let through by the filter.
    Passed,
}

#[derive(Clone, Debug)]
pub struct Message {
    pub payload: Vec<u8>,
    pub event: &'static str,
}

/// A group's settings, made with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    pub filter: Option<usize>,
    pub max_deliveries: Option<u32>,
    pub dead_letter: bool,
}

#[derive(Clone, Debug)]
pub struct Group {
    pub who: Who,
    /// `None`: nobody has said yet.
    pub settings: Option<Settings>,
    pub start: u64,
    /// Of the messages that were looked at: fate and deliveries.
    pub fates: BTreeMap<u64, (Fate, u32)>,
    /// An anonymous reader's messages to be delivered again, in this order.
    pub again: VecDeque<u64>,
    pub redelivered: u64,
    pub dead_lettered: u64,
    pub dropped: u64,
}

/// A consumer: a member of a group, or a lossy reader with its cursor.
#[derive(Clone, Debug)]
pub struct Consumer {
    pub id: usize,
    pub group: usize,
    pub prefetch: usize,
    /// Claimed and not yet delivered.
    pub ahead: VecDeque<u64>,
    pub cursor: u64,
}

/// A letter that the dead-letter queue must hold.
#[derive(Clone, Debug)]
pub struct Letter {
    pub position: u64,
    pub number: usize,
    pub deliveries: u32,
    pub group: &'static str,
    pub reason: String,
}

/// What a reader gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Got {
    Message { position: u64, number: usize, deliveries: u32 },
    Lagged(u64),
    Empty,
    Closed,
}

#[derive(Clone, Debug)]
pub struct Model {
    pub ring: Ring,
    pub messages: Vec<Message>,
    /// By an index that is never used again.
    pub groups: BTreeMap<usize, Group>,
    pub consumers: Vec<Consumer>,
    pub producers: usize,
    pub closed: bool,
    next_id: usize,
    pub sent: u64,
    pub received: u64,
    pub dead_lettered: u64,
    pub dropped: u64,
    /// The dead-letter queue, which is read empty after each operation.
    dead: Ring,
    pub letters: Vec<Letter>,
}

/// Does a filter of [`FILTERS`] let an event name through?
fn lets_through(filter: usize, event: &str) -> bool {
    match FILTERS[filter] {
        "x*" => event.starts_with('x'),
        _ => event.ends_with(".two") && event.len() == 5,
    }
}

impl Group {
    fn settings(&self) -> Settings {
        self.settings.unwrap_or_default()
    }

    pub fn name(&self) -> &'static str {
        match self.who {
            Who::Named(name) => GROUPS[name],
            _ => "",
        }
    }
    fn fate(&self, position: u64) -> (Fate, u32) {
        self.fates.get(&position).copied().unwrap_or((Fate::Free, 0))
    }
    fn set(&mut self, position: u64, fate: Fate) {
        self.fates.entry(position).or_insert((Fate::Free, 0)).0 = fate;
    }
    fn is_open(&self, position: u64) -> bool {
        !matches!(self.fate(position).0, Fate::Acked | Fate::Passed)
    }
    /// May it be that the engine has not noted yet what was passed over? As long as a message that was delivered is not acked.
    fn is_unsure(&self) -> bool {
        let open = |fate: &Fate| matches!(fate, Fate::Free | Fate::Taken(_));
        self.fates.values().any(|(fate, count)| *count > 0 && open(fate))
    }
    /// The first message that it needs for sure (`false`), or at the most (`true`), else the end.
    pub fn floor(&self, ring: &Ring, most: bool) -> u64 {
        let unsure = most && self.is_unsure();
        let needs = |at: u64| self.is_open(at) || unsure && self.fate(at).0 == Fate::Passed;
        let first = ring.messages(self.start).map(|(at, _)| at).find(|at| needs(*at));
        let end = ring.stop(self.start);
        first.map_or(end, |first| first.min(end))
    }
    /// Messages that count as lag: at the least and at the most.
    pub fn lag(&self, ring: &Ring) -> [u64; 2] {
        [false, true].map(|most| {
            let floor = self.floor(ring, most);
            let unsure = most && self.is_unsure();
            let counted = |at: u64| {
                // An anonymous reader keeps in private memory what was acked out of order.
                let passed = unsure && self.fate(at).0 == Fate::Passed;
                self.who == Who::Anonymous || self.is_open(at) || passed
            };
            ring.messages(floor).filter(|(at, _)| counted(*at)).count() as u64
        })
    }
}

impl Model {
    pub fn new(shape: &Shape) -> Self {
        let retain = shape.blocks * shape.retain / 8;
        let ring = Ring::new(shape.blocks, shape.block_size, retain, shape.base);
        let mut model = Self {
            ring,
            messages: Vec::new(),
            groups: BTreeMap::new(),
            consumers: Vec::new(),
            producers: 0,
            closed: false,
            next_id: 0,
            sent: 0,
            received: 0,
            dead_lettered: 0,
            dropped: 0,
            dead: Ring::new(shape.blocks, shape.block_size, 0, 0),
            letters: Vec::new(),
        };
        if !shape.topic {
            model.new_group(Who::Named(0), None, shape.base);
        }
        model
    }

    fn id(&mut self) -> usize {
        self.next_id += 1;
        self.next_id
    }

    pub fn new_group(&mut self, who: Who, settings: Option<Settings>, start: u64) -> usize {
        let id = self.id();
        let (fates, again) = (BTreeMap::new(), VecDeque::new());
        let (redelivered, dead_lettered, dropped) = (0, 0, 0);
        let group =
            Group { who, settings, start, fates, again, redelivered, dead_lettered, dropped };
        self.groups.insert(id, group);
        id
    }

    pub fn new_consumer(&mut self, group: usize, prefetch: usize, cursor: u64) -> usize {
        let id = self.id();
        self.consumers.push(Consumer { id, group, prefetch, ahead: VecDeque::new(), cursor });
        id
    }

    pub fn named(&self, name: usize) -> Option<usize> {
        self.groups.iter().find(|(_, group)| group.who == Who::Named(name)).map(|(id, _)| *id)
    }
    pub fn members_left(&self) -> bool {
        self.producers + self.consumers.len() < MAX_MEMBERS
    }
    pub fn groups_left(&self) -> bool {
        self.groups.len() < MAX_GROUPS
    }
    pub fn members_of(&self, group: usize) -> usize {
        self.consumers.iter().filter(|rx| rx.group == group).count()
    }

    /// The oldest positions that producers must leave alone: at the most, and for sure.
    pub fn floors(&self) -> [Option<u64>; 2] {
        [true, false].map(|most| {
            let gating = self.groups.values().filter(|group| group.who != Who::Lossy);
            gating.map(|group| group.floor(&self.ring, most)).min()
        })
    }
    pub fn room(&self, claim: Claim) -> Room {
        self.ring.room(claim, self.floors())
    }

    /// Notes a message; returns its number.
    pub fn note(&mut self, payload: Vec<u8>, event: &'static str) -> usize {
        self.messages.push(Message { payload, event });
        self.messages.len() - 1
    }

    /// What the consumer of that index receives next. It holds it from then on.
    pub fn receive(&mut self, index: usize) -> Got {
        let group = self.consumers[index].group;
        if self.groups[&group].who == Who::Lossy {
            return self.receive_lossy(index);
        }
        while let Some((position, number)) = self.take(index) {
            let group = self.groups.get_mut(&group).unwrap();
            let deliveries = group.fate(position).1;
            let limit = group.settings().max_deliveries;
            let too_often = limit.is_some_and(|limit| deliveries > limit);
            let id = self.consumers[index].id;
            if too_often && self.put_aside(id, position, "too many deliveries") {
                continue;
            }
            self.received += 1;
            return Got::Message { position, number, deliveries };
        }
        if self.is_over(index) { Got::Closed } else { Got::Empty }
    }

    /// Takes ahead as much as the consumer wants.
    fn take(&mut self, index: usize) -> Option<(u64, usize)> {
        if let Some(at) = self.consumers[index].ahead.pop_front() {
            return self.ring.messages(at).next();
        }
        let taken = self.take_one(index)?;
        while self.consumers[index].ahead.len() + 1 < self.consumers[index].prefetch {
            let Some((at, _)) = self.take_one(index) else { break };
            self.consumers[index].ahead.push_back(at);
        }
        Some(taken)
    }

    /// The oldest free message that the filter lets through; an anonymous reader's returned ones come first.
    fn take_one(&mut self, index: usize) -> Option<(u64, usize)> {
        let consumer = &self.consumers[index];
        let group = self.groups.get_mut(&consumer.group)?;
        let again = group.again.pop_front();
        let all: Vec<_> = self.ring.readable(again.unwrap_or(group.start)).collect();
        for (at, number) in all {
            let (fate, count) = group.fate(at);
            if fate != Fate::Free {
                continue;
            }
            let filter = group.settings().filter;
            if filter.is_some_and(|filter| !lets_through(filter, self.messages[number].event)) {
                group.set(at, Fate::Passed);
                continue;
            }
            group.fates.insert(at, (Fate::Taken(consumer.id), count + 1));
            return Some((at, number));
        }
        None
    }

    fn receive_lossy(&mut self, index: usize) -> Got {
        let filter = self.groups[&self.consumers[index].group].settings().filter;
        let cursor = self.consumers[index].cursor;
        let (cursor, got) = self.look(cursor, filter);
        self.consumers[index].cursor = cursor;
        match got {
            Got::Message { .. } => self.received += 1,
            Got::Empty if self.is_over(index) => return Got::Closed,
            _ => {}
        }
        got
    }

    /// What a reader without a say finds at its cursor, and where the cursor is then.
    pub fn look(&self, cursor: u64, filter: Option<usize>) -> (u64, Got) {
        let gate = self.ring.gate;
        if gate > cursor {
            return (gate, Got::Lagged(gate - cursor));
        }
        let event = |number: usize| self.messages[number].event;
        let next = self
            .ring
            .readable(cursor)
            .find(|(_, number)| filter.is_none_or(|filter| lets_through(filter, event(*number))));
        match next {
            Some((position, number)) => {
                let (end, _) = self.ring.spans[&position];
                (end, Got::Message { position, number, deliveries: 1 })
            }
            None => (self.ring.stop(cursor), Got::Empty),
        }
    }

    /// Closed, and nothing left that could still come to this consumer?
    fn is_over(&self, index: usize) -> bool {
        let consumer = &self.consumers[index];
        let group = &self.groups[&consumer.group];
        let mine = |at| group.fate(at).0 == Fate::Taken(consumer.id);
        let done = |at| !group.is_open(at) || mine(at);
        let drained =
            group.who == Who::Lossy || self.ring.messages(group.start).all(|(at, _)| done(at));
        self.closed && !self.ring.has_open() && drained
    }

    fn group_of(&mut self, consumer: usize) -> Option<&mut Group> {
        let group = self.consumers.iter().find(|rx| rx.id == consumer)?.group;
        self.groups.get_mut(&group).filter(|group| group.who != Who::Lossy)
    }

    pub fn ack(&mut self, consumer: usize, position: u64) {
        if let Some(group) = self.group_of(consumer) {
            group.set(position, Fate::Acked);
        }
    }

    pub fn give_back(&mut self, consumer: usize, position: u64) {
        if let Some(group) = self.group_of(consumer) {
            group.set(position, Fate::Free);
            group.redelivered += 1;
            if group.who == Who::Anonymous {
                group.again.push_back(position);
            }
        }
    }

    /// Puts a message into the dead-letter queue, or drops it if there is none, and acks it. False if that queue has no room.
    pub fn put_aside(&mut self, consumer: usize, position: u64, reason: &str) -> bool {
        let Some(number) = self.ring.messages(position).next().map(|(_, number)| number) else {
            return false;
        };
        let message = &self.messages[number];
        let bytes = message.payload.len() + message.event.len();
        let index = self.consumers.iter().position(|rx| rx.id == consumer).unwrap();
        let group = self.groups.get_mut(&self.consumers[index].group).unwrap();
        if !group.settings().dead_letter {
            group.dropped += 1;
            self.dropped += 1;
        } else {
            let name = group.name();
            let blocks = self.dead.blocks_of(bytes + 30 + name.len() + reason.len());
            let claim = self.dead.place(blocks);
            if blocks > self.dead.max_blocks() || self.dead.wanted(claim) > self.dead.gate {
                return false;
            }
            self.dead.tail = claim.end;
            let deliveries = group.fate(position).1;
            group.dead_lettered += 1;
            self.dead_lettered += 1;
            let (group, reason) = (name, reason.to_owned());
            self.letters.push(Letter { position, number, deliveries, group, reason });
        }
        self.ack(consumer, position);
        true
    }

    /// The dead-letter queue was read empty.
    pub fn dead_were_read(&mut self) {
        self.dead.gate = self.dead.tail;
    }

    /// A consumer leaves; what it has in hand comes back, and goes with an anonymous group.
    pub fn leave(&mut self, index: usize) {
        let consumer = self.consumers.remove(index);
        let group = self.groups.get_mut(&consumer.group).unwrap();
        if !matches!(group.who, Who::Named(_)) {
            self.groups.remove(&consumer.group);
            return;
        }
        for (at, (fate, count)) in &mut group.fates {
            if *fate == Fate::Taken(consumer.id) {
                *fate = Fate::Free;
                // Nobody has seen those that were only claimed ahead.
                *count -= u32::from(consumer.ahead.contains(at));
            }
        }
    }
}
