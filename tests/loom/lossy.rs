//! Readers without a say: what they copied was whole, or they are told that they were overrun.

use loom::thread;

use crate::explore::{Light, Size, explore, models};
use crate::lossy::{Look, look};
use crate::memory::Memory;

/// A look at a position of two blocks' ring whose message is being overwritten. Messages say their position plus one.
fn glance(memory: &Memory, at: u64) -> Result<u64, u64> {
    let mut buffer = Vec::new();
    match look(&memory.ring(), at, &mut buffer) {
        Look::Message { first, end, extent } => {
            assert_eq!((first, end, extent.len()), (at, at + 1, 8));
            let value = u64::from_le_bytes(buffer.try_into().unwrap());
            assert_eq!(value, at + 1, "bytes of another message");
            Ok(end)
        }
        Look::Nothing { next } => Err(next),
        Look::Lagged { missed, next } => {
            assert_eq!(next, at + missed);
            Err(next)
        }
        other => panic!("{other:?}"),
    }
}

fn overwrite() {
    explore(Size::Small, Light::Nothing, &["whole", "overrun"], |seen| {
        let memory = Memory::new(1, 1, 2);
        let mut tx = memory.producer(0);
        tx.send(&memory, &[1]).unwrap();
        tx.send(&memory, &[2]).unwrap();
        let m = memory.clone();
        let producer = thread::spawn(move || {
            tx.send(&m, &[3]).unwrap();
            tx.send(&m, &[4]).unwrap();
        });
        let first = glance(&memory, 0);
        seen.note(if first.is_ok() { "whole" } else { "overrun" });
        let (Ok(next) | Err(next)) = first;
        let _ = glance(&memory, next);
        producer.join().unwrap();
        let (Ok(next) | Err(next)) = glance(&memory, next);
        assert!((2..=4).contains(&next));
    });
}

/// The same by producers that claim in the shared way, with padding on the way.
fn overwrite_shared() {
    explore(Size::Small, Light::Nothing, &["whole", "overrun"], |seen| {
        let memory = Memory::new(1, 1, 2);
        let mut tx = memory.producer(0);
        let _idle = memory.producer(1);
        tx.send(&memory, &[1]).unwrap();
        let claim = tx.claim(&memory, 1).unwrap();
        memory.ring().pad(claim.start, 1);
        let m = memory.clone();
        let producer = thread::spawn(move || {
            tx.send(&m, &[3]).unwrap();
            tx.send(&m, &[4]).unwrap();
        });
        let first = glance(&memory, 0);
        seen.note(if first.is_ok() { "whole" } else { "overrun" });
        let mut buffer = Vec::new();
        let padding = look(&memory.ring(), 1, &mut buffer);
        match padding {
            Look::Message { first: 2, .. } => {
                assert_eq!(buffer, 3u64.to_le_bytes());
            }
            Look::Message { first: 3, .. } => assert_eq!(buffer, 4u64.to_le_bytes()),
            Look::Nothing { next: 2.. } | Look::Hole { at: 2.., .. } | Look::Lagged { .. } => {}
            other => panic!("{other:?}"),
        }
        producer.join().unwrap();
    });
}

models! {
    lossy_overwrite: overwrite { twin_overwrite: "lossy.fence" }
    lossy_overwrite_shared: overwrite_shared { twin_overwrite_shared: "lossy.fence" }
}
