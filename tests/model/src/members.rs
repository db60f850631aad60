//! docs/design.md section 4: how producers come and go. Everything here happens under the registry lock, so what only
//! its holder writes (rows' `active`, mode) may be looked at together with the step before.

use crate::actor::{Actor, Pc, Repair};
use crate::config::Bug;
use crate::publish::Turn;
use crate::state::Row;
use crate::words::{CLOSING, Id, Mode, NOBODY, NONE, Pos, Stamp};

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
            self.go(Pc::Join);
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
        self.go(if producer { Pc::JoinMode } else { Pc::GroupState });
    }

    fn write_sole(&mut self, id: Id) {
        self.s.mode = Mode::Sole(id);
        if !self.cfg.has(Bug::ModeWithoutEpoch) {
            self.s.epoch += 1;
        } else {
            self.s.epoch = 1;
        }
    }

    /// One step of joining, leaving, or ending somebody's solitude.
    pub fn member_step(&mut self, pc: Pc) {
        match pc {
            Pc::JoinMode => match self.s.mode.former() {
                Some(former) => self.end_solitude(former, NOBODY),
                None => {
                    if self.s.members(0..self.cfg.producers(), self.me).next().is_none() {
                        self.write_sole(self.me);
                    }
                    self.unlock();
                }
            },
            Pc::SwitchMode { former, dead } => {
                self.s.mode = Mode::Switching(former);
                self.go(Pc::SwitchDone { dead });
            }
            Pc::SwitchRead { former, dead } => {
                let at = self.s.row(former).announced;
                self.go(match at {
                    NONE => Pc::SwitchDone { dead },
                    at => Pc::SwitchTail { former, at, dead },
                });
            }
            Pc::SwitchTail { former, at, dead } => {
                self.s.tail = self.s.tail.max(at);
                self.go(Pc::SwitchStamp { former, at, dead });
            }
            Pc::SwitchStamp { former, at, dead } => {
                let old = self.s.stamps[self.cfg.index(at)];
                let open = old.lap() < self.cfg.lap(at);
                self.go(if open { Pc::SwitchCas { former, at, old, dead } } else { self.switch_end(former, dead) });
            }
            Pc::SwitchCas { former, at, old, dead } => {
                self.claim_for(former, at, old);
                let next = self.switch_end(former, dead);
                self.go(next);
            }
            Pc::SwitchDone { dead: CLOSING } => self.close_step(Pc::CloseMode { end: NONE }),
            Pc::SwitchDone { dead } => {
                self.s.mode = Mode::Shared;
                self.switched(dead);
            }
            Pc::LeaveTail => {
                let actor = *self.actor();
                let announced = self.s.row(self.me).announced;
                let frontier = if actor.sole != 0 { actor.next } else { announced };
                if frontier != NONE {
                    self.s.tail = self.s.tail.max(frontier);
                }
                self.go(Pc::LeaveMode);
            }
            Pc::LeaveMode => {
                self.settle(self.me);
                self.go(Pc::LeaveRow);
            }
            Pc::LeaveRow => {
                self.free_row(self.me);
                self.s.registry = NOBODY;
            }
            other => unreachable!("not a step of coming or going: {other:?}"),
        }
    }

    /// Begins the switch, or does again what a dead one began.
    pub fn end_solitude(&mut self, former: Id, dead: Id) {
        match self.cfg.bug {
            Some(Bug::NewcomerIgnoresAnnouncement) => self.go(Pc::SwitchDone { dead }),
            // The planted order: look, then write.
            Some(Bug::NewcomerReadsBeforeMode) => return self.member_step(Pc::SwitchRead { former, dead }),
            _ => self.go(Pc::SwitchRead { former, dead }),
        }
        self.s.mode = Mode::Switching(former);
    }

    fn switch_end(&self, former: Id, dead: Id) -> Pc {
        let late = self.cfg.has(Bug::NewcomerReadsBeforeMode);
        if late { Pc::SwitchMode { former, dead } } else { Pc::SwitchDone { dead } }
    }

    fn claim_for(&mut self, former: Id, at: Pos, old: Stamp) {
        let index = self.cfg.index(at);
        if self.s.stamps[index] == old {
            self.s.stamps[index] = Stamp::claimed(self.cfg.lap(at), former);
        }
    }

    fn switched(&mut self, dead: Id) {
        if dead == NOBODY {
            self.unlock();
        } else {
            self.go(Pc::Repair { dead, stage: Repair::Row, freed: false });
        }
    }

    /// Who may run alone once `leaving` is gone. True if that was settled by one store or none; else a switch that
    /// somebody began must be finished first.
    pub fn settle(&mut self, leaving: Id) -> bool {
        let others: Vec<Id> = self.s.members(0..self.cfg.producers(), leaving).collect();
        match (others.as_slice(), self.s.mode) {
            (_, Mode::Closed) => {}
            ([], _) => self.s.mode = Mode::Shared,
            ([only], Mode::Sole(id)) if id == *only => {}
            ([only], _) => self.write_sole(*only),
            (_, Mode::Sole(id) | Mode::Switching(id)) if id == leaving => self.s.mode = Mode::Shared,
            (_, Mode::Switching(_)) => return false,
            (_, Mode::Shared | Mode::Sole(_)) => {}
        }
        true
    }

    /// Settles in the course of a repair.
    pub fn settle_for(&mut self, dead: Id) {
        if self.settle(dead) {
            self.go(Pc::Repair { dead, stage: Repair::Row, freed: false });
        } else if let Mode::Switching(former) = self.s.mode {
            self.end_solitude(former, dead);
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

    /// One step of leaving: takes the lock.
    pub fn leave(&mut self) {
        self.lock();
        let alone = self.s.mode.former() == Some(self.me);
        self.go(if alone { Pc::LeaveTail } else { Pc::LeaveMode });
    }
}
