//! The gate: a group that joins while the oldest messages are about to be overwritten.

use loom::thread;

use crate::explore::{Light, Size, explore, models, race};
use crate::layout::Kind;
use crate::memory::Memory;

/// The joiner starts at the oldest message still there, and gets all from there on.
fn join() {
    explore(Size::Small, Light::Nothing, &["from the first", "from a later one", "full"], |seen| {
        let memory = Memory::new(1, 1, 2);
        let mut tx = memory.producer(0);
        tx.send(&memory, &[1]).unwrap();
        tx.send(&memory, &[2]).unwrap();
        let m = memory.clone();
        let producer = thread::spawn(move || {
            2 + (3..=4).take_while(|value| tx.send(&m, &[*value]).is_some()).count() as u64
        });
        let start = memory.group(0, Kind::Anonymous);
        let rx = memory.consumer(1, 0);
        let mut got: Vec<u64> = rx.receive(&memory).into_iter().collect();
        let sent = producer.join().unwrap();
        seen.note(if start == 0 { "from the first" } else { "from a later one" });
        if sent < 4 {
            seen.note("full");
        }
        got.extend(rx.drain(&memory));
        assert_eq!(got, (start + 1..=sent).collect::<Vec<_>>());
    });
}

/// The gate is moved by one producer and used by another.
fn join_against_two() {
    explore(Size::Large, Light::Nothing, &["from the first", "from a later one", "full"], |seen| {
        let memory = Memory::new(1, 1, 3);
        let mut one = memory.producer(0);
        let mut two = memory.producer(1);
        one.send(&memory, &[1]).unwrap();
        two.send(&memory, &[2]).unwrap();
        let (m, n) = (memory.clone(), memory.clone());
        let racer = thread::spawn(move || usize::from(one.send(&m, &[3]).is_some()));
        let other = thread::spawn(move || usize::from(two.send(&n, &[3]).is_some()));
        let start = memory.group(0, Kind::Anonymous);
        let rx = memory.consumer(2, 0);
        let sent = 2 + racer.join().unwrap() + other.join().unwrap();
        seen.note(if start == 0 { "from the first" } else { "from a later one" });
        if sent < 4 {
            seen.note("full");
        }
        let all = [1, 2, 3, 3];
        assert_eq!(rx.drain(&memory), &all[start as usize..sent]);
    });
}

/// The slowest group leaves with what it has read and not acked: whoever then writes there comes after its reads.
fn leave() {
    explore(Size::Small, Light::Nothing, &["room", "full"], |seen| {
        let memory = Memory::new(1, 1, 2);
        memory.group(0, Kind::Anonymous);
        let mut tx = memory.producer(0);
        let rx = memory.consumer(1, 0);
        tx.send(&memory, &[1]).unwrap();
        tx.send(&memory, &[2]).unwrap();
        let (m, n) = (memory.clone(), memory.clone());
        let (got, sent) = race(
            move || {
                let got = rx.take(&m).map(|held| held.value);
                m.release(1);
                got
            },
            move || tx.send(&n, &[3]).is_some(),
        );
        seen.note(if sent { "room" } else { "full" });
        assert_eq!(got, Some(1));
        assert_eq!(memory.groups[0].kind(), None);
    });
}

models! {
    gate_leave: leave { twin_leave: "gating.clear" }
    gate_join: join {
        twin_join_fence: "join.fence",
        twin_join_recheck: "join.recheck",
        twin_gate_fence: "gate.fence",
        twin_gate_rescan: "gate.rescan",
    }
    gate_join_against_two: join_against_two { twin_join_against_two: "gate.rescan" }
}
