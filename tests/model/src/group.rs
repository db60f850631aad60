//! docs/design.md section 5: how a consumer claims, acks and gives back.

use crate::actor::Pc;
use crate::config::{Bug, Config};
use crate::publish::Turn;
use crate::repair::claimable;
use crate::room::beyond;
use crate::state::{ACKED, Broken, Fate, State};
use crate::words::{Claim, Id, Mode, Pos, Stage};
use std::ops::Range;

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
                if self.cfg.has(Bug::ConsumerDoesNotReread) {
                    self.take(1)
                } else {
                    self.go(Pc::ConsumerMode)
                }
            }
            Pc::ConsumerMode => {
                if self.s.group.mode == Mode::Sole(self.me) {
                    return self.take(1);
                }
                self.notice(true);
            }
            Pc::OwnHold { at, announced } => {
                // As the newcomer does, by CAS, whoever comes first.
                let (index, lap) = (self.cfg.index(at), self.cfg.lap(at));
                if self.s.claims[index].lap() < lap {
                    self.s.claims[index] = Claim::taken(lap, 1, self.me);
                }
                self.own_holds(Some(at), announced);
            }
            Pc::TakeAnnounced => self.take_announced(),
            Pc::ReadClaim => self.read_claim(),
            Pc::Take { old } => self.take_by_cas(old),
            Pc::RetryRewind => {
                self.rewind();
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

    /// Looks at the stamp under the cursor; the caller saw that there is something, or that the floor is further on.
    pub fn look(&mut self) {
        let actor = *self.actor();
        let stamp = self.s.stamps[self.cfg.index(actor.next)];
        if stamp.lap() != self.cfg.lap(actor.next) {
            self.go(Pc::ReadFloor);
        } else if stamp.stage() == Stage::Pad {
            self.actor().next = self.end_of(actor.next);
        } else {
            self.go(if actor.sole == 1 { Pc::ConsumerAnnounce } else { Pc::ReadClaim });
        }
    }

    /// My solitude is over. What I hold from it gets the words that it would have had among others.
    pub fn notice(&mut self, announced: bool) {
        self.actor().sole = 0;
        self.own_holds(None, announced);
    }

    /// The next one of them. Looks that find a word already are no steps.
    fn own_holds(&mut self, after: Option<Pos>, announced: bool) {
        let open = |at: &Pos| {
            after.is_none_or(|after| *at > after)
                && self.s.claims[self.cfg.index(*at)].lap() < self.cfg.lap(*at)
        };
        let next = self
            .s
            .actor(self.me)
            .holds()
            .find(open)
            .filter(|_| !self.cfg.has(Bug::FormerForgetsHolds));
        self.go(match next {
            Some(at) => Pc::OwnHold { at, announced },
            None if announced => Pc::TakeAnnounced,
            None => Pc::Poll,
        });
    }

    /// What I announced when I was alone no more: mine, unless another member was first. Look and CAS in one step, as
    /// with stamps.
    fn take_announced(&mut self) {
        let at = self.s.actor(self.me).next;
        let (index, lap) = (self.cfg.index(at), self.cfg.lap(at));
        let mine = Claim::taken(lap, 1, self.me);
        if self.s.claims[index].lap() < lap {
            self.s.claims[index] = mine;
        }
        if self.s.claims[index] == mine { self.take(1) } else { self.go(Pc::Poll) }
    }

    /// Something was given back since this consumer began at the floor.
    pub fn look_again(&mut self) {
        self.actor().seen = self.s.group.rewinds;
        self.go(Pc::ReadFloor);
    }

    /// Word and floor in one step: a floor that has not passed shows that both stamp and word were of this lap, and a
    /// word that changed meanwhile makes the CAS fail.
    fn read_claim(&mut self) {
        let at = self.actor().next;
        let claim = self.s.claims[self.cfg.index(at)];
        if self.s.group.floor > at {
            self.actor().next = self.s.group.floor;
            self.go(Pc::Poll);
        } else if claimable(claim, self.cfg.lap(at)) {
            self.go(Pc::Take { old: claim });
        } else {
            self.actor().next = self.end_of(at);
            self.go(Pc::Poll);
        }
    }

    fn take_by_cas(&mut self, old: Claim) {
        let at = self.actor().next;
        let (index, lap) = (self.cfg.index(at), self.cfg.lap(at));
        if self.s.claims[index] == old {
            let before = if old.lap() == lap { old.count() } else { 0 };
            self.s.claims[index] = Claim::taken(lap, before + 1, self.me);
            self.take(before + 1);
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
                *earlier < at
                    && self.s.claims[self.cfg.index(*earlier)].lap() < self.cfg.lap(*earlier)
            }
            _ => false,
        })
    }

    fn delivered(&mut self, at: Pos, count: u8) {
        let message = usize::from(self.s.payload[self.cfg.index(at)]);
        let whole = (at..self.end_of(at))
            .all(|block| usize::from(self.s.payload[self.cfg.index(block)]) == message);
        let fate = self.s.fates.get(message).copied();
        let broken = match fate {
            Some(Fate::Committed(place)) if place == at && whole => {
                self.skipped_before(at).then_some(Broken::Order)
            }
            Some(Fate::Delivered(place)) if place == at && whole => {
                (count < 2).then_some(Broken::Unmarked)
            }
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
        if self.actor().sole == 1
            || (self.cfg.has(Bug::AckByFloor) && self.s.actor(self.me).held[0] == at)
        {
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
    let actor = s.actor(id);
    // Alone, too: producers help the floor over padding, and overwrite it.
    let looks = actor.sole == 0 || !cfg.has(Bug::SoleIgnoresFloor);
    finished_at(cfg, s, actor.next) || (looks && s.group.floor > actor.next)
}

/// Whether a member that thinks to be alone would see that it is not.
pub fn not_alone(s: &State, id: Id) -> bool {
    s.actor(id).sole == 1 && s.group.mode != Mode::Sole(id)
}

/// Whether there is something to serve for the observer.
pub fn can_serve(cfg: &Config, s: &State) -> bool {
    finished_at(cfg, s, s.group.floor)
}

fn is_only_member(cfg: &Config, s: &State, id: Id) -> bool {
    s.members(cfg.consumer_ids(), id).next().is_none()
}

/// The dead whom a consumer that has nothing to do repairs: the owner of the unfinished claim under its cursor, or, unless
/// it is alone, members of its group.
pub fn in_the_way(cfg: &Config, s: &State, id: Id) -> Range<Id> {
    let at = s.actor(id).next;
    let stamp = s.stamps[cfg.index(at)];
    if stamp.lap() == cfg.lap(at) && stamp.stage() == Stage::Claimed {
        return stamp.owner()..stamp.owner() + 1;
    }
    if s.group.mode == Mode::Sole(id) { 0..0 } else { cfg.consumer_ids() }
}

/// Whether a consumer, with nothing in its hands, may try to be alone: nobody else has a row, and its cursor stands at
/// the floor with nothing to read.
pub fn may_be_alone(cfg: &Config, s: &State, id: Id) -> bool {
    let actor = s.actor(id);
    let only = cfg.has(Bug::SoleAmongOthers) || is_only_member(cfg, s, id);
    let open = s.stamps[cfg.index(actor.next)].lap() < cfg.lap(actor.next);
    let done = actor.holds().next().is_none() && actor.next == s.group.floor && open;
    actor.sole == 0 && only && done && s.group.mode == Mode::Shared
}

/// Whether the floor lags behind what is acked, with nobody but this member to bring it along.
pub fn floor_lags(cfg: &Config, s: &State, id: Id) -> bool {
    s.actor(id).sole == 0 && is_only_member(cfg, s, id) && beyond(cfg, s, s.group.floor).is_some()
}
