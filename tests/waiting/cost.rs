//! What waiting costs those who do not wait: nothing. And those who do: nearly nothing.

use super::child::{Child, alone, listen, say};
use super::common::TempDir;
use super::tracer::{Calls, count, counted};
use super::{both_ways, queue};
use slipring::{Consumer, Producer, Queue};
use std::os::fd::AsRawFd;
use std::time::Duration;

const MESSAGES: u64 = 5000;

both_ways! {
    nobody_sleeps_nobody_calls
    nobody_sleeps_in_company
    a_killed_sleeper_costs_one_vain_wake
    a_killed_poller_costs_one_vain_ring
    a_killed_producer_asleep_costs_one_vain_wake
    sleeping_takes_no_processor
}

pub fn play(arguments: &[String]) {
    let queue = Queue::open(&arguments[1]).unwrap();
    match arguments[0].as_str() {
        "awake" => be_awake(&queue, false),
        "company" => be_awake(&queue, true),
        "send" => {
            let mut tx = queue.producer().unwrap();
            loop {
                say("ready");
                listen();
                counted(|| (0..500).for_each(|_| assert!(tx.try_send(b"x").is_ok())));
            }
        }
        "ack" => {
            let rx = queue.consumer("default").unwrap();
            loop {
                say("ready");
                listen();
                counted(|| (0..100).for_each(|_| rx.try_recv().unwrap().ack().unwrap()));
            }
        }
        "recv" => {
            let rx = queue.consumer(&arguments[2]).unwrap();
            say("ready");
            drop(rx.recv());
        }
        "poll" => {
            let rx = queue.consumer(&arguments[2]).unwrap();
            let fd = std::os::fd::AsFd::as_fd(&rx).as_raw_fd();
            say("ready");
            loop {
                drop(rx.try_recv());
                super::child::readable(fd, Duration::from_secs(60));
            }
        }
        "fill" => {
            let mut tx = queue.producer().unwrap();
            say("ready");
            while tx.send(b"x").is_ok() {}
        }
        other => panic!("{other}"),
    }
    say("done");
    listen();
}

/// Sends and receives in all ways, with others there or not. Nobody sleeps.
fn be_awake(queue: &Queue, company: bool) {
    let (mut tx, rx) = (queue.producer().unwrap(), queue.consumer("default").unwrap());
    let others = company.then(|| (queue.producer().unwrap(), queue.consumer("default").unwrap()));
    // Page faults are no system calls; whatever is set up at first use is not counted.
    go_round(&mut tx, &rx, 100);
    counted(|| go_round(&mut tx, &rx, MESSAGES));
    drop(others);
}

fn go_round(tx: &mut Producer, rx: &Consumer, messages: u64) {
    for n in 0..messages {
        match n % 4 {
            0 => drop(tx.send(&n.to_le_bytes()).unwrap()),
            1 => drop(tx.send_event("event", &n.to_le_bytes()).unwrap()),
            2 => drop(tx.reserve(100).unwrap().commit(8)),
            _ => drop(tx.send_batch([n.to_le_bytes()]).unwrap()),
        }
        rx.recv().unwrap().ack().unwrap();
    }
}

fn awake(what: &str, fenced: bool) {
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 1 << 14, fenced);
    let mut child = Child::start("cost", &[what, queue.name()]);
    assert_eq!(count(&mut child), Calls::new());
    assert_eq!(child.hear(), "done");
}

fn nobody_sleeps_nobody_calls(fenced: bool) {
    awake("awake", fenced);
}

fn nobody_sleeps_in_company(fenced: bool) {
    awake("company", fenced);
}

/// Somebody joins in time, since a joiner repairs; then a sleeper is killed; then the one acts twice, and his calls are counted.
fn after_a_kill(queue: &Queue, what: &str, kill: impl FnOnce()) -> [Calls; 2] {
    let mut child = Child::start("cost", &[what, queue.name()]);
    assert_eq!(child.hear(), "ready");
    kill();
    [(); 2].map(|()| {
        child.tell("go");
        let calls = count(&mut child);
        assert_eq!(child.hear(), "ready");
        calls
    })
}

/// Kills a child once it is asleep: then its bit is set, and nobody has cleared it.
fn kill_asleep(queue: &Queue, how: &str, group: &str) {
    let mut child = Child::start("cost", &[how, queue.name(), group]);
    assert_eq!(child.hear(), "ready");
    std::thread::sleep(Duration::from_millis(30));
    assert_ne!(queue.stats().sleepers, 0);
    assert!(child.kill_and_reap());
    assert_ne!(queue.stats().sleepers, 0, "it left no trace, so that this shows nothing");
}

fn one_vain_wake() -> Calls {
    Calls::from([(libc::SYS_futex as u64, 1)])
}

fn a_killed_sleeper_costs_one_vain_wake(fenced: bool) {
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 1 << 18, fenced);
    let kill = || kill_asleep(&queue, "recv", "default");
    assert_eq!(after_a_kill(&queue, "send", kill), [one_vain_wake(), Calls::new()]);
}

fn a_killed_poller_costs_one_vain_ring(fenced: bool) {
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 1 << 18, fenced);
    let kill = || kill_asleep(&queue, "poll", "default");
    let [first, second] = after_a_kill(&queue, "send", kill);
    // A wake, and a look whether somebody has the bell open.
    let expected = [(libc::SYS_futex as u64, 1), (libc::SYS_openat as u64, 1)];
    assert_eq!(first, Calls::from(expected));
    assert_eq!(second, Calls::new());
}

fn a_killed_producer_asleep_costs_one_vain_wake(fenced: bool) {
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 1 << 14, fenced);
    let kill = || kill_asleep(&queue, "fill", "");
    assert_eq!(after_a_kill(&queue, "ack", kill), [one_vain_wake(), Calls::new()]);
}

/// Sleepers look around twenty times a second; that is all they do.
fn sleeping_takes_no_processor(fenced: bool) {
    let _alone = alone();
    let dir = TempDir::new();
    let (empty, full) = (queue(&dir, "e", 1 << 14, fenced), queue(&dir, "f", 1 << 12, fenced));
    let plans = [
        ("recv", &empty, "default"),
        ("recv", &empty, "default"),
        ("recv", &empty, "alone"),
        ("poll", &empty, "polled"),
        ("fill", &full, ""),
    ];
    let mut crew = plans.map(|(what, queue, group)| {
        let mut child = Child::start("cost", &[what, queue.name(), group]);
        assert_eq!(child.hear(), "ready");
        child
    });
    std::thread::sleep(Duration::from_millis(50));
    let before = crew.each_ref().map(|child| child.cpu().ran);
    let time = Duration::from_millis(1500);
    std::thread::sleep(time);
    for ((child, before), plan) in crew.iter_mut().zip(before).zip(plans) {
        assert!(child.ended().is_none());
        let ran = child.cpu().ran - before;
        println!("{} {}: {ran:?} of {time:?}", plan.0, plan.2);
        assert!(ran < time / 50, "{} {} ran for {ran:?}", plan.0, plan.2);
    }
}
