//! What the processes of a kill test share beside the queue: flags, progress, and a log for each that survives SIGKILL.

use std::fs::OpenOptions;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// Places for processes; a killed one's place goes to its replacement.
pub const SLOTS: usize = 9;
/// Records a log has room for between two checkpoints.
const RECORDS: usize = 1 << 18;
const RECORD_WORDS: usize = 4;
const HEAD_WORDS: usize = 8;
const SLOT_WORDS: usize = HEAD_WORDS + RECORDS * RECORD_WORDS;

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// About to send `seq`; `position` is the number of messages of the batch that begins with it, or 0.
    Try,
    /// `seq` was sent; `position` is where, or `NOWHERE` if the call does not tell.
    Sent,
    /// `seq` was given up before commit.
    Aborted,
    Got,
    Acking,
    Acked,
    GivingBack,
}

const KINDS: [Kind; 7] =
    [Kind::Try, Kind::Sent, Kind::Aborted, Kind::Got, Kind::Acking, Kind::Acked, Kind::GivingBack];

pub const NOWHERE: u64 = u64::MAX;

/// One line of a log.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// Moment on the clock that all processes share.
    pub clock: u64,
    pub kind: Kind,
    /// Who wrote it.
    pub writer: u64,
    /// Group that a delivery belongs to: the number of its name, or the reader's own.
    pub group: u64,
    pub deliveries: u64,
    /// Producer's incarnation and sequence number.
    pub message: (u64, u64),
    pub position: u64,
}

/// The shared memory.
#[derive(Clone, Copy)]
pub struct Board {
    words: &'static [AtomicU64],
}

impl Board {
    /// Opens the file, or makes it.
    pub fn open(path: &str) -> Self {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let file = file.unwrap();
        let len = HEAD_WORDS + SLOTS * SLOT_WORDS;
        file.set_len(len as u64 * 8).unwrap();
        let map = memmap2::MmapOptions::new().map_raw(&file).unwrap();
        let start = map.as_mut_ptr().cast::<AtomicU64>();
        // It lives as long as the process.
        std::mem::forget(map);
        // SAFETY: mapped for good, page-aligned, `len` words long, and only used as atomics by everybody.
        let words = unsafe { std::slice::from_raw_parts(start, len) };
        Self { words }
    }

    fn slot(&self, slot: usize) -> &'static [AtomicU64] {
        &self.words[HEAD_WORDS + slot * SLOT_WORDS..][..SLOT_WORDS]
    }

    pub fn now(&self) -> u64 {
        self.words[0].load(SeqCst)
    }

    fn tick(&self) -> u64 {
        self.words[0].fetch_add(1, SeqCst)
    }

    /// Not 0: nobody sends, and whoever has nothing to do says this number.
    pub fn pause(&self) -> &AtomicU64 {
        &self.words[1]
    }

    /// Workers may claim ahead.
    pub fn prefetch(&self) -> &AtomicU64 {
        &self.words[2]
    }

    /// Counts openings of anonymous readers.
    pub fn openings(&self) -> &AtomicU64 {
        &self.words[3]
    }

    /// The incarnation that has begun to work there.
    pub fn ready(&self, slot: usize) -> u64 {
        self.slot(slot)[0].load(SeqCst)
    }

    pub fn progress(&self, slot: usize) -> u64 {
        self.slot(slot)[1].load(SeqCst)
    }

    pub fn idle(&self, slot: usize) -> u64 {
        self.slot(slot)[2].load(SeqCst)
    }

    fn len(&self, slot: usize) -> usize {
        self.slot(slot)[3].load(SeqCst) as usize
    }

    /// The fullest log, in percent.
    pub fn fullness(&self) -> usize {
        (0..SLOTS).map(|slot| self.len(slot) * 100 / RECORDS).max().unwrap()
    }

    /// A slot's log. Its writer rests.
    pub fn records(&self, slot: usize) -> Vec<Record> {
        let words = &self.slot(slot)[HEAD_WORDS..];
        let rows = words.chunks(RECORD_WORDS).take(self.len(slot));
        rows.map(|row| {
            let [clock, what, message, position] = [0, 1, 2, 3].map(|i| row[i].load(SeqCst));
            Record {
                clock,
                kind: KINDS[(what & 0xff) as usize],
                deliveries: what >> 8 & 0xff,
                group: what >> 16 & 0xffff,
                writer: what >> 32,
                message: (message >> 32, message & 0xffff_ffff),
                position,
            }
        })
        .collect()
    }

    /// Empties all logs. All writers rest.
    pub fn clear(&self) {
        for slot in 0..SLOTS {
            self.slot(slot)[3].store(0, SeqCst);
        }
    }
}

/// One process's own place.
#[derive(Clone, Copy)]
pub struct Place {
    pub board: Board,
    pub slot: usize,
    pub incarnation: u64,
}

impl Place {
    /// Something was done.
    pub fn progress(&self) {
        let words = self.board.slot(self.slot);
        words[0].store(self.incarnation, SeqCst);
        words[1].fetch_add(1, SeqCst);
    }

    /// There is nothing to do, now that the pause has this number.
    pub fn rest(&self, pause: u64) {
        self.board.slot(self.slot)[2].store(pause, SeqCst);
    }

    /// Adds a line to the log. Killed at any point, it is there whole or not at all.
    pub fn log(&self, kind: Kind, group: u64, deliveries: u64, message: (u64, u64), position: u64) {
        let words = self.board.slot(self.slot);
        let len = self.board.len(self.slot);
        assert!(len < RECORDS, "the log is full");
        let row = &words[HEAD_WORDS + len * RECORD_WORDS..][..RECORD_WORDS];
        let what = self.incarnation << 32 | group << 16 | deliveries.min(255) << 8 | kind as u64;
        row[1].store(what, SeqCst);
        row[2].store(message.0 << 32 | message.1, SeqCst);
        row[3].store(position, SeqCst);
        row[0].store(self.board.tick(), SeqCst);
        words[3].store(len as u64 + 1, SeqCst);
    }
}
