//! What the words of the rows say: numbers in bit fields, so that whatever others write is a number too.

/// What kind of group a row holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Durable: exists without members, gates producers.
    Named,
    /// One member, gates producers, goes with its member.
    Anonymous,
    /// One member, does not gate, may be overrun.
    Lossy,
}

impl Kind {
    pub(crate) fn from_state(state: u64) -> Option<Self> {
        match state & 0xff {
            1 => Some(Kind::Named),
            2 => Some(Kind::Anonymous),
            3 => Some(Kind::Lossy),
            _ => None,
        }
    }
    pub(crate) fn bits(self) -> u64 {
        match self {
            Kind::Named => 1,
            Kind::Anonymous => 2,
            Kind::Lossy => 3,
        }
    }
}

/// How producers claim, or members of a group: `epoch:32 | row:16 | closed:8 | tag:8`. The epoch moves with every change, so
/// that nobody mistakes a later solitude for his earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mode(pub u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claiming {
    Vacant,
    Sole(usize),
    Switching(usize),
    Shared,
}

impl Mode {
    const CLOSED: u64 = 1 << 8;

    pub(crate) fn claiming(self) -> Claiming {
        let row = (self.0 >> 16 & 0xffff) as usize;
        match self.0 & 0xff {
            0 => Claiming::Vacant,
            1 => Claiming::Sole(row),
            2 => Claiming::Switching(row),
            _ => Claiming::Shared,
        }
    }
    pub(crate) fn is_closed(self) -> bool {
        self.0 & Self::CLOSED != 0
    }
    pub(crate) fn closed(self) -> Self {
        Mode(self.0 | Self::CLOSED)
    }
    /// The next mode, with the epoch advanced and the closed flag kept.
    pub(crate) fn next(self, claiming: Claiming) -> Self {
        let (tag, row) = match claiming {
            Claiming::Vacant => (0, 0),
            Claiming::Sole(row) => (1, row),
            Claiming::Switching(row) => (2, row),
            Claiming::Shared => (3, 0),
        };
        let epoch = (self.0 >> 32).wrapping_add(1) & 0xffff_ffff;
        Mode(epoch << 32 | (row as u64) << 16 | self.0 & Self::CLOSED | tag)
    }
}

/// A member row's state: `generation:32 | group:16 | role:8 | active:8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MemberState(pub u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Producer,
    Consumer { group: usize },
}

impl MemberState {
    pub(crate) fn role(self) -> Option<Role> {
        match (self.0 & 0xff, self.0 >> 8 & 0xff) {
            (1, 1) => Some(Role::Producer),
            (1, 2) => Some(Role::Consumer { group: (self.0 >> 16 & 0xffff) as usize }),
            _ => None,
        }
    }
    pub(crate) fn generation(self) -> u64 {
        self.0 >> 32
    }
    pub(crate) fn joined(self, role: Role) -> Self {
        let (tag, group) = match role {
            Role::Producer => (1, 0),
            Role::Consumer { group } => (2, group as u64),
        };
        Self(self.0 & !0xffff_ffff | group << 16 | tag << 8 | 1)
    }
    pub(crate) fn left(self) -> Self {
        Self((self.generation().wrapping_add(1) & 0xffff_ffff) << 32)
    }
}

/// What a READY entry says of its message: `trailer:16 | event:8 | len:32`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent(pub u64);

impl Extent {
    pub(crate) fn new(len: usize, event: usize, trailer: usize) -> Self {
        Self(
            len as u64 & 0xffff_ffff
                | (event as u64 & 0xff) << 32
                | (trailer as u64 & 0xffff) << 40,
        )
    }
    pub(crate) fn len(self) -> usize {
        (self.0 & 0xffff_ffff) as usize
    }
    pub(crate) fn event(self) -> usize {
        (self.0 >> 32 & 0xff) as usize
    }
    pub(crate) fn trailer(self) -> usize {
        (self.0 >> 40 & 0xffff) as usize
    }
    /// Payload, event name and trailer. Most messages are payload alone.
    #[inline(always)]
    pub(crate) fn bytes(self) -> u64 {
        if self.0 >> 32 == 0 { self.0 } else { (self.len() + self.event() + self.trailer()) as u64 }
    }
}

/// In the word of sleepers, the bit of producers that wait for room. The others are groups'.
pub(crate) const ROOM: u64 = 1 << 63;

/// Stamps: `lap:52 | owner:10 | state:2`.
pub(crate) mod stamp {
    pub(crate) const CLAIMED: u64 = 1;
    pub(crate) const READY: u64 = 2;
    pub(crate) const PAD: u64 = 3;
    const LAP_BITS: u32 = 52;

    #[inline(always)]
    pub(crate) fn word(lap: u64, owner: usize, state: u64) -> u64 {
        lap << 12 | (owner as u64) << 2 | state
    }
    #[inline(always)]
    pub(crate) fn state(word: u64) -> u64 {
        word & 3
    }
    #[inline(always)]
    pub(crate) fn owner(word: u64) -> usize {
        (word >> 2 & 0x3ff) as usize
    }
    /// How the word's lap stands to this lap.
    #[inline(always)]
    pub(crate) fn age(word: u64, lap: u64) -> super::Age {
        super::Age::of(word, 12, LAP_BITS, lap)
    }
}

/// Claims: `lap:44 | count:8 | owner:10 | state:2`.
pub(crate) mod claim {
    pub(crate) const FREE: u64 = 0;
    pub(crate) const TAKEN: u64 = 1;
    pub(crate) const ACKED: u64 = 2;
    const LAP_BITS: u32 = 44;

    #[inline(always)]
    pub(crate) fn word(lap: u64, count: u64, owner: usize, state: u64) -> u64 {
        lap << 20 | count.min(255) << 12 | (owner as u64) << 2 | state
    }
    #[inline(always)]
    pub(crate) fn state(word: u64) -> u64 {
        word & 3
    }
    #[inline(always)]
    pub(crate) fn owner(word: u64) -> usize {
        (word >> 2 & 0x3ff) as usize
    }
    #[inline(always)]
    pub(crate) fn count(word: u64) -> u64 {
        word >> 12 & 0xff
    }
    #[inline(always)]
    pub(crate) fn age(word: u64, lap: u64) -> super::Age {
        super::Age::of(word, 20, LAP_BITS, lap)
    }
}

/// How a word's lap stands to the lap that the reader has in mind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Age {
    /// Of an earlier lap, or never written.
    Older,
    Current,
    /// Of a later lap: the reader has been passed.
    Newer,
}

impl Age {
    /// Laps are compared modulo the bits they have; half of that range is more than any queue lives.
    #[inline(always)]
    fn of(word: u64, low: u32, bits: u32, lap: u64) -> Self {
        let ahead = (word >> low).wrapping_sub(lap) << (64 - bits);
        if word == 0 {
            Age::Older
        } else if ahead == 0 {
            Age::Current
        } else if (ahead as i64) < 0 {
            Age::Older
        } else {
            Age::Newer
        }
    }
}
