//! Who may do what when.

use crate::actor::{Actor, Pc};
use crate::config::{Bug, Config};
use crate::group::{can_serve, floor_lags, in_the_way, may_be_alone, not_alone, sees_something};
use crate::publish::Turn;
use crate::room::{beyond, has_room};
use crate::state::State;
use crate::words::{Id, Mode, NOBODY, NONE, Pos};
use stateright::{Model, Property};

/// The protocol, as stateright sees it.
#[derive(Clone, Debug)]
pub struct Protocol(pub Config);

/// What an actor does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Move {
    /// The access that its `pc` names.
    Step,
    /// Consumer: looks at the stamp under its cursor.
    Look,
    /// Consumer: sees that something was given back.
    Rewound,
    /// Consumer: acks the message here.
    Ack(Pos),
    /// Consumer: gives the message here back.
    Retry(Pos),
    /// Sole consumer: makes its group explicit.
    Explicit,
    /// Consumer: sees that it is not alone any more.
    Notice,
    /// Consumer: tries to be alone again.
    Alone,
    /// Consumer: brings the floor along.
    Floor,
    /// Consumer: leaves.
    Quit,
    /// Observer: takes and acks the next message.
    Serve,
    /// Takes the registry lock to repair this one.
    Repair(Id),
    /// Takes the registry lock to close the queue.
    Close,
    /// Somebody new joins in the row of one that is gone.
    Return,
    /// Is killed.
    Die,
}

/// Who does what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Action {
    /// Who.
    pub who: Id,
    /// What.
    pub what: Move,
}

/// What everybody may do but die.
pub fn moves(cfg: &Config, s: &State, mut add: impl FnMut(Id, Move)) {
    for id in 0..cfg.actors() {
        moves_of(cfg, s, id, |what| add(id, what));
    }
}

fn moves_of(cfg: &Config, s: &State, id: Id, mut add: impl FnMut(Move)) {
    let unlocked = s.registry == NOBODY;
    match s.actor(id).pc {
        Pc::Gone => {
            let useful = s.actor(id).left > 0 || cfg.consumer_ids().contains(&id);
            if s.comebacks > 0 && useful {
                add(Move::Return);
            }
        }
        Pc::Dead | Pc::Idle => {}
        Pc::Join if unlocked => {
            // A joiner repairs every row on its way.
            let mut dead = s.dead(0..cfg.actors()).peekable();
            if dead.peek().is_none() {
                add(Move::Step);
            }
            dead.for_each(|dead| add(Move::Repair(dead)));
        }
        Pc::Leave if unlocked => add(Move::Step),
        Pc::Join | Pc::Leave => {}
        Pc::Full { start } => {
            let movable = beyond(cfg, s, s.group.floor).is_some();
            if movable || has_room(cfg, s, start, s.actor(id).left) || s.mode == Mode::Closed {
                add(Move::Step);
            }
            repairs(s, 0..cfg.actors(), add);
        }
        Pc::AwaitTail { start, .. } => {
            if s.tail != start {
                add(Move::Step);
            }
        }
        Pc::Poll => polls(cfg, s, id, add),
        _ => add(Move::Step),
    }
}

/// One that waits looks for the dead among these.
fn repairs(s: &State, among: std::ops::Range<Id>, mut add: impl FnMut(Move)) {
    if s.registry == NOBODY {
        s.dead(among).for_each(|dead| add(Move::Repair(dead)));
    }
}

/// One that waits for the end of a closed queue finishes what a dead closer began.
fn closes(cfg: &Config, s: &State, mut add: impl FnMut(Move)) {
    let begun = s.mode == Mode::Closed && s.end == NONE && s.registry == NOBODY;
    if begun && !cfg.has(Bug::CloseNotFinished) {
        add(Move::Close);
    }
}

/// A consumer between two messages, or the observer. It looks only where something is to be seen: a look that finds
/// nothing leaves everything as it was. So does a look at an unchanged `rewinds`; skipping it is having looked early.
fn polls(cfg: &Config, s: &State, id: Id, mut add: impl FnMut(Move)) {
    if id == cfg.producers() + cfg.consumers {
        if cfg.consumers == 0 && can_serve(cfg, s) {
            add(Move::Serve);
        }
        if s.close && s.registry == NOBODY {
            add(Move::Close);
        }
        closes(cfg, s, &mut add);
        return repairs(s, 0..cfg.actors(), add);
    }
    let actor = s.actor(id);
    let holding = actor.holds().count();
    let unlocked = s.registry == NOBODY;
    let alone = actor.sole == 1;
    // Alone, it acks in order; anything else needs explicit claim words.
    if unlocked && s.quits > 0 {
        add(Move::Quit);
    }
    let ackable = if alone { 1 } else { 2 };
    actor.holds().take(ackable).for_each(|at| add(Move::Ack(at)));
    if alone && unlocked && (holding == 2 || (holding == 1 && s.retries > 0)) {
        add(Move::Explicit);
    }
    if not_alone(s, id) {
        add(Move::Notice);
    }
    if !alone && s.retries > 0 {
        actor.holds().for_each(|at| add(Move::Retry(at)));
    }
    if holding == usize::from(cfg.hold) {
        return;
    }
    if !alone && actor.seen != s.group.rewinds {
        add(Move::Rewound);
    }
    if sees_something(cfg, s, id) {
        add(Move::Look);
    }
    if unlocked && may_be_alone(cfg, s, id) {
        add(Move::Alone);
    }
    if holding == 0 && floor_lags(cfg, s, id) {
        add(Move::Floor);
    }
    closes(cfg, s, &mut add);
    repairs(s, in_the_way(cfg, s, id), add);
}

/// Whether a kill of this actor makes a difference. One that has not joined yet leaves nothing behind.
fn mortal(s: &State, id: Id) -> bool {
    !matches!(s.actor(id).pc, Pc::Gone | Pc::Dead | Pc::Join)
}

fn come_back(s: &mut State, id: Id) {
    s.comebacks -= 1;
    s.actors[usize::from(id)].pc = Pc::Join;
}

fn die(s: &mut State, id: Id) {
    s.crashes -= 1;
    if s.registry == id {
        s.registry = NOBODY;
    }
    let pc = if s.row(id).active { Pc::Dead } else { Pc::Gone };
    let left = if s.comebacks > 0 { s.actor(id).left } else { 0 };
    s.actors[usize::from(id)] = Actor { left, ..Actor::new(pc) };
}

/// Carries an action out.
pub fn act(cfg: &Config, s: &mut State, action: Action) {
    let mut turn = Turn { cfg, s, me: action.who };
    match action.what {
        Move::Step => step(&mut turn),
        Move::Look => turn.look(),
        Move::Rewound => turn.look_again(),
        Move::Ack(at) => turn.ack(at),
        Move::Retry(at) => turn.retry(at),
        Move::Explicit => turn.make_explicit(),
        Move::Alone => {
            turn.lock();
            turn.go(Pc::SoleCheck);
        }
        Move::Floor => turn.room_step(Pc::FloorLook),
        Move::Quit => {
            turn.s.quits -= 1;
            turn.leave();
        }
        Move::Notice => turn.notice(false),
        Move::Serve => turn.serve(),
        Move::Repair(dead) => turn.begin_repair(dead),
        Move::Close => turn.begin_close(),
        Move::Return => come_back(s, action.who),
        Move::Die => die(s, action.who),
    }
}

fn step(turn: &mut Turn<'_>) {
    let pc = turn.actor().pc;
    match pc {
        Pc::Join => turn.join(),
        Pc::Leave => turn.leave(),
        Pc::Repair { dead, stage, freed } => turn.repair_step(dead, stage, freed),
        Pc::PadLate { at, blocks } => turn.pad_late(at, blocks),
        Pc::Full { .. }
        | Pc::GateRead(_)
        | Pc::GateScan { .. }
        | Pc::GateWalk { .. }
        | Pc::GateExtent { .. }
        | Pc::GatePut { .. }
        | Pc::GateRescan { .. }
        | Pc::FloorLook
        | Pc::FloorCas { .. } => turn.room_step(pc),
        Pc::Settle
        | Pc::SwitchMode { .. }
        | Pc::SwitchRead { .. }
        | Pc::SwitchWalk { .. }
        | Pc::SwitchTail { .. }
        | Pc::SwitchAgain { .. }
        | Pc::SwitchCas { .. }
        | Pc::SwitchDone { .. } => turn.member_step(pc),
        Pc::CloseMode { .. } | Pc::CloseTail | Pc::CloseLook { .. } | Pc::CloseEnd { .. } => {
            turn.close_step(pc)
        }
        Pc::ReadRewinds
        | Pc::ReadFloor
        | Pc::ConsumerAnnounce
        | Pc::ConsumerMode
        | Pc::OwnHold { .. }
        | Pc::TakeAnnounced
        | Pc::ReadClaim
        | Pc::Take { .. }
        | Pc::RetryRewind
        | Pc::AckLate { .. } => turn.consume_step(pc),
        Pc::GroupState
        | Pc::GroupGate
        | Pc::GroupWrite { .. }
        | Pc::GroupReread { .. }
        | Pc::GroupFloor { .. }
        | Pc::GroupActive
        | Pc::GroupMode { .. }
        | Pc::GroupAnnounced { .. }
        | Pc::ConvertFloor { .. }
        | Pc::ConvertLook { .. }
        | Pc::ConvertCas { .. }
        | Pc::ConvertDone { .. }
        | Pc::SoleCheck
        | Pc::SoleMode => turn.group_step(pc),
        _ => turn.publish_step(pc),
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut state = State::new(&self.0);
        crate::symmetry::canonical(&self.0, &mut state);
        vec![state]
    }

    fn actions(&self, s: &State, actions: &mut Vec<Action>) {
        moves(&self.0, s, |who, what| actions.push(Action { who, what }));
        if s.crashes > 0 {
            let mortals = (0..self.0.actors()).filter(|id| mortal(s, *id));
            actions.extend(mortals.map(|who| Action { who, what: Move::Die }));
        }
    }

    fn next_state(&self, s: &State, action: Action) -> Option<State> {
        let mut next = *s;
        act(&self.0, &mut next, action);
        crate::symmetry::canonical(&self.0, &mut next);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        crate::properties::all(&self.0)
    }
}
