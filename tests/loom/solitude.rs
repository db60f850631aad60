//! Running alone, and how it ends and comes back: producers and members.

use std::sync::Arc;

use crate::explore::{Light, Seen, Size, explore, models, race};
use crate::layout::Kind;
use crate::memory::{Memory, Receiver, Sender};
use crate::sync::Relaxed;

/// A second producer comes while the first one claims with plain stores; then both send by turns.
fn second_producer() {
    explore(Size::Large, Light::Fence, &["newcomer first", "newcomer last"], |seen| {
        let memory = Memory::new(2, 1, 3);
        memory.group(0, Kind::Named);
        let rx = memory.consumer(2, 0);
        let mut one = memory.producer(0);
        one.send(&memory, &[10]).unwrap();
        let (m, n) = (memory.clone(), memory.clone());
        let ((mut one, its), mine) = race(
            move || {
                let position = one.send(&m, &[11]).unwrap();
                (one, position)
            },
            move || n.producer(1).send(&n, &[21]).unwrap(),
        );
        one.send(&memory, &[12]).unwrap();
        seen.note(if mine < its { "newcomer first" } else { "newcomer last" });
        let between = if mine < its { [21, 11] } else { [11, 21] };
        assert_eq!(rx.drain(&memory), [&[10][..], &between, &[12]].concat());
    });
}

/// The second producer leaves while the first one sends, which is alone from some moment on.
fn producer_leaves() {
    explore(Size::Large, Light::Nothing, &["shared", "alone"], |seen| {
        let memory = Memory::new(2, 1, 3);
        memory.group(0, Kind::Named);
        let rx = memory.consumer(2, 0);
        let mut one = memory.producer(0);
        let mut two = memory.producer(1);
        let (m, n) = (memory.clone(), memory.clone());
        let (mut one, ()) = race(
            move || {
                one.send(&m, &[11]).unwrap();
                one
            },
            move || {
                two.send(&n, &[21]).unwrap();
                n.release(1);
            },
        );
        let tail = memory.control.tail.load(crate::sync::Acquire);
        seen.note(if tail == 2 { "shared" } else { "alone" });
        one.send(&memory, &[12]).unwrap();
        let got = rx.drain(&memory);
        assert!([[11, 21, 12], [21, 11, 12]].contains(&got[..].try_into().unwrap()), "{got:?}");
    });
}

/// A producer is alone again, without knowing it, when a newcomer claims on its behalf what it is about to claim as one of several.
fn unaware() {
    producer_alone_again(|_, _| {});
}

/// The same when it knows: it may not go on behind the newcomer as one of several before it has looked at what it announced alone.
fn aware() {
    producer_alone_again(|memory, one| {
        one.send(memory, &[11]).unwrap();
    });
}

fn producer_alone_again(alone: fn(&Memory, &mut Sender)) {
    explore(Size::Large, Light::Fence, &["newcomer first", "newcomer last"], move |seen| {
        let memory = Memory::new(2, 1, 3);
        memory.group(0, Kind::Named);
        let rx = memory.consumer(2, 0);
        let mut one = memory.producer(0);
        let _two = memory.producer(1);
        one.send(&memory, &[10]).unwrap();
        memory.release(1);
        alone(&memory, &mut one);
        let (m, n) = (memory.clone(), memory.clone());
        let (its, mine) = race(
            move || one.send(&m, &[12]).unwrap(),
            move || n.producer(1).send(&n, &[21]).unwrap(),
        );
        seen.note(if mine < its { "newcomer first" } else { "newcomer last" });
        let got = rx.drain(&memory);
        let between = if mine < its { [21, 12] } else { [12, 21] };
        assert!(got.ends_with(&between), "{got:?}");
    });
}

fn fill(memory: &Memory, tx: &mut Sender, values: core::ops::RangeInclusive<u64>) {
    for value in values {
        tx.send(memory, &[value]).unwrap();
    }
}

/// A second member comes while the first one receives: each of two messages goes to one of them.
fn newcomer_and_first(memory: &Arc<Memory>, one: Receiver, seen: &Seen) {
    let (m, n) = (memory.clone(), memory.clone());
    let ((one, its), (two, mine)) = race(
        move || {
            let got = one.receive(&m);
            (one, got)
        },
        move || {
            let two = n.consumer(2, 0);
            let got = two.receive(&n);
            (two, got)
        },
    );
    let who = mine == Some(1);
    seen.note(if who { "first to the newcomer" } else { "first to the first" });
    let mut all: Vec<u64> = mine.into_iter().chain(its).collect();
    all.extend(two.drain(memory));
    all.extend(one.drain(memory));
    all.sort_unstable();
    assert_eq!(all, [1, 2]);
}

/// A second member comes while the first one takes and acks with plain stores.
fn second_member() {
    explore(Size::Large, Light::Fence, &["first to the first", "first to the newcomer"], |seen| {
        let memory = Memory::new(1, 1, 3);
        memory.group(0, Kind::Named);
        let mut tx = memory.producer(0);
        let one = memory.consumer(1, 0);
        fill(&memory, &mut tx, 1..=2);
        newcomer_and_first(&memory, one, seen);
        assert_eq!(memory.floor(0), 2);
    });
}

/// The same with the first one's message in hand, which is acked later: it is not given to anybody else.
fn second_member_while_held() {
    explore(Size::Large, Light::Fence, &["held", "given to the newcomer"], |seen| {
        let memory = Memory::new(1, 1, 3);
        memory.group(0, Kind::Named);
        let mut tx = memory.producer(0);
        let one = memory.consumer(1, 0);
        fill(&memory, &mut tx, 1..=2);
        let (m, n) = (memory.clone(), memory.clone());
        let (its, (two, mine)) = race(
            move || {
                let (a, b) = (one.take(&m), one.take(&m));
                // In the wrong order: this makes the group explicit by itself, if it was not.
                let got: Vec<u64> = b.iter().chain(&a).map(|held| held.value).collect();
                for held in b.iter().chain(&a) {
                    one.ack(&m, held);
                }
                got
            },
            move || {
                let two = n.consumer(2, 0);
                let got = two.receive(&n);
                (two, got)
            },
        );
        let mut mine: Vec<u64> = mine.into_iter().collect();
        seen.note(if mine.is_empty() { "held" } else { "given to the newcomer" });
        mine.extend(two.drain(&memory));
        mine.extend(its);
        mine.sort_unstable();
        assert_eq!(mine, [1, 2]);
        assert_eq!(memory.floor(0), 2);
    });
}

/// The same with its second message given back: the scan that this causes passes over what is in hand.
fn second_member_while_given_back() {
    explore(Size::Large, Light::Fence, &["back to the first", "to the newcomer"], |seen| {
        let memory = Memory::new(1, 1, 3);
        memory.group(0, Kind::Named);
        let mut tx = memory.producer(0);
        let one = memory.consumer(1, 0);
        fill(&memory, &mut tx, 1..=2);
        let (a, b) = (one.take(&memory).unwrap(), one.take(&memory).unwrap());
        let (m, n) = (memory.clone(), memory.clone());
        let ((one, again), (two, mine)) = race(
            move || {
                one.give_back(&m, &b);
                let again = one.take(&m);
                (one, again)
            },
            move || {
                let two = n.consumer(2, 0);
                let got = two.receive(&n);
                (two, got)
            },
        );
        seen.note(if mine.is_none() { "back to the first" } else { "to the newcomer" });
        let mut all: Vec<u64> = mine.into_iter().collect();
        for held in [Some(a), again].iter().flatten() {
            all.push(held.value);
            one.ack(&memory, held);
        }
        all.extend(two.drain(&memory));
        all.sort_unstable();
        assert_eq!(all, [1, 2]);
        assert_eq!(memory.floor(0), 2);
    });
}

/// The same with one message in hand and one that the filter passed over: that one is done, for the newcomer too.
fn second_member_with_filter() {
    explore(Size::Large, Light::Fence, &["before", "between", "after"], |seen| {
        let memory = Memory::new(1, 1, 3);
        memory.group(0, Kind::Named);
        let mut tx = memory.producer(0);
        let one = memory.consumer_without(1, 0, Some(1));
        tx.send(&memory, &[2]).unwrap();
        tx.send(&memory, &[1]).unwrap();
        let (m, n, s) = (memory.clone(), memory.clone(), seen.clone());
        let ((one, held), two) = race(
            move || {
                let held = one.take(&m);
                assert!(one.take(&m).is_none());
                (one, held)
            },
            move || {
                let announced = n.ring().members[1].hot.announced.load(Relaxed);
                s.note(["before", "between", "after"][announced as usize]);
                n.consumer_without(2, 0, Some(1))
            },
        );
        let mut all = two.drain(&memory);
        if let Some(held) = held {
            one.ack(&memory, &held);
            all.push(held.value);
        }
        all.extend(one.drain(&memory));
        assert_eq!(all, [2]);
        assert_eq!(memory.floor(0), 2);
        assert!(tx.send(&memory, &[3]).is_some());
    });
}

/// A member that was alone comes back to a cursor that others have left behind long ago.
fn late_member() {
    explore(Size::Small, Light::Fence, &["nothing", "something"], |seen| {
        let memory = Memory::new(1, 1, 3);
        memory.group(0, Kind::Named);
        let mut tx = memory.producer(0);
        let one = memory.consumer(1, 0);
        let two = memory.consumer(2, 0);
        fill(&memory, &mut tx, 1..=2);
        assert_eq!(two.drain(&memory), [1, 2]);
        let (m, n) = (memory.clone(), memory.clone());
        let (_, (one, got)) = race(
            move || tx.send(&m, &[3]).unwrap(),
            move || {
                let got = one.receive(&n);
                (one, got)
            },
        );
        seen.note(if got.is_none() { "nothing" } else { "something" });
        let left = one.receive(&memory);
        assert_eq!(got.or(left), Some(3));
        assert_eq!(two.receive(&memory), None);
    });
}

/// A shared group's last member goes on alone, and then somebody joins again.
fn alone_again() {
    explore(Size::Large, Light::Fence, &["first to the first", "first to the newcomer"], |seen| {
        let memory = Memory::new(1, 1, 3);
        memory.group(0, Kind::Named);
        let mut tx = memory.producer(0);
        let one = memory.consumer(1, 0);
        let two = memory.consumer(2, 0);
        tx.send(&memory, &[8]).unwrap();
        assert_eq!(two.receive(&memory), Some(8));
        memory.release(2);
        assert_eq!(one.receive(&memory), None);
        let alone = {
            let _registry = memory.registry();
            one.reader.try_solitude(&memory.ring())
        };
        assert!(alone);
        fill(&memory, &mut tx, 1..=2);
        newcomer_and_first(&memory, one, seen);
        assert_eq!(memory.floor(0), 3);
    });
}

models! {
    solitude_second_producer: second_producer {
        twin_second_producer_look: "sole.look",
        twin_second_producer_fence: "sole.fence",
        twin_second_producer_heavy: "switch.fence",
        twin_second_producer_frontier: "switch.look",
    }
    solitude_producer_leaves: producer_leaves { twin_producer_leaves: "take.claim" }
    solitude_producer_unaware: unaware { twin_producer_unaware: "take.ours" }
    solitude_producer_aware: aware { twin_producer_aware: "sole.look" }
    solitude_second_member: second_member {
        twin_second_member_look: "reader.look",
        twin_second_member_fence: "reader.fence",
        twin_second_member_heavy: "group.switch.fence",
    }
    solitude_second_member_while_held: second_member_while_held {
        twin_second_member_while_held: "reader.look",
    }
    solitude_second_member_while_given_back: second_member_while_given_back {
        twin_second_member_while_given_back: "solitude.holds",
    }
    solitude_second_member_with_filter: second_member_with_filter {
        twin_second_member_with_filter: "explicit.age",
    }
    solitude_late_member: late_member { twin_late_member: "reader.look" }
    solitude_alone_again: alone_again { twin_alone_again: "reader.look", twin_alone_again_stale: "sole.stale" }
}
