//! Where things lie in a queue's file, computed from docs/design.md and not from the engine, and a mapping to touch them.
#![allow(dead_code)]

use std::fs::File;
use std::sync::atomic::{AtomicU8, AtomicU64};

use memmap2::{MmapOptions, MmapRaw};

pub const HEADER: usize = 96;
pub const CONTROL: usize = 4096;
pub const TAIL: usize = CONTROL;
pub const GATE: usize = CONTROL + 128;
pub const MODE: usize = CONTROL + 256;
pub const SLEEPERS: usize = MODE + 8;
pub const END: usize = MODE + 16;
pub const ROOM: usize = CONTROL + 384;
pub const GATING: usize = CONTROL + 512;
pub const TOTALS: usize = CONTROL + 640;
pub const GROUPS: usize = CONTROL + 768;
pub const GROUP: usize = 384;
pub const LABEL: usize = 512;
pub const MEMBER: usize = 256;
pub const ENTRY: usize = 16;

/// The offsets of one geometry.
#[derive(Clone, Copy, Debug)]
pub struct Places {
    pub blocks: usize,
    pub block_size: usize,
    pub max_groups: usize,
    pub max_members: usize,
    pub labels_at: usize,
    pub members_at: usize,
    pub entries_at: usize,
    pub blocks_at: usize,
    pub claims_at: usize,
    pub claims_stride: usize,
    pub end: usize,
}

impl Places {
    pub fn of(blocks: usize, block_size: usize, max_groups: usize, max_members: usize) -> Self {
        let page = |at: usize| at.next_multiple_of(4096);
        let labels_at = GROUPS + max_groups * GROUP;
        let members_at = labels_at + max_groups * LABEL;
        let entries_at = page(members_at + max_members * MEMBER);
        let blocks_at = page(entries_at + blocks * ENTRY);
        let claims_at = page(blocks_at + blocks * block_size);
        let claims_stride = page(blocks * 8);
        Self {
            blocks,
            block_size,
            max_groups,
            max_members,
            labels_at,
            members_at,
            entries_at,
            blocks_at,
            claims_at,
            claims_stride,
            end: claims_at + max_groups * claims_stride,
        }
    }
    pub fn group(&self, group: usize) -> usize {
        GROUPS + group * GROUP
    }
    pub fn label(&self, group: usize) -> usize {
        self.labels_at + group * LABEL
    }
    pub fn member(&self, row: usize) -> usize {
        self.members_at + row * MEMBER
    }
    pub fn entry(&self, position: u64) -> usize {
        self.entries_at + (position as usize % self.blocks) * ENTRY
    }
    pub fn block(&self, position: u64) -> usize {
        self.blocks_at + (position as usize % self.blocks) * self.block_size
    }
    pub fn claim(&self, group: usize, position: u64) -> usize {
        self.claims_at + group * self.claims_stride + (position as usize % self.blocks) * 8
    }
    pub fn lap(&self, position: u64) -> u64 {
        position / self.blocks as u64 + 1
    }
}

/// A file mapped by somebody who keeps to no protocol.
pub struct Memory(MmapRaw);

impl Memory {
    pub fn map(file: &File, len: usize) -> Self {
        Self(MmapOptions::new().len(len).map_raw(file).unwrap())
    }
    pub fn open(path: &str, len: usize) -> Self {
        Self::map(&File::options().read(true).write(true).open(path).unwrap(), len)
    }
    pub fn len(&self) -> usize {
        self.0.len()
    }
    /// The aligned word at or below an offset.
    pub fn word(&self, at: usize) -> &AtomicU64 {
        let at = (at & !7).min(self.0.len() - 8);
        // SAFETY: inside the mapping, as just clamped.
        let pointer = unsafe { self.0.as_mut_ptr().add(at) };
        // SAFETY: eight mapped and aligned bytes, for as long as `self` is borrowed; all who share them know that others write.
        unsafe { AtomicU64::from_ptr(pointer.cast()) }
    }
    pub fn byte(&self, at: usize) -> &AtomicU8 {
        let at = at.min(self.0.len() - 1);
        // SAFETY: inside the mapping, as just clamped.
        let pointer = unsafe { self.0.as_mut_ptr().add(at) };
        // SAFETY: a mapped byte, for as long as `self` is borrowed.
        unsafe { AtomicU8::from_ptr(pointer) }
    }
}
