//! docs/design.md section 6: how a producer finds room, and how the floor moves.

use crate::actor::{Pc, Plan};
use crate::config::{Bug, Config};
use crate::publish::{Span, Turn};
use crate::state::{GroupState, State};
use crate::words::{Hold, Mode, Pos, Stage};

/// What the group allows to overwrite. State and floor are looked at in one step: a floor only grows, and a later look
/// at it is one that a slower producer could have made.
fn allowed(s: &State, start: Pos) -> Pos {
    if s.group.state == GroupState::Free { start } else { s.group.floor.min(start) }
}

/// Where the floor may go next from `floor`: over an acked message or a PAD. The look at the floor and the one at the
/// words there are one step: ACKED and PAD are final in their lap, so a floor that moved between them only makes the
/// CAS fail, and the mover looks again as if it had come later.
pub fn beyond(cfg: &Config, s: &State, floor: Pos) -> Option<Pos> {
    let index = cfg.index(floor);
    let lap = cfg.lap(floor);
    let stamp = s.stamps[index];
    if stamp.lap() != lap || !stamp.finished() {
        return None;
    }
    let claim = s.claims[index];
    let acked = claim.lap() == lap && claim.state() == Hold::Acked;
    (stamp.stage() == Stage::Pad || acked).then(|| floor + s.extents[index])
}

/// Whether a producer that found the ring full would find room at `start` now.
pub fn has_room(cfg: &Config, s: &State, start: Pos, left: u8) -> bool {
    let need = Span::new(cfg, left, start).end.saturating_sub(cfg.blocks);
    if need > allowed(s, start) {
        return false;
    }
    let mut at = s.gate;
    while at < need {
        let stamp = s.stamps[cfg.index(at)];
        if stamp.lap() != cfg.lap(at) || !stamp.finished() {
            return false;
        }
        at += s.extents[cfg.index(at)];
    }
    true
}

impl Turn<'_> {
    /// One step of finding room.
    pub fn room_step(&mut self, pc: Pc) {
        match pc {
            Pc::GateRead(plan) => self.go(Pc::GateScan { plan, gate: self.s.gate }),
            Pc::GateScan { plan, gate } => self.scan(plan, gate),
            Pc::GateWalk { plan, gate, at } => self.walk(plan, gate, at),
            Pc::GateExtent { plan, gate, at } => {
                // What was overwritten meanwhile may say anything; then the gate has moved, and the CAS fails.
                let end = at + self.s.extents[self.cfg.index(at)];
                self.walked(plan, gate, end);
            }
            Pc::GatePut { plan, gate, at } => self.put_gate(plan, gate, at),
            Pc::GateRescan { plan, gate } => {
                let allowed = self.allowed_or_blind(plan.start, gate);
                self.set_limit(plan, gate.min(allowed));
            }
            Pc::Full { .. } if self.s.mode == Mode::Closed => self.give_up(),
            Pc::Full { start } => {
                let left = self.actor().left;
                if has_room(self.cfg, self.s, start, left) {
                    self.begin_claim()
                } else {
                    self.floor_look()
                }
            }
            Pc::FloorLook => self.floor_look(),
            Pc::FloorCas { from, to } => {
                if self.s.group.floor == from || self.cfg.has(Bug::FloorByStore) {
                    self.s.group.floor = to;
                }
                self.go(Pc::FloorLook);
            }
            other => unreachable!("not a step of finding room: {other:?}"),
        }
    }

    /// The planted mistake: what the gate has passed is thought to be free, without a scan.
    fn allowed_or_blind(&self, start: Pos, gate: Pos) -> Pos {
        if self.cfg.has(Bug::ProducerDoesNotRescan) { gate } else { allowed(self.s, start) }
    }

    fn need(&mut self, plan: Plan) -> Pos {
        Span::new(self.cfg, self.actor().left, plan.start).end.saturating_sub(self.cfg.blocks)
    }

    fn scan(&mut self, plan: Plan, gate: Pos) {
        let need = self.need(plan);
        let allowed = allowed(self.s, plan.start);
        if need <= gate {
            // Somebody else moved the gate, but this scan, too, followed a look at it.
            let allowed = self.allowed_or_blind(plan.start, gate);
            self.set_limit(plan, gate.min(allowed));
        } else if need <= allowed {
            self.go(Pc::GateWalk { plan, gate, at: gate });
        } else {
            self.go(Pc::Full { start: plan.start });
        }
    }

    fn set_limit(&mut self, plan: Plan, free: Pos) {
        self.actor().limit = free + self.cfg.blocks;
        let room = self.need(plan) <= free;
        if room { self.announce(plan) } else { self.go(Pc::Full { start: plan.start }) }
    }

    fn walk(&mut self, plan: Plan, gate: Pos, at: Pos) {
        let stamp = self.s.stamps[self.cfg.index(at)];
        let lap = self.cfg.lap(at);
        if stamp.lap() > lap {
            self.go(Pc::GateRead(plan));
        } else if stamp.lap() < lap || !stamp.finished() {
            // The shipped walk ends in a CAS that shows whether somebody else has moved the gate; so does this.
            let moved = self.s.gate != gate;
            self.go(if moved { Pc::GateRead(plan) } else { Pc::Full { start: plan.start } });
        } else if self.cfg.uniform() {
            self.walked(plan, gate, at + 1);
        } else {
            self.go(Pc::GateExtent { plan, gate, at });
        }
    }

    fn walked(&mut self, plan: Plan, gate: Pos, at: Pos) {
        let enough = self.need(plan) <= at;
        self.go(if enough {
            Pc::GatePut { plan, gate, at }
        } else {
            Pc::GateWalk { plan, gate, at }
        });
    }

    /// Only if the gate has not moved was all that was walked over still there.
    fn put_gate(&mut self, plan: Plan, gate: Pos, at: Pos) {
        if self.s.gate == gate {
            self.s.gate = at;
            return self.go(Pc::GateRescan { plan, gate: at });
        }
        let gate = self.s.gate;
        let enough = self.need(plan) <= gate;
        self.go(if enough {
            Pc::GateRescan { plan, gate }
        } else {
            Pc::GateWalk { plan, gate, at: gate }
        });
    }

    fn floor_look(&mut self) {
        let from = self.s.group.floor;
        match beyond(self.cfg, self.s, from) {
            Some(to) => self.go(Pc::FloorCas { from, to }),
            None => self.resume(),
        }
    }
}
