//! Applications with a defect, each of which is a violation at some instruction and at no other: what the harness must find. The
//! first of each pair is the same application without it.

use slipring::Queue;

use crate::case::{Case, again, gone, line, message, must, sent, small};
use crate::runner::Operation;

#[derive(Clone, Copy, Debug)]
enum Defect {
    /// Says that it has sent before it has.
    SaysSentTooEarly,
    /// Publishes a message before its bytes are written.
    PublishesBeforeWriting,
    /// Sends two messages that belong together with two calls.
    SendsApart,
    /// Says that it has acked before it has.
    SaysAckedTooEarly,
    /// Acks before the message is in its own books.
    AcksTooEarly,
}

/// The operations, and whether there is a defect in them.
pub fn operations() -> Vec<(Operation, bool)> {
    let mut all = Vec::new();
    for defect in [Defect::SaysSentTooEarly, Defect::PublishesBeforeWriting, Defect::SendsApart] {
        for planted in [false, true] {
            let name = format!("{defect:?}: {planted}");
            let body = move |case: &Case| sending(case, defect, planted);
            all.push((Operation::every(name, body), planted));
        }
    }
    for defect in [Defect::SaysAckedTooEarly, Defect::AcksTooEarly] {
        for planted in [false, true] {
            let name = format!("{defect:?}: {planted}");
            let body = move |case: &Case| receiving(case, defect, planted);
            all.push((Operation::every(name, body), planted));
        }
    }
    all
}

fn sending(case: &Case, defect: Defect, planted: bool) {
    let queue = case.create(small());
    let path = case.path();
    let end = case.victim(|victim| {
        let mut tx = Queue::open(&path).unwrap().producer().unwrap();
        let (whole, other) = (message(3, 60), message(4, 60));
        victim.start();
        match (defect, planted) {
            (Defect::SaysSentTooEarly, true) => {
                victim.returned();
                tx.send(&whole).unwrap();
            }
            (Defect::PublishesBeforeWriting, true) => {
                let mut slot = tx.reserve(whole.len()).unwrap();
                let bytes = slot.as_mut_ptr();
                slot.commit(whole.len());
                // SAFETY: in the ring, which is mapped and not reused here; that it is published already is the defect.
                unsafe { bytes.copy_from(whole.as_ptr(), whole.len()) };
                victim.returned();
            }
            (Defect::SendsApart, true) => {
                tx.send(&whole).unwrap();
                tx.send(&other).unwrap();
                victim.returned();
            }
            (Defect::SendsApart, false) => {
                tx.send_batch([&whole, &other]).unwrap();
                victim.returned();
            }
            _ => {
                tx.send(&whole).unwrap();
                victim.returned();
            }
        }
        victim.end()
    });
    let rx = queue.consumer("default").unwrap();
    let got = case.drain(&rx);
    let mut lines = vec![sent(3, &end, 1)];
    if matches!(defect, Defect::SendsApart) {
        lines.push(sent(4, &end, 1));
        case.together(&[3, 4], &got);
    }
    case.compare("default", &lines, &got);
    drop(rx);
    case.finish(&queue);
}

fn receiving(case: &Case, defect: Defect, planted: bool) {
    let queue = case.create(small());
    let mut tx = queue.producer().unwrap();
    for id in 1..=3 {
        tx.try_send(&message(id, 8)).unwrap();
    }
    drop(tx);
    let path = case.path();
    let end = case.victim(|victim| {
        let rx = Queue::open(&path).unwrap().consumer("default").unwrap();
        let message = rx.recv().unwrap();
        victim.start();
        match (defect, planted) {
            (Defect::SaysAckedTooEarly, true) => {
                victim.returned();
                message.ack().unwrap();
            }
            (Defect::SaysAckedTooEarly, false) => {
                message.ack().unwrap();
                victim.returned();
            }
            // Here `returned` is the application's own book of what it has done.
            (_, true) => {
                message.ack().unwrap();
                victim.returned();
            }
            (_, false) => {
                victim.returned();
                message.ack().unwrap();
            }
        }
        victim.end()
    });
    let first = match (defect, end.returned) {
        (Defect::SaysAckedTooEarly, 0) => line(1, false, true, 2..=2),
        (Defect::SaysAckedTooEarly, _) => gone(1),
        // What is in no book must come again.
        (_, 0) => again(1),
        (_, _) => line(1, false, true, 2..=2),
    };
    case.read(&queue, "default", &[first, must(2), must(3)]);
    case.finish(&queue);
}
