//! docs/design.md sections 5 and 6: how a group is made, how its members come and go, and how a solitude ends. All of
//! it under the registry lock.

use crate::actor::{Conversion, Pc, Repair};
use crate::config::Bug;
use crate::group::may_be_alone;
use crate::publish::Turn;
use crate::state::{Fate, GroupState};
use crate::words::{Claim, Id, Mode, NOBODY, Pos, Stage};

impl Turn<'_> {
    /// One step of a consumer's coming or going.
    pub fn group_step(&mut self, pc: Pc) {
        match pc {
            Pc::GroupState => self.enter(),
            Pc::GroupGate => self.go(Pc::GroupWrite { gate: self.s.gate }),
            Pc::GroupWrite { gate } => {
                // The last store is the one of `state`; before it nobody looks at the others.
                let group = &mut self.s.group;
                (group.floor, group.mode, group.rewinds) = (gate, Mode::Sole(self.me), 0);
                let confirmed = self.cfg.has(Bug::JoinerDiesConfirmed);
                group.state = if confirmed { GroupState::Active } else { GroupState::Joining };
                let blind = self.cfg.has(Bug::JoinerDoesNotReread);
                self.go(if blind { Pc::GroupActive } else { Pc::GroupReread { gate } });
            }
            Pc::GroupReread { gate } => {
                let now = self.s.gate;
                self.go(if now > gate { Pc::GroupFloor { gate: now } } else { Pc::GroupActive });
            }
            Pc::GroupFloor { gate } => {
                self.s.group.floor = gate;
                self.go(Pc::GroupActive);
            }
            Pc::GroupActive => {
                self.s.group.state = GroupState::Active;
                self.owe_nothing_older();
                self.actor().sole = 1;
                self.actor().next = self.s.group.floor;
                self.unlock();
            }
            Pc::GroupMode { former, dead } => self.begin_conversion(former, dead),
            Pc::GroupAnnounced { former, dead } => {
                let end = self.s.row(former).announced;
                self.go(Pc::ConvertFloor { what: Conversion { former, end, at: 0 }, dead });
            }
            Pc::ConvertFloor { what, dead } => self.convert_from(what, self.s.group.floor, dead),
            Pc::ConvertLook { what, dead } => self.convert_look(what, dead),
            Pc::ConvertCas { what, old, next, dead } => {
                let index = self.cfg.index(what.at);
                if self.s.claims[index] == old {
                    self.s.claims[index] = Claim::taken(self.cfg.lap(what.at), 1, what.former);
                }
                self.convert_from(what, next, dead);
            }
            Pc::ConvertDone { dead } => {
                self.s.group.mode = Mode::Shared;
                if dead != NOBODY {
                    self.go(Pc::Repair { dead, stage: Repair::Row, freed: false });
                } else {
                    self.entered();
                }
            }
            Pc::SoleCheck => {
                // Under the lock nobody joins, and nobody else moves the floor of a member that is alone.
                let alone = may_be_alone(self.cfg, self.s, self.me);
                if alone { self.go(Pc::SoleMode) } else { self.unlock() }
            }
            Pc::SoleMode => self.adopt(),
            other => unreachable!("not a step of coming or going: {other:?}"),
        }
    }

    /// Alone from now on. Its row is written before the mode; nobody reads it before.
    fn adopt(&mut self) {
        let floor = self.s.group.floor;
        self.s.rows[usize::from(self.me)].announced = floor;
        self.s.group.mode = Mode::Sole(self.me);
        let seen = self.s.group.rewinds;
        let actor = self.actor();
        (actor.sole, actor.next, actor.seen) = (1, floor, seen);
        self.unlock();
    }

    fn enter(&mut self) {
        if self.s.group.state != GroupState::Active {
            // One that is still joining is one whose creator died: made anew.
            return self.go(Pc::GroupGate);
        }
        match self.s.group.mode.former() {
            None if self.s.group.mode == Mode::Vacant => self.adopt(),
            None => self.entered(),
            Some(_) if self.cfg.has(Bug::ConversionSkipped) => {
                self.go(Pc::ConvertDone { dead: NOBODY })
            }
            Some(former) if self.cfg.has(Bug::ConversionBeforeMode) => {
                self.go(Pc::GroupAnnounced { former, dead: NOBODY });
            }
            Some(former) => self.begin_conversion(former, NOBODY),
        }
    }

    /// In: begins at the floor, with `rewinds` looked at before it.
    fn entered(&mut self) {
        self.unlock();
        if self.actor().sole == 1 {
            // It made its own group explicit, and goes on where it is.
            self.notice(false);
        } else {
            self.go(Pc::ReadRewinds);
        }
    }

    /// What was overwritten before the group came is not for it.
    fn owe_nothing_older(&mut self) {
        let floor = self.s.group.floor;
        for fate in &mut self.s.fates {
            if fate.owed().is_some_and(|position| position < floor) {
                *fate = Fate::Done;
            }
        }
    }

    fn begin_conversion(&mut self, former: Id, dead: Id) {
        self.s.group.mode = Mode::Switching(former);
        self.go(Pc::GroupAnnounced { former, dead });
    }

    fn convert_from(&mut self, what: Conversion, at: Pos, dead: Id) {
        let what = Conversion { at, ..what };
        self.go(if at < what.end {
            Pc::ConvertLook { what, dead }
        } else {
            Pc::ConvertDone { dead }
        });
    }

    /// Stamp and claim word in one step: both are final above the floor, and if the floor passed between them, the CAS
    /// leaves a word of a lap that is over, which says nothing to anybody.
    fn convert_look(&mut self, what: Conversion, dead: Id) {
        let index = self.cfg.index(what.at);
        let (stamp, old, lap) = (self.s.stamps[index], self.s.claims[index], self.cfg.lap(what.at));
        if stamp.lap() > lap {
            self.go(Pc::ConvertFloor { what, dead });
        } else if stamp.lap() < lap || !stamp.finished() {
            self.go(Pc::ConvertDone { dead });
        } else if stamp.stage() == Stage::Ready && old.lap() < lap {
            self.go(Pc::ConvertCas { what, old, next: self.end_of(what.at), dead });
        } else {
            self.convert_from(what, self.end_of(what.at), dead);
        }
    }

    /// A former that wants more than acks in order ends its own solitude, as a newcomer would.
    pub fn make_explicit(&mut self) {
        self.lock();
        self.begin_conversion(self.me, NOBODY);
    }
}
