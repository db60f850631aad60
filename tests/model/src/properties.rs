//! The promises, as conditions on single states. Those that can only be seen in a step leave a mark in
//! [`State::broken`].

use crate::actor::Pc;
use crate::config::Config;
use crate::model::{Protocol, moves};
use crate::publish::Span;
use crate::room::beyond;
use crate::state::{Broken, Fate, GroupState, State};
use crate::words::{Id, Mode, NOBODY, NONE, Pos, Stage, Stamp};
use stateright::Property;

/// Every promise.
pub fn all(_: &Config) -> Vec<Property<Protocol>> {
    vec![
        Property::always("no committed message is lost", |p, s| nothing_lost(&p.0, s)),
        Property::always("nothing acked is delivered again", |_: &Protocol, s: &State| {
            s.broken != Broken::AckedAgain
        }),
        Property::always(
            "messages come in order, whole, and marked when they come again",
            |_: &Protocol, s: &State| matches!(s.broken, Broken::Nothing | Broken::AckedAgain),
        ),
        Property::always("a message has one holder", |p, s| one_holder(&p.0, s)),
        Property::always("a position has one owner", |p, s| one_owner(&p.0, s)),
        Property::always("nothing in use is overwritten", |p, s| nothing_overwritten(&p.0, s)),
        Property::always("every claim has a known owner and length", |p, s| claims_known(&p.0, s)),
        Property::always("nothing is committed beyond the end", |_, s| nothing_beyond(s)),
        Property::always("nobody is stuck", |p, s| nobody_stuck(&p.0, s)),
    ]
}

/// What is owed to the group lies where it was committed, and the floor has not passed it.
fn nothing_lost(cfg: &Config, s: &State) -> bool {
    s.group.state != GroupState::Active
        || s.fates.iter().enumerate().all(|(message, fate)| {
            fate.owed().is_none_or(|at| {
                let index = cfg.index(at);
                at >= s.group.floor
                    && s.stamps[index] == Stamp::ready(cfg.lap(at))
                    && (at..at + s.extents[index])
                        .all(|block| usize::from(s.payload[cfg.index(block)]) == message)
            })
        })
}

fn one_holder(cfg: &Config, s: &State) -> bool {
    let mut held: Vec<Pos> = Vec::new();
    cfg.consumer_ids().all(|id| {
        s.actor(id).holds().all(|at| {
            let alone = !held.contains(&at);
            held.push(at);
            alone
        })
    })
}

/// The claim that a live producer has in its hands.
fn claim_of(cfg: &Config, s: &State, id: Id) -> Option<Span> {
    let actor = s.actor(id);
    match actor.pc {
        Pc::CheckClosed { start }
        | Pc::PadOwn { start }
        | Pc::Bump { start }
        | Pc::Publish { start, .. } => Some(Span::new(cfg, actor.left, start)),
        _ => None,
    }
}

fn one_owner(cfg: &Config, s: &State) -> bool {
    let mut end_of_earlier: Vec<(Pos, Pos)> = Vec::new();
    (0..cfg.producers()).filter_map(|id| claim_of(cfg, s, id)).all(|span| {
        let apart =
            end_of_earlier.iter().all(|(start, end)| span.end <= *start || *end <= span.start);
        end_of_earlier.push((span.start, span.end));
        apart
    })
}

fn nothing_beyond(s: &State) -> bool {
    s.fates.iter().all(|fate| fate.owed().is_none_or(|at| at < s.end))
}

/// A claim in hand covers no block that the group still needs, nor one that somebody else is writing in another lap.
fn nothing_overwritten(cfg: &Config, s: &State) -> bool {
    let active = s.group.state == GroupState::Active;
    let apart = |(start, end): (Pos, Pos), (from, to): (Pos, Pos)| {
        end <= from + cfg.blocks && to <= start + cfg.blocks
    };
    let spans = || {
        (0..cfg.producers())
            .filter_map(|id| claim_of(cfg, s, id))
            .map(|span| (span.start, span.end))
    };
    spans().all(|span| {
        let fits = !active || span.1 <= s.group.floor + cfg.blocks;
        let unread = !active
            || s.fates.iter().filter_map(|fate| fate.owed()).all(|at| {
                let message = (at, at + s.extents[cfg.index(at)]);
                apart(span, message) && (message.1 <= span.0 || span.1 <= message.0)
            });
        fits && unread && spans().all(|other| apart(span, other))
    })
}

/// The row of every CLAIMED stamp's owner says how long the claim is, and from one end of what is claimed to the other
/// nothing is nobody's.
fn claims_known(cfg: &Config, s: &State) -> bool {
    (0..usize::from(cfg.blocks)).all(|index| {
        let stamp = s.stamps[index];
        stamp.stage() != Stage::Claimed || {
            let (owner, at) = (stamp.owner(), cfg.position(stamp.lap(), index));
            owner != NOBODY
                && s.row(owner).active
                && s.row(owner).announced == at
                && meant(cfg, s, owner, at)
        }
    }) && tail_reached(cfg, s)
}

/// A live owner knows of the claim, and its row says the right length.
fn meant(cfg: &Config, s: &State, owner: Id, at: Pos) -> bool {
    let actor = s.actor(owner);
    let start = match actor.pc {
        Pc::Dead => return true,
        Pc::CheckMode { start, .. }
        | Pc::CheckClosed { start }
        | Pc::PadOwn { start }
        | Pc::CatchUp { start }
        | Pc::Bump { start }
        | Pc::Publish { start, .. } => start,
        Pc::Cas(plan) => plan.start,
        _ => return false,
    };
    start == at && s.row(owner).blocks == Span::new(cfg, actor.left, at).blocks()
}

/// Entry by entry from the floor to tail, which may lag behind while a producer is alone but never stands in the
/// middle of a claim or beyond the last one.
fn tail_reached(cfg: &Config, s: &State) -> bool {
    let mut at = s.group.floor.max(s.gate);
    if s.group.state != GroupState::Active {
        at = s.gate;
    }
    while at < s.tail {
        let index = cfg.index(at);
        let stamp = s.stamps[index];
        if stamp.lap() > cfg.lap(at) {
            return true; // no group yet, and overwritten
        }
        if stamp.lap() < cfg.lap(at) {
            return false;
        }
        at += match stamp.stage() {
            Stage::Claimed if stamp.owner() == NOBODY => return false,
            Stage::Claimed => s.row(stamp.owner()).blocks,
            _ => s.extents[index],
        };
    }
    at <= s.tail || at <= s.group.floor.max(s.gate)
}

/// When nothing can happen any more but kills, everybody has finished, and where a reader is left it has got
/// everything. Since no run is endless (`check.rs` shows it), every run gets there.
fn nobody_stuck(cfg: &Config, s: &State) -> bool {
    let mut quiet = true;
    moves(cfg, s, |_, _| quiet = false);
    !quiet || finished(cfg, s)
}

/// Everybody has done what it can.
pub fn finished(cfg: &Config, s: &State) -> bool {
    // Where there are consumers, the observer only repairs.
    let readers =
        if cfg.consumers > 0 { cfg.consumer_ids() } else { cfg.producers()..cfg.actors() };
    let read = readers.into_iter().any(|id| s.actor(id).pc == Pc::Poll);
    let everybody = (0..cfg.actors()).all(|id| match s.actor(id).pc {
        // Rows of the dead that nothing depends on wait for whoever comes next.
        Pc::Gone | Pc::Idle | Pc::Dead => true,
        Pc::Full { .. } => !read,
        Pc::Poll => s.actor(id).holds().next().is_none(),
        _ => false,
    });
    let delivered = s.fates.iter().all(|fate| matches!(fate, Fate::Unsent | Fate::Done));
    let drained = s.group.state != GroupState::Active || settled_to(cfg, s) >= s.end;
    let ended = s.mode != Mode::Closed || (s.end != NONE && drained);
    everybody && ((delivered && ended) || !read)
}

/// How far from the floor everything is acked or padding. A reader of a closed queue looks as far as this, whether
/// anybody has moved the floor so far or not.
fn settled_to(cfg: &Config, s: &State) -> Pos {
    let mut at = s.group.floor;
    while let Some(next) = beyond(cfg, s, at) {
        at = next;
    }
    at
}
