//! docs/design.md section 4: how producers come and go. Everything here happens under the registry lock, so what only
//! its holder writes (rows' `active`, mode) may be looked at together with the step before.

use crate::actor::{Actor, Pc, Repair};
use crate::config::{Bug, Config};
use crate::publish::Turn;
use crate::state::{Row, State};
use crate::words::{Id, Mode, NOBODY, NONE, Pos, Stage, Stamp};

impl Turn<'_> {
    /// Takes the registry lock; the caller saw that it is free.
    pub fn lock(&mut self) {
        self.s.registry = self.me;
    }

    /// Lets the registry lock go, which is one step with the store before it: whoever waits for the lock can wait
    /// longer, and nobody else can see it.
    pub fn unlock(&mut self) {
        self.s.registry = NOBODY;
        self.resume();
    }

    /// Back to what it does when it holds nothing.
    pub fn resume(&mut self) {
        let me = self.me;
        if me == self.cfg.producers() + self.cfg.consumers {
            self.go(Pc::Poll);
        } else if !self.s.row(me).active {
            // One that has just left is gone; others have yet to join.
            let producer = me < self.cfg.producers();
            let left = self.actor().pc == Pc::Gone || (producer && self.actor().left == 0);
            self.go(if left { Pc::Gone } else { Pc::Join });
        } else if me < self.cfg.producers() {
            self.begin_claim();
        } else {
            self.go(Pc::Poll);
        }
    }

    /// A member's own row, as it joins. What an earlier owner announced must not be read as an announcement of mine.
    pub fn join(&mut self) {
        let producer = self.me < self.cfg.producers();
        if producer && self.s.mode == Mode::Closed {
            return self.go(Pc::Gone);
        }
        self.lock();
        let announced = match self.cfg.bug {
            Some(Bug::RowKeepsAnnouncement) => self.s.row(self.me).announced,
            _ if producer && !self.cfg.has(Bug::FreshRowSaysZero) => NONE,
            _ => 0,
        };
        // Where every claim is one block, that store is never to be seen, and is done here once for all.
        let blocks = u8::from(self.cfg.uniform());
        self.s.rows[usize::from(self.me)] = Row { active: true, announced, blocks };
        if producer {
            self.then_settle();
        } else {
            self.go(Pc::GroupState);
        }
    }

    fn write_sole(&mut self, id: Id) {
        self.s.mode = Mode::Sole(id);
        if !self.cfg.has(Bug::ModeWithoutEpoch) {
            self.s.epoch += 1;
        } else {
            self.s.epoch = 1;
        }
    }

    /// The producer who is the only one.
    fn only_producer(&self) -> Option<Id> {
        let mut members = self.s.members(0..self.cfg.producers(), NOBODY);
        members.next().filter(|_| members.next().is_none())
    }

    /// Goes on to make the producers' mode fit those who have rows, if it does not; else lets the lock go.
    pub fn then_settle(&mut self) {
        let only = self.only_producer();
        let fits = match self.s.mode {
            Mode::Sole(id) => only == Some(id),
            Mode::Switching(_) => false,
            Mode::Closed => self.s.end != NONE || self.cfg.has(Bug::CloseNotFinished),
            Mode::Shared | Mode::Vacant => only.is_none(),
        };
        if fits { self.unlock() } else { self.go(Pc::Settle) }
    }

    /// The next store that this needs.
    fn settle(&mut self) {
        match self.s.mode {
            Mode::Sole(former) | Mode::Switching(former) => self.end_solitude(former, false),
            Mode::Closed => self.close_step(Pc::CloseTail),
            Mode::Shared | Mode::Vacant => {
                let only = self.only_producer().unwrap_or(self.me);
                self.write_sole(only);
                self.unlock();
            }
        }
    }

    /// One step of joining, or of ending somebody's solitude.
    pub fn member_step(&mut self, pc: Pc) {
        match pc {
            Pc::Settle => self.settle(),
            Pc::SwitchMode { former, close } => {
                self.s.mode = Mode::Switching(former);
                self.go(Pc::SwitchDone { close });
            }
            Pc::SwitchRead { former, close } => {
                let announced = self.s.row(former).announced;
                // Nothing announced yet: tail is where it begins.
                let known = self.s.tail.max(self.s.gate);
                let at = if announced == NONE { known } else { announced.max(known) };
                self.go(Pc::SwitchWalk { former, at, close });
            }
            Pc::SwitchWalk { former, at, close } => {
                let to = frontier(self.cfg, self.s, at);
                let overtaken = self.s.stamps[self.cfg.index(to)].lap() > self.cfg.lap(to);
                self.go(if overtaken {
                    Pc::SwitchRead { former, close }
                } else {
                    Pc::SwitchTail { former, to, close }
                });
            }
            Pc::SwitchTail { former, to, close } => {
                self.s.tail = self.s.tail.max(to);
                self.go(Pc::SwitchAgain { former, to, close });
            }
            Pc::SwitchAgain { former, to, close } => {
                let open = self.s.row(former).announced == to;
                let done = self.switch_end(former, close);
                self.go(if open { Pc::SwitchCas { former, at: to, close } } else { done });
            }
            Pc::SwitchCas { former, at, close } => {
                self.claim_for(former, at);
                let next = self.switch_end(former, close);
                self.go(next);
            }
            Pc::SwitchDone { close } => {
                self.s.mode = Mode::Shared;
                if close {
                    self.go(Pc::CloseMode { end: NONE });
                } else {
                    self.then_settle();
                }
            }
            other => unreachable!("not a step of coming or going: {other:?}"),
        }
    }

    /// Begins the switch, or does again what a dead one began.
    pub fn end_solitude(&mut self, former: Id, close: bool) {
        match self.cfg.bug {
            Some(Bug::NewcomerIgnoresAnnouncement) => self.go(Pc::SwitchDone { close }),
            // The planted order: look, then write.
            Some(Bug::NewcomerReadsBeforeMode) => {
                return self.member_step(Pc::SwitchRead { former, close });
            }
            _ => self.go(Pc::SwitchRead { former, close }),
        }
        self.s.mode = Mode::Switching(former);
    }

    fn switch_end(&self, former: Id, close: bool) -> Pc {
        let late = self.cfg.has(Bug::NewcomerReadsBeforeMode);
        if late { Pc::SwitchMode { former, close } } else { Pc::SwitchDone { close } }
    }

    /// Look and CAS in one step: a stamp that was seen free changes only by becoming his or another's claim, and then
    /// the CAS fails as this does.
    fn claim_for(&mut self, former: Id, at: Pos) {
        let index = self.cfg.index(at);
        if self.s.stamps[index].lap() < self.cfg.lap(at) {
            self.s.stamps[index] = Stamp::claimed(self.cfg.lap(at), former);
        }
    }

    /// The last store for a row, after which its owner is nobody. What it announced stays there; it is wiped only
    /// where nobody will join in it, so that states come together.
    pub fn free_row(&mut self, id: Id) {
        let row = &mut self.s.rows[usize::from(id)];
        row.active = false;
        let actor = &mut self.s.actors[usize::from(id)];
        if self.s.comebacks == 0 {
            *row = Row { active: false, announced: NONE, blocks: 0 };
            *actor = Actor::new(Pc::Gone);
        } else {
            *actor = Actor { left: actor.left, ..Actor::new(Pc::Gone) };
        }
    }

    /// Takes the lock to leave, which is done as a repair of oneself is.
    pub fn leave(&mut self) {
        self.lock();
        self.actor().held = [NONE; 2];
        self.go(Pc::Repair { dead: self.me, stage: Repair::Begin, freed: false });
    }
}

/// The first position from `hint` on that nobody has claimed. The walk is one step: everything below the last claim stays
/// as it is unless the walker is overtaken by a whole lap, which it then sees.
pub fn frontier(cfg: &Config, s: &State, hint: Pos) -> Pos {
    let mut at = hint;
    loop {
        let index = cfg.index(at);
        let stamp = s.stamps[index];
        if stamp.lap() != cfg.lap(at) {
            return at;
        }
        at += match stamp.stage() {
            Stage::Claimed if stamp.owner() == NOBODY => return at,
            Stage::Claimed => s.row(stamp.owner()).blocks,
            _ => s.extents[index],
        };
    }
}
