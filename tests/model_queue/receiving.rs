//! Consumers and observers: which message comes to whom, how often, and what becomes of it.

use std::rc::Rc;

use proptest::prelude::*;
use slipring::{AckError, Consumer, JoinError, Message, Queue, RecvError, Start};

use super::both::{Both, Check, Held, Watcher, name_of, pick};
use super::model::{Got, Settings};
use super::ops::{DEAD, FILTERS, From, GROUPS, Join, Who};

type Joined = Result<(usize, usize), &'static str>;

impl Both<'_> {
    /// What the model says of joining: a group and where it starts, or the error.
    fn expect_join(&mut self, join: &Join) -> Joined {
        let settings = Settings {
            filter: join.filter,
            max_deliveries: join.max_deliveries,
            dead_letter: join.dead_letter,
        };
        if !self.model.members_left() {
            return Err("no more members");
        }
        let existing = match join.who {
            Who::Named(name) => self.model.named(name),
            _ => None,
        };
        if let Some(group) = existing {
            // The group that came with the queue gets its settings from its first member.
            let is = *self.model.groups.get_mut(&group).unwrap().settings.get_or_insert(settings);
            let agrees = (join.filter.is_none() || join.filter == is.filter)
                && (join.max_deliveries.is_none() || join.max_deliveries == is.max_deliveries)
                && (!join.dead_letter || is.dead_letter);
            return if agrees { Ok((group, 0)) } else { Err("other settings") };
        }
        if !self.model.groups_left() {
            return Err("no more groups");
        }
        let ring = &self.model.ring;
        let start = match join.from {
            From::Earliest => ring.gate,
            From::Latest => ring.tail,
            From::Block(block) => {
                let wanted = self.shape.base + block;
                if wanted < ring.gate {
                    return Err("position overwritten");
                }
                let next = ring.spans.range(wanted..).next().map(|(start, _)| *start);
                next.unwrap_or(ring.tail)
            }
        };
        Ok((self.model.new_group(join.who, Some(settings), start), start as usize))
    }

    pub fn join(&mut self, join: &Join) -> Check {
        // Where "the end" is while a claim is unfinished depends on whether its owner is alone.
        if self.model.ring.has_open() && !matches!(join.from, From::Earliest) {
            return Ok(());
        }
        let queue = self.queue.clone();
        let options = queue.consumer_options().prefetch(join.prefetch);
        let mut options = match join.who {
            Who::Named(name) => options.group(GROUPS[name]),
            Who::Anonymous => options,
            Who::Lossy => options.lossy(true),
        };
        options = options.start(match join.from {
            From::Earliest => Start::Earliest,
            From::Latest => Start::Latest,
            From::Block(block) => Start::Position(self.shape.base + block),
        });
        if let Some(filter) = join.filter {
            options = options.filter(FILTERS[filter]);
        }
        if let Some(limit) = join.max_deliveries {
            options = options.max_deliveries(limit);
        }
        if join.dead_letter {
            options = options.dead_letter(DEAD);
        }
        let joined = options.open();
        let expected = self.expect_join(join);
        let name = name_of(&joined);
        match (expected, joined) {
            (Ok((group, start)), Ok(consumer)) => {
                let id = self.model.new_consumer(group, join.prefetch, start as u64);
                self.consumers.push((id, Rc::new(consumer)));
                return Ok(());
            }
            (Err("no more members" | "no more groups"), Err(JoinError::Limit(_))) => {}
            (Err("other settings"), Err(JoinError::Incompatible(_))) => {}
            (Err("position overwritten"), Err(JoinError::Lagged { earliest })) => {
                prop_assert_eq!(earliest, self.model.ring.gate);
            }
            (expected, _) => prop_assert!(false, "{} and not {:?}", name, expected),
        }
        self.note(expected.err().unwrap_or("joined"));
        Ok(())
    }

    pub fn leave(&mut self, which: usize, forget: bool) -> Check {
        let Some(at) = pick(which, self.consumers.len()) else { return Ok(()) };
        let (id, consumer) = self.consumers.remove(at);
        let (mine, others): (Vec<_>, Vec<_>) =
            self.held.drain(..).partition(|held| held.consumer == id);
        self.held = others;
        for held in mine {
            if forget {
                std::mem::forget(held.message);
                self.note("forgotten");
            } else {
                self.give_back(held, false)?;
            }
        }
        prop_assert_eq!(Rc::strong_count(&consumer), 1);
        drop(consumer);
        self.model.leave(at);
        Ok(())
    }

    /// Receives and compares. True if there was a message, which is in hand then.
    pub fn receive(&mut self, which: usize) -> Result<bool, TestCaseError> {
        let Some(at) = pick(which, self.consumers.len()) else { return Ok(false) };
        let (id, consumer) = self.consumers[at].clone();
        let hidden = self.model.ring.has_open();
        let expected = self.model.receive(at);
        let result = consumer.try_recv();
        let name = name_of(&result);
        match (expected, result) {
            (Got::Message { .. }, Ok(message)) => {
                self.compare(expected, &message)?;
                self.hold(id, &consumer, message);
                return Ok(true);
            }
            (Got::Lagged(wanted), Err(RecvError::Lagged { missed })) => {
                prop_assert_eq!(missed, wanted);
                self.note("lagged");
            }
            (Got::Empty, Err(RecvError::Empty)) => {
                self.note(if hidden { "hidden by a claim" } else { "empty" });
            }
            (Got::Closed, Err(RecvError::Closed)) => self.note("closed"),
            _ => prop_assert!(false, "{} and not {:?}", name, expected),
        }
        Ok(false)
    }

    fn compare(&self, expected: Got, message: &Message) -> Check {
        let Got::Message { position, number, deliveries } = expected else {
            return Err(TestCaseError::fail("a message that must not come"));
        };
        let sent = &self.model.messages[number];
        prop_assert_eq!(message.position(), position);
        prop_assert_eq!(message.payload(), &sent.payload[..]);
        prop_assert_eq!(message.event().unwrap_or(""), sent.event);
        prop_assert_eq!(message.deliveries(), deliveries);
        prop_assert!(message.dead_letter().is_none());
        self.note(if deliveries > 1 { "received again" } else { "received" });
        Ok(())
    }

    fn hold(&mut self, consumer: usize, owner: &Rc<Consumer>, message: Message<'_>) {
        // SAFETY: the consumer that it borrows from lives in the same `Held`, and goes after it (fields drop in order).
        let message: Message<'static> = unsafe { std::mem::transmute(message) };
        self.held.push(Held { message, consumer, _owner: Rc::clone(owner) });
    }

    /// Waits for the first message, so only if there is one.
    pub fn receive_batch(&mut self, which: usize, most: usize) -> Check {
        let Some(at) = pick(which, self.consumers.len()) else { return Ok(()) };
        if !matches!(self.model.clone().receive(at), Got::Message { .. }) {
            return Ok(());
        }
        let (id, consumer) = self.consumers[at].clone();
        let batch =
            consumer.recv_batch(most).map_err(|error| TestCaseError::fail(format!("{error:?}")))?;
        let count = batch.len();
        for message in batch {
            let expected = self.model.receive(at);
            self.compare(expected, &message)?;
            self.hold(id, &consumer, message);
        }
        // It took fewer: then there were no more.
        if count < most {
            let more = self.model.receive(at);
            prop_assert!(
                !matches!(more, Got::Message { .. }),
                "{} of {}, and {:?}",
                count,
                most,
                more
            );
        }
        Ok(())
    }

    /// Waits for the first message, so only if there is one.
    pub fn receive_each(&mut self, which: usize, most: usize) -> Check {
        let Some(at) = pick(which, self.consumers.len()) else { return Ok(()) };
        if !matches!(self.model.clone().receive(at), Got::Message { .. }) {
            return Ok(());
        }
        let (id, consumer) = self.consumers[at].clone();
        let mut checked = Ok(());
        let mut handled = 0;
        let count = consumer.recv_each(most, |message| {
            handled += 1;
            let expected = self.model.receive(at);
            let position = message.position();
            checked = checked.clone().and_then(|()| self.compare(expected, message));
            self.model.ack(id, position);
        });
        checked?;
        prop_assert_eq!(count, Ok(handled));
        if handled < most {
            let more = self.model.receive(at);
            prop_assert!(!matches!(more, Got::Message { .. }), "{handled} of {most}, and {more:?}");
        }
        Ok(())
    }

    pub fn receive_into(&mut self, which: usize) -> Check {
        let Some(at) = pick(which, self.consumers.len()) else { return Ok(()) };
        if !matches!(self.model.clone().receive(at), Got::Message { .. }) {
            return Ok(());
        }
        let Got::Message { position, number, .. } = self.model.receive(at) else {
            return Ok(());
        };
        let (id, consumer) = &self.consumers[at];
        let mut bytes = b"before ".to_vec();
        let len = consumer.recv_into(&mut bytes);
        let sent = &self.model.messages[number].payload;
        prop_assert_eq!(len, Ok(sent.len()));
        prop_assert_eq!(bytes, [b"before ", &sent[..]].concat());
        self.model.ack(*id, position);
        Ok(())
    }

    pub fn settle(&mut self, which: usize, how: impl Fn(&mut Self, Held) -> Check) -> Check {
        let Some(at) = pick(which, self.held.len()) else { return Ok(()) };
        let held = self.held.remove(at);
        how(self, held)
    }

    pub fn ack(&mut self, held: Held) -> Check {
        let position = held.message.position();
        let first = self.held.iter().find(|other| other.consumer == held.consumer);
        if first.is_some_and(|other| other.message.position() < position) {
            self.note("ack out of order");
        }
        self.model.ack(held.consumer, position);
        let done = held.message.ack();
        prop_assert!(done.is_ok(), "{}", name_of(&done));
        Ok(())
    }

    pub fn give_back(&mut self, held: Held, retry: bool) -> Check {
        self.model.give_back(held.consumer, held.message.position());
        if retry {
            let done = held.message.retry();
            prop_assert!(done.is_ok(), "{}", name_of(&done));
        }
        Ok(())
    }

    pub fn reject(&mut self, held: Held) -> Check {
        let (id, position) = (held.consumer, held.message.position());
        let letters = self.model.letters.len();
        let put = self.model.put_aside(id, position, "no good");
        let done = held.message.reject("no good");
        if put {
            prop_assert!(done.is_ok(), "{}", name_of(&done));
            self.note(if self.model.letters.len() > letters { "rejected" } else { "dropped" });
        } else {
            // It came back.
            prop_assert!(matches!(done, Err(AckError::DeadLetter(_))), "{}", name_of(&done));
            self.model.give_back(id, position);
            self.note("no room for a dead letter");
        }
        Ok(())
    }

    /// Whatever the dead-letter queue must hold by now.
    pub fn read_dead_letters(&mut self) -> Check {
        if self.model.letters.is_empty() {
            return Ok(());
        }
        if self.dead.is_none() {
            let queue = Queue::open(&self.dir.path(DEAD));
            let queue = queue.map_err(|error| TestCaseError::fail(error.to_string()))?;
            let consumer = queue.consumer("default").unwrap();
            self.dead = Some((queue, consumer));
        }
        let Some((_, dead)) = &self.dead else { return Ok(()) };
        for expected in std::mem::take(&mut self.model.letters) {
            let message = dead.try_recv();
            prop_assert!(message.is_ok(), "{} and not {:?}", name_of(&message), expected);
            let Ok(message) = message else { continue };
            let letter = message.dead_letter();
            prop_assert!(letter.is_some(), "no dead letter");
            let Some(letter) = letter else { continue };
            let sent = &self.model.messages[expected.number];
            prop_assert_eq!(message.payload(), &sent.payload[..]);
            prop_assert_eq!(message.event().unwrap_or(""), sent.event);
            prop_assert_eq!(letter.position, expected.position);
            prop_assert_eq!(letter.deliveries, expected.deliveries);
            prop_assert_eq!(letter.group, expected.group);
            prop_assert_eq!(letter.reason, expected.reason);
            prop_assert_eq!(letter.queue_id, self.queue.id());
            prop_assert!(message.ack().is_ok());
            self.note("dead letter");
        }
        prop_assert_eq!(dead.try_recv().map(drop), Err(RecvError::Empty));
        self.model.dead_were_read();
        Ok(())
    }

    pub fn observe(&mut self) -> Check {
        if self.watchers.len() < 2 {
            let observer = self.queue.observe().unwrap();
            self.watchers.push(Watcher { observer, cursor: self.model.ring.gate });
        }
        Ok(())
    }

    pub fn watch(&mut self, which: usize) -> Check {
        let Some(at) = pick(which, self.watchers.len()) else { return Ok(()) };
        let watcher = &mut self.watchers[at];
        let (cursor, expected) = self.model.look(watcher.cursor, None);
        watcher.cursor = cursor;
        let over = self.model.closed && !self.model.ring.has_open();
        let result = watcher.observer.try_recv();
        let name = name_of(&result);
        match (expected, result) {
            (Got::Message { position, number, .. }, Ok(seen)) => {
                let sent = &self.model.messages[number];
                prop_assert_eq!(seen.position, position);
                prop_assert_eq!(&seen.payload, &sent.payload);
                prop_assert_eq!(seen.event.as_deref().unwrap_or(""), sent.event);
            }
            (Got::Lagged(wanted), Err(RecvError::Lagged { missed })) => {
                prop_assert_eq!(missed, wanted);
            }
            (Got::Empty, Err(RecvError::Empty)) if !over => {}
            (Got::Empty, Err(RecvError::Closed)) if over => {}
            _ => prop_assert!(false, "{} and not {:?}", name, expected),
        }
        Ok(())
    }
}
