//! An actor: its private memory and the shared access it makes next.

use crate::words::{Claim, Id, NONE, Pos, Stamp};

/// A claim that a producer is about to make.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Plan {
    /// The epoch of `Sole(me)` under which it was made, 0 for none.
    pub word: u8,
    /// Where.
    pub start: Pos,
    /// The stamp found there, for the CAS. Unused when `word` is not 0.
    pub old: Stamp,
}

/// The making explicit of what a former sole consumer holds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Conversion {
    /// Whose messages.
    pub former: Id,
    /// Up to where.
    pub end: Pos,
    /// The next one.
    pub at: Pos,
}

/// How far a repair is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Repair {
    /// Bring tail to where a sole producer was; for a consumer: finish a switch that it began.
    Switch,
    /// Pad its claim; for a consumer: free what it held.
    Words,
    /// Tell the others that something was freed.
    Rewind,
    /// Settle who may run alone.
    Mode,
    /// Free the row.
    Row,
}

/// What an actor does next: each variant is one access to shared memory or one operation of the kernel. `dead` is the
/// row under repair in whose course a switch is finished, or nobody.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[allow(missing_docs, reason = "named for what they access; publish.rs, group.rs and the others say why")]
pub enum Pc {
    // Places to wait at.
    Gone,
    Dead,
    Idle,
    Poll,
    Join,
    Leave,
    Full { start: Pos },
    AwaitTail { word: u8, start: Pos },

    // Publish.
    ReadMode,
    ReadTail { word: u8 },
    ReadStamp { word: u8, start: Pos },
    ReadExtent { word: u8, start: Pos },
    ReadRow { word: u8, start: Pos, stamp: Stamp },
    Recheck { word: u8, start: Pos, stamp: Stamp, end: Pos },
    MoveTail { word: u8, start: Pos, end: Pos },
    WriteBlocks(Plan),
    Announce(Plan),
    CheckMode { word: u8, start: Pos },
    Restamp { start: Pos },
    Cas(Plan),
    Bump { start: Pos },
    CheckClosed { start: Pos },
    PadOwn { start: Pos },
    Publish { start: Pos, done: u8 },

    // Room.
    GateRead(Plan),
    GateScan { plan: Plan, gate: Pos },
    GateWalk { plan: Plan, at: Pos },
    GateExtent { plan: Plan, at: Pos },
    GateRecheck { plan: Plan, at: Pos, end: Pos },
    GatePut { plan: Plan, at: Pos },
    GateRescan { plan: Plan, gate: Pos },
    FloorLook,
    FloorCas { from: Pos, to: Pos },

    // Producers come and go, under the registry lock.
    JoinMode,
    SwitchMode { former: Id, dead: Id },
    SwitchRead { former: Id, dead: Id },
    SwitchTail { former: Id, at: Pos, dead: Id },
    SwitchStamp { former: Id, at: Pos, dead: Id },
    SwitchCas { former: Id, at: Pos, old: Stamp, dead: Id },
    SwitchDone { dead: Id },
    LeaveTail,
    LeaveMode,
    LeaveRow,

    // Close, under the registry lock.
    CloseMode { end: Pos },
    CloseTail,
    CloseLook { at: Pos },
    CloseEnd { end: Pos },

    // Consume.
    ReadRewinds,
    ReadFloor,
    ConsumerAnnounce,
    ConsumerMode,
    ReadClaim,
    Take { old: Claim },
    RetryRewind,
    RetryFree { at: Pos },
    AckLate { at: Pos },

    // Consumers come and go, under the registry lock.
    GroupState,
    GroupGate,
    GroupWrite { gate: Pos },
    GroupReread { gate: Pos },
    GroupFloor { gate: Pos },
    GroupActive,
    GroupMode { former: Id, dead: Id },
    GroupAnnounced { former: Id, dead: Id },
    ConvertFloor { what: Conversion, dead: Id },
    ConvertLook { what: Conversion, dead: Id },
    ConvertCas { what: Conversion, old: Claim, next: Pos, dead: Id },
    ConvertDone { dead: Id },
    SoleCheck,
    SoleMode,
    QuitMode,
    QuitRow,

    // Somebody died.
    Repair { dead: Id, stage: Repair, freed: bool },
    PadLate { at: Pos, blocks: u8 },
}

/// Private memory. A kill takes all of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Actor {
    /// What it does next.
    pub pc: Pc,
    /// Producer: claims yet to make.
    pub left: u8,
    /// Producer: its claims may end here without a look at the gate.
    pub limit: Pos,
    /// Producer: the epoch in which it knows the frontier, or 0. Consumer: 1 if it believes to be alone.
    pub sole: u8,
    /// Producer: that frontier. Consumer: its cursor.
    pub next: Pos,
    /// Consumer: `rewinds` when it last began at the floor.
    pub seen: u8,
    /// Consumer: messages it holds, oldest first.
    pub held: [Pos; 2],
}

impl Actor {
    /// One with nothing in mind.
    pub fn new(pc: Pc) -> Self {
        Actor { pc, left: 0, limit: 0, sole: 0, next: 0, seen: 0, held: [NONE; 2] }
    }

    /// Positions that a consumer holds.
    pub fn holds(&self) -> impl Iterator<Item = Pos> {
        self.held.into_iter().filter(|position| *position != NONE)
    }

    /// Takes one more into its hands, oldest first.
    pub fn hold(&mut self, position: Pos) {
        self.held[1] = position;
        self.held.sort_unstable();
    }

    /// Lets one go.
    pub fn drop_hold(&mut self, position: Pos) {
        for held in &mut self.held {
            if *held == position {
                *held = NONE;
            }
        }
        self.held.sort_unstable();
    }
}
