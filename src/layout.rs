//! What lies in the file: rows of `repr(C)` atomics, the encodings of their words, and the geometry that says where they are.
//!
//! Golden offsets are asserted below and in `tests/layout.rs`; a change of any of them is a new [`LAYOUT_VERSION`].

// The path is spelt out for the loom suite, which includes this file from elsewhere.
#[path = "layout/words.rs"]
mod words;

pub(crate) use words::*;

use crate::sync::{AtomicU32, AtomicU64};
use crossbeam_utils::CachePadded;

/// The file's first eight bytes, as a little-endian number: "SLIPRING".
pub(crate) const MAGIC: u64 = u64::from_le_bytes(*b"SLIPRING");
/// The layout of queue files that this library reads and writes. Advanced with every change of the bytes' meaning, and independent of the
/// crate's version: programs of one layout version share queues.
pub const LAYOUT_VERSION: u32 = 1;
/// Feature bit: light fences are real ones and nobody runs sole, since membarrier was not to be had.
pub(crate) const FEATURE_FENCED: u32 = 1;
/// The bits that this version understands.
pub(crate) const FEATURES: u32 = FEATURE_FENCED;

/// Where the control words begin; the header has the page before.
pub(crate) const CONTROL_AT: usize = 4096;
/// Members a queue can have at most: an owner is ten bits wide.
pub(crate) const MAX_MEMBERS: u32 = 1023;
/// Groups a queue can have at most: the gating map is four words.
pub(crate) const MAX_GROUPS: u32 = 256;
/// Blocks a ring has at least and at most.
pub(crate) const MIN_BLOCKS: u64 = 16;
pub(crate) const MAX_BLOCKS: u64 = 1 << 30;
/// The longest event name, group name, filter and queue name, in bytes.
pub(crate) const MAX_EVENT: usize = 255;
pub(crate) const MAX_NAME: usize = 128;

/// No position: a producer that has claimed nothing yet.
pub(crate) const IDLE: u64 = u64::MAX;

/// The header. Written once by the creator, checked once by each opener and then kept in private memory.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub magic: u64,
    pub version: u32,
    pub features: u32,
    pub id: [u64; 2],
    pub block_shift: u32,
    pub ring_shift: u32,
    pub max_groups: u32,
    pub max_members: u32,
    /// Blocks of history kept behind the slowest reader.
    pub retain: u64,
    /// The first position ever given out.
    pub base: u64,
    pub file_len: u64,
    pub created_unix_ns: u64,
    pub creator_pid: u64,
    pub spare: u64,
}

/// The hot words, each on lines of its own.
#[repr(C)]
pub(crate) struct Control {
    /// Hint to the frontier, moved on by anyone; not written while a producer is sole.
    pub tail: CachePadded<AtomicU64>,
    /// Positions below may be overwritten at any moment. Always a message boundary; only grows.
    pub gate: CachePadded<AtomicU64>,
    pub doors: CachePadded<Doors>,
    pub room: CachePadded<Room>,
    /// The groups that gate producers, a bit each; read only when a limit is used up.
    pub gating: CachePadded<[AtomicU64; 4]>,
    /// Counters that outlive the members that made them.
    pub totals: CachePadded<Totals>,
}

/// What every send looks at: one line, seldom written.
#[repr(C)]
pub(crate) struct Doors {
    /// How producers claim: a [`Mode`].
    pub mode: AtomicU64,
    /// Who sleeps: group g at bit g mod 63, producers waiting for room at bit 63.
    pub sleepers: AtomicU64,
    /// The frontier at which the queue was closed; `IDLE` while it is open.
    pub end: AtomicU64,
}

/// Where producers wait for room.
#[repr(C)]
pub(crate) struct Room {
    pub signal: AtomicU32,
    _pad: u32,
    /// The smallest floor that is worth waking a producer for.
    pub wanted: AtomicU64,
}

/// Sums over members that have left.
#[repr(C)]
pub(crate) struct Totals {
    pub sent: AtomicU64,
    pub received: AtomicU64,
    pub repaired: AtomicU64,
    pub dead_lettered: AtomicU64,
    pub dropped: AtomicU64,
}

/// One group: the words that its members and the producers touch.
#[repr(C)]
pub(crate) struct Group {
    pub info: CachePadded<GroupInfo>,
    /// Everything below is acked. Written plainly by a sole member, by CAS otherwise.
    pub floor: CachePadded<AtomicU64>,
    pub signal: CachePadded<AtomicU32>,
}

/// A group's seldom written words.
#[repr(C)]
pub(crate) struct GroupInfo {
    /// 0 free, else a [`Kind`] and a generation above it.
    pub state: AtomicU64,
    pub mode: AtomicU64,
    /// Moved whenever a message becomes free again below somebody's cursor.
    pub rewinds: AtomicU64,
    /// Not zero once a member has asked for a pollable fd.
    pub bells: AtomicU64,
}

/// One member: producer or consumer.
#[repr(C)]
pub(crate) struct Member {
    pub info: CachePadded<MemberInfo>,
    pub hot: CachePadded<MemberHot>,
}

/// A member's seldom written words.
#[repr(C)]
pub(crate) struct MemberInfo {
    /// See [`MemberState`].
    pub state: AtomicU64,
    /// For people; liveness is the kernel's lock.
    pub pid: AtomicU64,
    pub joined_unix_ns: AtomicU64,
    /// 1 while the member waits for its pollable fd to be rung.
    pub bell: AtomicU32,
    _pad: u32,
}

/// The words that a member writes all the time and others read seldom.
#[repr(C)]
pub(crate) struct MemberHot {
    /// Producer: start of its current claim. Sole consumer: end of the last message it took.
    pub announced: AtomicU64,
    /// Producer: length of that claim in blocks.
    pub blocks: AtomicU64,
    /// Messages sent or received.
    pub count: AtomicU64,
}

/// One block's bookkeeping.
#[repr(C, align(16))]
pub(crate) struct Entry {
    pub stamp: AtomicU64,
    pub extent: AtomicU64,
}

macro_rules! zeroed {
    ($($type:ident { $($field:ident),* $(; $pad:ident)? })*) => {$(
        impl $type {
            /// As it lies in a new file, but for what the creator sets; used by models, which have no file.
            #[allow(dead_code)]
            pub(crate) fn new() -> Self {
                Self { $($field: Default::default(),)* $($pad: 0)? }
            }
        }
        impl Default for $type {
            fn default() -> Self { Self::new() }
        }
    )*};
}
zeroed! {
    Control { tail, gate, doors, room, gating, totals }
    Doors { mode, sleepers, end }
    Room { signal, wanted; _pad }
    Totals { sent, received, repaired, dead_lettered, dropped }
    Group { info, floor, signal }
    GroupInfo { state, mode, rewinds, bells }
    Member { info, hot }
    MemberInfo { state, pid, joined_unix_ns, bell; _pad }
    MemberHot { announced, blocks, count }
    Entry { stamp, extent }
}

/// A group's cold description, beside its hot row. Text is kept in words, since others may write it.
#[repr(C)]
pub(crate) struct Label {
    pub name: Text,
    pub filter: Text,
    pub dead_letter: Text,
    /// 0: no limit.
    pub max_deliveries: AtomicU64,
    pub dead_lettered: AtomicU64,
    pub dropped: AtomicU64,
    pub redelivered: AtomicU64,
    /// 1 while nobody has joined the group that came with the queue: its first member says what its settings are.
    pub undecided: AtomicU64,
    _spare: [u64; 8],
}

/// Up to 128 bytes of text.
#[repr(C)]
pub(crate) struct Text {
    pub len: AtomicU64,
    pub words: [AtomicU64; MAX_NAME / 8],
}

#[cfg(not(loom))]
impl Text {
    /// The text as it is now, if it is text at all.
    pub(crate) fn get(&self) -> Option<String> {
        let len = self.len.load(crate::sync::Acquire);
        let len = usize::try_from(len).ok().filter(|len| *len <= MAX_NAME)?;
        let mut bytes: Vec<u8> = self
            .words
            .iter()
            .flat_map(|word| word.load(crate::sync::Relaxed).to_le_bytes())
            .collect();
        bytes.truncate(len);
        String::from_utf8(bytes).ok()
    }

    /// Stores at most 128 bytes.
    pub(crate) fn set(&self, text: &str) {
        let bytes = text.as_bytes();
        for (word, chunk) in self.words.iter().zip(bytes.chunks(8)) {
            let mut eight = [0; 8];
            for (to, from) in eight.iter_mut().zip(chunk) {
                *to = *from;
            }
            word.store(u64::from_le_bytes(eight), crate::sync::Relaxed);
        }
        self.len.store(bytes.len().min(MAX_NAME) as u64, crate::sync::Release);
    }
}

/// Where everything lies, checked once and then kept in private memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    pub block_shift: u32,
    pub ring_shift: u32,
    pub max_groups: u32,
    pub max_members: u32,
    pub retain: u64,
    pub fenced: bool,
}

impl Geometry {
    /// Blocks in the ring.
    #[inline(always)]
    pub(crate) fn ring(&self) -> u64 {
        1 << self.ring_shift
    }
    /// The longest claim of one message, in blocks: with its padding it must fit beside what is retained.
    #[inline(always)]
    pub(crate) fn max_message(&self) -> u64 {
        (self.ring() - self.retain) / 2
    }
    /// Blocks that so many bytes take; an empty message takes one.
    #[inline(always)]
    pub(crate) fn blocks(&self, bytes: u64) -> u64 {
        (bytes.saturating_sub(1) >> self.block_shift) + 1
    }
}

/// Offsets of the file's parts, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offsets {
    pub groups: usize,
    pub labels: usize,
    pub members: usize,
    pub entries: usize,
    pub blocks: usize,
    pub claims: usize,
    /// Bytes from one group's claims to the next's: whole pages.
    pub claims_stride: usize,
    pub end: usize,
}

impl Offsets {
    /// `None` if they do not fit into the address space.
    pub(crate) fn of(geometry: &Geometry) -> Option<Self> {
        let page = |at: usize| at.checked_add(4095).map(|at| at & !4095);
        let area = |count: usize, size: usize| count.checked_mul(size);
        let ring = usize::try_from(geometry.ring()).ok()?;
        let (max_groups, max_members) =
            (geometry.max_groups as usize, geometry.max_members as usize);
        let groups = CONTROL_AT + size_of::<Control>();
        let labels = groups.checked_add(area(max_groups, size_of::<Group>())?)?;
        let members = labels.checked_add(area(max_groups, size_of::<Label>())?)?;
        let entries = page(members.checked_add(area(max_members, size_of::<Member>())?)?)?;
        let blocks = page(entries.checked_add(area(ring, size_of::<Entry>())?)?)?;
        let claims = page(blocks.checked_add(area(ring, 1 << geometry.block_shift)?)?)?;
        let claims_stride = page(area(ring, 8)?)?;
        let end = claims.checked_add(area(max_groups, claims_stride)?)?;
        Some(Self { groups, labels, members, entries, blocks, claims, claims_stride, end })
    }
}

#[cfg(not(loom))]
const _: () = {
    use core::mem::offset_of;
    assert!(size_of::<Header>() == 96);
    assert!(offset_of!(Control, gate) == 128 && offset_of!(Control, doors) == 256);
    assert!(offset_of!(Control, room) == 384 && offset_of!(Control, gating) == 512);
    assert!(size_of::<Control>() == 768);
    assert!(size_of::<Group>() == 384 && size_of::<Member>() == 256 && size_of::<Entry>() == 16);
    assert!(size_of::<Label>() == 512);
};
