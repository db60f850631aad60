//! The C interface, called as C calls it: through its exported functions with raw pointers.

#![expect(
    clippy::multiple_unsafe_ops_per_block,
    reason = "a test calls many functions of C in a row"
)]

mod common;

use common::TempDir;
use core::ffi::{CStr, c_void};
use core::ptr::{null, null_mut};
use slipring::capi::*;
use std::ffi::CString;

/// A queue with its producer and one consumer.
struct Three {
    queue: *mut slipring_queue,
    tx: *mut slipring_producer,
    rx: *mut slipring_consumer,
    _dir: TempDir,
}

impl Three {
    fn new() -> Self {
        let dir = TempDir::new();
        let name = CString::new(dir.path("q")).unwrap();
        let (mut queue, mut tx, mut rx) = (null_mut(), null_mut(), null_mut());
        // SAFETY: strings and places that live; NULL where it is allowed.
        unsafe {
            let mut options = core::mem::zeroed::<slipring_queue_options>();
            slipring_queue_options_init(&mut options);
            options.capacity = 1 << 12;
            assert_eq!(slipring_create(name.as_ptr(), &options, &mut queue), SLIPRING_OK);
            assert_eq!(slipring_producer_open(queue, &mut tx), SLIPRING_OK);
            let group = c"default".as_ptr();
            assert_eq!(slipring_consumer_open(queue, group, null(), &mut rx), SLIPRING_OK);
        }
        Self { queue, tx, rx, _dir: dir }
    }

    fn send(&self, bytes: &[u8]) -> slipring_status {
        // SAFETY: open, and the bytes live.
        unsafe { slipring_send(self.tx, bytes.as_ptr().cast(), bytes.len(), 0) }
    }

    fn borrow(&self) -> (slipring_status, slipring_message) {
        // SAFETY: all numbers and pointers.
        let mut message = unsafe { core::mem::zeroed() };
        // SAFETY: open, and the message is writable.
        let status = unsafe { slipring_borrow(self.rx, 0, &mut message) };
        (status, message)
    }

    fn ack(&self, message: &slipring_message) -> slipring_status {
        // SAFETY: open, and the message is readable.
        unsafe { slipring_ack(self.rx, message) }
    }
}

impl Drop for Three {
    fn drop(&mut self) {
        // SAFETY: all three are open, and used no more.
        unsafe {
            slipring_consumer_close(self.rx);
            slipring_producer_close(self.tx);
            slipring_close(self.queue);
        }
    }
}

fn last_error() -> String {
    // SAFETY: never NULL, and valid until the next failure.
    unsafe { CStr::from_ptr(slipring_last_error()) }.to_str().unwrap().to_owned()
}

fn payload(message: &slipring_message) -> &[u8] {
    // SAFETY: lent until it is acked.
    unsafe { core::slice::from_raw_parts(message.data.cast(), message.len) }
}

#[test]
fn messages_go_through_and_are_acked_once() {
    let three = Three::new();
    assert_eq!(three.borrow().0, SLIPRING_EMPTY);
    assert_eq!(three.send(b"one"), SLIPRING_OK);
    assert_eq!(three.send(b""), SLIPRING_OK);
    let (status, one) = three.borrow();
    assert_eq!((status, payload(&one), one.deliveries), (SLIPRING_OK, &b"one"[..], 1));
    let (status, nothing) = three.borrow();
    assert_eq!((status, nothing.len), (SLIPRING_OK, 0));
    assert_eq!(three.ack(&nothing), SLIPRING_OK);
    assert_eq!(three.ack(&one), SLIPRING_OK);
    // Stale, and forged.
    assert_eq!(three.ack(&one), SLIPRING_INVALID);
    assert!(last_error().contains("not held"));
    for cookie in [0, u64::MAX, one.cookie + 1, 7 << 32] {
        assert_eq!(three.ack(&slipring_message { cookie, ..one }), SLIPRING_INVALID);
    }
    assert_eq!(three.borrow().0, SLIPRING_EMPTY);
}

#[test]
fn an_old_cookie_does_not_name_a_new_message() {
    let three = Three::new();
    three.send(b"one");
    let (_, one) = three.borrow();
    // SAFETY: open and held.
    assert_eq!(unsafe { slipring_retry(three.rx, &one) }, SLIPRING_OK);
    let (_, again) = three.borrow();
    assert_eq!((payload(&again), again.deliveries), (&b"one"[..], 2));
    assert_ne!(again.cookie, one.cookie);
    assert_eq!(three.ack(&one), SLIPRING_INVALID);
    assert_eq!(three.ack(&again), SLIPRING_OK);
}

#[test]
fn a_buffer_that_is_too_small_loses_nothing() {
    let three = Three::new();
    three.send(b"twelve bytes");
    let (mut buffer, mut len) = ([0_u8; 12], 0_usize);
    let at = buffer.as_mut_ptr().cast::<c_void>();
    // SAFETY: as many writable bytes as said.
    unsafe {
        assert_eq!(slipring_receive(three.rx, null_mut(), 0, 0, &mut len), SLIPRING_TOO_LARGE);
        assert_eq!(len, 12);
        assert_eq!(slipring_receive(three.rx, at, 11, 0, &mut len), SLIPRING_TOO_LARGE);
        assert_eq!(slipring_receive(three.rx, at, 12, 0, &mut len), SLIPRING_OK);
        assert_eq!(slipring_receive(three.rx, at, 12, 0, &mut len), SLIPRING_EMPTY);
    }
    assert_eq!(&buffer, b"twelve bytes");
}

#[test]
fn reservations_are_committed_once_or_given_up() {
    let three = Three::new();
    // SAFETY: open; places that live; bytes inside the reservation.
    unsafe {
        let mut space = core::mem::zeroed::<slipring_reservation>();
        assert_eq!(slipring_reserve(three.tx, 100, 0, &mut space), SLIPRING_OK);
        assert_eq!((space.len, space.data as usize % 64), (100, 0));
        assert_eq!(three.send(b"meanwhile"), SLIPRING_INVALID);
        space.data.cast::<u8>().copy_from_nonoverlapping(b"in place".as_ptr(), 8);
        let stale = space;
        assert_eq!(slipring_commit(three.tx, &mut space, 101), SLIPRING_INVALID);
        assert_eq!(slipring_commit(three.tx, &mut space, 8), SLIPRING_OK);
        assert_eq!(slipring_commit(three.tx, &mut { stale }, 8), SLIPRING_INVALID);
        assert_eq!(slipring_reserve(three.tx, 10, 0, &mut space), SLIPRING_OK);
        slipring_abort(three.tx, &mut space);
        slipring_abort(three.tx, &mut space);
        slipring_abort(three.tx, null_mut());
    }
    let (_, message) = three.borrow();
    assert_eq!(payload(&message), b"in place");
    assert_eq!(three.ack(&message), SLIPRING_OK);
    assert_eq!(three.borrow().0, SLIPRING_EMPTY);
}

#[test]
fn events_batches_and_figures() {
    let three = Three::new();
    let parts: Vec<_> = [&b"a"[..], b"bb", b""]
        .map(|part| slipring_slice { data: part.as_ptr().cast(), len: part.len() })
        .into();
    let (mut sent, mut found) = (0, 0);
    // SAFETY: open; places that live.
    unsafe {
        assert_eq!(slipring_send_batch(three.tx, parts.as_ptr(), 3, &mut sent), SLIPRING_OK);
        let event = c"order.created".as_ptr();
        assert_eq!(slipring_send_event(three.tx, event, b"x".as_ptr().cast(), 1, -1), SLIPRING_OK);
        let mut batch = [core::mem::zeroed::<slipring_message>(); 8];
        let status = slipring_borrow_batch(three.rx, batch.as_mut_ptr(), 8, 0, &mut found);
        assert_eq!((status, sent, found), (SLIPRING_OK, 3, 4));
        assert_eq!(batch.map(|message| message.len)[..4], [1, 2, 0, 1]);
        let name = core::slice::from_raw_parts(batch[3].event.cast::<u8>(), batch[3].event_len);
        assert_eq!(name, b"order.created");
        assert_eq!(slipring_lag(three.rx), 4);
        let mut stats = core::mem::zeroed::<slipring_queue_stats>();
        assert_eq!(slipring_stats(three.queue, &mut stats), SLIPRING_OK);
        assert_eq!((stats.sent, stats.received, stats.members, stats.groups), (4, 4, 2, 1));
        assert!(batch[..4].iter().all(|message| three.ack(message) == SLIPRING_OK));
        assert_eq!(slipring_shutdown(three.queue), SLIPRING_OK);
    }
    assert_eq!(three.send(b"late"), SLIPRING_CLOSED);
    assert_eq!(three.borrow().0, SLIPRING_CLOSED);
}

#[test]
fn null_and_nonsense_are_invalid_everywhere() {
    let three = Three::new();
    let (queue, tx, rx) = (three.queue, three.tx, three.rx);
    let bad = c"a/../\xff".as_ptr();
    let name = c"q".as_ptr();
    // SAFETY: NULL is what is tried; whatever is not NULL lives.
    unsafe {
        let (mut len, mut out_queue, mut out_tx, mut out_rx) =
            (0, null_mut(), null_mut(), null_mut());
        let mut message = core::mem::zeroed::<slipring_message>();
        let mut space = core::mem::zeroed::<slipring_reservation>();
        let mut stats = core::mem::zeroed::<slipring_queue_stats>();
        let unsized_options = core::mem::zeroed::<slipring_queue_options>();
        let mut options = core::mem::zeroed::<slipring_consumer_options>();
        slipring_consumer_options_init(&mut options);
        let with = |change: fn(&mut slipring_consumer_options)| {
            let mut changed = options;
            change(&mut changed);
            changed
        };
        let statuses = [
            slipring_create(null(), null(), &mut out_queue),
            slipring_create(name, null(), null_mut()),
            slipring_create(bad, null(), &mut out_queue),
            slipring_create(name, &unsized_options, &mut out_queue),
            slipring_open(null(), &mut out_queue),
            slipring_open(name, null_mut()),
            slipring_open_or_create(null(), null(), &mut out_queue),
            slipring_open_fd(-1, &mut out_queue),
            slipring_open_fd(0, null_mut()),
            slipring_create_memfd(null(), null(), &mut out_queue),
            slipring_unlink(null()),
            slipring_shutdown(null_mut()),
            slipring_stats(null(), &mut stats),
            slipring_stats(queue, null_mut()),
            slipring_recover(null_mut(), null_mut()),
            slipring_drop_group(null_mut(), name),
            slipring_drop_group(queue, null()),
            slipring_queue_fd(null()),
            slipring_producer_open(null_mut(), &mut out_tx),
            slipring_producer_open(queue, null_mut()),
            slipring_send(null_mut(), null(), 0, 0),
            slipring_send(tx, null(), 1, 0),
            slipring_send(tx, name.cast(), usize::MAX, 0),
            slipring_send(tx, null(), 0, -2),
            slipring_send_event(tx, bad, null(), 0, 0),
            slipring_send_event(tx, null(), null(), 1, 0),
            slipring_send_batch(tx, null(), 1, null_mut()),
            slipring_send_batch(tx, name.cast(), usize::MAX, null_mut()),
            slipring_reserve(null_mut(), 1, 0, &mut space),
            slipring_reserve(tx, 1, 0, null_mut()),
            slipring_reserve_event(tx, bad, 1, 0, &mut space),
            slipring_commit(null_mut(), &mut space, 0),
            slipring_commit(tx, null_mut(), 0),
            slipring_consumer_open(null_mut(), null(), null(), &mut out_rx),
            slipring_consumer_open(queue, null(), null(), null_mut()),
            slipring_consumer_open(queue, bad, null(), &mut out_rx),
            slipring_consumer_open(queue, null(), &with(|it| it.start = 3), &mut out_rx),
            slipring_consumer_open(queue, null(), &with(|it| it.flags = 2), &mut out_rx),
            slipring_consumer_open(queue, name, &with(|it| it.prefetch = 1025), &mut out_rx),
            slipring_consumer_open(queue, name, &with(|it| it.max_deliveries = 255), &mut out_rx),
            slipring_consumer_open(queue, name, &with(|it| it.struct_size = 3), &mut out_rx),
            slipring_consumer_open(queue, name, &with(|it| it.struct_size = 5000), &mut out_rx),
            slipring_receive(null_mut(), null_mut(), 0, 0, &mut len),
            slipring_receive(rx, null_mut(), 1, 0, &mut len),
            slipring_receive(rx, null_mut(), 0, 0, null_mut()),
            slipring_receive(rx, null_mut(), 0, i64::MIN, &mut len),
            slipring_borrow(null_mut(), 0, &mut message),
            slipring_borrow(rx, 0, null_mut()),
            slipring_borrow_batch(rx, null_mut(), 1, 0, &mut len),
            slipring_borrow_batch(rx, &mut message, 1, 0, null_mut()),
            slipring_borrow_batch(rx, &mut message, 0, 0, &mut len),
            slipring_ack(null_mut(), &message),
            slipring_ack(rx, null()),
            slipring_retry(rx, null()),
            slipring_reject(rx, &message, bad),
            slipring_reject(rx, null(), null()),
            slipring_consumer_fd(null_mut()),
        ];
        for (at, status) in statuses.iter().enumerate() {
            assert_eq!(*status, SLIPRING_INVALID, "call {at}: {}", last_error());
        }
        assert!(out_queue.is_null() && out_tx.is_null() && out_rx.is_null());
        slipring_queue_options_init(null_mut());
        slipring_consumer_options_init(null_mut());
        slipring_close(null_mut());
        slipring_producer_close(null_mut());
        slipring_consumer_close(null_mut());
        slipring_abort(null_mut(), null_mut());
        assert_eq!(slipring_lag(null()), 0);
    }
}

#[test]
fn options_of_other_versions() {
    let dir = TempDir::new();
    let name = CString::new(dir.path("q")).unwrap();
    // SAFETY: a struct as large as it says.
    unsafe {
        let mut longer = [0_u64; 16];
        longer[0] = 128;
        let mut queue = null_mut();
        assert_eq!(slipring_create(name.as_ptr(), longer.as_ptr().cast(), &mut queue), SLIPRING_OK);
        slipring_close(queue);
        longer[15] = 1;
        let status = slipring_open_or_create(name.as_ptr(), longer.as_ptr().cast(), &mut queue);
        assert_eq!(status, SLIPRING_INVALID);
        assert!(last_error().contains("does not know"));
    }
}

#[test]
fn every_status_has_a_text() {
    let text = |status| {
        // SAFETY: never NULL, static.
        unsafe { CStr::from_ptr(slipring_status_str(status)) }.to_str().unwrap()
    };
    let mut texts: Vec<_> = (SLIPRING_INTERNAL..=SLIPRING_OK).map(text).collect();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), 18);
    for unknown in [1, -18, i32::MIN] {
        assert_eq!(text(unknown), "unknown status");
    }
    assert_eq!(slipring_version(), 1 << 8);
}
