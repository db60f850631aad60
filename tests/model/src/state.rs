//! The file, the actors, and what a perfect witness remembers.

use crate::actor::{Actor, Pc};
use crate::config::Config;
use crate::words::{Claim, Id, Mode, NOBODY, NONE, Pos, Stamp};

/// Room for blocks; a configuration may use fewer.
pub const BLOCKS: usize = 4;
/// Room for actors.
pub const ACTORS: usize = 6;
/// Room for messages of one producer.
pub const SLOTS: usize = 4;

/// A message: its producer and which of its messages.
pub type Message = u8;
/// What a block holds after its message was acked: which one it was does not matter any more.
pub const ACKED: Message = 0xfe;

/// A member's row.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Row {
    /// Whether it belongs to somebody, dead or alive.
    pub active: bool,
    /// Position of a producer's claim, or the end of a sole consumer's.
    pub announced: Pos,
    /// Length of a producer's claim.
    pub blocks: u8,
}

/// How far a group's row is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum GroupState {
    /// Nobody's.
    Free,
    /// Its floor binds producers, but its creator has yet to look at the gate again.
    Joining,
    /// A group.
    Active,
}

/// The group's row.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Group {
    /// How far it is.
    pub state: GroupState,
    /// Who may run alone.
    pub mode: Mode,
    /// How often messages were given back.
    pub rewinds: u8,
    /// Everything below is done with.
    pub floor: Pos,
}

/// What became of a message.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Fate {
    /// Not committed, and perhaps never.
    Unsent,
    /// Committed at this position.
    Committed(Pos),
    /// Delivered from there at least once.
    Delivered(Pos),
    /// Acked, or older than the group. The position is forgotten, so that states come together again.
    Done,
}

impl Fate {
    /// Where a message lies that is still owed to the group.
    pub fn owed(self) -> Option<Pos> {
        match self {
            Fate::Committed(position) | Fate::Delivered(position) => Some(position),
            Fate::Unsent | Fate::Done => None,
        }
    }
}

/// A promise broken in a step, rather than visible in a state.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Broken {
    /// Nothing yet.
    Nothing,
    /// An acked message was delivered.
    AckedAgain,
    /// A later message was delivered first, or a producer's messages changed places.
    Order,
    /// Something was delivered that nobody committed, or not whole.
    Phantom,
    /// A message was delivered again and said to be new.
    Unmarked,
}

/// Everything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct State {
    /// Hint where to claim next.
    pub tail: Pos,
    /// Positions below may be overwritten.
    pub gate: Pos,
    /// The producers' mode word.
    pub mode: Mode,
    /// Its other half: which solitude this is. Only equality matters, so it is renumbered (see `symmetry.rs`).
    pub epoch: u8,
    /// Entries: stamps.
    pub stamps: [Stamp; BLOCKS],
    /// Entries: lengths.
    pub extents: [u8; BLOCKS],
    /// Payloads: which message each block holds.
    pub payload: [Message; BLOCKS],
    /// Rows of producers and consumers.
    pub rows: [Row; ACTORS],
    /// The one group.
    pub group: Group,
    /// Its claim words.
    pub claims: [Claim; BLOCKS],
    /// Holder of the registry lock.
    pub registry: Id,
    /// Everybody's private memory and next step.
    pub actors: [Actor; ACTORS],
    /// Kills to come.
    pub crashes: u8,
    /// Returns of messages to come.
    pub retries: u8,
    /// Leaves of consumers to come.
    pub quits: u8,
    /// Joins in rows of others to come.
    pub comebacks: u8,
    /// Whether somebody will close the queue.
    pub close: bool,
    /// Where the queue ends, once it is closed.
    pub end: Pos,
    /// What became of each message.
    pub fates: [Fate; SLOTS * 3],
    /// The first promise broken.
    pub broken: Broken,
}

impl State {
    /// Nobody has joined yet.
    pub fn new(config: &Config) -> Self {
        let served = config.consumers == 0;
        let mut state = State {
            tail: 0,
            gate: 0,
            mode: Mode::Shared,
            epoch: 0,
            stamps: Default::default(),
            extents: [0; BLOCKS],
            payload: [NONE; BLOCKS],
            rows: [Row { active: false, announced: NONE, blocks: 0 }; ACTORS],
            group: Group {
                state: if served { GroupState::Active } else { GroupState::Free },
                mode: Mode::Shared,
                rewinds: 0,
                floor: 0,
            },
            claims: Default::default(),
            registry: NOBODY,
            actors: [Actor::new(Pc::Gone); ACTORS],
            crashes: config.crashes,
            retries: config.retries,
            quits: config.quits,
            comebacks: config.comebacks,
            close: config.close,
            end: NONE,
            fates: [Fate::Unsent; SLOTS * 3],
            broken: Broken::Nothing,
        };
        for (actor, quota) in state.actors.iter_mut().zip(config.quota) {
            *actor = Actor { left: *quota, ..Actor::new(Pc::Join) };
        }
        for id in config.consumer_ids() {
            state.actors[usize::from(id)].pc = Pc::Join;
        }
        if config.observer {
            state.actors[usize::from(config.actors() - 1)].pc = Pc::Poll;
        }
        state
    }

    /// An actor.
    pub fn actor(&self, id: Id) -> &Actor {
        &self.actors[usize::from(id)]
    }

    /// A row.
    pub fn row(&self, id: Id) -> &Row {
        &self.rows[usize::from(id)]
    }

    /// Those of `ids` that are dead and not repaired yet.
    pub fn dead(&self, ids: std::ops::Range<Id>) -> impl Iterator<Item = Id> {
        ids.filter(|id| self.actor(*id).pc == Pc::Dead)
    }

    /// Those of `ids` that own a row, dead or alive, but for `except`.
    pub fn members(&self, ids: std::ops::Range<Id>, except: Id) -> impl Iterator<Item = Id> {
        ids.filter(move |id| *id != except && self.row(*id).active)
    }
}
