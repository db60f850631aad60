//! docs/design.md section 4: how a producer claims and publishes.

use crate::actor::{Actor, Pc, Plan};
use crate::config::{Bug, Config};
use crate::members::frontier;
use crate::state::{Fate, Message, SLOTS, State};
use crate::words::{Id, Mode, NOBODY, NONE, Pos, Stage, Stamp};

/// A step of one actor in the making.
pub struct Turn<'a> {
    /// What is played.
    pub cfg: &'a Config,
    /// The state before, and in the end after.
    pub s: &'a mut State,
    /// Whose turn it is.
    pub me: Id,
}

/// A claim: `[start, end)`, of which the messages begin at `first`.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Where the claim begins.
    pub start: Pos,
    /// Where its first message begins: `start`, or the next lap.
    pub first: Pos,
    /// Where it ends.
    pub end: Pos,
    /// Lengths of the messages.
    pub lengths: &'static [u8],
}

impl Span {
    /// The claim that a producer with `left` claims to go makes at `start`.
    pub fn new(cfg: &Config, left: u8, start: Pos) -> Self {
        let lengths = cfg.claims[usize::from(left) - 1];
        let total: u8 = lengths.iter().sum();
        let rest = cfg.blocks - start % cfg.blocks;
        let first = if total > rest { start + rest } else { start };
        Span { start, first, end: first + total, lengths }
    }

    /// Blocks claimed.
    pub fn blocks(&self) -> u8 {
        self.end - self.start
    }

    /// Where the messages lie, with their lengths.
    fn messages(&self) -> impl DoubleEndedIterator<Item = (Pos, u8)> {
        let first = self.first;
        let lengths = self.lengths;
        (0..lengths.len()).map(move |k| (first + lengths[..k].iter().sum::<u8>(), lengths[k]))
    }

    /// The entries of the claim in the order in which they are finished: `(position, length, message)`. The entry at
    /// `start` comes last, since it is the one that publishes the rest.
    fn entries(&self, cfg: &Config) -> Vec<(Pos, u8, bool)> {
        let mut entries: Vec<_> = self.messages().map(|(at, length)| (at, length, true)).collect();
        if !cfg.has(Bug::BatchInOrder) {
            entries.reverse();
        }
        if self.first != self.start {
            let pad = (self.start, self.first - self.start, false);
            entries.insert(if cfg.has(Bug::PadFirst) { 0 } else { entries.len() }, pad);
        }
        entries
    }
}

/// The first message of the claim that a producer makes with `left` claims to go.
fn first_message(cfg: &Config, producer: Id, left: u8) -> Message {
    let before: usize = cfg.claims[..usize::from(left) - 1].iter().map(|claim| claim.len()).sum();
    producer * SLOTS as u8 + before as u8
}

impl Turn<'_> {
    /// The actor whose turn it is.
    pub fn actor(&mut self) -> &mut Actor {
        &mut self.s.actors[usize::from(self.me)]
    }

    /// What it does next.
    pub fn go(&mut self, pc: Pc) {
        self.actor().pc = pc;
    }

    fn span(&mut self, start: Pos) -> Span {
        Span::new(self.cfg, self.s.actor(self.me).left, start)
    }

    /// Between two claims. A producer that knows the frontier begins with it, others look for it.
    pub fn begin_claim(&mut self) {
        let actor = *self.actor();
        match actor {
            Actor { left: 0, .. } => self.go(if self.cfg.leave { Pc::Leave } else { Pc::Idle }),
            Actor { sole: 0, .. } => self.go(Pc::ReadMode),
            Actor { sole: word, next: start, .. } => {
                self.room(Plan { word, start, old: Stamp::default() })
            }
        }
    }

    fn room(&mut self, plan: Plan) {
        if self.span(plan.start).end <= self.actor().limit {
            self.announce(plan);
        } else {
            self.go(Pc::GateRead(plan));
        }
    }

    /// There is room. A store of the value that is there already is not a step.
    pub fn announce(&mut self, plan: Plan) {
        let blocks = self.span(plan.start).blocks();
        let known = self.s.row(self.me).blocks == blocks;
        self.go(if known { Pc::Announce(plan) } else { Pc::WriteBlocks(plan) });
    }

    /// One step of publishing.
    pub fn publish_step(&mut self, pc: Pc) {
        match pc {
            Pc::ReadMode if self.s.mode == Mode::Closed => self.give_up(),
            Pc::ReadMode => {
                let word = if self.s.mode == Mode::Sole(self.me) { self.s.epoch } else { 0 };
                self.go(Pc::ReadTail { word });
            }
            Pc::ReadTail { word: 0 } => {
                let start = self.where_to_look();
                self.go(Pc::ReadStamp { start });
            }
            Pc::ReadTail { word } => {
                // Alone again, and where is not known. Nobody else claims until the mode says otherwise, which the look
                // after the announcement sees; so the walk is one step.
                let announced = self.s.row(self.me).announced;
                let hint = if announced == NONE { 0 } else { announced };
                let start = frontier(self.cfg, self.s, hint.max(self.s.tail).max(self.s.gate));
                self.room(Plan { word, start, old: Stamp::default() });
            }
            Pc::AwaitTail { .. } => {
                let start = self.where_to_look();
                self.go(Pc::ReadStamp { start });
            }
            Pc::ReadStamp { start } => self.read_stamp(start),
            Pc::ReadExtent { start } => {
                // No second look at the stamp: while tail stands at `start` nobody claims a lap further on, and if
                // it does not, the CAS fails.
                let end = start + self.s.extents[self.cfg.index(start)];
                self.go(Pc::MoveTail { start, end });
            }
            Pc::ReadRow { start, stamp } => {
                let end = start + self.s.row(stamp.owner() % NOBODY).blocks;
                let trusting = self.cfg.has(Bug::HelperDoesNotRecheck);
                self.go(if trusting {
                    Pc::MoveTail { start, end }
                } else {
                    Pc::Recheck { start, stamp, end }
                });
            }
            Pc::Recheck { start, stamp, end } => {
                let same = self.s.stamps[self.cfg.index(start)] == stamp;
                self.go(if same { Pc::MoveTail { start, end } } else { Pc::ReadStamp { start } });
            }
            Pc::MoveTail { start, end } if self.cfg.lag => {
                // What lies below the gate may have been overwritten while it was read.
                if self.s.gate <= start {
                    self.actor().next = end;
                }
                self.go(Pc::ReadMode);
            }
            Pc::MoveTail { start, end } => {
                if self.s.tail == start {
                    self.s.tail = end;
                }
                self.go(Pc::ReadMode);
            }
            Pc::WriteBlocks(plan) => {
                let blocks = self.span(plan.start).blocks();
                self.s.rows[usize::from(self.me)].blocks = blocks;
                self.go(Pc::Announce(plan));
            }
            Pc::Announce(plan) => self.put_announcement(plan),
            Pc::CheckMode { word, start } => self.check_mode(word, start),
            Pc::CatchUp { start } => {
                // A former in the midst of a switch claims where tail may not have come yet.
                self.s.tail = self.s.tail.max(start);
                self.go(Pc::Cas(Plan { word: 0, start, old: Stamp::default() }));
            }
            Pc::Cas(plan) => self.cas(plan),
            Pc::Bump { start } => {
                if self.cfg.lag {
                    self.actor().next = self.span(start).end;
                } else if self.s.tail == start {
                    self.s.tail = self.span(start).end;
                }
                self.go(Pc::Publish { start, done: 0 });
            }
            Pc::CheckClosed { start } => {
                let closed = self.s.mode == Mode::Closed && !self.cfg.has(Bug::ClaimerIgnoresClose);
                self.go(if closed { Pc::PadOwn { start } } else { Pc::Bump { start } });
            }
            Pc::PadOwn { start } => {
                let blocks = self.span(start).blocks();
                self.pad(start, blocks);
                self.give_up();
            }
            Pc::Publish { start, done } => self.finish_entry(start, done),
            other => unreachable!("not a step of publishing: {other:?}"),
        }
    }

    /// Where one among others looks for the frontier.
    fn where_to_look(&mut self) -> Pos {
        if !self.cfg.lag {
            return self.s.tail;
        }
        let next = self.actor().next;
        next.max(self.s.tail).max(self.s.gate)
    }

    fn read_stamp(&mut self, start: Pos) {
        let stamp = self.s.stamps[self.cfg.index(start)];
        let lap = self.cfg.lap(start);
        let later = stamp.lap() > lap;
        if stamp.lap() < lap || (later && self.cfg.has(Bug::LaterLapIsFree)) {
            let old = if self.cfg.has(Bug::CasFromFirstLook) { stamp } else { Stamp::default() };
            self.room(Plan { word: 0, start, old });
        } else if later {
            // Tail moved on long ago; until it shows, another look sees the same.
            let waits = self.s.tail == start && !self.cfg.lag;
            self.go(if waits { Pc::AwaitTail { start } } else { Pc::ReadMode });
        } else if self.cfg.uniform() {
            self.go(Pc::MoveTail { start, end: start + 1 });
        } else if stamp.stage() == Stage::Claimed {
            self.go(Pc::ReadRow { start, stamp });
        } else {
            self.go(Pc::ReadExtent { start });
        }
    }

    fn put_announcement(&mut self, plan: Plan) {
        self.s.rows[usize::from(self.me)].announced = plan.start;
        if plan.word == 0 {
            self.go(Pc::Cas(plan));
        } else if self.cfg.has(Bug::FormerDoesNotReread) {
            self.claim_alone(plan.word, plan.start);
        } else {
            self.go(Pc::CheckMode { word: plan.word, start: plan.start });
        }
    }

    fn claim_alone(&mut self, word: u8, start: Pos) {
        let end = self.span(start).end;
        let actor = self.actor();
        (actor.sole, actor.next) = (word, end);
        self.go(Pc::Publish { start, done: 0 });
    }

    fn check_mode(&mut self, word: u8, start: Pos) {
        let epoch = self.s.epoch == word || self.cfg.has(Bug::ModeWithoutEpoch);
        if self.s.mode == Mode::Sole(self.me) && epoch {
            return self.claim_alone(word, start);
        }
        let actor = self.actor();
        (actor.sole, actor.next) = (0, 0);
        let dropping = self.cfg.has(Bug::FormerDropsClaim);
        if dropping {
            self.go(Pc::ReadMode);
        } else {
            self.go(Pc::CatchUp { start });
        }
    }

    /// The claim is mine. Where nobody closes, the look at the mode has no effect and is no step.
    fn claimed(&mut self, start: Pos) {
        self.go(if self.cfg.close { Pc::CheckClosed { start } } else { Pc::Bump { start } });
    }

    /// The queue is closed: there is nothing more to do.
    pub fn give_up(&mut self) {
        self.actor().left = 0;
        self.begin_claim();
    }

    /// Look and CAS in one step: a stamp of an older lap, once there is room, changes only by being claimed, and then the
    /// CAS fails as this does.
    fn cas(&mut self, plan: Plan) {
        let start = plan.start;
        let index = self.cfg.index(start);
        let mine = Stamp::claimed(self.cfg.lap(start), self.me);
        let stamp = self.s.stamps[index];
        let unchanged = !self.cfg.has(Bug::CasFromFirstLook) || stamp == plan.old;
        let later = stamp.lap() > mine.lap() && self.cfg.has(Bug::LaterLapIsFree);
        if (stamp.lap() < mine.lap() || later) && unchanged {
            let anonymous = self.cfg.has(Bug::ClaimWithoutOwner);
            self.s.stamps[index] =
                if anonymous { Stamp::claimed(mine.lap(), NOBODY) } else { mine };
            self.claimed(start);
        } else if stamp == mine {
            self.claimed(start);
        } else {
            self.go(Pc::ReadMode);
        }
    }

    /// Payload, extent and stamp of one entry in one step: nobody else touches payload and extent of a block whose
    /// claim is mine, so their stores commute with every step of others up to the stamp's. That this is so, is itself
    /// checked in every state in which a claim is held ("nothing in use is overwritten").
    fn finish_entry(&mut self, start: Pos, done: u8) {
        let span = self.span(start);
        let entries = span.entries(self.cfg);
        let (at, length, message) = entries[usize::from(done)];
        let lap = self.cfg.lap(at);
        let left = self.s.actor(self.me).left;
        let id = first_message(self.cfg, self.me, left);
        if message {
            let which =
                span.messages().position(|(begin, _)| begin == at).expect("an entry of the claim")
                    as u8;
            for block in at..at + length {
                self.s.payload[self.cfg.index(block)] = id + which;
            }
        }
        let index = self.cfg.index(at);
        self.s.extents[index] = length;
        self.s.stamps[index] = if message { Stamp::ready(lap) } else { Stamp::pad(lap) };
        if usize::from(done) + 1 < entries.len() {
            return self.go(Pc::Publish { start, done: done + 1 });
        }
        for (message, (at, _)) in (id..).zip(span.messages()) {
            self.committed(message, at);
        }
        self.actor().left -= 1;
        self.begin_claim();
    }

    fn committed(&mut self, message: Message, at: Pos) {
        let slot = usize::from(message) % SLOTS;
        let own = usize::from(message) - slot;
        let earlier = self.s.fates[own + slot + 1..own + SLOTS].iter();
        if earlier.filter_map(|fate| fate.owed()).any(|position| position > at) {
            self.s.broken = crate::state::Broken::Order;
        }
        self.s.fates[usize::from(message)] = Fate::Committed(at);
    }
}
