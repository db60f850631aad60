//! The words of docs/design.md section 2, and positions.

use std::fmt;

/// Index of a block since the queue was made.
pub type Pos = u8;
/// An actor, which is also the row it owns: producers first, then consumers, then the observer.
pub type Id = u8;

/// "Announced nothing yet", "holds nothing", "no position".
pub const NONE: Pos = 0xff;
/// No actor.
pub const NOBODY: Id = 7;

/// What a stamp says about its block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Never written.
    Never,
    /// Somebody writes here.
    Claimed,
    /// A message.
    Ready,
    /// To be skipped.
    Pad,
}

/// `lap | owner | state` of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Stamp(u16);

impl Stamp {
    /// A claim of `owner`.
    pub fn claimed(lap: u8, owner: Id) -> Self {
        Self(u16::from(lap) << 8 | u16::from(owner) << 2 | 1)
    }

    /// A message of this lap.
    pub fn ready(lap: u8) -> Self {
        Self(u16::from(lap) << 8 | 2)
    }

    /// Padding of this lap.
    pub fn pad(lap: u8) -> Self {
        Self(u16::from(lap) << 8 | 3)
    }

    /// The lap that the word belongs to, 0 for one never written.
    pub fn lap(self) -> u8 {
        (self.0 >> 8) as u8
    }

    /// The claimer; meaningful in [`Stage::Claimed`] only.
    pub fn owner(self) -> Id {
        (self.0 >> 2) as u8 & 7
    }

    /// What it says.
    pub fn stage(self) -> Stage {
        [Stage::Never, Stage::Claimed, Stage::Ready, Stage::Pad][usize::from(self.0 & 3)]
    }

    /// Whether nothing will happen to this entry in its lap any more.
    pub fn finished(self) -> bool {
        matches!(self.stage(), Stage::Ready | Stage::Pad)
    }

    /// The same word after members were renumbered.
    pub fn renamed(self, name: impl Fn(Id) -> Id) -> Self {
        if self.stage() == Stage::Claimed {
            Self::claimed(self.lap(), name(self.owner()))
        } else {
            self
        }
    }
}

impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.stage() {
            Stage::Never => write!(f, "-"),
            Stage::Claimed => write!(f, "{}:CLAIMED({})", self.lap(), self.owner()),
            Stage::Ready => write!(f, "{}:READY", self.lap()),
            Stage::Pad => write!(f, "{}:PAD", self.lap()),
        }
    }
}

/// What a claim word says about a message and a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hold {
    /// Given back.
    Free,
    /// Held by the owner.
    Taken,
    /// Done.
    Acked,
}

/// `lap | count | owner | state` of a group's claim word. Counts stop at 3, which is enough to tell first from again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Claim(u16);

impl Claim {
    fn new(lap: u8, count: u8, owner: Id, state: u16) -> Self {
        Self(u16::from(lap) << 8 | u16::from(count.min(3)) << 5 | u16::from(owner) << 2 | state)
    }

    /// Given back after `count` deliveries.
    pub fn free(lap: u8, count: u8) -> Self {
        Self::new(lap, count, 0, 0)
    }

    /// Delivered to `owner`, the `count`-th delivery.
    pub fn taken(lap: u8, count: u8, owner: Id) -> Self {
        Self::new(lap, count, owner, 1)
    }

    /// Acked.
    pub fn acked(lap: u8) -> Self {
        Self::new(lap, 0, 0, 2)
    }

    /// The lap that the word belongs to, 0 for one never written.
    pub fn lap(self) -> u8 {
        (self.0 >> 8) as u8
    }

    /// Deliveries so far.
    pub fn count(self) -> u8 {
        (self.0 >> 5) as u8 & 3
    }

    /// The holder; meaningful in [`Hold::Taken`] only.
    pub fn owner(self) -> Id {
        (self.0 >> 2) as u8 & 7
    }

    /// What it says.
    pub fn state(self) -> Hold {
        [Hold::Free, Hold::Taken, Hold::Acked][usize::from(self.0 & 3)]
    }

    /// Whether `id` holds the message of lap `lap`.
    pub fn taken_by(self, lap: u8, id: Id) -> bool {
        self.lap() == lap && self.state() == Hold::Taken && self.owner() == id
    }

    /// The same word after members were renumbered.
    pub fn renamed(self, name: impl Fn(Id) -> Id) -> Self {
        if self.state() == Hold::Taken {
            Self::taken(self.lap(), self.count(), name(self.owner()))
        } else {
            self
        }
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.lap(), self.state()) {
            (0, _) => write!(f, "-"),
            (lap, Hold::Free) => write!(f, "{lap}:FREE x{}", self.count()),
            (lap, Hold::Taken) => write!(f, "{lap}:TAKEN({}) x{}", self.owner(), self.count()),
            (lap, Hold::Acked) => write!(f, "{lap}:ACKED"),
        }
    }
}

/// Who may run alone. Written by the holder of the registry lock only.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Mode {
    /// Everybody claims by CAS.
    Shared,
    /// This one needs none.
    Sole(Id),
    /// Somebody ends the solitude of this one.
    Switching(Id),
    /// Nobody may publish any more.
    Closed,
    /// A group without members and without anything in anybody's hands. Producers' vacancy is [`Mode::Shared`] here.
    Vacant,
}

impl Mode {
    /// The one who is, or was until the switch is through, alone.
    pub fn former(self) -> Option<Id> {
        match self {
            Mode::Shared | Mode::Closed | Mode::Vacant => None,
            Mode::Sole(id) | Mode::Switching(id) => Some(id),
        }
    }

    /// The same word after members were renumbered.
    pub fn renamed(self, name: impl Fn(Id) -> Id) -> Self {
        match self {
            Mode::Shared | Mode::Closed | Mode::Vacant => self,
            Mode::Sole(id) => Mode::Sole(name(id)),
            Mode::Switching(id) => Mode::Switching(name(id)),
        }
    }
}
