//! Death at every access to shared memory, in every schedule; and repair, whose doer may die too.

use loom::thread;

use crate::explore::{
    Light, Log, Seen, Size, explore, explore_deaths, grows, models, mortal, race,
};
use crate::layout::{Kind, Role};
use crate::memory::{Memory, Receiver};

fn note_death(seen: &Seen, died: bool) {
    seen.note(if died { "died" } else { "lived" });
}

/// All that `sent` says is in `got`, in order; the one after it may be there, and nothing else.
fn accounted(got: &[u64], sent: &[u64], from: u64) {
    let his: Vec<u64> = got.iter().copied().filter(|value| *value / 10 == from).collect();
    assert!(his.starts_with(sent) && his.len() <= sent.len() + 1, "{sent:?} sent, {his:?} got");
    assert!(grows(&his));
}

/// A producer dies while another sends.
fn publishing() {
    explore_deaths(Size::Large, Light::Nothing, &["died", "lived"], |seen, k| {
        let memory = Memory::new(2, 1, 3);
        memory.group(0, Kind::Named);
        let rx = memory.consumer(2, 0);
        let mut one = memory.producer(0);
        let mut two = memory.producer(1);
        let sent = Log::default();
        let (m, log, s) = (memory.clone(), sent.clone(), seen.clone());
        let mortal = thread::spawn(move || {
            let died = mortal(k, || {
                one.send(&m, &[11]).unwrap();
                log.note(11);
            });
            note_death(&s, died);
        });
        two.send(&memory, &[21]).unwrap();
        mortal.join().unwrap();
        memory.release(0);
        two.send(&memory, &[22]).unwrap();
        let got = rx.drain(&memory);
        accounted(&got, &sent.all(), 1);
        accounted(&got, &[21, 22], 2);
    });
}

/// A sole producer dies while another joins, which ends his solitude.
fn publishing_alone() {
    explore_deaths(Size::Large, Light::Fence, &["died", "lived"], |seen, k| {
        let memory = Memory::new(2, 1, 3);
        memory.group(0, Kind::Named);
        let rx = memory.consumer(2, 0);
        let mut one = memory.producer(0);
        let sent = Log::default();
        let (m, log, s) = (memory.clone(), sent.clone(), seen.clone());
        let mortal = thread::spawn(move || {
            let died = mortal(k, || {
                one.send(&m, &[11]).unwrap();
                log.note(11);
            });
            note_death(&s, died);
        });
        let mut two = memory.producer(1);
        mortal.join().unwrap();
        two.send(&memory, &[21]).unwrap();
        memory.release(0);
        two.send(&memory, &[22]).unwrap();
        let got = rx.drain(&memory);
        accounted(&got, &sent.all(), 1);
        accounted(&got, &[21, 22], 2);
    });
}

/// A sole producer dies while his messages are read, and is repaired as such; the next one goes on behind him.
fn publishing_for_a_reader() {
    explore_deaths(Size::Small, Light::Nothing, &["died", "lived"], |seen, k| {
        let memory = Memory::new(1, 1, 3);
        memory.group(0, Kind::Named);
        let rx = memory.consumer(1, 0);
        let mut one = memory.producer(0);
        let sent = Log::default();
        let (m, n, log, s) = (memory.clone(), memory.clone(), sent.clone(), seen.clone());
        let ((), (rx, mut got)) = race(
            move || {
                let died = mortal(k, || {
                    one.send(&m, &[11]).unwrap();
                    log.note(11);
                });
                note_death(&s, died);
                m.release(0);
                m.producer(2).send(&m, &[21]).unwrap();
            },
            move || {
                let got: Vec<u64> = rx.receive(&n).into_iter().collect();
                (rx, got)
            },
        );
        got.extend(rx.drain(&memory));
        accounted(&got, &sent.all(), 1);
        accounted(&got, &[21], 2);
    });
}

/// Takes a message and acks it; the log says so at once.
fn receive(memory: &Memory, rx: &Receiver, acked: &Log) {
    if let Some(held) = rx.take(memory) {
        rx.ack(memory, &held);
        acked.note(held.value);
    }
}

/// A member dies while another of its group receives.
fn receiving() {
    explore_deaths(Size::Large, Light::Nothing, &["died", "lived", "again"], |seen, k| {
        let memory = Memory::new(1, 1, 3);
        memory.group(0, Kind::Named);
        let mut tx = memory.producer(0);
        let one = memory.consumer(1, 0);
        let two = memory.consumer(2, 0);
        tx.send(&memory, &[1]).unwrap();
        let (acked, m, s) = (Log::default(), memory.clone(), seen.clone());
        let log = acked.clone();
        let mortal = thread::spawn(move || note_death(&s, mortal(k, || receive(&m, &one, &log))));
        let mut got: Vec<u64> = two.receive(&memory).into_iter().collect();
        mortal.join().unwrap();
        memory.release(1);
        finish_group(&memory, seen, &two, &acked.all(), &mut got);
    });
}

/// A member died with a message in hand; whoever sees that it was repaired sees the message free.
fn holding() {
    explore(Size::Small, Light::Nothing, &["at once", "later"], |seen| {
        let memory = Memory::new(1, 1, 3);
        memory.group(0, Kind::Named);
        let mut tx = memory.producer(0);
        let one = memory.consumer(1, 0);
        let two = memory.consumer(2, 0);
        tx.send(&memory, &[1]).unwrap();
        assert!(one.take(&memory).is_some());
        let (m, n) = (memory.clone(), memory.clone());
        let ((), (two, early)) = race(
            move || m.release(1),
            move || {
                let early = two.receive(&n);
                (two, early)
            },
        );
        seen.note(if early.is_some() { "at once" } else { "later" });
        assert_eq!(early.or_else(|| two.receive(&memory)), Some(1));
        assert_eq!(memory.floor(0), 1);
    });
}

/// A sole member dies while another joins its group.
fn receiving_alone() {
    explore_deaths(Size::Large, Light::Fence, &["died", "lived", "again"], |seen, k| {
        let memory = Memory::new(1, 1, 3);
        memory.group(0, Kind::Named);
        let mut tx = memory.producer(0);
        let one = memory.consumer(1, 0);
        tx.send(&memory, &[1]).unwrap();
        let (acked, m, s) = (Log::default(), memory.clone(), seen.clone());
        let log = acked.clone();
        let mortal = thread::spawn(move || note_death(&s, mortal(k, || receive(&m, &one, &log))));
        let two = memory.consumer(2, 0);
        mortal.join().unwrap();
        let mut got: Vec<u64> = two.receive(&memory).into_iter().collect();
        memory.release(1);
        finish_group(&memory, seen, &two, &acked.all(), &mut got);
    });
}

/// What was acked does not come again; what was not, does. The floor says that all is done.
fn finish_group(memory: &Memory, seen: &Seen, two: &Receiver, acked: &[u64], got: &mut Vec<u64>) {
    let later = two.drain(memory);
    if !later.is_empty() {
        seen.note("again");
    }
    got.extend(later);
    // None at all: dead between its ack and telling of it.
    assert!(got.len() + acked.len() <= 1, "{acked:?} acked, {got:?} got");
    assert_eq!(memory.floor(0), 1);
}

/// The one who repairs dies, while a reader comes by what he repairs; somebody does it again.
fn repairing() {
    explore_deaths(
        Size::Small,
        Light::Nothing,
        &["died", "lived", "saw the padding"],
        |seen, k| {
            let memory = Memory::new(2, 1, 3);
            memory.group(0, Kind::Named);
            let rx = memory.consumer(2, 0);
            let mut one = memory.producer(0);
            let mut two = memory.producer(1);
            // The dead producer's claim is never finished.
            let _hole = one.claim(&memory, 1).unwrap();
            two.send(&memory, &[21]).unwrap();
            let (m, n, s) = (memory.clone(), memory.clone(), seen.clone());
            let (_, (rx, early)) = race(
                move || {
                    // The kernel frees the lock: after the death, and whole.
                    let _registry = m.registry();
                    let repair = || {
                        m.ring().release(0).expect("a sound queue");
                    };
                    note_death(&s, mortal(k, repair));
                },
                move || {
                    let got = rx.receive(&n);
                    (rx, got)
                },
            );
            if early.is_some() {
                seen.note("saw the padding");
            }
            memory.release(0);
            two.send(&memory, &[22]).unwrap();
            let got: Vec<u64> = early.into_iter().chain(rx.drain(&memory)).collect();
            assert_eq!(got, [21, 22]);
        },
    );
}

/// A newcomer dies while it ends a sole producer's solitude; the next one finishes what it began.
fn switching() {
    explore_deaths(Size::Large, Light::Fence, &["died", "lived"], |seen, k| {
        let memory = Memory::new(2, 1, 3);
        memory.group(0, Kind::Named);
        let rx = memory.consumer(2, 0);
        let mut one = memory.producer(0);
        let (m, s) = (memory.clone(), seen.clone());
        let newcomer = thread::spawn(move || {
            let _registry = m.registry();
            let join = || {
                m.ring().join(1, Role::Producer).expect("a sound queue");
            };
            note_death(&s, mortal(k, join));
        });
        one.send(&memory, &[11]).unwrap();
        newcomer.join().unwrap();
        memory.release(1);
        one.send(&memory, &[12]).unwrap();
        let mut next = memory.producer(1);
        next.send(&memory, &[21]).unwrap();
        one.send(&memory, &[13]).unwrap();
        assert_eq!(rx.drain(&memory), [11, 12, 21, 13]);
    });
}

/// Whoever comes by a claim takes its length for that claim, not for its owner's next one.
fn reader_at_a_claim() {
    explore(Size::Small, Light::Nothing, &["at a claim", "past it"], |seen| {
        let memory = Memory::new(2, 1, 3);
        let mut one = memory.producer(0);
        let _two = memory.producer(1);
        let m = memory.clone();
        let producer = thread::spawn(move || {
            one.send(&m, &[11]).unwrap();
            one.send(&m, &[12, 13]).unwrap();
        });
        match memory.ring().span(0) {
            crate::ring::Span::Claimed { owner, blocks } => {
                seen.note("at a claim");
                assert_eq!((owner, blocks), (0, 1));
            }
            crate::ring::Span::Message { blocks, .. } => {
                seen.note("past it");
                assert_eq!(blocks, 1);
            }
            other => assert_eq!(other, crate::ring::Span::Open),
        }
        producer.join().unwrap();
    });
}

models! {
    recovery_publishing: publishing { twin_publishing: "take.claim" }
    recovery_publishing_alone: publishing_alone { twin_publishing_alone: "model.release" }
    recovery_publishing_for_a_reader: publishing_for_a_reader {
        twin_publishing_for_a_reader: "model.release",
    }
    recovery_receiving: receiving { twin_receiving: "model.release" }
    recovery_holding: holding { twin_holding: "release.rewind" }
    recovery_receiving_alone: receiving_alone { twin_receiving_alone: "model.release" }
    recovery_repairing: repairing { twin_repairing: "pad.stamp" }
    recovery_switching: switching { twin_switching: "sole.look" }
    recovery_reader_at_a_claim: reader_at_a_claim { twin_reader_at_a_claim: "span.owner" }
}
