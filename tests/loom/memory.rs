//! What the models share: a queue without a file, and its participants.

use std::sync::{Arc, PoisonError};

use loom::sync::{Mutex, MutexGuard};

use crate::blocks::{Block, Blocks};
use crate::group::{Reader, Settled, Taken, make_explicit};
use crate::layout::{
    Claiming, Control, Entry, Extent, Geometry, Group, IDLE, Kind, Member, Role, claim,
};
use crate::ring::{Claim, Publisher, Refused, Ring};
use crate::sync::{AtomicU64, SeqCst, fence};

/// A block has eight bytes: one number.
const BLOCK_SHIFT: u32 = 3;
/// Nobody forks here.
const PASS: u32 = 0;

/// A queue as it would lie in a file.
pub struct Memory {
    pub control: Control,
    pub groups: Vec<Group>,
    members: Vec<Member>,
    entries: Vec<Entry>,
    claims: Vec<AtomicU64>,
    blocks: Vec<Block>,
    geometry: Geometry,
    registry: Mutex<()>,
}

fn heavy_fence() {
    fence(SeqCst);
}

fn rows<T>(count: usize, new: fn() -> T) -> Vec<T> {
    (0..count).map(|_| new()).collect()
}

impl Memory {
    /// `ring_shift` 1 is a ring of two blocks.
    pub fn new(ring_shift: u32, groups: usize, members: usize) -> Arc<Self> {
        let ring = 1 << ring_shift;
        let geometry = Geometry {
            block_shift: BLOCK_SHIFT,
            ring_shift,
            max_groups: groups as u32,
            max_members: members as u32,
            retain: 0,
            fenced: false,
        };
        let memory = Self {
            control: Control::new(),
            groups: rows(groups, Group::new),
            members: rows(members, Member::new),
            entries: rows(ring, Entry::new),
            claims: (0..ring * groups).map(|_| AtomicU64::new(0)).collect(),
            blocks: rows(ring, Block::new),
            geometry,
            registry: Mutex::new(()),
        };
        memory.control.doors.end.store(IDLE, crate::sync::Relaxed);
        memory.control.room.wanted.store(u64::MAX, crate::sync::Relaxed);
        Arc::new(memory)
    }

    pub fn ring(&self) -> Ring<'_> {
        let claims = (self.claims.as_slice(), self.geometry.ring() as usize);
        Ring::new(
            &self.control,
            &self.groups,
            &self.members,
            &self.entries,
            claims,
            Blocks(&self.blocks),
            self.geometry,
            heavy_fence,
        )
        .expect("parts of the right sizes")
    }

    /// The registry lock.
    pub fn registry(&self) -> MutexGuard<'_, ()> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins as a producer, as `Producer::join` does.
    pub fn producer(&self, row: usize) -> Sender {
        let _registry = self.registry();
        self.ring().join(row, Role::Producer).expect("a sound queue");
        Sender { row, publisher: Publisher::new(row) }
    }

    /// Makes a group that starts at the gate, without members.
    pub fn group(&self, group: usize, kind: Kind) -> u64 {
        let ring = self.ring();
        let start = ring.control.gate.load(crate::sync::Acquire);
        ring.activate_group(group, kind, start).expect("a group row")
    }

    /// Joins an existing group, as `queue::join` does.
    pub fn consumer(&self, row: usize, group: usize) -> Receiver {
        self.consumer_without(row, group, None)
    }

    /// The same with a filter, which one value does not pass.
    pub fn consumer_without(&self, row: usize, group: usize, unwanted: Option<u64>) -> Receiver {
        let _registry = self.registry();
        let ring = self.ring();
        ring.join(row, Role::Consumer { group }).expect("a sound queue");
        let state = &self.groups[group];
        let kind = state.kind().expect("an existing group");
        let plain = unwanted.is_none();
        let reader = Reader::new(&ring, (row, group, kind), state.floor(), plain, PASS);
        match state.mode().claiming() {
            Claiming::Vacant => reader.adopt(&ring, state),
            Claiming::Sole(former) | Claiming::Switching(former) => {
                make_explicit(&ring, group, former, claim::TAKEN).expect("a sound group");
            }
            Claiming::Shared => {}
        }
        Receiver { row, group, reader, unwanted }
    }

    /// Leaves, or repairs one that is dead.
    pub fn release(&self, row: usize) {
        // A bug to plant that the sources have no name for: nobody repairs.
        if crate::sync::planted("model.release") {
            return;
        }
        let _registry = self.registry();
        self.ring().release(row).expect("a sound queue");
    }

    pub fn floor(&self, group: usize) -> u64 {
        self.groups[group].floor()
    }
}

/// A producer.
pub struct Sender {
    pub row: usize,
    pub publisher: Publisher,
}

impl Sender {
    pub fn claim(&mut self, memory: &Memory, blocks: u64) -> Result<Claim, Refused> {
        let ring = memory.ring();
        let hot = &memory.members[self.row].hot;
        let usual = self.publisher.claim_fast(&ring, hot, blocks);
        let claim = match usual.or_else(|| self.publisher.claim_among(&ring, blocks)) {
            Some(first) => Ok(Claim { start: first, first, end: first + blocks }),
            None => self.publisher.claim(&ring, blocks),
        };
        assert_ne!(claim, Err(Refused::Damaged), "an honest queue is damaged");
        claim
    }

    /// One message of as many blocks as values. `None`: full or closed.
    pub fn send(&mut self, memory: &Memory, values: &[u64]) -> Option<u64> {
        let claim = self.claim(memory, values.len() as u64).ok()?;
        finish(memory, &claim, values);
        Some(claim.first)
    }
}

/// Writes a claimed message and publishes it.
pub fn finish(memory: &Memory, claim: &Claim, values: &[u64]) {
    let ring = memory.ring();
    for (i, value) in values.iter().enumerate() {
        let index = ring.index(claim.first) + i;
        ring.blocks.write(index, 0, &value.to_le_bytes()).expect("inside the ring");
    }
    ring.publish(claim, Extent::new(values.len() << BLOCK_SHIFT, 0, 0));
}

/// A member of a group.
pub struct Receiver {
    pub row: usize,
    pub group: usize,
    pub reader: Reader,
    unwanted: Option<u64>,
}

/// A message in hand, and what it says.
pub struct Held {
    pub taken: Taken,
    pub value: u64,
}

impl Receiver {
    /// The next message, if there is one now.
    pub fn take(&self, memory: &Memory) -> Option<Held> {
        let ring = memory.ring();
        let hot = &memory.members[self.row].hot;
        let group = &memory.groups[self.group];
        let fast = self.reader.take_fast(&ring, group, hot, PASS, 0);
        let fast = fast.or_else(|| self.reader.take_among(&ring, group, PASS, 0));
        let taken = match fast {
            Some(taken) => taken,
            None => match self.reader.take(&ring, |position, _| self.wants(&ring, position)) {
                Ok(taken) => taken,
                Err(crate::group::Pause::Damaged) => {
                    let at = self.reader.cursor();
                    panic!("an honest queue is damaged at {at}: {:?}", ring.span(at));
                }
                Err(_) => return None,
            },
        };
        let value = self.read(memory, &taken);
        Some(Held { taken, value })
    }

    fn wants(&self, ring: &Ring, position: u64) -> bool {
        self.unwanted.is_none_or(|value| ring.blocks.read(ring.index(position)) != value)
    }

    /// A look that costs one line if there is nothing, as `Consumer::try_recv` does.
    pub fn poll(&self, memory: &Memory) -> Option<u64> {
        if self.reader.sees_nothing(&memory.ring()) {
            return None;
        }
        self.receive(memory)
    }

    /// All blocks of a leased message; those behind the first follow it by one.
    pub fn read(&self, memory: &Memory, taken: &Taken) -> u64 {
        let ring = memory.ring();
        let index = ring.index(taken.first);
        let blocks = ring.geometry.blocks(taken.extent.bytes()) as usize;
        let first = ring.blocks.read(index);
        for i in 1..blocks {
            assert_eq!(ring.blocks.read(index + i), first + i as u64, "a torn message");
        }
        first
    }

    /// Acks, as `Consumer::ack` does. True if the floor has moved.
    pub fn ack(&self, memory: &Memory, held: &Held) -> bool {
        let ring = memory.ring();
        let (group, taken) = (&memory.groups[self.group], &held.taken);
        if taken.from == taken.first && self.reader.ack_oldest(group, taken.from, taken.end, PASS) {
            return true;
        }
        let range = (taken.from, taken.first, taken.end);
        if let Some(moved) = self.reader.ack_among(&ring, range, taken.count, PASS) {
            return moved;
        }
        let mut settled = self.reader.ack(&ring, &held.taken);
        if settled == Settled::NeedsExplicit {
            self.explicit(memory);
            settled = self.reader.ack(&ring, &held.taken);
            assert_ne!(settled, Settled::NeedsExplicit);
        }
        settled == Settled::Done { moved: true }
    }

    /// Gives a message back, as `Consumer` does.
    pub fn give_back(&self, memory: &Memory, held: &Held) {
        let ring = memory.ring();
        if self.reader.give_back(&ring, held.taken, false) == Settled::NeedsExplicit {
            self.explicit(memory);
            let settled = self.reader.give_back(&ring, held.taken, false);
            assert_ne!(settled, Settled::NeedsExplicit);
        }
    }

    fn explicit(&self, memory: &Memory) {
        let ring = memory.ring();
        let _registry = memory.registry();
        if let Claiming::Sole(row) | Claiming::Switching(row) =
            memory.groups[self.group].mode().claiming()
        {
            make_explicit(&ring, self.group, row, claim::TAKEN).expect("a sound group");
        }
        self.reader.leave_solitude(&ring);
    }

    /// Takes and acks; the value.
    pub fn receive(&self, memory: &Memory) -> Option<u64> {
        let held = self.take(memory)?;
        self.ack(memory, &held);
        Some(held.value)
    }

    /// Takes and acks until nothing is left.
    pub fn drain(&self, memory: &Memory) -> Vec<u64> {
        core::iter::from_fn(|| self.receive(memory)).collect()
    }
}
