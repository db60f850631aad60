//! docs/design.md section 8: what survivors do for the dead. The repairer holds the registry lock and the dead one's
//! byte, so what belongs to the dead one stands still: a look at it is one step with the store that follows, and looks
//! that lead to no store are none.

use crate::actor::{Pc, Repair};
use crate::config::Bug;
use crate::members::frontier;
use crate::publish::Turn;
use crate::state::GroupState;
use crate::words::{Claim, Hold, Id, Mode, NONE, Pos, Stage, Stamp};

impl Turn<'_> {
    /// Takes the registry lock and the byte of `dead`.
    pub fn begin_repair(&mut self, dead: Id) {
        self.lock();
        self.go(Pc::Repair { dead, stage: Repair::Begin, freed: false });
    }

    /// The next store that this repair needs.
    pub fn repair_step(&mut self, dead: Id, stage: Repair, freed: bool) {
        if dead < self.cfg.producers() {
            self.repair_producer(dead, stage);
        } else {
            self.repair_consumer(dead, stage, freed);
        }
    }

    fn repair_producer(&mut self, dead: Id, stage: Repair) {
        let row = *self.s.row(dead);
        let alone = self.s.mode.former() == Some(dead);
        let open = self.open_claim(dead, row.announced, alone);
        if self.cfg.has(Bug::RepairFreesRowFirst)
            && let Some(at) = open
        {
            self.free_row(dead);
            return self.go(Pc::PadLate { at, blocks: row.blocks });
        }
        if let (Repair::Begin, Some(at), false) = (stage, open, self.cfg.has(Bug::RepairDoesNotPad))
        {
            self.pad(at, row.blocks);
            return self.repair_next(dead, Repair::Tail, false);
        }
        if alone && matches!(stage, Repair::Begin | Repair::Tail) {
            let announced = if row.announced == NONE { 0 } else { row.announced };
            self.s.tail = frontier(self.cfg, self.s, announced.max(self.s.tail).max(self.s.gate));
            return self.repair_next(dead, Repair::Mode, false);
        }
        if alone {
            self.s.mode = Mode::Shared;
            return self.repair_next(dead, Repair::Row, false);
        }
        self.free_row(dead);
        // Perhaps only one is left now, or a switch is half done. Nobody does this for a repairer that is killed here: it
        // can wait until somebody comes or goes.
        self.then_settle();
    }

    fn repair_next(&mut self, dead: Id, stage: Repair, freed: bool) {
        self.go(Pc::Repair { dead, stage, freed });
    }

    /// The claim that a dead producer left unfinished. One that ran alone may have made it without a stamp.
    fn open_claim(&self, dead: Id, at: Pos, alone: bool) -> Option<Pos> {
        if at == NONE {
            return None;
        }
        let stamp = self.s.stamps[self.cfg.index(at)];
        let lap = self.cfg.lap(at);
        let unstamped = alone && stamp.lap() < lap && !self.cfg.has(Bug::RepairIgnoresUnstamped);
        (stamp == Stamp::claimed(lap, dead) || unstamped).then_some(at)
    }

    /// The planted order: the row is free already.
    pub fn pad_late(&mut self, at: Pos, blocks: u8) {
        self.pad(at, blocks);
        self.unlock();
    }

    /// Length and stamp in one step: nobody looks at the length of an entry that is not finished.
    pub fn pad(&mut self, at: Pos, blocks: u8) {
        let index = self.cfg.index(at);
        self.s.extents[index] = blocks;
        self.s.stamps[index] = Stamp::pad(self.cfg.lap(at));
    }

    fn repair_consumer(&mut self, dead: Id, mut stage: Repair, freed: bool) {
        let mode = self.s.group.mode;
        if self.s.group.state != GroupState::Active {
            return self.repair_creator(dead, stage);
        }
        if stage == Repair::Begin {
            match mode {
                Mode::Switching(former) if former != dead => {
                    return self.group_step(Pc::GroupMode { former, dead });
                }
                Mode::Sole(former) if former == dead => return self.end_dead_solitude(dead),
                Mode::Switching(_) => stage = Repair::Tail,
                _ => stage = Repair::Words,
            }
        }
        if stage == Repair::Tail {
            // What it took alone, and then the end of its solitude.
            if let Some((at, claim)) = self.held_by_dead(dead, true) {
                self.s.claims[self.cfg.index(at)] = claim;
                return self.repair_next(dead, Repair::Tail, true);
            }
            self.s.group.mode = Mode::Shared;
            return self.repair_next(dead, Repair::Words, freed);
        }
        if stage == Repair::Words
            && let Some((at, claim)) = self.held_by_dead(dead, false)
        {
            self.s.claims[self.cfg.index(at)] = claim;
            return self.repair_next(dead, Repair::Words, true);
        }
        let shared = mode == Mode::Shared;
        if stage != Repair::Row && shared && (freed || !self.cfg.has(Bug::RepairRewindsIfFreed)) {
            // Done even when nothing was freed: perhaps another did that, and died before he came to this.
            self.rewind();
            return self.repair_next(dead, Repair::Row, freed);
        }
        if !self.cfg.has(Bug::RepairLeavesRow) {
            self.free_row(dead);
        }
        self.unlock();
    }

    /// One that had nothing in its hands leaves the group vacant; otherwise nobody is alone from here on.
    fn end_dead_solitude(&mut self, dead: Id) {
        let idle = self.s.row(dead).announced <= self.s.group.floor;
        if idle {
            self.s.group.mode = Mode::Vacant;
            return self.repair_next(dead, Repair::Row, false);
        }
        self.s.group.mode = Mode::Switching(dead);
        self.repair_next(dead, Repair::Tail, false);
    }

    /// A group whose creator died before it was one.
    fn repair_creator(&mut self, dead: Id, stage: Repair) {
        if self.s.group.state == GroupState::Joining && stage == Repair::Begin {
            self.s.group.state = GroupState::Free;
            return self.repair_next(dead, Repair::Row, false);
        }
        self.free_row(dead);
        self.unlock();
    }

    /// The next message that a dead consumer held, with the word that gives it back. `alone`: one that has no word yet.
    fn held_by_dead(&self, dead: Id, alone: bool) -> Option<(Pos, Claim)> {
        if self.cfg.has(Bug::RepairDoesNotFree) {
            return None;
        }
        let end = self.s.row(dead).announced;
        let floor = self.s.group.floor;
        (floor..floor + self.cfg.blocks).find_map(|at| {
            let index = self.cfg.index(at);
            let (stamp, claim, lap) =
                (self.s.stamps[index], self.s.claims[index], self.cfg.lap(at));
            let message = stamp.lap() == lap && stamp.stage() == Stage::Ready;
            if message && alone && at < end && claim.lap() < lap {
                Some((at, Claim::free(lap, 1)))
            } else if message && !alone && claim.taken_by(lap, dead) {
                Some((at, Claim::free(lap, claim.count())))
            } else {
                None
            }
        })
    }

    /// Tells the group's members to begin at the floor again.
    pub fn rewind(&mut self) {
        self.s.group.rewinds += 1;
    }
}

/// Whether `claim` can be taken at `lap`: never claimed in that lap, or given back.
pub fn claimable(claim: Claim, lap: u8) -> bool {
    claim.lap() < lap || (claim.lap() == lap && claim.state() == Hold::Free)
}
