//! A fork without exec copies handles, mappings and descriptors. The copies are of no use, and keep nobody alive.

use super::child::{Child, SOON, listen, say, signal_to, state_of};
use super::common::{TempDir, queue};
use slipring::{AckError, Consumer, JoinError, Producer, Queue, RecvError, SendError};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::time::Duration;

pub fn play(arguments: &[String]) {
    let queue = Queue::open(&arguments[1]).unwrap();
    let rx = queue.consumer("default").unwrap();
    let mut tx = queue.producer().unwrap();
    tx.send(b"one").unwrap();
    tx.send(b"two").unwrap();
    let held = rx.recv_batch(2).unwrap();
    let mut other = queue.producer().unwrap();
    let slot = other.reserve(10).unwrap();
    match arguments[0].as_str() {
        "fork" => {
            let child = fork(|| {
                use_copies(&queue, &mut tx, &rx);
                for message in held {
                    assert!(matches!(message.ack(), Err(AckError::Forked)));
                }
                // Of no effect: the parent's claim stays open.
                slot.commit(10);
                drop(tx);
                open_anew(queue.name());
            });
            say(&child.to_string());
            listen();
        }
        "exec" => {
            let mut child = Command::new("sleep").arg("60").spawn().unwrap();
            say(&child.id().to_string());
            listen();
            drop((held, slot));
            let _ = child.kill().and_then(|()| child.wait());
        }
        other => panic!("{other}"),
    }
}

/// The child runs `body`, says how it went, and lives on until somebody kills it.
fn fork(body: impl FnOnce()) -> i32 {
    // SAFETY: the child is alone in its process, uses libc's allocator, which a fork leaves in order, and never returns.
    let pid = unsafe { libc::fork() };
    assert_ne!(pid, -1);
    if pid == 0 {
        // SAFETY: no pointers.
        unsafe { libc::alarm(60) };
        let fine = catch_unwind(AssertUnwindSafe(body)).is_ok();
        say(if fine { "child: fine" } else { "child: panicked" });
        loop {
            // SAFETY: takes no arguments.
            unsafe { libc::pause() };
        }
    }
    // Dropping what it has captured would give it back here.
    std::mem::forget(body);
    pid
}

fn use_copies(queue: &Queue, tx: &mut Producer, rx: &Consumer) {
    let soon = Duration::from_millis(1);
    assert_eq!(tx.send(b"x"), Err(SendError::Forked));
    assert_eq!(tx.try_send(b"x"), Err(SendError::Forked));
    assert_eq!(tx.send_timeout(b"x", soon), Err(SendError::Forked));
    assert_eq!(tx.send_event("e", b"x"), Err(SendError::Forked));
    assert_eq!(tx.send_batch([b"x"]), Err(SendError::Forked));
    assert_eq!(tx.reserve(1).map(|_| ()).unwrap_err(), SendError::Forked);
    assert_eq!(rx.recv().unwrap_err(), RecvError::Forked);
    assert_eq!(rx.try_recv().unwrap_err(), RecvError::Forked);
    assert_eq!(rx.recv_timeout(soon).unwrap_err(), RecvError::Forked);
    assert_eq!(rx.recv_batch(2).unwrap_err(), RecvError::Forked);
    assert_eq!(rx.recv_into(&mut Vec::new()).unwrap_err(), RecvError::Forked);
    assert!(rx.pollable().is_err());
    assert!(matches!(queue.producer(), Err(JoinError::Forked)));
    assert!(matches!(queue.consumer("default"), Err(JoinError::Forked)));
    assert!(matches!(queue.consumer_options().open(), Err(JoinError::Forked)));
    assert!(matches!(queue.observe(), Err(JoinError::Forked)));
    assert!(matches!(queue.recover(), Err(JoinError::Forked)));
    assert!(matches!(queue.close(), Err(JoinError::Forked)));
    assert!(matches!(queue.drop_group("default"), Err(JoinError::Forked)));
}

/// What a child opens by itself is its own.
fn open_anew(name: &str) {
    let queue = Queue::open(name).unwrap();
    queue.producer().unwrap().send(b"from the child").unwrap();
}

/// A process that is nobody's child here. Killed when dropped.
struct Stranger(i32);

impl Stranger {
    fn lives(&self) -> bool {
        state_of(self.0).is_some_and(|state| state != 'Z')
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        signal_to(self.0, libc::SIGKILL);
    }
}

fn take(rx: &Consumer) -> (String, u32) {
    let message = rx.recv_timeout(SOON).unwrap();
    let got = (String::from_utf8_lossy(message.payload()).into_owned(), message.deliveries());
    message.ack().unwrap();
    got
}

/// The parent holds a hole and two messages; its child outlives it.
fn survived_by_its_child(how: &str, from_the_child: bool) {
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 1 << 14);
    let mut parent = Child::start("forked", &[how, queue.name()]);
    let (mut pid, mut fine) = (None, !from_the_child);
    while pid.is_none() || !fine {
        match parent.hear().as_str() {
            "child: fine" => fine = true,
            "child: panicked" => panic!("the forked child found something wrong"),
            number => pid = Some(number.parse().unwrap()),
        }
    }
    let child = Stranger(pid.unwrap());
    let rx = queue.consumer("default").unwrap();
    let mut tx = queue.producer().unwrap();
    tx.send(b"behind").unwrap();
    // Nothing that the child did ended what the parent had begun.
    assert_eq!(rx.recv_timeout(Duration::from_millis(200)).unwrap_err(), RecvError::Timeout);
    assert_eq!(queue.stats().members.len(), 5);
    assert_eq!(queue.stats().repaired, 0);
    assert!(parent.kill_and_reap());
    let mut expected = vec![("behind".into(), 1), ("one".into(), 2), ("two".into(), 2)];
    if from_the_child {
        expected.push(("from the child".into(), 1));
    }
    // What is delivered again may come behind what is new.
    let mut got: Vec<_> = expected.iter().map(|_| take(&rx)).collect();
    got.sort();
    expected.sort();
    assert_eq!(got, expected);
    // The third one was in nobody's way.
    queue.recover().unwrap();
    assert_eq!((queue.stats().repaired, queue.stats().members.len()), (3, 2));
    assert!(child.lives(), "its parent's death was to be seen while it lives");
}

#[test]
fn a_forked_child_can_use_nothing_and_keeps_nothing_alive() {
    survived_by_its_child("fork", true);
}

#[test]
fn a_child_that_executes_something_keeps_nothing_alive() {
    survived_by_its_child("exec", false);
}
