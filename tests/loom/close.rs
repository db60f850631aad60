//! Closing: what a producer was told to have sent is inside the end, and nothing comes after it.

use std::sync::Arc;

use crate::explore::{Light, Seen, Size, explore, models, race};
use crate::layout::Kind;
use crate::memory::{Memory, Sender};
use crate::sync::Relaxed;

/// One thread sends while another closes the queue.
fn close_while_sending(seen: &Seen, memory: &Arc<Memory>, mut tx: Sender, rx_row: usize) {
    let rx = memory.consumer(rx_row, 0);
    let (m, n) = (memory.clone(), memory.clone());
    let (sent, end) = race(
        move || tx.send(&m, &[2]),
        move || {
            let _registry = n.registry();
            n.ring().close().unwrap();
            n.control.doors.end.load(Relaxed)
        },
    );
    seen.note(if sent.is_some() { "sent" } else { "refused" });
    assert!(sent.is_none_or(|position| position < end), "{sent:?} sent, closed at {end}");
    assert_eq!(rx.drain(memory), if sent.is_some() { vec![1, 2] } else { vec![1] });
    // Beyond it there may be a claim that came too late: padding.
    assert!(rx.reader.cursor() >= end);
    assert!(rx.reader.drained(&memory.ring(), end));
}

const WANTED: [&str; 2] = ["sent", "refused"];

fn sole() {
    explore(Size::Large, Light::Fence, &WANTED, |seen| {
        let memory = Memory::new(1, 1, 2);
        memory.group(0, Kind::Named);
        let mut tx = memory.producer(0);
        tx.send(&memory, &[1]).unwrap();
        close_while_sending(seen, &memory, tx, 1);
    });
}

fn shared() {
    explore(Size::Small, Light::Fence, &WANTED, |seen| {
        let memory = Memory::new(1, 1, 3);
        memory.group(0, Kind::Named);
        let mut tx = memory.producer(0);
        let _idle = memory.producer(1);
        tx.send(&memory, &[1]).unwrap();
        close_while_sending(seen, &memory, tx, 2);
    });
}

models! {
    close_sole: sole { twin_sole_look: "sole.look", twin_sole_fence: "switch.fence" }
    close_shared: shared {
        twin_shared_look: "close.look",
        twin_shared_fence: "close.fence",
        twin_shared_heavy: "close.heavy",
    }
}
