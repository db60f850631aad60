//! Publish and consume: reuse of blocks, padding, reservations, batches; several producers, groups and members.

use loom::thread;

use crate::explore::{Light, Size, explore, models, race};
use crate::layout::{Extent, Kind};
use crate::memory::{Memory, Receiver, finish};

/// A sole producer and a sole reader on two blocks: the third message reuses the first one's block.
fn one_to_one() {
    one_to_one_by(Receiver::receive);
}

/// The same by a reader that looks at one line only while there is nothing.
fn polling() {
    one_to_one_by(Receiver::poll);
}

fn one_to_one_by(receive: fn(&Receiver, &Memory) -> Option<u64>) {
    explore(Size::Small, Light::Nothing, &["all three", "full"], move |seen| {
        let memory = Memory::new(1, 1, 2);
        memory.group(0, Kind::Named);
        let mut tx = memory.producer(0);
        let rx = memory.consumer(1, 0);
        let m = memory.clone();
        let producer = thread::spawn(move || {
            (1..=3).take_while(|value| tx.send(&m, &[*value]).is_some()).count() as u64
        });
        let mut got = Vec::new();
        for _ in 0..3 {
            got.extend(receive(&rx, &memory));
        }
        let sent = producer.join().unwrap();
        seen.note(if sent == 3 { "all three" } else { "full" });
        got.extend(rx.drain(&memory));
        assert_eq!(got, (1..=sent).collect::<Vec<_>>());
    });
}

/// Two-block messages on four blocks, begun at the second: every other one wraps behind padding.
fn padding() {
    explore(Size::Large, Light::Nothing, &["wrapped", "full"], |seen| {
        let memory = Memory::new(2, 1, 2);
        memory.group(0, Kind::Named);
        let mut tx = memory.producer(0);
        let rx = memory.consumer(1, 0);
        tx.send(&memory, &[1]).unwrap();
        assert_eq!(rx.receive(&memory), Some(1));
        tx.send(&memory, &[11, 12]).unwrap();
        let (m, s) = (memory.clone(), seen.clone());
        let producer = thread::spawn(move || {
            // From index 3: a block of padding and two of message over the first lap's blocks.
            let wrapped = tx.send(&m, &[21, 22]);
            s.note(if wrapped.is_some() { "wrapped" } else { "full" });
            if wrapped.is_some() {
                tx.send(&m, &[31, 32]);
            }
        });
        let mut got = Vec::new();
        for _ in 0..3 {
            got.extend(rx.receive(&memory));
        }
        producer.join().unwrap();
        got.extend(rx.drain(&memory));
        assert!([&[11][..], &[11, 21], &[11, 21, 31]].contains(&got.as_slice()), "{got:?}");
    });
}

/// Two producers, shared from the start, race for blocks of an earlier lap.
fn two_producers() {
    explore(Size::Small, Light::Nothing, &["first first", "second first"], |seen| {
        let memory = Memory::new(1, 1, 3);
        memory.group(0, Kind::Named);
        let mut one = memory.producer(0);
        let mut two = memory.producer(1);
        let rx = memory.consumer(2, 0);
        one.send(&memory, &[1]).unwrap();
        assert_eq!(rx.receive(&memory), Some(1));
        let m = memory.clone();
        let racer = thread::spawn(move || two.send(&m, &[2]).unwrap());
        let (mine, its) = (one.send(&memory, &[1]).unwrap(), racer.join().unwrap());
        seen.note(if mine < its { "first first" } else { "second first" });
        let got = rx.drain(&memory);
        assert_eq!(got, if mine < its { [1, 2] } else { [2, 1] });
    });
}

/// A producer that claims in the shared way, and a reader that hands it the blocks.
fn shared_to_one() {
    explore(Size::Large, Light::Nothing, &["reused", "full"], |seen| {
        let memory = Memory::new(1, 1, 3);
        memory.group(0, Kind::Named);
        let mut one = memory.producer(0);
        let mut two = memory.producer(1);
        let rx = memory.consumer(2, 0);
        one.send(&memory, &[1]).unwrap();
        let m = memory.clone();
        let producer = thread::spawn(move || {
            (2..=3).take_while(|value| two.send(&m, &[*value]).is_some()).count() as u64 + 1
        });
        let mut got: Vec<u64> = rx.receive(&memory).into_iter().collect();
        got.extend(rx.receive(&memory));
        let sent = producer.join().unwrap();
        seen.note(if sent == 3 { "reused" } else { "full" });
        got.extend(rx.drain(&memory));
        assert_eq!(got, (1..=sent).collect::<Vec<_>>());
    });
}

/// Two groups of one member: both get everything, and the slower one holds the producer back.
fn two_groups() {
    explore(Size::Large, Light::Nothing, &["reused", "full"], |seen| {
        let memory = Memory::new(1, 2, 3);
        memory.group(0, Kind::Named);
        memory.group(1, Kind::Anonymous);
        let mut tx = memory.producer(0);
        let one = memory.consumer(1, 0);
        let two = memory.consumer(2, 1);
        tx.send(&memory, &[1]).unwrap();
        tx.send(&memory, &[2]).unwrap();
        let (m, n) = (memory.clone(), memory.clone());
        let reader = thread::spawn(move || {
            let got = one.receive(&m);
            (one, got)
        });
        let producer = thread::spawn(move || tx.send(&n, &[3]).is_some());
        let mut other: Vec<u64> = two.receive(&memory).into_iter().collect();
        let (one, got) = reader.join().unwrap();
        let reused = producer.join().unwrap();
        seen.note(if reused { "reused" } else { "full" });
        let mut got: Vec<u64> = got.into_iter().collect();
        got.extend(one.drain(&memory));
        other.extend(two.drain(&memory));
        assert_eq!(got, if reused { vec![1, 2, 3] } else { vec![1, 2] });
        assert_eq!(other, got);
    });
}

/// Two members of one group race for a message that is just being sent: one of them gets it.
fn two_members() {
    explore(Size::Large, Light::Nothing, &["the first", "the second", "none yet"], |seen| {
        let memory = Memory::new(1, 1, 3);
        memory.group(0, Kind::Named);
        let mut tx = memory.producer(0);
        let one = memory.consumer(1, 0);
        let two = memory.consumer(2, 0);
        let (l, m, n) = (memory.clone(), memory.clone(), memory.clone());
        let producer = thread::spawn(move || tx.send(&l, &[1]).unwrap());
        let (mine, its) = race(
            move || one.take(&m).map(|held| one.ack(&m, &held)),
            move || two.take(&n).map(|held| two.ack(&n, &held)),
        );
        producer.join().unwrap();
        seen.note(match (mine, its) {
            (Some(_), None) => "the first",
            (None, Some(_)) => "the second",
            (None, None) => "none yet",
            _ => panic!("one message to two members"),
        });
        assert_eq!(memory.floor(0), u64::from(mine.or(its).is_some()));
    });
}

/// A member comes to a message that another one has acked and a producer is overwriting.
fn overtaken() {
    explore(Size::Large, Light::Nothing, &["overtaken", "first", "full"], |seen| {
        let memory = Memory::new(1, 1, 3);
        memory.group(0, Kind::Named);
        let mut tx = memory.producer(0);
        let one = memory.consumer(1, 0);
        let two = memory.consumer(2, 0);
        tx.send(&memory, &[1]).unwrap();
        tx.send(&memory, &[2]).unwrap();
        let (m, n) = (memory.clone(), memory.clone());
        let ((one, got), (mut all, sent)) = race(
            move || {
                let got = one.receive(&m);
                (one, got)
            },
            move || {
                let got: Vec<u64> = two.receive(&n).into_iter().collect();
                let sent = tx.send(&n, &[3]).is_some();
                (got, sent)
            },
        );
        seen.note(if got == Some(1) { "first" } else { "overtaken" });
        if !sent {
            seen.note("full");
        }
        all.extend(got);
        all.extend(one.drain(&memory));
        all.sort_unstable();
        assert_eq!(all, if sent { vec![1, 2, 3] } else { vec![1, 2] });
    });
}

/// A member that claims by word, and the producer that overwrites what it acked.
fn shared_member() {
    explore(Size::Large, Light::Nothing, &["reused", "full"], |seen| {
        let memory = Memory::new(1, 1, 3);
        memory.group(0, Kind::Named);
        let mut tx = memory.producer(0);
        let one = memory.consumer(1, 0);
        let _idle = memory.consumer(2, 0);
        tx.send(&memory, &[1]).unwrap();
        tx.send(&memory, &[2]).unwrap();
        let m = memory.clone();
        let producer = thread::spawn(move || tx.send(&m, &[3]).is_some());
        let mut got: Vec<u64> = one.receive(&memory).into_iter().collect();
        got.extend(one.receive(&memory));
        let third = producer.join().unwrap();
        seen.note(if third { "reused" } else { "full" });
        got.extend(one.drain(&memory));
        assert_eq!(got, if third { vec![1, 2, 3] } else { vec![1, 2] });
    });
}

/// Two producers on a ring whose tail may lag by one claim: the second one finds the first one's claim behind the tail.
fn lagging_tail() {
    explore(Size::Small, Light::Nothing, &["one after the other", "among each other"], |seen| {
        let memory = Memory::new(4, 1, 3);
        memory.group(0, Kind::Named);
        let mut one = memory.producer(0);
        let mut two = memory.producer(1);
        let rx = memory.consumer(2, 0);
        one.send(&memory, &[1]).unwrap();
        assert_eq!(memory.control.tail.load(crate::sync::Acquire), 0);
        let (m, n) = (memory.clone(), memory.clone());
        let (its, (mine, rx, mut got)) = race(
            move || two.send(&n, &[3]).unwrap(),
            move || {
                let mine = one.send(&m, &[2]).unwrap();
                let got: Vec<u64> = rx.receive(&m).into_iter().chain(rx.receive(&m)).collect();
                (mine, rx, got)
            },
        );
        seen.note(if mine < its { "one after the other" } else { "among each other" });
        got.extend(rx.drain(&memory));
        assert_eq!(got, if mine < its { [1, 2, 3] } else { [1, 3, 2] });
    });
}

/// One member gives a message back and is busy with something else: the other one gets it.
fn give_back() {
    explore(Size::Large, Light::Nothing, &["at once", "later"], |seen| {
        let memory = Memory::new(1, 1, 3);
        memory.group(0, Kind::Named);
        let mut tx = memory.producer(0);
        let one = memory.consumer(1, 0);
        let two = memory.consumer(2, 0);
        tx.send(&memory, &[1]).unwrap();
        let (m, n) = (memory.clone(), memory.clone());
        let (held, (two, early)) = race(
            move || one.take(&m).map(|held| one.give_back(&m, &held)).is_some(),
            move || {
                let early = two.receive(&n);
                (two, early)
            },
        );
        let later = two.receive(&memory);
        if held {
            seen.note(if early.is_some() { "at once" } else { "later" });
        }
        assert_eq!(early.or(later), Some(1));
        assert!(early.is_none() || later.is_none());
        assert_eq!(memory.floor(0), 1);
    });
}

/// A claim that is cut short, one that is given up, and a batch.
fn reserve() {
    explore(Size::Small, Light::Nothing, &["batch", "full"], |seen| {
        let memory = Memory::new(2, 1, 2);
        memory.group(0, Kind::Named);
        let mut tx = memory.producer(0);
        let rx = memory.consumer(1, 0);
        let (m, s) = (memory.clone(), seen.clone());
        let producer = thread::spawn(move || {
            let claim = tx.claim(&m, 2).unwrap();
            finish(&m, &claim, &[1]);
            let claim = tx.claim(&m, 1).unwrap();
            m.ring().pad(claim.start, claim.end - claim.start);
            let Ok(claim) = tx.claim(&m, 2) else {
                s.note("full");
                return 1;
            };
            // Two messages by one claim that wraps: the second one's stamp comes first.
            let ring = m.ring();
            let second = claim.first + 1;
            ring.blocks.write(ring.index(second), 0, &3u64.to_le_bytes()).unwrap();
            ring.ready(second, Extent::new(8, 0, 0));
            let short = crate::ring::Claim { end: second, ..claim };
            finish(&m, &short, &[2]);
            s.note("batch");
            3
        });
        let mut got = Vec::new();
        for _ in 0..2 {
            got.extend(rx.receive(&memory));
        }
        let sent = producer.join().unwrap();
        got.extend(rx.drain(&memory));
        assert_eq!(got, (1..=sent).collect::<Vec<u64>>());
    });
}

models! {
    publish_one_to_one: one_to_one {
        twin_one_to_one_stamp: "ready.stamp",
        twin_one_to_one_look: "message.stamp",
        twin_one_to_one_floor: "floor.sole",
    }
    publish_polling: polling { twin_polling: "ready.stamp" }
    publish_padding: padding { twin_padding: "pad.stamp" }
    publish_two_producers: two_producers { twin_two_producers: "take.claim" }
    publish_shared_to_one: shared_to_one { twin_shared_to_one: "ready.stamp" }
    publish_lagging_tail: lagging_tail { twin_lagging_tail: "ready.stamp" }
    publish_overtaken: overtaken { twin_overtaken: "shared.floor" }
    publish_shared_member: shared_member { twin_shared_member: "ack.shared" }
    publish_two_groups: two_groups { twin_two_groups: "floor.sole" }
    publish_two_members: two_members { twin_two_members: "span.stamp" }
    publish_give_back: give_back { twin_give_back: "rewinds.look" }
    publish_reserve: reserve { twin_reserve: "ready.stamp" }
}
