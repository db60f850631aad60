//! Sleeping and waking. A wake that is lost leaves a model with nobody who can go on, which loom reports as a deadlock.

use loom::sync::{Condvar, Mutex};
use loom::thread;
use std::sync::Arc;

use crate::explore::{Light, Size, explore, models};
use crate::layout::{Kind, ROOM};
use crate::memory::{Memory, Receiver, Sender};
use crate::sync::{AtomicU32, Relaxed};
use crate::wait::{Kernel, group_bit};

/// The kernel's futex of one word: comparing and going to sleep is one step, as it is under the kernel's bucket lock.
#[derive(Default)]
struct Futex {
    state: Mutex<Sleepers>,
    woken: Condvar,
}

#[derive(Default)]
struct Sleepers {
    asleep: u32,
    called: u32,
}

impl Futex {
    fn wait(&self, word: &AtomicU32, value: u32) {
        let mut state = self.state.lock().unwrap();
        if word.load(Relaxed) != value {
            return;
        }
        state.asleep += 1;
        while state.called == 0 {
            state = self.woken.wait(state).unwrap();
        }
        state.called -= 1;
    }
}

impl Kernel for Futex {
    fn wake(&self, _: &AtomicU32, count: u32) -> u32 {
        let mut state = self.state.lock().unwrap();
        let woken = count.min(state.asleep);
        state.asleep -= woken;
        state.called += woken;
        for _ in 0..woken {
            self.woken.notify_one();
        }
        woken
    }
    fn ring(&self, _: usize) -> bool {
        false
    }
}

/// Receives one message, asleep until there is one, as `Consumer` does but without its time-out.
fn sleep_for_message(memory: &Memory, rx: &Receiver, futex: &Futex) -> (u64, bool) {
    let signal = &memory.groups[rx.group].signal;
    for round in 0..3 {
        let value = memory.ring().announce_sleep(signal, group_bit(rx.group));
        if let Some(held) = rx.take(memory) {
            return (held.value, round > 0);
        }
        futex.wait(signal, value);
    }
    panic!("woken three times for nothing");
}

fn publish(memory: &Memory, tx: &mut Sender, value: u64, futex: &Futex) {
    tx.send(memory, &[value]).unwrap();
    memory.ring().wake_consumers(1, memory.ring().geometry.fenced, futex);
}

/// One sleeper, one message.
fn message() {
    explore(Size::Small, Light::Fence, &["slept", "awake"], |seen| {
        let memory = Memory::new(1, 1, 2);
        let futex = Arc::new(Futex::default());
        memory.group(0, Kind::Named);
        let mut tx = memory.producer(0);
        let rx = memory.consumer(1, 0);
        let (m, f, s) = (memory.clone(), futex.clone(), seen.clone());
        let sleeper = thread::spawn(move || {
            let (got, slept) = sleep_for_message(&m, &rx, &f);
            s.note(if slept { "slept" } else { "awake" });
            got
        });
        publish(&memory, &mut tx, 7, &futex);
        assert_eq!(sleeper.join().unwrap(), 7);
    });
}

/// Two members of one group sleep, two messages come: one wakes one, and the bit that was taken away comes back for the other.
fn two_sleepers() {
    explore(Size::Large, Light::Fence, &["both slept", "one slept"], |seen| {
        let memory = Memory::new(1, 1, 3);
        let futex = Arc::new(Futex::default());
        memory.group(0, Kind::Named);
        let mut tx = memory.producer(0);
        let one = memory.consumer(1, 0);
        let two = memory.consumer(2, 0);
        let (m, f) = (memory.clone(), futex.clone());
        let other = thread::spawn(move || sleep_for_message(&m, &two, &f));
        let (m, f) = (memory.clone(), futex.clone());
        let waker = thread::spawn(move || {
            publish(&m, &mut tx, 1, &f);
            publish(&m, &mut tx, 2, &f);
        });
        let (mine, slept) = sleep_for_message(&memory, &one, &futex);
        let (its, its_slept) = other.join().unwrap();
        waker.join().unwrap();
        assert_eq!(mine + its, 3);
        match (slept, its_slept) {
            (true, true) => seen.note("both slept"),
            (false, false) => seen.note("none slept"),
            _ => seen.note("one slept"),
        }
    });
}

/// A producer sleeps until there is room.
fn room() {
    explore(Size::Small, Light::Fence, &["slept", "awake"], |seen| {
        let memory = Memory::new(1, 1, 2);
        let futex = Arc::new(Futex::default());
        memory.group(0, Kind::Named);
        let mut tx = memory.producer(0);
        let rx = memory.consumer(1, 0);
        tx.send(&memory, &[1]).unwrap();
        tx.send(&memory, &[2]).unwrap();
        let (m, f, s) = (memory.clone(), futex.clone(), seen.clone());
        let sleeper = thread::spawn(move || {
            let room = &m.control.room;
            let mut slept = false;
            for _ in 0..3 {
                room.wanted.fetch_min(tx.publisher.wanted_floor(&m.ring(), 1), Relaxed);
                let value = m.ring().announce_sleep(&room.signal, ROOM);
                if tx.send(&m, &[3]).is_some() {
                    s.note(if slept { "slept" } else { "awake" });
                    return;
                }
                f.wait(&room.signal, value);
                slept = true;
            }
            panic!("woken three times for nothing");
        });
        assert_eq!(rx.receive(&memory), Some(1));
        memory.ring().wake_producers(&memory.groups[0], memory.ring().geometry.fenced, &*futex);
        sleeper.join().unwrap();
        assert_eq!(rx.drain(&memory), [2, 3]);
    });
}

/// A producer sleeps until there is room, while a member among several acks three, for which the floor may lag by one.
fn lag() {
    explore(Size::Large, Light::Fence, &["slept", "awake"], |seen| {
        let memory = Memory::new(4, 1, 3);
        let futex = Arc::new(Futex::default());
        memory.group(0, Kind::Named);
        let mut tx = memory.producer(0);
        let rx = memory.consumer(1, 0);
        let _idle = memory.consumer(2, 0);
        for values in [&[1][..], &[2], &[3], &[4, 5, 6, 7, 8], &[9, 10, 11, 12, 13, 14, 15, 16]] {
            tx.send(&memory, values).unwrap();
        }
        let (m, f, s) = (memory.clone(), futex.clone(), seen.clone());
        let sleeper = thread::spawn(move || {
            let room = &m.control.room;
            let mut slept = false;
            for _ in 0..3 {
                room.wanted.fetch_min(tx.publisher.wanted_floor(&m.ring(), 1), Relaxed);
                let value = m.ring().announce_sleep(&room.signal, ROOM);
                if tx.send(&m, &[17]).is_some() {
                    s.note(if slept { "slept" } else { "awake" });
                    return;
                }
                f.wait(&room.signal, value);
                slept = true;
            }
            panic!("woken three times for nothing");
        });
        for value in 1..=3 {
            let held = rx.take(&memory).unwrap();
            assert_eq!(held.value, value);
            if rx.ack(&memory, &held) {
                let ring = memory.ring();
                ring.wake_producers(&memory.groups[0], ring.geometry.fenced, &*futex);
            }
        }
        sleeper.join().unwrap();
        assert_eq!(rx.drain(&memory), [4, 9, 17]);
    });
}

models! {
    waiting_message: message {
        twin_message_sleeper: "sleep.fence",
        twin_message_waker: "wake.fence",
    }
    waiting_two_sleepers: two_sleepers { twin_two_sleepers: "wake.fence" }
    waiting_lag: lag { twin_lag_sleeper: "sleep.fence", twin_lag_waker: "room.fence" }
    waiting_room: room { twin_room_sleeper: "sleep.fence", twin_room_waker: "room.fence" }
}
