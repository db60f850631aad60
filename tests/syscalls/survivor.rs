//! Another process, while the first one lives on: can it have everything?

use std::convert::Infallible;

use slipring::{Queue, RecvError};

use crate::common::TempDir;
use crate::operation::{MEMBERS, Operation, What, options};
use crate::traced::Victim;

/// Panics if something is left of the operation. `done`: it succeeded.
pub fn check(operation: &Operation, done: bool, victim: &Victim, dir: &TempDir) -> Infallible {
    let path = operation.path(dir);
    let created = matches!(operation.what, What::Create | What::CreateByName);
    if created && !done {
        std::fs::create_dir_all(dir.path("queues")).unwrap();
        assert!(!std::fs::exists(&path).unwrap(), "the file of a queue that was not made");
        drop(options().create(&path).unwrap());
    }
    if operation.what != What::CreateMemfd {
        use_it_all(&Queue::open(&path).unwrap());
        Queue::unlink(&path).unwrap();
    }
    victim.end()
}

fn use_it_all(queue: &Queue) {
    queue.recover().unwrap();
    let stats = queue.stats();
    assert!(stats.members.is_empty(), "rows are left: {:?}", stats.members);
    let named = stats.groups.iter().all(|group| group.kind == "named");
    assert!(named, "groups are left: {:?}", stats.groups);
    // All rows, and so their lock bytes.
    let all: Vec<_> = (0..MEMBERS).map(|_| queue.producer().unwrap()).collect();
    drop(all);
    let groups: Vec<_> = stats.groups.iter().map(|group| group.name.as_str()).collect();
    for group in &groups {
        let rx = queue.consumer(group).unwrap();
        while let Ok(message) = rx.try_recv() {
            message.ack().unwrap();
        }
    }
    let mut tx = queue.producer().unwrap();
    let large = vec![7; queue.max_message()];
    tx.try_send(&large).unwrap();
    for group in &groups {
        let rx = queue.consumer(group).unwrap();
        let message = rx.try_recv().unwrap();
        assert_eq!(message.payload(), large);
        message.ack().unwrap();
        assert_eq!(rx.try_recv().map(drop), Err(RecvError::Empty));
    }
}
