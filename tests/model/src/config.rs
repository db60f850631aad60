//! What is played: who takes part, what they send, how many may die, and which mistake is planted.

use crate::words::{Id, Pos};

/// Claims that a producer makes, the last one first; a claim is the lengths of its messages in blocks. More than one
/// length is a batch.
pub type Claims = &'static [&'static [u8]];

/// One configuration of the model.
#[derive(Clone, Debug)]
pub struct Config {
    /// For the table.
    pub name: &'static str,
    /// Blocks of the ring, at most [`crate::state::BLOCKS`].
    pub blocks: u8,
    /// Claims still to make, per producer; its length is the number of producers.
    pub quota: &'static [u8],
    /// What a producer claims when it has `k` claims to go: `claims[k - 1]`.
    pub claims: Claims,
    /// Members of the group, at most 2. Without any the group exists from the start and the observer serves it.
    pub consumers: u8,
    /// Somebody who only repairs and, where there are no consumers, takes messages in one step each.
    pub observer: bool,
    /// How many actors may be killed.
    pub crashes: u8,
    /// How often a message may be given back.
    pub retries: u8,
    /// How many messages a consumer may hold at a time, at most 2.
    pub hold: u8,
    /// How many consumers may leave.
    pub quits: u8,
    /// How often somebody new may join in the row of one that is gone.
    pub comebacks: u8,
    /// Whether the observer closes the queue at some time.
    pub close: bool,
    /// Whether producers leave when they have sent everything.
    pub leave: bool,
    /// Whether tail lags for ever: no claim moves it, and who claims among others goes on from his own last claim, the gate, or tail.
    pub lag: bool,
    /// The planted mistake.
    pub bug: Option<Bug>,
    /// Count states that differ in the numbering of equal actors once.
    pub symmetry: bool,
}

impl Config {
    /// A small default to start from.
    pub fn new(name: &'static str) -> Self {
        Config {
            name,
            blocks: 2,
            quota: &[1],
            claims: &[&[1], &[1], &[1], &[1]],
            consumers: 0,
            observer: false,
            crashes: 0,
            retries: 0,
            hold: 1,
            quits: 0,
            comebacks: 0,
            close: false,
            leave: true,
            lag: false,
            bug: None,
            symmetry: true,
        }
    }

    /// Whether this mistake is planted.
    pub fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// Number of producers.
    pub fn producers(&self) -> Id {
        self.quota.len() as Id
    }

    /// Rows of consumers.
    pub fn consumer_ids(&self) -> std::ops::Range<Id> {
        self.producers()..self.producers() + self.consumers
    }

    /// Everybody.
    pub fn actors(&self) -> Id {
        self.producers() + self.consumers + Id::from(self.observer)
    }

    /// Whether every claim is one block. Then lengths are known without looking, and looks at them are not steps.
    pub fn uniform(&self) -> bool {
        self.claims.iter().all(|claim| *claim == [1])
    }

    /// Index of a position's block.
    pub fn index(&self, position: Pos) -> usize {
        usize::from(position % self.blocks)
    }

    /// Lap of a position, from one.
    pub fn lap(&self, position: Pos) -> u8 {
        position / self.blocks + 1
    }

    /// Position at `index` in `lap`.
    pub fn position(&self, lap: u8, index: usize) -> Pos {
        (lap - 1) * self.blocks + index as Pos
    }
}

/// Mistakes to plant. Each must be caught; see `tests/protocol.rs`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bug {
    /// A newcomer goes to Shared without a look at what the sole producer announced.
    NewcomerIgnoresAnnouncement,
    /// A newcomer reads the announcement first and writes the mode after.
    NewcomerReadsBeforeMode,
    /// A sole producer does not read the mode again after it announced.
    FormerDoesNotReread,
    /// A former that finds itself the owner of a claim made on its behalf begins anew.
    FormerDropsClaim,
    /// The mode word says Sole(me) and not since when.
    ModeWithoutEpoch,
    /// A stamp of a later lap is taken for a free one.
    LaterLapIsFree,
    /// A fresh row says that position 0 was announced.
    FreshRowSaysZero,
    /// A claim is made without a name on it.
    ClaimWithoutOwner,
    /// A helper trusts the row without a second look at the stamp.
    HelperDoesNotRecheck,
    /// A wrapping claim writes its PAD first and the message after.
    PadFirst,
    /// A batch publishes its first message first.
    BatchInOrder,
    /// Repair leaves the claim of a dead producer as it is.
    RepairDoesNotPad,
    /// Repair pads only claims that have a stamp; a dead sole producer's has none yet.
    RepairIgnoresUnstamped,
    /// Repair frees the row before it pads.
    RepairFreesRowFirst,
    /// A producer does not scan the groups again after it moved the gate.
    ProducerDoesNotRescan,
    /// A group that joins does not look at the gate again.
    JoinerDoesNotReread,
    /// A group that died in joining counts as one that had joined.
    JoinerDiesConfirmed,
    /// Nobody makes the former's messages explicit.
    ConversionSkipped,
    /// A newcomer to a group reads the announcement first and writes the mode after.
    ConversionBeforeMode,
    /// A sole consumer does not read the mode again after it announced.
    ConsumerDoesNotReread,
    /// Ack moves the floor first and writes ACKED after.
    AckAfterFloor,
    /// The floor is moved by a plain store.
    FloorByStore,
    /// Giving back does not tell the others.
    RetryWithoutRewind,
    /// Repair tells the others only if it has freed something itself.
    RepairRewindsIfFreed,
    /// Repair never frees the row, and so has no end.
    RepairLeavesRow,
    /// Repair leaves TAKEN words of a dead consumer.
    RepairDoesNotFree,
    /// A consumer runs alone again though others hold messages.
    SoleAmongOthers,
    /// A former that scans again takes a message that it holds from before the switch for a free one.
    FormerForgetsHolds,
    /// A claim is made by CAS from the stamp that was seen before there was room.
    CasFromFirstLook,
    /// A member that joins leaves in its row what the one before announced.
    RowKeepsAnnouncement,
    /// A sole consumer does not look whether producers have moved the floor over padding under its cursor.
    SoleIgnoresFloor,
    /// A consumer acks by moving the floor though others share the group.
    AckByFloor,
    /// A producer does not look for CLOSED after it has claimed.
    ClaimerIgnoresClose,
    /// Who closes does not claim for a sole producer what that one announced.
    CloserIgnoresAnnouncement,
    /// Who closes looks for the end first and writes CLOSED after.
    EndBeforeClose,
    /// Nobody finishes the work of one that was killed while closing.
    CloseNotFinished,
}

impl Bug {
    /// All of them.
    pub const ALL: &[Bug] = &[
        Bug::NewcomerIgnoresAnnouncement,
        Bug::NewcomerReadsBeforeMode,
        Bug::FormerDoesNotReread,
        Bug::FormerDropsClaim,
        Bug::ModeWithoutEpoch,
        Bug::LaterLapIsFree,
        Bug::FreshRowSaysZero,
        Bug::ClaimWithoutOwner,
        Bug::HelperDoesNotRecheck,
        Bug::PadFirst,
        Bug::BatchInOrder,
        Bug::RepairDoesNotPad,
        Bug::RepairIgnoresUnstamped,
        Bug::RepairFreesRowFirst,
        Bug::ProducerDoesNotRescan,
        Bug::JoinerDoesNotReread,
        Bug::JoinerDiesConfirmed,
        Bug::ConversionSkipped,
        Bug::ConversionBeforeMode,
        Bug::ConsumerDoesNotReread,
        Bug::AckAfterFloor,
        Bug::FloorByStore,
        Bug::RetryWithoutRewind,
        Bug::RepairRewindsIfFreed,
        Bug::RepairLeavesRow,
        Bug::RepairDoesNotFree,
        Bug::SoleAmongOthers,
        Bug::FormerForgetsHolds,
        Bug::CasFromFirstLook,
        Bug::RowKeepsAnnouncement,
        Bug::SoleIgnoresFloor,
        Bug::AckByFloor,
        Bug::ClaimerIgnoresClose,
        Bug::CloserIgnoresAnnouncement,
        Bug::EndBeforeClose,
        Bug::CloseNotFinished,
    ];
}
