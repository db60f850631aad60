//! docs/design.md section 5: how a consumer claims, acks and gives back.

use crate::actor::Pc;
use crate::config::{Bug, Config};
use crate::publish::Turn;
use crate::repair::claimable;
use crate::room::beyond;
use crate::state::{ACKED, Broken, Fate, State};
use crate::words::{Claim, Id, Mode, Pos, Stage};

impl Turn<'_> {
    /// One step of consuming.
    pub fn consume_step(&mut self, pc: Pc) {
        match pc {
            Pc::ReadRewinds => self.look_again(),
            Pc::ReadFloor => {
                self.actor().next = self.s.group.floor;
                self.go(Pc::Poll);
            }
            Pc::ConsumerAnnounce => {
                let end = self.end_of(self.s.actor(self.me).next);
                self.s.rows[usize::from(self.me)].announced = end;
                if self.cfg.has(Bug::ConsumerDoesNotReread) { self.take(1) } else { self.go(Pc::ConsumerMode) }
            }
            Pc::ConsumerMode => {
                if self.s.group.mode == Mode::Sole(self.me) {
                    return self.take(1);
                }
                self.actor().sole = 0;
                self.go(Pc::ReadClaim);
            }
            Pc::ReadClaim => self.read_claim(),
            Pc::Take { old } => self.take_by_cas(old),
            Pc::RetryRewind => {
                self.rewind();
                self.go(Pc::Poll);
            }
            Pc::RetryFree { at } => {
                self.free(at);
                self.go(Pc::Poll);
            }
            Pc::AckLate { at } => {
                self.write_acked(at);
                self.go(Pc::Poll);
            }
            other => unreachable!("not a step of consuming: {other:?}"),
        }
    }

    /// The end of a message or PAD that cannot go away under us. Its length is read together with the stamp: above the
    /// floor both are final.
    pub fn end_of(&self, at: Pos) -> Pos {
        at + self.s.extents[self.cfg.index(at)]
    }

    /// Looks at the stamp under the cursor; the caller saw that there is something.
    pub fn look(&mut self) {
        let actor = *self.actor();
        let stamp = self.s.stamps[self.cfg.index(actor.next)];
        if stamp.lap() > self.cfg.lap(actor.next) {
            self.go(Pc::ReadFloor);
        } else if stamp.stage() == Stage::Pad {
            self.actor().next = self.end_of(actor.next);
        } else {
            self.go(if actor.sole == 1 { Pc::ConsumerAnnounce } else { Pc::ReadClaim });
        }
    }

    /// Something was given back since this consumer began at the floor.
    pub fn look_again(&mut self) {
        self.actor().seen = self.s.group.rewinds;
        self.go(Pc::ReadFloor);
    }

    /// A claim that somebody made for me when he ended my solitude; one that I know of already is not news.
    fn made_for_me(&mut self, claim: Claim) -> bool {
        let at = self.actor().next;
        claim.taken_by(self.cfg.lap(at), self.me) && !self.holds(at)
    }

    fn holds(&self, at: Pos) -> bool {
        self.s.actor(self.me).holds().any(|held| held == at)
    }

    fn read_claim(&mut self) {
        let at = self.actor().next;
        let claim = self.s.claims[self.cfg.index(at)];
        let lap = self.cfg.lap(at);
        // In the midst of a switch a message that I hold from before may have no claim word yet.
        let mine = self.holds(at) && !self.cfg.has(Bug::FormerForgetsHolds);
        if claimable(claim, lap) && !mine {
            self.go(Pc::Take { old: claim });
        } else if claim.lap() > lap {
            self.go(Pc::ReadFloor);
        } else if self.made_for_me(claim) {
            self.take(claim.count());
        } else {
            self.actor().next = self.end_of(at);
            self.go(Pc::Poll);
        }
    }

    fn take_by_cas(&mut self, old: Claim) {
        let at = self.actor().next;
        let (index, lap) = (self.cfg.index(at), self.cfg.lap(at));
        let claim = self.s.claims[index];
        if claim == old {
            let before = if old.lap() == lap { old.count() } else { 0 };
            self.s.claims[index] = Claim::taken(lap, before + 1, self.me);
            self.take(before + 1);
        } else if self.made_for_me(claim) {
            self.take(claim.count());
        } else {
            self.go(Pc::Poll);
        }
    }

    /// The message under the cursor is mine. That its payload stays as it is while I hold it, is checked in every
    /// state.
    fn take(&mut self, count: u8) {
        let at = self.actor().next;
        let end = self.end_of(at);
        self.delivered(at, count);
        let actor = self.actor();
        actor.hold(at);
        actor.next = end;
        self.go(Pc::Poll);
    }

    /// Whether a message before `at` was never claimed by anybody. (Claimed and not yet delivered is in order: its
    /// owner may still be on the way to look at what was claimed for it.)
    fn skipped_before(&self, at: Pos) -> bool {
        self.s.fates.iter().any(|fate| match fate {
            Fate::Committed(earlier) => {
                *earlier < at && self.s.claims[self.cfg.index(*earlier)].lap() < self.cfg.lap(*earlier)
            }
            _ => false,
        })
    }

    fn delivered(&mut self, at: Pos, count: u8) {
        let message = usize::from(self.s.payload[self.cfg.index(at)]);
        let whole = (at..self.end_of(at)).all(|block| usize::from(self.s.payload[self.cfg.index(block)]) == message);
        let fate = self.s.fates.get(message).copied();
        let broken = match fate {
            Some(Fate::Committed(place)) if place == at && whole => {
                self.skipped_before(at).then_some(Broken::Order)
            }
            Some(Fate::Delivered(place)) if place == at && whole => (count < 2).then_some(Broken::Unmarked),
            None if message == usize::from(ACKED) => Some(Broken::AckedAgain),
            _ => Some(Broken::Phantom),
        };
        self.s.broken = broken.unwrap_or(self.s.broken);
        if let Some(Fate::Committed(_)) = fate {
            self.s.fates[message] = Fate::Delivered(at);
        }
    }

    fn acked(&mut self, at: Pos) {
        let message = usize::from(self.s.payload[self.cfg.index(at)]);
        if let Some(fate) = self.s.fates.get_mut(message) {
            *fate = Fate::Done;
        }
        for block in at..self.end_of(at) {
            self.s.payload[self.cfg.index(block)] = ACKED;
        }
        self.actor().drop_hold(at);
    }

    fn write_acked(&mut self, at: Pos) {
        self.s.claims[self.cfg.index(at)] = Claim::acked(self.cfg.lap(at));
    }

    /// Acks a message held.
    pub fn ack(&mut self, at: Pos) {
        let end = self.end_of(at);
        if self.actor().sole == 1 || (self.cfg.has(Bug::AckByFloor) && self.s.actor(self.me).held[0] == at) {
            // The oldest one: until it is acked nobody else can move the floor over it, so this needs no CAS, and no
            // look at the mode either.
            self.s.group.floor = end;
            return self.acked(at);
        }
        if self.cfg.has(Bug::AckAfterFloor) && self.s.group.floor == at {
            self.s.group.floor = end;
            self.acked(at);
            return self.go(Pc::AckLate { at });
        }
        self.write_acked(at);
        self.acked(at);
        self.go(Pc::FloorLook);
    }

    fn free(&mut self, at: Pos) {
        let index = self.cfg.index(at);
        let lap = self.cfg.lap(at);
        let claim = self.s.claims[index];
        let count = if claim.lap() == lap { claim.count() } else { 1 };
        self.s.claims[index] = Claim::free(lap, count);
    }

    /// Gives a message held back.
    pub fn retry(&mut self, at: Pos) {
        self.s.retries -= 1;
        self.actor().drop_hold(at);
        if self.cfg.has(Bug::RewindBeforeFree) {
            self.rewind();
            return self.go(Pc::RetryFree { at });
        }
        self.free(at);
        let silent = self.cfg.has(Bug::RetryWithoutRewind);
        self.go(if silent { Pc::Poll } else { Pc::RetryRewind });
    }

    /// The observer's whole life: takes the message at the floor and acks it, in one step.
    pub fn serve(&mut self) {
        let at = self.s.group.floor;
        let index = self.cfg.index(at);
        if self.s.stamps[index].stage() == Stage::Ready {
            self.delivered(at, 1);
            self.acked(at);
        }
        self.s.group.floor = self.end_of(at);
    }
}

fn finished_at(cfg: &Config, s: &State, at: Pos) -> bool {
    let stamp = s.stamps[cfg.index(at)];
    stamp.lap() == cfg.lap(at) && stamp.finished()
}

/// Whether a look at the stamp under the cursor would find something.
pub fn sees_something(cfg: &Config, s: &State, id: Id) -> bool {
    let at = s.actor(id).next;
    s.stamps[cfg.index(at)].lap() > cfg.lap(at) || finished_at(cfg, s, at)
}

/// Whether there is something to serve for the observer.
pub fn can_serve(cfg: &Config, s: &State) -> bool {
    finished_at(cfg, s, s.group.floor)
}

fn is_only_member(cfg: &Config, s: &State, id: Id) -> bool {
    s.members(cfg.consumer_ids(), id).next().is_none()
}

/// Whether a consumer, with nothing in its hands, may try to be alone: nobody else has a row, and its cursor stands at
/// the floor with nothing to read.
pub fn may_be_alone(cfg: &Config, s: &State, id: Id) -> bool {
    let actor = s.actor(id);
    let only = cfg.has(Bug::SoleAmongOthers) || is_only_member(cfg, s, id);
    let done = actor.holds().next().is_none() && actor.next == s.group.floor;
    actor.sole == 0 && only && done && !sees_something(cfg, s, id)
}

/// Whether the floor lags behind what is acked, with nobody but this member to bring it along.
pub fn floor_lags(cfg: &Config, s: &State, id: Id) -> bool {
    s.actor(id).sole == 0 && is_only_member(cfg, s, id) && beyond(cfg, s, s.group.floor).is_some()
}
