//! Does each operation on the queue and on the model, and compares what they say.

use std::cell::RefCell;
use std::fs;
use std::rc::Rc;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use slipring::{Consumer, Message, Observer, Producer, Queue};

use super::common::TempDir;
use super::model::Model;
use super::ops::{DEAD, GROUPS, Join, MAX_GROUPS, MAX_MEMBERS, Op, Shape, Who};
use super::watch::{Clock, Tally};

pub type Check = Result<(), TestCaseError>;

/// Outcomes that a run must have had.
pub const INTERESTING: &[&str] = &[
    "sent",
    "padded",
    "full",
    "too large",
    "batch",
    "aborted",
    "cut short",
    "hidden by a claim",
    "received",
    "received again",
    "empty",
    "closed",
    "lagged",
    "ack out of order",
    "rejected",
    "dead letter",
    "dropped",
    "overwritten",
    "group dropped",
    "forgotten",
    "no more members",
    "no more groups",
    "other settings",
    "passed over",
    "position overwritten",
];

/// A message in hand, and the consumer that it borrows from.
pub struct Held {
    pub message: Message<'static>,
    pub consumer: usize,
    pub _owner: Rc<Consumer>,
}

pub struct Watcher {
    pub observer: Observer,
    pub cursor: u64,
}

/// The queue under test, and its model.
pub struct Both<'a> {
    pub model: Model,
    pub queue: Queue,
    pub producers: Vec<Producer>,
    pub held: Vec<Held>,
    pub consumers: Vec<(usize, Rc<Consumer>)>,
    pub watchers: Vec<Watcher>,
    /// Reads the dead-letter queue empty; first opened when there must be one.
    pub dead: Option<(Queue, Consumer)>,
    pub dir: &'a TempDir,
    clock: &'a Clock,
    tally: &'a RefCell<Tally>,
    pub shape: Shape,
    pub numbers: u64,
}

pub fn bytes_of(number: u64, len: usize) -> Vec<u8> {
    (0..len as u64).map(|i| (number * 31 + i) as u8).collect()
}

pub fn name_of<T, E: std::fmt::Debug>(result: &Result<T, E>) -> String {
    result.as_ref().map_or_else(|error| format!("{error:?}"), |_| "Ok".into())
}

impl<'a> Both<'a> {
    pub fn new(
        shape: &Shape,
        dir: &'a TempDir,
        clock: &'a Clock,
        tally: &'a RefCell<Tally>,
    ) -> Self {
        for name in ["q", DEAD] {
            let _ = fs::remove_file(dir.path(name));
        }
        let capacity = shape.blocks * shape.block_size;
        let options = Queue::options()
            .capacity(capacity)
            .block_size(shape.block_size as u32)
            .retain(capacity * shape.retain / 8)
            .max_groups(MAX_GROUPS as u32)
            .max_members(MAX_MEMBERS as u32)
            .topic(shape.topic)
            .fenced(shape.fenced)
            .base(shape.base);
        Self {
            model: Model::new(shape),
            queue: options.create(&dir.path("q")).unwrap(),
            producers: Vec::new(),
            held: Vec::new(),
            consumers: Vec::new(),
            watchers: Vec::new(),
            dead: None,
            dir,
            clock,
            tally,
            shape: *shape,
            numbers: 0,
        }
    }

    pub fn note(&self, what: &str) {
        *self.tally.borrow_mut().entry(what.into()).or_default() += 1;
    }

    /// One operation, whose calls must all return.
    pub fn run(&mut self, op: &Op) -> Check {
        let clock = self.clock;
        clock.time(0, || self.step(op))?;
        clock.time(1, || self.read_dead_letters())
    }

    fn step(&mut self, op: &Op) -> Check {
        // Nobody there who could do it: somebody comes, so that few operations are spent on nothing.
        if matches!(op, Op::Send(..)) && self.producers.is_empty() {
            self.join_producer()?;
        }
        if matches!(op, Op::Receive(..)) && self.consumers.is_empty() {
            self.join(&Join::plain(Who::Named(0)))?;
        }
        match op {
            Op::JoinProducer => self.join_producer(),
            Op::LeaveProducer(which) => {
                if let Some(at) = pick(*which, self.producers.len()) {
                    drop(self.producers.remove(at));
                    self.model.producers -= 1;
                }
                Ok(())
            }
            Op::Join(join) => self.join(join),
            Op::Leave { consumer, forget } => self.leave(*consumer, *forget),
            Op::Send(which, draft) => self.send(*which, *draft),
            Op::Batch(which, lens) => self.send_batch(*which, lens),
            Op::Reserve { producer, draft, commit, inside } => {
                self.reserve(*producer, *draft, *commit, inside)
            }
            Op::Receive(which) => self.receive(*which).map(drop),
            Op::ReceiveBatch(which, most) => self.receive_batch(*which, *most),
            Op::ReceiveInto(which) => self.receive_into(*which),
            Op::ReceiveEach(which, most) => self.receive_each(*which, *most),
            Op::Ack(which) => self.settle(*which, |both, held| both.ack(held)),
            Op::Retry(which) => self.settle(*which, |both, held| both.give_back(held, true)),
            Op::Drop(which) => self.settle(*which, |both, held| both.give_back(held, false)),
            Op::Reject(which) => self.settle(*which, |both, held| both.reject(held)),
            Op::Observe => self.observe(),
            Op::Watch(which) => self.watch(*which),
            Op::DropGroup(name) => self.drop_group(*name),
            Op::Reopen => {
                self.queue = Queue::open(self.queue.name()).unwrap();
                Ok(())
            }
            Op::Recover => {
                let recovered = self.queue.recover().unwrap();
                prop_assert_eq!(recovered, slipring::Recovered::default());
                Ok(())
            }
            Op::Close => {
                self.queue.close().unwrap();
                self.model.closed = true;
                Ok(())
            }
            Op::Check => self.check(),
        }
    }

    /// Everybody goes; what is left comes to whoever joins then, and afterwards there is nothing.
    pub fn end(mut self) -> Check {
        self.check()?;
        while !self.held.is_empty() {
            self.run(&Op::Drop(0))?;
        }
        while !self.consumers.is_empty() {
            self.run(&Op::Leave { consumer: 0, forget: false })?;
        }
        for name in 0..GROUPS.len() {
            if self.model.named(name).is_none() {
                continue;
            }
            while !self.producers.is_empty() {
                self.run(&Op::LeaveProducer(0))?;
            }
            self.run(&Op::Join(Join::plain(Who::Named(name))))?;
            while self.receive(0)? {
                self.run(&Op::Ack(0))?;
            }
            self.run(&Op::Leave { consumer: 0, forget: false })?;
        }
        self.check()?;
        let left = self.queue.stats().groups.iter().map(|group| group.lag).sum::<u64>();
        prop_assert_eq!(left, 0);
        Ok(())
    }
}

/// An index, if there is anything to choose from.
pub fn pick(which: usize, count: usize) -> Option<usize> {
    (count > 0).then(|| which % count)
}
