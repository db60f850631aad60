//! Participants that are each pid 1 of their own PID namespace: no pid says who is alive, the kernel's locks do.

use super::child::{Child, SOON, listen, say};
use super::common::{TempDir, queue};
use slipring::{Consumer, Queue, RecvError};
use std::time::Duration;

/// Longer than anybody waits before it looks for the dead.
const LONG: Duration = Duration::from_millis(200);

pub fn play(arguments: &[String]) {
    let queue = Queue::open(&arguments[1]).unwrap();
    match arguments[0].as_str() {
        "writer" => write(&queue),
        "reader" => read(&queue),
        other => panic!("{other}"),
    }
}

/// Leaves a hole in the ring, and two messages in its hands.
fn write(queue: &Queue) {
    let rx = queue.consumer("default").unwrap();
    let mut tx = queue.producer().unwrap();
    tx.send(b"one").unwrap();
    tx.send(b"two").unwrap();
    let held = rx.recv_batch(2).unwrap();
    let slot = tx.reserve(100).unwrap();
    say(&format!("holds {} and {}", held.len(), slot.position()));
    listen();
}

/// Gets nothing while the other lives, and everything when it is dead.
fn read(queue: &Queue) {
    let mut tx = queue.producer().unwrap();
    let rx = queue.consumer("default").unwrap();
    tx.send(b"three").unwrap();
    assert_eq!(rx.recv_timeout(LONG).unwrap_err(), RecvError::Timeout);
    assert_eq!(queue.recover().unwrap().members, 0);
    say("nothing");
    // What is delivered again may come behind what is new.
    let mut got: Vec<_> = (0..3).map(|_| take(&rx)).collect();
    got.sort();
    assert_eq!(got, [("one".into(), 2), ("three".into(), 1), ("two".into(), 2)]);
    say("all");
    listen();
}

fn take(rx: &Consumer) -> (String, u32) {
    let message = rx.recv_timeout(SOON).unwrap();
    let got = (String::from_utf8_lossy(message.payload()).into_owned(), message.deliveries());
    message.ack().unwrap();
    got
}

/// One side is here, the other in a namespace of its own, or each in its own.
fn start(first: bool, role: &str, queue: &Queue) -> std::io::Result<Child> {
    let arguments = [role, queue.name()];
    if first {
        Child::start_as_first("namespace", &arguments)
    } else {
        Ok(Child::start("namespace", &arguments))
    }
}

/// The writer dies and the reader goes on; then the reader dies, too, and another one goes on.
fn play_through(writer: bool, reader: bool) -> std::io::Result<()> {
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 1 << 14);
    let mut a = start(writer, "writer", &queue)?;
    assert_eq!(a.hear(), "holds 2 and 2");
    let mut b = start(reader, "reader", &queue)?;
    assert_eq!(b.hear(), "nothing");
    if writer && reader {
        let pids: Vec<u64> = queue.stats().members.iter().map(|member| member.pid).collect();
        assert_eq!(pids, [1; 4]);
    }
    assert!(a.kill_and_reap());
    assert_eq!(b.hear(), "all");
    let stats = queue.stats();
    assert_eq!((stats.repaired, stats.groups[0].lag), (2, 0));
    // Now the one that repaired is the one to be repaired.
    let mut c = start(writer, "writer", &queue)?;
    assert!(c.hear().starts_with("holds 2 "));
    assert!(b.kill_and_reap());
    assert!(c.kill_and_reap());
    let rx = queue.consumer("default").unwrap();
    let got = [take(&rx), take(&rx)];
    assert_eq!(got, [("one".into(), 2), ("two".into(), 2)]);
    assert_eq!(rx.recv_timeout(LONG).unwrap_err(), RecvError::Timeout);
    assert_eq!(queue.stats().repaired, 6);
    Ok(())
}

#[test]
fn members_in_different_pid_namespaces_repair_each_other() {
    for (writer, reader) in [(true, true), (true, false), (false, true)] {
        if let Err(error) = play_through(writer, reader) {
            println!(
                "NOT RUN: this system allows no PID namespaces, not even in a user namespace: {error}"
            );
            return;
        }
    }
}
