//! Bytes to spoil a queue with: decoded from a string of bytes, which a fuzzer makes or a generator of random numbers.
#![allow(dead_code)]

use std::sync::atomic::Ordering::Relaxed;

use super::places::{
    CONTROL, END, GATE, GATING, HEADER, LABEL, MODE, Memory, Places, ROOM, SLEEPERS, TAIL, TOTALS,
};

/// A string of bytes, read from its start; zeros when it is used up.
pub struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
    pub fn done(&self) -> bool {
        self.0.is_empty()
    }
    pub fn u8(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }
    pub fn u16(&mut self) -> u16 {
        u16::from_le_bytes([self.u8(), self.u8()])
    }
    pub fn u64(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.u8()))
    }
    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::from(self.u16()) % limit.max(1)
    }
}

/// A generator of random numbers: splitmix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ x >> 31
    }
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count.div_ceil(8)).flat_map(|_| self.next().to_le_bytes()).take(count).collect()
    }
}

/// The parts that a patch can hit.
pub const PARTS: [&str; 9] =
    ["header", "control", "group", "label", "member", "entry", "block", "claim", "anywhere"];

/// Spoils one place. Returns the index of its part in [`PARTS`].
pub fn patch(bytes: &mut Bytes, memory: &Memory, places: &Places) -> usize {
    // Entries, claims, rows and control words are where it hurts; the header is read once only.
    let part = [0, 1, 1, 1, 2, 2, 2, 3, 4, 4, 4, 5, 5, 5, 5, 5, 6, 7, 7, 7, 8][bytes.below(21)];
    let (at, position) = place(bytes, memory, places, part);
    match bytes.u8() % 16 {
        0 => drop(memory.byte(at).fetch_xor(1 << (bytes.u8() % 8), Relaxed)),
        1 => memory.byte(at).store(bytes.u8(), Relaxed),
        2 => {
            let line = at & !63;
            for word in 0..8 {
                memory.word(line + word * 8).store(bytes.u64(), Relaxed);
            }
        }
        3 => drop(memory.word(at).fetch_xor(1 << (bytes.u8() % 64), Relaxed)),
        // A lost update, seen as one word put back where another one was.
        4 => {
            let (other, _) = place(bytes, memory, places, part);
            memory.word(at).store(memory.word(other).load(Relaxed), Relaxed);
        }
        _ => {
            let old = memory.word(at).load(Relaxed);
            memory.word(at).store(value(bytes, memory, places, part, old, position), Relaxed);
        }
    }
    part
}

/// An offset in a part, and the position that its word is about.
fn place(bytes: &mut Bytes, memory: &Memory, places: &Places, part: usize) -> (usize, u64) {
    let near = [TAIL, GATE, places.group(0) + 128, places.member(0) + 128];
    let base = memory.word(near[usize::from(bytes.u8()) % 4]).load(Relaxed);
    let position = base.wrapping_add(u64::from(bytes.u8() % 16)).wrapping_sub(4);
    let at = match part {
        0 => usize::from(bytes.u8()) % HEADER,
        1 => match bytes.u8() % 12 {
            0 | 1 => TAIL,
            2 | 3 => GATE,
            4 | 5 => MODE,
            6 => SLEEPERS,
            7 => END,
            8 => ROOM + usize::from(bytes.u8() % 2) * 8,
            9 | 10 => GATING + usize::from(bytes.u8() % 4) * 8,
            _ => TOTALS + usize::from(bytes.u8() % 5) * 8,
        },
        2 => {
            let word = [0, 8, 8, 16, 24, 128, 128, 256][usize::from(bytes.u8()) % 8];
            places.group(usize::from(bytes.u8()) % places.max_groups) + word
        }
        3 => {
            let group = usize::from(bytes.u8()) % places.max_groups;
            places.label(group) + bytes.below(LABEL)
        }
        4 => {
            let word = [0, 0, 8, 24, 128, 128, 136, 136, 144][usize::from(bytes.u8()) % 9];
            places.member(usize::from(bytes.u8()) % places.max_members) + word
        }
        5 => places.entry(position) + usize::from(bytes.u8() % 2) * 8,
        6 => places.block(position) + bytes.below(places.block_size),
        7 => places.claim(usize::from(bytes.u8()) % places.max_groups.min(4), position),
        // The claims of groups that there are not have no memory; who touches them gives them some.
        _ => (bytes.u64() % places.claims_at as u64) as usize,
    };
    (if part == 8 { at.max(CONTROL) } else { at }, position)
}

/// A value that could nearly be right.
fn value(
    bytes: &mut Bytes,
    memory: &Memory,
    places: &Places,
    part: usize,
    old: u64,
    position: u64,
) -> u64 {
    let small = u64::from(bytes.u8() % 16);
    let owner = bytes.below(places.max_members + 2) as u64;
    let lap = match bytes.u8() % 8 {
        0 => places.lap(position).wrapping_add(1),
        1 => places.lap(position).wrapping_sub(1),
        2 => bytes.u64(),
        _ => places.lap(position),
    };
    match bytes.u8() % 16 {
        0 => 0,
        1 => u64::MAX - small,
        2 => 1 << (bytes.u8() % 64),
        3 => bytes.u64(),
        4 | 5 => old.wrapping_add(small),
        6 | 7 => old.wrapping_sub(small),
        8 => old.wrapping_add(places.blocks as u64),
        9 => old.wrapping_sub(places.blocks as u64),
        10 => position,
        // As `part` has it: a stamp or an extent, a claim, a mode or a state, a length of blocks.
        _ => match part {
            5 if bytes.u8() < 128 => lap << 12 | owner << 2 | (small % 4),
            5 => extent(bytes, places, small),
            7 => lap << 20 | u64::from(bytes.u8()) << 12 | owner << 2 | (small % 4),
            1 | 2 => {
                let epoch = memory.word(MODE).load(Relaxed) & !0xffff_ffff;
                epoch | owner << 16 | u64::from(bytes.u8() % 2) << 8 | (small % 5)
            }
            4 => {
                let group = bytes.below(places.max_groups + 1) as u64;
                old & !0xffff_ffff | group << 16 | (small % 4) << 8 | u64::from(bytes.u8() % 3)
            }
            _ => bytes.u64(),
        },
    }
}

/// Lengths: just too long, far too long, of a padding, and of payload, event and trailer together.
fn extent(bytes: &mut Bytes, places: &Places, small: u64) -> u64 {
    let ring = (places.blocks * places.block_size) as u64;
    match bytes.u8() % 6 {
        0 => (ring + small).wrapping_sub(8) & 0xffff_ffff,
        1 => 0xffff_ffff - small,
        2 => 0xff_ffff_ffff_ffff >> small,
        3 => places.blocks as u64 + small,
        4 => small << 40 | small << 32 | u64::from(bytes.u16()),
        _ => small,
    }
}
