//! Writes the seed corpus: short, honest uses of a queue, and each again with a few random patches in between.
//! `fuzz/run.sh seeds` runs it; the files are committed, so that a run begins where these end.

#[path = "../tests/hostile/patch.rs"]
mod patch;
#[path = "../tests/hostile/places.rs"]
mod places;

use std::fs;
use std::path::Path;

use patch::Random;

/// Operations as `tests/hostile/drive.rs` reads them: a code, which handle, and what the operation wants to know.
type Op = Vec<u8>;

fn producer() -> Op {
    vec![4, 0]
}
/// Group 0 to 2; `more`: options, 0 for one that is not read.
fn member(group: u8, more: u8) -> Op {
    vec![6, 0, group * 8, more]
}
fn anonymous() -> Op {
    vec![6, 0, 6, 7]
}
fn lossy() -> Op {
    vec![6, 0, 5, 7]
}
fn send(which: u8, len: u16) -> Op {
    [&[9, which, 3][..], &len.to_le_bytes(), &[0x5a]].concat()
}
fn send_event(which: u8, len: u16) -> Op {
    [&[14, which, 3][..], &len.to_le_bytes(), &[0x5a]].concat()
}
/// A long message.
fn send_large(which: u8, len: u16) -> Op {
    [&[9, which, 1][..], &len.to_le_bytes(), &[0x5a]].concat()
}
/// `how`: 0 commits nothing, 1 and 2 a part, 3 aborts.
fn reserve(which: u8, len: u16, how: u8) -> Op {
    [&[16, which][..], &len.to_le_bytes(), &[how, 1]].concat()
}
fn receive(which: u8) -> Op {
    vec![18, which]
}
/// `how`: 0 acks, 4 retries, 5 rejects, 6 drops.
fn settle(index: u16, how: u8) -> Op {
    [&[26, 0][..], &index.to_le_bytes(), &[how]].concat()
}
fn leave_consumer(which: u8) -> Op {
    vec![8, which]
}
fn leave_producer(which: u8) -> Op {
    vec![7, which]
}
const OBSERVE: [u8; 2] = [32, 0];
const WATCH: [u8; 3] = [33, 0, 7];
const STATS: [u8; 2] = [34, 0];
const RECOVER: [u8; 2] = [35, 0];
const LAG: [u8; 2] = [36, 0];
const DROP_GROUP: [u8; 2] = [37, 1];
/// `what`: 0 close, 2 a batch (with a number), 3 `recv_into`, 4 `recv_batch`, 5 pollable, 6 open again.
fn rarely(what: u8) -> Op {
    vec![38, 0, what, 5, 0]
}

/// Ends of the strings: a queue's shape, flags and base, no patch before it is opened, and operations.
fn plain(shape: [u8; 3], ops: &[Op]) -> Vec<u8> {
    [&shape[..], &[0], &ops.concat()].concat()
}

fn uses() -> Vec<(&'static str, Vec<Op>)> {
    let work = |member: Op, how: u8| {
        let mut ops = vec![producer(), member];
        for n in 0..12 {
            ops.extend([send(0, n * 11), receive(0), receive(0), settle(n % 2, how)]);
        }
        ops
    };
    let fill = |reader: Op| {
        let mut ops = vec![producer(), reader, OBSERVE.into()];
        for n in 0..30 {
            ops.extend([send_large(0, n * 97), WATCH.into()]);
        }
        ops.extend([receive(0), STATS.into(), LAG.into(), RECOVER.into()]);
        ops
    };
    let two = |how: u8| {
        let mut ops = vec![producer(), member(1, 7), producer(), member(1, 7)];
        for n in 0..10 {
            ops.extend([send(0, n), send_event(1, n), receive(0), receive(1), settle(1, how)]);
            ops.extend([settle(0, 0), reserve(0, n * 30, (n % 4) as u8)]);
        }
        ops.extend([leave_producer(0), leave_consumer(0), send(0, 1), receive(0), settle(0, 0)]);
        ops
    };
    let ends = [producer(), member(1, 7), send(0, 9), rarely(2), rarely(3), rarely(4), rarely(5)];
    let leaving = [leave_consumer(0), DROP_GROUP.into(), rarely(6), rarely(0), member(2, 7)];
    let ends = ends.into_iter().chain(leaving).chain([receive(0), receive(0)]);
    vec![
        ("sole-ack", work(member(1, 7), 0)),
        ("sole-retry", work(member(1, 7), 4)),
        ("sole-reject", work(member(1, 7), 5)),
        ("limit", work(member(1, 5), 6)),
        ("dead-letter", work(member(2, 6), 6)),
        ("filter", work(member(2, 4), 0)),
        ("prefetch", work(member(2, 3), 4)),
        ("latest", work(member(2, 0), 0)),
        ("anonymous", work(anonymous(), 4)),
        ("lossy", work(lossy(), 0)),
        ("full-lossy", fill(lossy())),
        ("full-member", fill(member(0, 7))),
        ("full-anonymous", fill(anonymous())),
        ("two-ack", two(0)),
        ("two-retry", two(4)),
        ("two-drop", two(6)),
        ("ends", ends.collect()),
    ]
}

fn main() {
    let folder = std::env::args().nth(1).expect("usage: seeds FOLDER");
    let write = |name: String, bytes: Vec<u8>| {
        fs::write(Path::new(&folder).join(name), bytes).expect("a file in the folder");
    };
    fs::create_dir_all(&folder).expect("the folder");
    let mut random = Random(1);
    for (n, (name, ops)) in uses().into_iter().enumerate() {
        let shape = [[18, 0, 0], [19, 0, 3], [18, 3, 0], [21, 12, 5], [18, 32, 4]][n % 5];
        write(name.into(), plain(shape, &ops));
        // The same, with patches in between: a code below 4, then what the patch reads.
        let mut spoiled = Vec::new();
        for op in ops {
            spoiled.push(op);
            if random.below(6) == 0 {
                let mut patch = random.bytes(28);
                patch[0] = 0;
                spoiled.push(patch);
            }
        }
        write(format!("{name}-spoiled"), plain(shape, &spoiled));
    }
}
