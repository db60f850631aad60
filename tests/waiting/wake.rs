//! Sleepers in other processes are woken, and time-outs are kept.

use super::child::{Child, Cpu, Random, SOON, Times, alone, listen, say, stolen};
use super::common::TempDir;
use super::{both_ways, queue};
use slipring::{Queue, RecvError, SendError};
use std::time::{Duration, Instant};

/// A sleeper looks around every 50 ms by itself; whoever needed that had not been woken.
const LOST: Duration = Duration::from_millis(40);
const ROUNDS: u64 = 1500;

both_ways! { no_wake_is_lost no_wake_for_room_is_lost time_outs_are_kept what_ends_a_wait }

pub fn play(arguments: &[String]) {
    let there = Queue::open(&arguments[1]).unwrap();
    match arguments[0].as_str() {
        "echo" => {
            let back = Queue::open(&arguments[2]).unwrap();
            let (rx, mut tx) = (there.consumer("default").unwrap(), back.producer().unwrap());
            say("ready");
            let mut random = Random(1);
            loop {
                let message = rx.recv().unwrap();
                pause(&mut random);
                tx.send(message.payload()).unwrap();
                message.ack().unwrap();
            }
        }
        "fill" => {
            let mut tx = there.producer().unwrap();
            say("ready");
            loop {
                tx.send(b"x").unwrap();
            }
        }
        "wait" => {
            let rx = there.consumer("default").unwrap();
            say("ready");
            let message = rx.recv();
            say(&message.map_or_else(|error| format!("{error:?}"), |_| "message".into()));
            listen();
        }
        other => panic!("{other}"),
    }
}

/// Long enough or not for the other side to go to sleep, or just about to.
fn pause(random: &mut Random) {
    let time = Duration::from_micros(random.below(400));
    if time > Duration::from_micros(200) {
        std::thread::sleep(time);
    } else {
        let start = Instant::now();
        while start.elapsed() < time {
            std::hint::spin_loop();
        }
    }
}

fn starved(child: &Child) -> Duration {
    child.cpu().waited + Cpu::of(std::process::id() as i32).waited + stolen()
}

/// Adds up what took longer than a lost wake would, if it was not for want of a processor.
struct Lost<'c> {
    child: &'c Child,
    before: Duration,
    times: Times,
    lost: u32,
}

impl<'c> Lost<'c> {
    fn new(child: &'c Child) -> Self {
        Self { child, before: starved(child), times: Times::default(), lost: 0 }
    }

    fn add(&mut self, time: Duration) {
        self.times.add(time);
        if time > LOST {
            let now = starved(self.child);
            let of_the_machine = now.saturating_sub(self.before);
            self.before = now;
            println!("{time:?}, of which without a processor {of_the_machine:?}");
            self.lost += u32::from(time.saturating_sub(of_the_machine) > LOST);
        } else if self.times.count().is_multiple_of(50) {
            self.before = starved(self.child);
        }
    }

    fn finish(mut self, what: &str) {
        self.times.report(what);
        assert_eq!(self.lost, 0, "wakes were lost");
    }
}

fn no_wake_is_lost(fenced: bool) {
    let _alone = alone();
    let dir = TempDir::new();
    let (there, back) = (queue(&dir, "a", 1 << 14, fenced), queue(&dir, "b", 1 << 14, fenced));
    let mut child = Child::start("wake", &["echo", there.name(), back.name()]);
    assert_eq!(child.hear(), "ready");
    let (mut tx, rx) = (there.producer().unwrap(), back.consumer("default").unwrap());
    let (mut lost, mut random) = (Lost::new(&child), Random(2));
    for round in 0..ROUNDS {
        pause(&mut random);
        let start = Instant::now();
        tx.send(&round.to_le_bytes()).unwrap();
        let message = rx.recv_timeout(SOON).unwrap();
        lost.add(start.elapsed());
        assert_eq!(message.payload(), round.to_le_bytes());
        message.ack().unwrap();
    }
    lost.finish("there and back");
}

/// The ring is full, its producer asleep; room is made, and he must fill it again. He is woken when an eighth of it is free.
fn no_wake_for_room_is_lost(fenced: bool) {
    let _alone = alone();
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 1 << 12, fenced);
    let mut child = Child::start("wake", &["fill", queue.name()]);
    assert_eq!(child.hear(), "ready");
    let rx = queue.consumer("default").unwrap();
    let full = || {
        let start = Instant::now();
        while rx.lag() < 64 - 64 / 8 {
            assert!(start.elapsed() < SOON, "the ring does not fill: {}", rx.lag());
            std::thread::sleep(Duration::from_micros(20));
        }
        start.elapsed()
    };
    full();
    let (mut lost, mut random) = (Lost::new(&child), Random(3));
    for _ in 0..ROUNDS / 3 {
        pause(&mut random);
        for _ in 0..16 {
            rx.try_recv().unwrap().ack().unwrap();
        }
        lost.add(full());
    }
    lost.finish("room made to ring full");
}

fn time_outs_are_kept(fenced: bool) {
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 1 << 12, fenced);
    let (mut tx, rx) = (queue.producer().unwrap(), queue.consumer("default").unwrap());
    let times = [0, 1, 20, 130].map(Duration::from_millis);
    for time in times {
        let start = Instant::now();
        assert_eq!(rx.recv_timeout(time).unwrap_err(), RecvError::Timeout);
        assert!(start.elapsed() >= time && start.elapsed() < SOON);
    }
    while tx.try_send(b"x").is_ok() {}
    for time in times {
        let start = Instant::now();
        assert_eq!(tx.send_timeout(b"x", time), Err(SendError::Timeout));
        assert_eq!(tx.reserve_timeout(1, time).map(|_| ()).unwrap_err(), SendError::Timeout);
        assert!(start.elapsed() >= time * 2 && start.elapsed() < SOON);
    }
    // A time beyond the clock's range is no time-out at all.
    assert!(rx.recv_timeout(Duration::MAX).is_ok());
}

fn what_ends_a_wait(fenced: bool) {
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 1 << 12, fenced);
    let rx = queue.consumer("default").unwrap();
    queue.producer().unwrap().send(b"x").unwrap();
    let held = rx.recv().unwrap();
    let mut child = Child::start("wake", &["wait", queue.name()]);
    assert_eq!(child.hear(), "ready");
    assert_eq!(child.hear_within(Duration::from_millis(150)), None);
    // Given back, it goes to whoever waits.
    held.retry().unwrap();
    assert_eq!(child.hear(), "message");
    drop(child);
    // His death gives it back again.
    rx.recv_timeout(SOON).unwrap().ack().unwrap();
    let mut child = Child::start("wake", &["wait", queue.name()]);
    assert_eq!(child.hear(), "ready");
    std::thread::sleep(Duration::from_millis(20));
    queue.close().unwrap();
    assert_eq!(child.hear(), "Closed");
}
