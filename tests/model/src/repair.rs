//! docs/design.md section 8: what survivors do for the dead. The repairer holds the registry lock and the dead one's
//! byte, so what belongs to the dead one stands still: a look at it is one step with the store that follows, and looks
//! that lead to no store are none.

use crate::actor::{Pc, Repair};
use crate::config::Bug;
use crate::publish::Turn;
use crate::state::GroupState;
use crate::words::{Claim, Hold, Id, Mode, NONE, Pos, Stage, Stamp};

impl Turn<'_> {
    /// Takes the registry lock and the byte of `dead`.
    pub fn begin_repair(&mut self, dead: Id) {
        self.lock();
        self.go(Pc::Repair { dead, stage: Repair::Switch, freed: false });
    }

    /// The next store that this repair needs.
    pub fn repair_step(&mut self, dead: Id, stage: Repair, freed: bool) {
        if dead < self.cfg.producers() {
            self.repair_producer(dead, stage);
        } else {
            self.repair_consumer(dead, stage, freed);
        }
    }

    fn repair_producer(&mut self, dead: Id, mut stage: Repair) {
        let next = |stage| Pc::Repair { dead, stage, freed: false };
        let row = *self.s.row(dead);
        let alone = self.s.mode.former() == Some(dead);
        if self.cfg.has(Bug::RepairFreesRowFirst)
            && let Some(at) = self.open_claim(dead, row.announced, alone)
        {
            self.free_row(dead);
            return self.go(Pc::PadLate { at, blocks: row.blocks });
        }
        if stage == Repair::Switch {
            if alone && row.announced != NONE && self.s.tail < row.announced {
                self.s.tail = row.announced;
                return self.go(next(Repair::Words));
            }
            stage = Repair::Words;
        }
        if stage == Repair::Words {
            let open = self.open_claim(dead, row.announced, alone);
            if let (Some(at), false) = (open, self.cfg.has(Bug::RepairDoesNotPad)) {
                self.pad(at, row.blocks);
                return self.go(next(Repair::Mode));
            }
            stage = Repair::Mode;
        }
        if stage != Repair::Row {
            return self.settle_for(dead);
        }
        self.free_row(dead);
        self.unlock();
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

    fn repair_consumer(&mut self, dead: Id, mut stage: Repair, mut freed: bool) {
        let mode = self.s.group.mode;
        let next = |stage, freed| Pc::Repair { dead, stage, freed };
        if self.s.group.state != GroupState::Active {
            return self.repair_creator(dead, stage);
        }
        if let Mode::Switching(former) = mode
            && former != dead
        {
            return self.group_step(Pc::GroupMode { former, dead });
        }
        if matches!(stage, Repair::Switch | Repair::Words) {
            if let Some((at, claim)) = self.held_by_dead(dead) {
                let index = self.cfg.index(at);
                self.s.claims[index] = claim;
                return self.go(next(Repair::Words, true));
            }
            stage = Repair::Rewind;
        }
        if stage == Repair::Rewind {
            if self.cfg.has(Bug::RepairRewindsIfFreed) && !freed {
                freed = true;
            } else if !matches!(mode, Mode::Sole(id) if id != dead) {
                // Done even when nothing was freed: perhaps another did that, and died before he came to this.
                self.rewind();
                return self.go(next(Repair::Mode, freed));
            }
            stage = Repair::Mode;
        }
        if stage == Repair::Mode && mode.former() == Some(dead) {
            self.s.group.mode = Mode::Shared;
            return self.go(next(Repair::Row, freed));
        }
        self.free_row(dead);
        self.unlock();
    }

    /// A group whose creator died before it was one.
    fn repair_creator(&mut self, dead: Id, stage: Repair) {
        if self.s.group.state == GroupState::Joining && stage == Repair::Switch {
            self.s.group.state = GroupState::Free;
            return self.go(Pc::Repair { dead, stage: Repair::Row, freed: false });
        }
        self.free_row(dead);
        self.unlock();
    }

    /// The next message that a dead consumer held, with the word that gives it back.
    fn held_by_dead(&self, dead: Id) -> Option<(Pos, Claim)> {
        if self.cfg.has(Bug::RepairDoesNotFree) {
            return None;
        }
        let alone = self.s.group.mode.former() == Some(dead);
        let end = self.s.row(dead).announced;
        let floor = self.s.group.floor;
        let low = if self.cfg.has(Bug::RepairFreesBelowFloor) { 0 } else { floor };
        (low..floor + self.cfg.blocks).find_map(|at| {
            let index = self.cfg.index(at);
            let (stamp, claim, lap) = (self.s.stamps[index], self.s.claims[index], self.cfg.lap(at));
            let message = stamp.lap() == lap && stamp.stage() == Stage::Ready;
            let unwritten = alone && at < end && claim.lap() < lap;
            if message && unwritten {
                Some((at, Claim::free(lap, 1)))
            } else if message && claim.taken_by(lap, dead) {
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
