//! One state for all that differ only in names: in which number stands for which of several equal actors, and in
//! counters of which only equality matters. Every rule of the model treats equal actors alike, so what can happen from
//! one such state can happen from the other.

use crate::actor::{Actor, Conversion, Pc, Plan};
use crate::config::Config;
use crate::state::{ACKED, ACTORS, Row, SLOTS, State};
use crate::words::{Id, Mode};

/// The epoch of the present mode word.
const NOW: u8 = 2;
/// Every other epoch.
const STALE: u8 = 1;

/// Rewrites `s` as the representative of its kind.
pub fn canonical(cfg: &Config, s: &mut State) {
    renumber_epochs(cfg, s);
    renumber_rewinds(cfg, s);
    if cfg.symmetry {
        rename(cfg, s);
    }
}

/// A remembered epoch is good only as long as the mode word says exactly that.
fn renumber_epochs(cfg: &Config, s: &mut State) {
    for id in 0..cfg.producers() {
        let good = s.mode == Mode::Sole(id);
        let epoch = s.epoch;
        let new = |word: u8| match word {
            0 => 0,
            word if good && word == epoch => NOW,
            _ => STALE,
        };
        let actor = &mut s.actors[usize::from(id)];
        actor.sole = new(actor.sole);
        actor.pc = actor.pc.with_word(new);
    }
    s.epoch = NOW;
}

/// A remembered `rewinds` is either the present one or another.
fn renumber_rewinds(cfg: &Config, s: &mut State) {
    for id in cfg.consumer_ids() {
        let actor = &mut s.actors[usize::from(id)];
        let joined = s.rows[usize::from(id)].active;
        actor.seen = u8::from(joined && actor.seen == s.group.rewinds);
    }
    s.group.rewinds = 1;
}

/// All that is known of one actor, to sort by.
fn key(s: &State, id: Id) -> (Actor, Row, [crate::state::Fate; SLOTS], bool) {
    let mut fates = [crate::state::Fate::Unsent; SLOTS];
    let own = usize::from(id) * SLOTS;
    if own < s.fates.len() {
        fates.copy_from_slice(&s.fates[own..own + SLOTS]);
    }
    let former = s.mode.former() == Some(id) || s.group.mode.former() == Some(id);
    (*s.actor(id), *s.row(id), fates, former)
}

fn rename(cfg: &Config, s: &mut State) {
    let mut order: [Id; 8] = [0, 1, 2, 3, 4, 5, 6, 7];
    let (producers, consumers) = (cfg.producers(), cfg.consumer_ids());
    let old = |order: &[Id; 8], k: usize| key(s, order[k]);
    for range in [0..producers, consumers] {
        // Insertion sort: two or three actors, mostly in order.
        for end in usize::from(range.start) + 1..usize::from(range.end) {
            let mut k = end;
            while k > usize::from(range.start) && old(&order, k) < old(&order, k - 1) {
                order.swap(k, k - 1);
                k -= 1;
            }
        }
    }
    if order == [0, 1, 2, 3, 4, 5, 6, 7] {
        return;
    }
    let mut names = [0; 8];
    for (new, old) in order.iter().enumerate() {
        names[usize::from(*old)] = new as Id;
    }
    apply(s, &order, &|id: Id| names[usize::from(id)]);
}

fn apply(s: &mut State, order: &[Id; 8], name: &impl Fn(Id) -> Id) {
    let before = *s;
    for (new, old) in order.iter().map(|old| usize::from(*old)).enumerate().take(ACTORS) {
        s.actors[new] = Actor { pc: before.actors[old].pc.renamed(name), ..before.actors[old] };
        s.rows[new] = before.rows[old];
        if new * SLOTS < s.fates.len() {
            s.fates[new * SLOTS..][..SLOTS].copy_from_slice(&before.fates[old * SLOTS..][..SLOTS]);
        }
    }
    for payload in s.payload.iter_mut().filter(|payload| **payload < ACKED) {
        *payload = name(*payload / SLOTS as u8) * SLOTS as u8 + *payload % SLOTS as u8;
    }
    s.stamps = s.stamps.map(|stamp| stamp.renamed(name));
    s.claims = s.claims.map(|claim| claim.renamed(name));
    s.mode = s.mode.renamed(name);
    s.group.mode = s.group.mode.renamed(name);
    s.registry = name(s.registry);
}

impl Plan {
    fn renamed(self, name: &impl Fn(Id) -> Id) -> Self {
        Plan { old: self.old.renamed(name), ..self }
    }
}

impl Conversion {
    fn renamed(self, name: &impl Fn(Id) -> Id) -> Self {
        Conversion { former: name(self.former), ..self }
    }
}

impl Pc {
    /// The same step with the epoch that it remembers renumbered.
    fn with_word(self, new: impl Fn(u8) -> u8) -> Self {
        let planned = |plan: Plan| Plan { word: new(plan.word), ..plan };
        match self {
            Pc::ReadTail { word } => Pc::ReadTail { word: new(word) },
            Pc::CheckMode { word, start } => Pc::CheckMode { word: new(word), start },
            Pc::WriteBlocks(plan) => Pc::WriteBlocks(planned(plan)),
            Pc::Announce(plan) => Pc::Announce(planned(plan)),
            Pc::Cas(plan) => Pc::Cas(planned(plan)),
            Pc::GateRead(plan) => Pc::GateRead(planned(plan)),
            Pc::GateScan { plan, gate } => Pc::GateScan { plan: planned(plan), gate },
            Pc::GateWalk { plan, gate, at } => Pc::GateWalk { plan: planned(plan), gate, at },
            Pc::GateExtent { plan, gate, at } => Pc::GateExtent { plan: planned(plan), gate, at },
            Pc::GatePut { plan, gate, at } => Pc::GatePut { plan: planned(plan), gate, at },
            Pc::GateRescan { plan, gate } => Pc::GateRescan { plan: planned(plan), gate },
            other => other,
        }
    }

    /// The same step after members were renumbered.
    fn renamed(self, name: &impl Fn(Id) -> Id) -> Self {
        match self {
            Pc::ReadRow { start, stamp } => Pc::ReadRow { start, stamp: stamp.renamed(name) },
            Pc::Recheck { start, stamp, end } => {
                Pc::Recheck { start, stamp: stamp.renamed(name), end }
            }
            Pc::WriteBlocks(plan) => Pc::WriteBlocks(plan.renamed(name)),
            Pc::Announce(plan) => Pc::Announce(plan.renamed(name)),
            Pc::Cas(plan) => Pc::Cas(plan.renamed(name)),
            Pc::GateRead(plan) => Pc::GateRead(plan.renamed(name)),
            Pc::GateScan { plan, gate } => Pc::GateScan { plan: plan.renamed(name), gate },
            Pc::GateWalk { plan, gate, at } => Pc::GateWalk { plan: plan.renamed(name), gate, at },
            Pc::GateExtent { plan, gate, at } => {
                Pc::GateExtent { plan: plan.renamed(name), gate, at }
            }
            Pc::GatePut { plan, gate, at } => Pc::GatePut { plan: plan.renamed(name), gate, at },
            Pc::GateRescan { plan, gate } => Pc::GateRescan { plan: plan.renamed(name), gate },
            Pc::SwitchMode { former, close } => Pc::SwitchMode { former: name(former), close },
            Pc::SwitchRead { former, close } => Pc::SwitchRead { former: name(former), close },
            Pc::SwitchWalk { former, at, close } => {
                Pc::SwitchWalk { former: name(former), at, close }
            }
            Pc::SwitchTail { former, to, close } => {
                Pc::SwitchTail { former: name(former), to, close }
            }
            Pc::SwitchAgain { former, to, close } => {
                Pc::SwitchAgain { former: name(former), to, close }
            }
            Pc::SwitchCas { former, at, close } => {
                Pc::SwitchCas { former: name(former), at, close }
            }
            Pc::Take { old } => Pc::Take { old: old.renamed(name) },
            Pc::GroupMode { former, dead } => {
                Pc::GroupMode { former: name(former), dead: name(dead) }
            }
            Pc::GroupAnnounced { former, dead } => {
                Pc::GroupAnnounced { former: name(former), dead: name(dead) }
            }
            Pc::ConvertFloor { what, dead } => {
                Pc::ConvertFloor { what: what.renamed(name), dead: name(dead) }
            }
            Pc::ConvertLook { what, dead } => {
                Pc::ConvertLook { what: what.renamed(name), dead: name(dead) }
            }
            Pc::ConvertCas { what, old, next, dead } => Pc::ConvertCas {
                what: what.renamed(name),
                old: old.renamed(name),
                next,
                dead: name(dead),
            },
            Pc::ConvertDone { dead } => Pc::ConvertDone { dead: name(dead) },
            Pc::Repair { dead, stage, freed } => Pc::Repair { dead: name(dead), stage, freed },
            other => other,
        }
    }
}
