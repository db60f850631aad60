//! One run of a scenario: a fresh queue, victims that are killed as planned, and the books of what survivors must find.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::ops::RangeInclusive;

use slipring::{Consumer, Producer, Queue, QueueOptions, RecvError};

use crate::common::TempDir;
use crate::traced::{Shared, Victim};
use crate::tracer::{self, End, Plan, Route};

/// Looks at an empty queue before it counts as empty: a polling member looks around for the dead at every 64th.
const LOOKS: usize = 130;

/// The smallest ring there is: sixteen blocks of 64 bytes.
pub const RING: u64 = 16;

/// The id of a message that has none.
pub const NOBODYS: u32 = u32::MAX;

pub fn small() -> QueueOptions {
    Queue::options().capacity(RING * 64).max_groups(4).max_members(8)
}

/// A message that tells its name and whether it is whole.
pub fn message(id: u32, len: usize) -> Vec<u8> {
    let mut bytes = id.to_le_bytes().to_vec();
    bytes.extend((bytes.len()..len).map(|at| (at as u32 * 7 + id) as u8));
    bytes
}

/// A message as a survivor got it.
#[derive(Debug, Clone)]
pub struct Got {
    pub id: u32,
    pub deliveries: u32,
    position: u64,
    whole: bool,
}

/// What the books say of one message: whether a survivor of the group still gets it, and how often it was delivered then.
#[derive(Debug, Clone)]
pub struct Line {
    id: u32,
    must: bool,
    may: bool,
    deliveries: RangeInclusive<u32>,
}

pub fn line(id: u32, must: bool, may: bool, deliveries: RangeInclusive<u32>) -> Line {
    Line { id, must, may, deliveries }
}
/// Committed, never delivered.
pub fn must(id: u32) -> Line {
    line(id, true, true, 1..=1)
}
/// Delivered once, not acked.
pub fn again(id: u32) -> Line {
    line(id, true, true, 2..=2)
}
/// Acked.
pub fn gone(id: u32) -> Line {
    line(id, false, false, 0..=0)
}
/// What the victim's n-th call sends.
pub fn sent(id: u32, end: &End, call: u32) -> Line {
    line(id, end.returned >= call, true, 1..=1)
}

pub struct Case<'c> {
    pub dir: TempDir,
    shared: &'c Shared,
    plans: RefCell<VecDeque<Plan>>,
    routes: RefCell<VecDeque<Option<&'c Route>>>,
    pub ends: RefCell<Vec<End>>,
    pub problems: RefCell<Vec<String>>,
    /// Checks made: a run that checks nothing shows nothing.
    pub checks: Cell<u64>,
}

impl<'c> Case<'c> {
    pub fn new(shared: &'c Shared, plans: &[(Plan, Option<&'c Route>)]) -> Self {
        Self {
            dir: TempDir::new(),
            shared,
            plans: RefCell::new(plans.iter().map(|(plan, _)| *plan).collect()),
            routes: RefCell::new(plans.iter().map(|(_, route)| *route).collect()),
            ends: RefCell::default(),
            problems: RefCell::default(),
            checks: Cell::new(0),
        }
    }

    pub fn path(&self) -> String {
        self.dir.path("q")
    }

    pub fn create(&self, options: QueueOptions) -> Queue {
        options.create(&self.path()).unwrap()
    }

    pub fn problem(&self, text: String) {
        self.problems.borrow_mut().push(text);
    }

    pub fn check(&self, holds: bool, text: impl FnOnce() -> String) {
        self.checks.set(self.checks.get() + 1);
        if !holds {
            self.problem(text());
        }
    }

    /// Runs a victim to its planned end.
    pub fn victim(&self, body: impl FnOnce(&Victim) -> Infallible) -> End {
        let plan = self.plans.borrow_mut().pop_front().expect("a plan for each victim");
        let route = self.routes.borrow_mut().pop_front().flatten();
        let end = tracer::run(self.shared, plan, route, &self.dir, body);
        self.check(end.trouble.is_none(), || end.trouble.clone().unwrap_or_default());
        self.ends.borrow_mut().push(end.clone());
        end
    }

    /// A process that does something and is killed with all it has in hand.
    pub fn dead(&self, body: impl FnOnce(&Victim, &Queue) -> Infallible) {
        let end = tracer::run(self.shared, Plan::Finish, None, &self.dir, |victim| {
            let queue = Queue::open(&self.path()).unwrap();
            victim.start();
            body(victim, &queue)
        });
        self.check(end.finished, || format!("the scenario's dead one failed: {:?}", end.trouble));
    }

    /// Moves the ring on by so many blocks, all sent and acked.
    pub fn advance(&self, queue: &Queue, blocks: u64) {
        let mut tx = queue.producer().unwrap();
        let rx = queue.consumer("default").unwrap();
        for _ in 0..blocks {
            tx.try_send(b"").unwrap();
            rx.try_recv().unwrap().ack().unwrap();
        }
    }

    /// A survivor sends: there is room, so it may not fail.
    pub fn send(&self, tx: &mut Producer, id: u32) {
        let result = tx.try_send(&message(id, 8));
        self.check(result.is_ok(), || format!("a survivor cannot send: {result:?}"));
    }

    /// Receives and acks all there is.
    pub fn drain(&self, rx: &Consumer) -> Vec<Got> {
        let mut all = Vec::new();
        let mut looks = 0;
        while looks < LOOKS {
            match rx.try_recv() {
                Ok(message) => {
                    all.push(got(&message));
                    looks = 0;
                    let acked = message.ack();
                    self.check(acked.is_ok(), || format!("a survivor cannot ack: {acked:?}"));
                }
                Err(RecvError::Empty) => looks += 1,
                Err(RecvError::Lagged { .. }) => {}
                Err(RecvError::Closed) => break,
                Err(error) => {
                    self.problem(format!("a survivor cannot receive: {error}"));
                    break;
                }
            }
            if all.len() > 1000 {
                self.problem("messages without end".into());
                break;
            }
        }
        all
    }

    /// A new member of the group finds what the books say.
    pub fn read(&self, queue: &Queue, group: &str, lines: &[Line]) {
        match queue.consumer(group) {
            Ok(rx) => {
                let got = self.drain(&rx);
                self.compare(group, lines, &got);
            }
            Err(error) => self.problem(format!("a survivor cannot join {group}: {error}")),
        }
    }

    /// Compares what a group's survivors got with the books: nothing lost, nothing twice, nothing torn, in order.
    pub fn compare(&self, group: &str, lines: &[Line], got: &[Got]) {
        for line in lines {
            let found: Vec<&Got> = got.iter().filter(|got| got.id == line.id).collect();
            let many = usize::from(line.must)..=usize::from(line.may);
            self.check(many.contains(&found.len()), || {
                format!(
                    "{group}: message {} came {} times, expected {many:?}",
                    line.id,
                    found.len()
                )
            });
            for got in found {
                let counted = line.deliveries.contains(&got.deliveries);
                self.check(counted || !line.may, || {
                    format!(
                        "{group}: message {} says delivery {}, expected {:?}",
                        line.id, got.deliveries, line.deliveries
                    )
                });
                self.check(got.whole, || format!("{group}: message {} is torn", line.id));
            }
        }
        for got in got {
            self.check(lines.iter().any(|line| line.id == got.id), || {
                format!("{group}: message {} was never sent", got.id)
            });
        }
        self.check_order(group, lines, got);
    }

    /// First deliveries come in the order of their claims; so do second ones, among themselves.
    fn check_order(&self, group: &str, lines: &[Line], got: &[Got]) {
        let place = |id: u32| lines.iter().position(|line| line.id == id);
        for repeated in [false, true] {
            let some: Vec<&Got> =
                got.iter().filter(|got| (got.deliveries > 1) == repeated).collect();
            let sorted = some.windows(2).all(|two| {
                two[0].position < two[1].position && place(two[0].id) < place(two[1].id)
            });
            self.check(sorted, || format!("{group}: out of order: {some:?}"));
        }
    }

    /// All of them or none.
    pub fn together(&self, ids: &[u32], got: &[Got]) {
        let there = ids.iter().filter(|id| got.iter().any(|got| got.id == **id)).count();
        self.check(there == 0 || there == ids.len(), || {
            format!("of the batch {ids:?} only {there} came")
        });
    }

    /// All survivors have gone: nothing is left of anybody, and the whole ring can be used again.
    pub fn finish(&self, queue: &Queue) {
        let recovered = queue.recover();
        self.check(recovered.is_ok(), || format!("recover: {recovered:?}"));
        let stats = queue.stats();
        self.check(stats.members.is_empty(), || format!("rows leaked: {:?}", stats.members));
        let left: Vec<_> = stats.groups.iter().filter(|group| group.kind != "named").collect();
        self.check(left.is_empty(), || format!("groups leaked: {left:?}"));
        self.check(stats.used == 0, || format!("{} bytes in use by nobody: {stats:?}", stats.used));
        let span = stats.latest.wrapping_sub(stats.earliest);
        self.check(span <= stats.capacity / stats.block_size, || {
            format!("the ring's ends: {stats:?}")
        });
        let names: Vec<&str> = stats.groups.iter().map(|group| group.name.as_str()).collect();
        match queue.producer() {
            Ok(mut tx) => {
                if stats.retain > 0 {
                    // History ends at the bounds of messages: it is exact when all of them are one block long.
                    (0..2).for_each(|_| self.cycle(&mut tx, queue, &names));
                }
                self.fill(queue, &mut tx, &names, stats.retain / 64);
                let large = message(7, queue.max_message());
                let result = tx.try_send(&large);
                self.check(result.is_ok(), || {
                    format!("no room for the largest message: {result:?}")
                });
                for name in &names {
                    self.read(queue, name, &[must(7)]);
                }
            }
            Err(error) => self.problem(format!("no producer can join: {error}")),
        }
        let stats = queue.stats();
        self.check(stats.members.is_empty(), || format!("rows leaked: {:?}", stats.members));
        self.check(stats.groups.iter().all(|group| group.lag == 0), || format!("lag: {stats:?}"));
        self.check(stats.sleepers == 0, || {
            format!("nobody sleeps, but the word says {:#x}", stats.sleepers)
        });
        self.check_files(queue);
    }

    /// With the queue's name goes all that its members had beside it.
    fn check_files(&self, queue: &Queue) {
        let unlinked = Queue::unlink(queue.name());
        self.check(unlinked.is_ok(), || format!("unlink: {unlinked:?}"));
        let left: Vec<_> = std::fs::read_dir(self.dir.path("")).unwrap().flatten().collect();
        let strange = |name: &std::ffi::OsStr| name != "q.dead";
        self.check(!left.iter().any(|entry| strange(&entry.file_name())), || {
            format!("files left: {left:?}")
        });
    }

    /// Sends half a ring of small messages and drains it.
    fn cycle(&self, tx: &mut Producer, queue: &Queue, groups: &[&str]) {
        let lines: Vec<Line> = (2000..2000 + RING as u32 / 2).map(must).collect();
        for line in &lines {
            self.send(tx, line.id);
        }
        for group in groups {
            self.read(queue, group, &lines);
        }
    }

    /// Fills the ring wholly and drains it.
    fn fill(&self, queue: &Queue, tx: &mut Producer, groups: &[&str], retain: u64) {
        let size = RING - retain;
        let first = 1000;
        let mut count = 0;
        while count <= 2 * RING && tx.try_send(&message(first + count as u32, 60)).is_ok() {
            count += 1;
        }
        let expected = if groups.is_empty() { 2 * RING + 1 } else { size };
        self.check(count == expected, || {
            format!("{count} messages fill the ring, expected {expected}: {:?}", queue.stats())
        });
        let lines: Vec<Line> = (first..first + count as u32).map(must).collect();
        for group in groups {
            self.read(queue, group, &lines);
        }
    }
}

pub fn got(message: &slipring::Message<'_>) -> Got {
    let bytes = message.payload();
    let id = bytes.first_chunk().map_or(NOBODYS, |four| u32::from_le_bytes(*four));
    Got {
        id,
        deliveries: message.deliveries(),
        position: message.position(),
        whole: bytes == self::message(id, bytes.len()),
    }
}
