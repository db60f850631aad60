//! An actor: its private memory and the shared access it makes next.

use crate::words::{Claim, Id, NONE, Pos, Stamp};

/// A claim that a producer is about to make.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Plan {
    /// The epoch of `Sole(me)` under which it was made, 0 for none.
    pub word: u8,
    /// Where.
    pub start: Pos,
    /// The stamp found there at first; only the planted mistake remembers it.
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
    /// Pad a producer's claim; for a consumer: end its solitude.
    Begin,
    /// Bring tail to where a sole producer was; for a consumer: free what it took alone.
    Tail,
    /// Nobody is alone any more.
    Mode,
    /// Free what a consumer took among others.
    Words,
    /// Tell the others that something was freed.
    Rewind,
    /// Free the row.
    Row,
}

/// What an actor does next: each variant is one access to shared memory or one operation of the kernel. `dead` is the
/// row under repair in whose course a group's switch is finished, or nobody; `close` says that a switch is part of closing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[allow(
    missing_docs,
    reason = "named for what they access; publish.rs, group.rs and the others say why"
)]
pub enum Pc {
    // Places to wait at.
    Gone,
    Dead,
    Idle,
    Poll,
    Join,
    Leave,
    Full { start: Pos },
    AwaitTail { start: Pos },

    // Publish.
    ReadMode,
    ReadTail { word: u8 },
    ReadStamp { start: Pos },
    ReadExtent { start: Pos },
    ReadRow { start: Pos, stamp: Stamp },
    Recheck { start: Pos, stamp: Stamp, end: Pos },
    MoveTail { start: Pos, end: Pos },
    WriteBlocks(Plan),
    Announce(Plan),
    CheckMode { word: u8, start: Pos },
    CatchUp { start: Pos },
    Cas(Plan),
    Bump { start: Pos },
    CheckClosed { start: Pos },
    PadOwn { start: Pos },
    Publish { start: Pos, done: u8 },

    // Room.
    GateRead(Plan),
    GateScan { plan: Plan, gate: Pos },
    GateWalk { plan: Plan, gate: Pos, at: Pos },
    GateExtent { plan: Plan, gate: Pos, at: Pos },
    GatePut { plan: Plan, gate: Pos, at: Pos },
    GateRescan { plan: Plan, gate: Pos },
    FloorLook,
    FloorCas { from: Pos, to: Pos },

    // Producers come and go, under the registry lock.
    Settle,
    SwitchMode { former: Id, close: bool },
    SwitchRead { former: Id, close: bool },
    SwitchWalk { former: Id, at: Pos, close: bool },
    SwitchTail { former: Id, to: Pos, close: bool },
    SwitchAgain { former: Id, to: Pos, close: bool },
    SwitchCas { former: Id, at: Pos, close: bool },
    SwitchDone { close: bool },

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
    OwnHold { at: Pos, announced: bool },
    TakeAnnounced,
    ReadClaim,
    Take { old: Claim },
    RetryRewind,
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
