//! What the other processes do. Each order is carried out and answered.

use crate::cores;
use slipring::{Consumer, Queue};
use std::hint::black_box;

/// Plays a role until there are no more orders.
pub fn play(core: &str, role: &str, args: &[&str]) {
    cores::pin(core.parse().expect("a core's number"));
    match (role, args) {
        ("echo", [there, back]) => echo(&open(there), &open(back)),
        ("drain", [queue, group, how]) => drain(&open(queue), group, how),
        ("pour", [queue, size]) => pour(&open(queue), number(size)),
        ("hole", [queue]) => hole(&open(queue)),
        _ => panic!("no such role: {role} {args:?}"),
    }
}

fn number(text: &str) -> usize {
    text.parse().expect("a number")
}

fn open(path: &str) -> Queue {
    let queue = Queue::open(path).expect("a queue");
    // The ring of a small queue at once; that of a large one as it is used.
    if queue.capacity() < 1 << 30 {
        queue.prefault();
    }
    queue
}

/// Says that all is ready, and then carries out each order.
fn obey(mut carry_out: impl FnMut(u64)) {
    println!("ready");
    for line in std::io::stdin().lines() {
        carry_out(line.expect("a pipe").parse().expect("a number"));
        println!("done");
    }
}

/// Sends so many messages back.
fn echo(there: &Queue, back: &Queue) {
    let rx = there.consumer("echo").expect("consumer");
    let mut tx = back.producer().expect("producer");
    obey(|count| {
        for _ in 0..count {
            let message = rx.recv().expect("a message");
            tx.send(message.payload()).expect("a reply");
            message.ack().expect("ack");
        }
    });
}

/// Receives until an empty message comes.
fn drain(queue: &Queue, group: &str, how: &str) {
    let rx = queue.consumer(group).expect("consumer");
    let mut buffer = Vec::new();
    obey(|_| match how {
        "copy" => while copy(&rx, &mut buffer) > 0 {},
        "touch" => while touch(&rx) > 0 {},
        batch => while copy_batch(&rx, number(batch), &mut buffer) {},
    });
}

/// Every byte is read.
fn copy(rx: &Consumer, buffer: &mut Vec<u8>) -> usize {
    buffer.clear();
    let len = rx.recv_into(buffer).expect("a message");
    black_box(&buffer);
    len
}

/// The first and the last byte are read, where they are.
fn touch(rx: &Consumer) -> usize {
    let message = rx.recv().expect("a message");
    let payload = message.payload();
    let len = payload.len();
    black_box((payload.first(), payload.last()));
    message.ack().expect("ack");
    len
}

/// Every byte of up to so many messages. False if the empty one was among them.
fn copy_batch(rx: &Consumer, max: usize, buffer: &mut Vec<u8>) -> bool {
    let mut more = true;
    let copy = |message: &slipring::Message<'_>| {
        buffer.clear();
        buffer.extend_from_slice(message.payload());
        more &= !black_box(&*buffer).is_empty();
    };
    rx.recv_each(max, copy).expect("messages");
    more
}

/// Sends so many messages.
fn pour(queue: &Queue, size: usize) {
    let mut tx = queue.producer().expect("producer");
    let mut payload = vec![0; size];
    obey(|count| {
        for n in 0..count {
            payload[0] = n as u8;
            tx.send(&payload).expect("room");
        }
    });
}

/// Reserves, and is killed before it commits.
fn hole(queue: &Queue) {
    let mut tx = queue.producer().expect("producer");
    let _slot = tx.reserve(64).expect("room");
    obey(|_| {});
}
