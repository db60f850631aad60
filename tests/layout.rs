//! Golden bytes: a queue made with fixed options has its words where docs/design.md says. Whoever changes one of these offsets or
//! encodings makes another layout version.

mod common;
#[path = "hostile/places.rs"]
mod places;

use std::fs;

use common::TempDir;
use places::{END, GATE, GATING, GROUP, LABEL, MEMBER, MODE, Places, ROOM, TAIL, TOTALS};
use slipring::{Queue, RecvError};

const BLOCKS: usize = 64;

/// A file's bytes, and words by offset.
struct Bytes(Vec<u8>);

impl Bytes {
    fn read(path: &str) -> Self {
        Self(fs::read(path).unwrap())
    }
    fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.0[at..at + 8].try_into().unwrap())
    }
    fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.0[at..at + 4].try_into().unwrap())
    }
    fn text(&self, at: usize) -> &[u8] {
        &self.0[at + 8..at + 8 + self.u64(at) as usize]
    }
}

fn options() -> slipring::QueueOptions {
    Queue::options().capacity(4096).max_groups(4).max_members(8).retain(256).base(64 * 5 - 1)
}

fn places() -> Places {
    Places::of(BLOCKS, 64, 4, 8)
}

#[test]
fn the_header() {
    let dir = TempDir::new();
    let queue = options().fenced(true).create(&dir.path("q")).unwrap();
    let bytes = Bytes::read(&dir.path("q"));
    assert_eq!(&bytes.0[..8], b"SLIPRING");
    assert_eq!((bytes.u32(8), bytes.u32(12)), (1, 1), "version and features");
    assert_eq!(u128::from_le_bytes(bytes.0[16..32].try_into().unwrap()), queue.id());
    let geometry = [32, 36, 40, 44].map(|at| bytes.u32(at));
    assert_eq!(geometry, [6, 6, 4, 8], "block shift, ring shift, groups, members");
    assert_eq!((bytes.u64(48), bytes.u64(56)), (4, 319), "retained blocks and base");
    assert_eq!(bytes.u64(64), bytes.0.len() as u64);
    assert_eq!(bytes.0.len(), places().end);
    assert_eq!(bytes.u64(80), u64::from(std::process::id()));
    assert!(bytes.0[88..4096].iter().all(|byte| *byte == 0), "spare");
}

#[test]
fn the_parts_of_the_file() {
    // Worked out by hand for 64 blocks of 64 bytes, 4 groups and 8 members.
    let places = places();
    assert_eq!((places.group(1), places.labels_at, places.members_at), (5248, 6400, 8448));
    assert_eq!((places.entries_at, places.blocks_at, places.claims_at), (12288, 16384, 20480));
    assert_eq!((places.claims_stride, places.end), (4096, 36864));
    assert_eq!((GROUP, LABEL, MEMBER), (384, 512, 256));
}

#[test]
fn a_new_queue() {
    let dir = TempDir::new();
    let _queue = options().create(&dir.path("q")).unwrap();
    let (bytes, places) = (Bytes::read(&dir.path("q")), places());
    assert_eq!((bytes.u64(TAIL), bytes.u64(GATE)), (319, 319));
    assert_eq!((bytes.u64(MODE), bytes.u64(END)), (0, u64::MAX));
    assert_eq!((bytes.u32(ROOM), bytes.u64(ROOM + 8)), (0, u64::MAX));
    assert_eq!(bytes.u64(GATING), 1, "the default group gates");
    assert_eq!(bytes.u64(places.group(0)) & 0xff, 1, "named");
    assert_eq!(bytes.u64(places.group(0) + 128), 319, "its floor");
    assert_eq!(bytes.text(places.label(0)), b"default");
    assert!(bytes.0[places.member(0)..places.end].iter().all(|byte| *byte == 0));
}

#[test]
fn one_message_taken_and_acked() {
    let dir = TempDir::new();
    let queue = options().create(&dir.path("q")).unwrap();
    let mut tx = queue.producer().unwrap();
    let position = tx.send_event("order.created", b"hello").unwrap();
    assert_eq!(position, 319);
    let (bytes, places) = (Bytes::read(&dir.path("q")), places());
    // Lap 5 (from one), owner 0, READY; trailer 0, event 13, length 5.
    let entry = places.entry(position);
    assert_eq!(entry, 12288 + 63 * 16);
    assert_eq!((bytes.u64(entry), bytes.u64(entry + 8)), (5 << 12 | 2, 13 << 32 | 5));
    let block = places.block(position);
    assert_eq!(block, 16384 + 63 * 64);
    assert_eq!(&bytes.0[block..block + 18], b"helloorder.created");
    // The producer's row: generation 0, group 0, role 1, active; what it announced, and how much.
    let row = places.member(0);
    assert_eq!(bytes.u64(row), 1 << 8 | 1);
    assert_eq!(bytes.u64(row + 8), u64::from(std::process::id()));
    let hot = [128, 136, 144].map(|at| bytes.u64(row + at));
    assert_eq!(hot, [319, 1, 1]);
    assert_eq!(bytes.u64(MODE) & 0xffff_ffff, 1, "sole producer in row 0");
    assert_eq!(bytes.u64(TAIL), 319, "not written while a producer is sole");

    // Two members, so that the claim words speak: rows 1 and 2 of group 0.
    let (one, two) = (queue.consumer("default").unwrap(), queue.consumer("default").unwrap());
    let message = two.try_recv().unwrap();
    let bytes = Bytes::read(&dir.path("q"));
    let claim = places.claim(0, position);
    assert_eq!(claim, 20480 + 63 * 8);
    assert_eq!(bytes.u64(claim), 5 << 20 | 1 << 12 | 2 << 2 | 1, "TAKEN by row 2, first delivery");
    assert_eq!(bytes.u64(places.member(2)), 2 << 8 | 1, "a consumer of group 0");
    assert_eq!(bytes.u64(places.group(0) + 8) & 0xff, 3, "shared");
    message.retry().unwrap();
    let bytes = Bytes::read(&dir.path("q"));
    assert_eq!(bytes.u64(claim), 5 << 20 | 1 << 12 | 2 << 2, "FREE, count kept");
    assert_eq!(bytes.u64(places.group(0) + 16), 1, "rewinds");
    let message = one.try_recv().unwrap();
    assert_eq!(message.deliveries(), 2);
    message.ack().unwrap();
    let bytes = Bytes::read(&dir.path("q"));
    assert_eq!(bytes.u64(claim), 5 << 20 | 2 << 12 | 1 << 2 | 2, "ACKED by row 1");
    // Among several it may lag; who looks everywhere and finds nothing moves it.
    assert_eq!(two.try_recv().unwrap_err(), RecvError::Empty);
    let bytes = Bytes::read(&dir.path("q"));
    assert_eq!(bytes.u64(places.group(0) + 128), 320, "the floor is behind it");
}

#[test]
fn padding_labels_and_totals() {
    let dir = TempDir::new();
    let queue = options().create(&dir.path("q")).unwrap();
    let rx = queue.consumer_options().group("billing").max_deliveries(3);
    let rx = rx.dead_letter("q.dead").filter("order.*").open().unwrap();
    let mut tx = queue.producer().unwrap();
    // Two blocks do not fit into the one that is left of the lap: padding, then the message.
    assert_eq!(tx.send(&[7; 65]).unwrap(), 320);
    drop((tx, rx));
    let (bytes, places) = (Bytes::read(&dir.path("q")), places());
    let (pad, message) = (places.entry(319), places.entry(320));
    assert_eq!((bytes.u64(pad), bytes.u64(pad + 8)), (5 << 12 | 3, 1), "PAD of one block");
    assert_eq!((bytes.u64(message), bytes.u64(message + 8)), (6 << 12 | 2, 65));
    let label = places.label(1);
    assert_eq!(bytes.text(label), b"billing");
    assert_eq!(bytes.text(label + 136), b"order.*");
    assert_eq!(bytes.text(label + 272), b"q.dead");
    assert_eq!(bytes.u64(label + 408), 3, "max_deliveries");
    assert_eq!(bytes.u64(GATING), 3);
    assert_eq!(bytes.u64(TOTALS), 1, "sent, by a member that left");
    // Rows of those who left: the generation is one up.
    assert_eq!((bytes.u64(places.member(0)), bytes.u64(places.member(1))), (1 << 32, 1 << 32));
}

#[test]
fn closed() {
    let dir = TempDir::new();
    let queue = options().create(&dir.path("q")).unwrap();
    let mut tx = queue.producer().unwrap();
    tx.send(b"x").unwrap();
    queue.close().unwrap();
    let bytes = Bytes::read(&dir.path("q"));
    assert_eq!(bytes.u64(MODE) & 0xffff_ffff, 1 << 8 | 3);
    assert_eq!((bytes.u64(END), bytes.u64(TAIL)), (320, 320));
}
