//! Sending.

use core::ffi::{c_char, c_void};
use core::ptr;

use super::error::{
    Failure, Handle, Outcome, SLIPRING_FORKED, invalid, plain, slipring_status, with,
};
use super::pointers::{Wait, bytes, handle_number, not_null, set, text};
use super::queue::{slipring_queue, with_queue};
use crate::{Producer, Queue, Reservation, SendError};

/// The sending side of a queue. One thread at a time uses it.
pub struct slipring_producer {
    /// Borrows from `producer`, so it goes first.
    reservation: Option<Reservation<'static>>,
    /// Which reservation that is: the last one given out has this cookie.
    cookie: u64,
    poisoned: bool,
    /// Tells whether we are a child of a fork.
    queue: Queue,
    /// Owned; reached by pointer since `reservation` borrows from it.
    producer: *mut Producer,
}

impl slipring_producer {
    /// The producer, if no reservation borrows it.
    #[inline(always)]
    fn producer(&mut self) -> Result<&'static mut Producer, Failure> {
        if self.reservation.is_some() {
            return Err(invalid("this producer has an open reservation: commit or abort it first"));
        }
        // SAFETY: owned by this handle, which outlives every use; the only other borrow would be the reservation's.
        Ok(unsafe { &mut *self.producer })
    }
}

impl Handle for slipring_producer {
    const IS_NULL: &str = "producer is NULL";
    fn poisoned(&mut self) -> &mut bool {
        &mut self.poisoned
    }
}

impl Drop for slipring_producer {
    fn drop(&mut self) {
        self.reservation = None;
        // SAFETY: made by `Box::into_raw`, and nothing borrows it any more.
        drop(unsafe { Box::from_raw(self.producer) });
    }
}

/// Space for a message, to be written in place. Fill `len` bytes at `data`, then commit or abort; be quick, since messages of other
/// producers behind it wait.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct slipring_reservation {
    /// Aligned to 64 bytes. Holds leftovers of earlier messages.
    pub data: *mut c_void,
    /// Bytes reserved.
    pub len: usize,
    /// Which reservation this is; not to be changed.
    pub cookie: u64,
}

/// One part of `slipring_send_batch`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct slipring_slice {
    /// May be NULL if `len` is 0.
    pub data: *const c_void,
    /// Bytes.
    pub len: usize,
}

/// Becomes a producer. The producer that `*out` receives is the caller's, to be given to `slipring_producer_close`.
///
/// LIMIT (all member rows are in use), CLOSED, FORKED, TIMEOUT, CORRUPT, INVALID, OS.
///
/// # Safety
/// `queue` is NULL or open, `out` NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slipring_producer_open(
    queue: *mut slipring_queue,
    out: *mut *mut slipring_producer,
) -> slipring_status {
    // SAFETY: the caller's promises.
    unsafe {
        with_queue(queue, |queue| {
            not_null(out, "out")?;
            let producer = Box::into_raw(Box::new(queue.producer()?));
            let handle = slipring_producer {
                reservation: None,
                cookie: handle_number() << 44,
                poisoned: false,
                queue: queue.clone(),
                producer,
            };
            set(out, Box::into_raw(Box::new(handle)));
            Ok(())
        })
    }
}

/// Leaves the queue; an open reservation is aborted. NULL is ignored.
///
/// # Safety
/// `producer` is NULL or from this library, and not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slipring_producer_close(producer: *mut slipring_producer) {
    if !producer.is_null() {
        // SAFETY: made by `Box::into_raw`, and given up by the caller.
        let producer = unsafe { Box::from_raw(producer) };
        super::error::answer(|| {
            drop(producer);
            Ok(())
        });
    }
}

/// Sends a message of `len` bytes. When this returns OK the message survives the death of this process. `data` is copied.
/// `timeout_ns`: how long to wait for room: 0 not at all, -1 for ever.
///
/// FULL (did not wait), TIMEOUT, CLOSED, TOO_LARGE (ever), FORKED, CORRUPT, INVALID.
///
/// # Safety
/// `producer` is NULL or open, and used by no other thread now; `data` has `len` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slipring_send(
    producer: *mut slipring_producer,
    data: *const c_void,
    len: usize,
    timeout_ns: i64,
) -> slipring_status {
    // SAFETY: the caller's promises.
    unsafe {
        with(producer, |producer| {
            Wait::check(timeout_ns)?;
            let payload = bytes(data.cast(), len)?;
            let producer = producer.producer()?;
            match producer.try_send(payload) {
                Ok(_) => Ok(()),
                Err(error) => wait_to_send(producer, error, payload, timeout_ns),
            }
        })
    }
}

/// There is no room now: waits for it, if the caller does.
#[cold]
#[inline(never)]
fn wait_to_send(
    producer: &mut Producer,
    error: SendError,
    payload: &[u8],
    timeout_ns: i64,
) -> Outcome {
    match (error, Wait::of(timeout_ns)) {
        (SendError::Full, Wait::ForEver) => producer.send(payload)?,
        (SendError::Full, Wait::For(time)) => producer.send_timeout(payload, time)?,
        (error, _) => return Err(error.into()),
    };
    Ok(())
}

/// Sends a message with an event name, UTF-8 of at most 255 bytes; NULL means none. The rest as for `slipring_send`.
///
/// # Safety
/// As for `slipring_send`; `event` is NULL or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slipring_send_event(
    producer: *mut slipring_producer,
    event: *const c_char,
    data: *const c_void,
    len: usize,
    timeout_ns: i64,
) -> slipring_status {
    // SAFETY: the caller's promises.
    unsafe {
        with(producer, |producer| {
            Wait::check(timeout_ns)?;
            let event = text(event, "event")?.unwrap_or("");
            let payload = bytes(data.cast(), len)?;
            let producer = producer.producer()?;
            match Wait::of(timeout_ns) {
                Wait::No => producer.try_send_event(event, payload)?,
                Wait::ForEver => producer.send_event(event, payload)?,
                Wait::For(time) => producer.send_event_timeout(event, payload, time)?,
            };
            Ok(())
        })
    }
}

/// Sends `count` messages with few claims and one wake, waiting for room as long as it takes. After an error `*sent` (may be NULL) messages
/// of the front are sent, all of them after OK.
///
/// As for `slipring_send`.
///
/// # Safety
/// As for `slipring_send`; `slices` has `count` readable parts, each with readable bytes; `sent` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slipring_send_batch(
    producer: *mut slipring_producer,
    slices: *const slipring_slice,
    count: usize,
    sent: *mut usize,
) -> slipring_status {
    // SAFETY: the caller's promises.
    unsafe {
        with(producer, |producer| {
            set(sent, 0);
            if count == 0 {
                return Ok(());
            }
            not_null(slices, "slices")?;
            if count > isize::MAX as usize / size_of::<slipring_slice>() {
                return Err(invalid("count is beyond the address space"));
            }
            let slices = core::slice::from_raw_parts(slices, count);
            let parts: Result<Vec<&[u8]>, Failure> =
                slices.iter().map(|part| bytes(part.data.cast(), part.len)).collect();
            let (parts, producer) = (parts?, producer.producer()?);
            let done = producer.send_batch(parts)?;
            set(sent, done);
            Ok(())
        })
    }
}

/// Reserves `len` bytes to be written in place. A producer has one reservation at a time. `timeout_ns` as for `slipring_send`.
///
/// FULL, TIMEOUT, CLOSED, TOO_LARGE, FORKED, CORRUPT, INVALID (one is open already).
///
/// # Safety
/// `producer` is NULL or open, and used by no other thread now; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slipring_reserve(
    producer: *mut slipring_producer,
    len: usize,
    timeout_ns: i64,
    out: *mut slipring_reservation,
) -> slipring_status {
    // SAFETY: the caller's promises.
    unsafe { slipring_reserve_event(producer, ptr::null(), len, timeout_ns, out) }
}

/// As `slipring_reserve`, for a message with an event name; NULL means none.
///
/// # Safety
/// As for `slipring_reserve`; `event` is NULL or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slipring_reserve_event(
    producer: *mut slipring_producer,
    event: *const c_char,
    len: usize,
    timeout_ns: i64,
    out: *mut slipring_reservation,
) -> slipring_status {
    // SAFETY: the caller's promises.
    unsafe {
        with(producer, |handle| {
            not_null(out, "out")?;
            Wait::check(timeout_ns)?;
            let event = text(event, "event")?.unwrap_or("");
            let producer = handle.producer()?;
            let reservation = match Wait::of(timeout_ns) {
                Wait::No => producer.try_reserve_event(event, len)?,
                Wait::ForEver => producer.reserve_event(event, len)?,
                Wait::For(time) => producer.reserve_event_timeout(event, len, time)?,
            };
            set(out, handle.keep(reservation));
            Ok(())
        })
    }
}

impl slipring_producer {
    fn keep(&mut self, reservation: Reservation<'static>) -> slipring_reservation {
        let reservation = self.reservation.insert(reservation);
        self.cookie += 1;
        slipring_reservation {
            data: reservation.as_mut_ptr().cast(),
            len: reservation.len(),
            cookie: self.cookie,
        }
    }

    /// The open reservation, if C means that one.
    fn take(
        &mut self,
        reservation: *const slipring_reservation,
    ) -> Result<Reservation<'static>, Failure> {
        // SAFETY: NULL or readable, as the callers demand.
        let wanted = unsafe { reservation.as_ref() }.map(|reservation| reservation.cookie);
        self.reservation
            .take_if(|_| wanted == Some(self.cookie))
            .ok_or_else(|| invalid("not the open reservation of this producer"))
    }
}

/// Publishes the first `len` bytes of a reservation as a message; `len` may be less than was reserved. The reservation is spent.
///
/// INVALID (NULL, stale, or `len` above what was reserved: then it stays open), FORKED.
///
/// # Safety
/// `producer` is NULL or open, and used by no other thread now; `reservation` is NULL or what `slipring_reserve` filled.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slipring_commit(
    producer: *mut slipring_producer,
    reservation: *mut slipring_reservation,
    len: usize,
) -> slipring_status {
    // SAFETY: the caller's promises.
    unsafe {
        with(producer, |producer| {
            if producer.reservation.as_ref().is_some_and(|open| len > open.len()) {
                return Err(invalid("len is more than was reserved"));
            }
            if producer.queue.is_forked() {
                return Err(plain(SLIPRING_FORKED));
            }
            producer.take(reservation)?.commit(len);
            spend(reservation);
            Ok(())
        })
    }
}

/// Gives a reservation up: consumers skip the space. NULL and spent reservations are ignored.
///
/// # Safety
/// As for `slipring_commit`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slipring_abort(
    producer: *mut slipring_producer,
    reservation: *mut slipring_reservation,
) {
    // SAFETY: the caller's promises.
    unsafe {
        with(producer, |producer| {
            drop(producer.take(reservation));
            spend(reservation);
            Ok(())
        })
    };
}

/// # Safety
/// NULL or writable.
unsafe fn spend(reservation: *mut slipring_reservation) {
    // SAFETY: the caller's promise.
    unsafe { set(reservation, slipring_reservation { data: ptr::null_mut(), len: 0, cookie: 0 }) };
}
