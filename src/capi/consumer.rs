//! Receiving.

use core::ffi::{c_char, c_int, c_void};
use core::ptr;
use std::os::fd::AsRawFd;

use super::error::{
    Failure, Handle, SLIPRING_LAGGED, SLIPRING_TOO_LARGE, invalid, plain, slipring_status, with,
};
use super::held::Held;
use super::pointers::{Options, Wait, not_null, options, set, text};
use super::queue::{slipring_queue, with_queue};
use crate::{AckError, Consumer, Message, RecvError, Start};

/// The receiving side of a queue. One thread at a time uses it; several messages may be held at once.
pub struct slipring_consumer {
    /// Messages that C holds. They borrow from `consumer`, so they go first.
    held: Held,
    /// A message that was too large for `slipring_receive`'s buffer; it is delivered next.
    waiting: Option<Message<'static>>,
    /// A gap has ended a batch; the next call says so.
    overrun: bool,
    poisoned: bool,
    /// Owned; reached by pointer since the messages borrow from it.
    consumer: *mut Consumer,
}

impl Handle for slipring_consumer {
    const IS_NULL: &str = "consumer is NULL";
    fn poisoned(&mut self) -> &mut bool {
        &mut self.poisoned
    }
}

impl Drop for slipring_consumer {
    fn drop(&mut self) {
        self.held.clear();
        self.waiting = None;
        // SAFETY: made by `Box::into_raw`, and nothing borrows it any more.
        drop(unsafe { Box::from_raw(self.consumer) });
    }
}

/// A message in the caller's hands, until it is acked, retried or rejected, or its consumer closed. `data` and `event` point into the queue
/// itself: read only, and not after that.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct slipring_message {
    /// The payload, aligned to 64 bytes (a lossy reader's is a copy, aligned to nothing).
    pub data: *const c_void,
    /// Its length.
    pub len: usize,
    /// The event name, UTF-8, not NUL-terminated; NULL if there is none.
    pub event: *const c_char,
    /// Its length.
    pub event_len: usize,
    /// With the queue's id it names the message for ever.
    pub position: u64,
    /// Names the message to `slipring_ack`; not to be changed.
    pub cookie: u64,
    /// How often it has been delivered to this group, this time included: above 1 it may have been worked on before.
    pub deliveries: u32,
    /// Zero.
    pub spare: u32,
}

/// `start`: at the oldest message that is still there.
pub const SLIPRING_EARLIEST: u32 = 0;
/// `start`: with the next message that is sent.
pub const SLIPRING_LATEST: u32 = 1;
/// `start`: at `position`, or at the first message after it.
pub const SLIPRING_POSITION: u32 = 2;
/// A flag of `slipring_consumer_options`: a lossy reader holds nobody up; it may be overrun, and is told so (LAGGED).
pub const SLIPRING_LOSSY: u32 = 1;

/// How a consumer joins. Fill it with `slipring_consumer_options_init`, then change what you like; zero means the default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct slipring_consumer_options {
    /// The size of this struct; set by `slipring_consumer_options_init`.
    pub struct_size: u32,
    /// Where a new group starts: `SLIPRING_EARLIEST` (default), `SLIPRING_LATEST` or `SLIPRING_POSITION`.
    pub start: u32,
    /// For `SLIPRING_POSITION`.
    pub position: u64,
    /// Messages that a member of a group with several members claims at once, 1 to 1024. Default 1.
    pub prefetch: u32,
    /// Deliveries, 1 to 254, after which a message is a dead letter. Default 0: no limit. A setting of the group.
    pub max_deliveries: u32,
    /// The queue for messages that were rejected or delivered too often; NULL: they are dropped and counted. A setting of the group.
    pub dead_letter: *const c_char,
    /// Only events whose name matches this pattern (`*` and `?`); NULL: all. A setting of the group.
    pub filter: *const c_char,
    /// `SLIPRING_LOSSY` or 0.
    pub flags: u32,
    /// Zero.
    pub spare: u32,
}

// SAFETY: numbers and raw pointers, the size first.
unsafe impl Options for slipring_consumer_options {
    fn defaults() -> Self {
        Self {
            struct_size: size_of::<Self>() as u32,
            start: SLIPRING_EARLIEST,
            position: 0,
            prefetch: 0,
            max_deliveries: 0,
            dead_letter: ptr::null(),
            filter: ptr::null(),
            flags: 0,
            spare: 0,
        }
    }
}

/// Sets all options to their defaults. NULL is ignored.
///
/// # Safety
/// `options` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slipring_consumer_options_init(options: *mut slipring_consumer_options) {
    // SAFETY: the caller's promise.
    unsafe { set(options, slipring_consumer_options::defaults()) };
}

/// Joins a group, which is made if there is none of that name. `group` NULL: an anonymous group of one, which goes with its consumer.
/// `options` may be NULL. The consumer that `*out` receives is the caller's, to be given to `slipring_consumer_close`.
///
/// LIMIT (all member or group rows are in use), INCOMPATIBLE (the group has other settings), LAGGED (the start position was overwritten),
/// NO_SPACE, FORKED, TIMEOUT, CORRUPT, INVALID, OS.
///
/// # Safety
/// `queue` is NULL or open, `group` NULL or a string, `options` NULL or initialised, `out` NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slipring_consumer_open(
    queue: *mut slipring_queue,
    group: *const c_char,
    options: *const slipring_consumer_options,
    out: *mut *mut slipring_consumer,
) -> slipring_status {
    // SAFETY: the caller's promises.
    unsafe {
        with_queue(queue, |queue| {
            not_null(out, "out")?;
            let given = self::options(options)?;
            let mut wanted = queue.consumer_options().start(match given.start {
                SLIPRING_EARLIEST => Start::Earliest,
                SLIPRING_LATEST => Start::Latest,
                SLIPRING_POSITION => Start::Position(given.position),
                _ => return Err(invalid("start: use SLIPRING_EARLIEST, _LATEST or _POSITION")),
            });
            if given.flags & !SLIPRING_LOSSY != 0 || given.spare != 0 {
                return Err(invalid("consumer options: unknown flags"));
            }
            wanted = wanted.lossy(given.flags & SLIPRING_LOSSY != 0);
            if let Some(group) = text(group, "group")? {
                wanted = wanted.group(group);
            }
            if given.prefetch != 0 {
                wanted = wanted.prefetch(given.prefetch as usize);
            }
            if given.max_deliveries != 0 {
                wanted = wanted.max_deliveries(given.max_deliveries);
            }
            if let Some(queue) = text(given.dead_letter, "dead_letter")? {
                wanted = wanted.dead_letter(queue);
            }
            if let Some(pattern) = text(given.filter, "filter")? {
                wanted = wanted.filter(pattern);
            }
            let consumer = Box::into_raw(Box::new(wanted.open()?));
            let handle = slipring_consumer {
                held: Held::new(),
                waiting: None,
                overrun: false,
                poisoned: false,
                consumer,
            };
            set(out, Box::into_raw(Box::new(handle)));
            Ok(())
        })
    }
}

/// Leaves the group; what the consumer holds is given back. NULL is ignored.
///
/// # Safety
/// `consumer` is NULL or from this library, and neither it nor its messages are used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slipring_consumer_close(consumer: *mut slipring_consumer) {
    if !consumer.is_null() {
        // SAFETY: made by `Box::into_raw`, and given up by the caller.
        let consumer = unsafe { Box::from_raw(consumer) };
        super::error::answer(|| {
            drop(consumer);
            Ok(())
        });
    }
}

impl slipring_consumer {
    /// The next message. It borrows from `self.consumer`, which outlives everything this handle keeps.
    #[inline(always)]
    fn next(&mut self, timeout_ns: i64) -> Result<Message<'static>, Failure> {
        Wait::check(timeout_ns)?;
        if self.waiting.is_some() || self.overrun {
            return self.next_kept();
        }
        // SAFETY: owned by this handle; only shared borrows are ever made.
        let consumer: &'static Consumer = unsafe { &*self.consumer };
        match consumer.try_recv() {
            Ok(message) => Ok(message),
            Err(error) => wait_for_next(consumer, error, timeout_ns),
        }
    }

    #[cold]
    fn next_kept(&mut self) -> Result<Message<'static>, Failure> {
        self.overrun = false;
        self.waiting.take().ok_or_else(|| plain(SLIPRING_LAGGED))
    }
}

/// There is none now: waits for one, if the caller does.
#[cold]
#[inline(never)]
fn wait_for_next(
    consumer: &'static Consumer,
    error: RecvError,
    timeout_ns: i64,
) -> Result<Message<'static>, Failure> {
    match (error, Wait::of(timeout_ns)) {
        (RecvError::Empty, Wait::ForEver) => Ok(consumer.recv()?),
        (RecvError::Empty, Wait::For(time)) => Ok(consumer.recv_timeout(time)?),
        (error, _) => Err(error.into()),
    }
}

/// Receives a message into `buffer` and acks it. `*len` receives its length. `timeout_ns`: how long to wait for one: 0 not at all, -1 for
/// ever.
///
/// EMPTY (did not wait), TIMEOUT, CLOSED (and drained), LAGGED (lossy readers), TOO_LARGE (`*len` says how large a buffer it needs; the
/// message stays and comes next), FORKED, CORRUPT, INVALID.
///
/// # Safety
/// `consumer` is NULL or open, and used by no other thread now; `buffer` has `capacity` writable bytes; `len` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slipring_receive(
    consumer: *mut slipring_consumer,
    buffer: *mut c_void,
    capacity: usize,
    timeout_ns: i64,
    len: *mut usize,
) -> slipring_status {
    // SAFETY: the caller's promises.
    unsafe {
        with(consumer, |consumer| {
            not_null(len, "len")?;
            if capacity > 0 {
                not_null(buffer, "buffer")?;
            }
            let message = consumer.next(timeout_ns)?;
            let payload = message.payload();
            set(len, payload.len());
            if payload.len() > capacity {
                consumer.waiting = Some(message);
                return Err(plain(SLIPRING_TOO_LARGE));
            }
            ptr::copy_nonoverlapping(payload.as_ptr(), buffer.cast::<u8>(), payload.len());
            Ok(message.ack()?)
        })
    }
}

/// Lends a message in place, without a copy. It is held until it is acked, retried or rejected; several may be. `timeout_ns` as for
/// `slipring_receive`.
///
/// EMPTY, TIMEOUT, CLOSED, LAGGED, FORKED, CORRUPT, INVALID, LIMIT (a million messages are held; the message is given back).
///
/// # Safety
/// `consumer` is NULL or open, and used by no other thread now; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slipring_borrow(
    consumer: *mut slipring_consumer,
    timeout_ns: i64,
    out: *mut slipring_message,
) -> slipring_status {
    // SAFETY: the caller's promises.
    unsafe {
        with(consumer, |consumer| {
            not_null(out, "out")?;
            let message = consumer.next(timeout_ns)?;
            consumer.held.lend(message, out)
        })
    }
}

/// Lends at least one message, waiting for it as for `slipring_borrow`, and up to `max` that are there already. `*count` receives how many.
///
/// As for `slipring_borrow`.
///
/// # Safety
/// As for `slipring_borrow`; `out` is NULL or writable for `max` messages, `count` NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slipring_borrow_batch(
    consumer: *mut slipring_consumer,
    out: *mut slipring_message,
    max: usize,
    timeout_ns: i64,
    count: *mut usize,
) -> slipring_status {
    // SAFETY: the caller's promises.
    unsafe {
        with(consumer, |consumer| {
            not_null(out, "out")?;
            not_null(count, "count")?;
            if max == 0 {
                return Err(invalid("max is 0"));
            }
            let mut wait = timeout_ns;
            let mut found = 0;
            while found < max {
                let place = out.add(found);
                match consumer.next(wait).and_then(|message| consumer.held.lend(message, place)) {
                    Ok(()) => {}
                    Err(failure) if found == 0 => return Err(failure),
                    Err(failure) => {
                        // Only a gap would not be found again by the next call.
                        if failure.status() == SLIPRING_LAGGED {
                            consumer.overrun = true;
                        }
                        break;
                    }
                }
                found += 1;
                wait = 0;
            }
            set(count, found);
            Ok(())
        })
    }
}

/// Done. When this returns OK no crash of anybody brings the message back.
///
/// INVALID (NULL, or not held by this consumer any more), FORKED, TIMEOUT, CORRUPT, OS.
///
/// # Safety
/// `consumer` is NULL or open, and used by no other thread now; `message` is NULL or what `slipring_borrow` filled.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slipring_ack(
    consumer: *mut slipring_consumer,
    message: *const slipring_message,
) -> slipring_status {
    // SAFETY: the caller's promises.
    unsafe { settle(consumer, message, Message::ack) }
}

/// Gives a message back, to be delivered again to any member of the group.
///
/// As for `slipring_ack`.
///
/// # Safety
/// As for `slipring_ack`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slipring_retry(
    consumer: *mut slipring_consumer,
    message: *const slipring_message,
) -> slipring_status {
    // SAFETY: the caller's promises.
    unsafe { settle(consumer, message, Message::retry) }
}

/// Not to be tried again: the message goes to the group's dead-letter queue with the reason, or is dropped and counted if there is none.
/// After an error it is given back.
///
/// As for `slipring_ack`; FULL if the dead-letter queue did not take it.
///
/// # Safety
/// As for `slipring_ack`; `reason` is NULL or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slipring_reject(
    consumer: *mut slipring_consumer,
    message: *const slipring_message,
    reason: *const c_char,
) -> slipring_status {
    // SAFETY: the caller's promises.
    let reason = match unsafe { text(reason, "reason") } {
        Ok(reason) => reason.unwrap_or(""),
        Err(failure) => return failure.status(),
    };
    // SAFETY: the caller's promises.
    unsafe { settle(consumer, message, |message| message.reject(reason)) }
}

/// # Safety
/// As for `slipring_ack`.
#[inline(always)]
unsafe fn settle(
    consumer: *mut slipring_consumer,
    message: *const slipring_message,
    what: impl FnOnce(Message<'static>) -> Result<(), AckError>,
) -> slipring_status {
    // SAFETY: the caller's promises.
    unsafe {
        with(consumer, |consumer| {
            not_null(message, "message")?;
            let held = consumer.held.take((*message).cookie);
            let held = held.ok_or_else(not_held)?;
            Ok(what(held)?)
        })
    }
}

#[cold]
fn not_held() -> Failure {
    invalid("the message is not held by this consumer")
}

/// A descriptor for poll, epoll or an event loop: readable when there may be a message. Then receive with a timeout of 0 until EMPTY, which
/// arms it again; start by receiving, too. It stays the consumer's: do not close it, and do not read from it.
///
/// A negative status on failure: OS, INVALID.
///
/// # Safety
/// `consumer` is NULL or open, and used by no other thread now.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slipring_consumer_fd(consumer: *mut slipring_consumer) -> c_int {
    let mut fd = -1;
    // SAFETY: the caller's promises; the consumer is owned by its handle, and only shared borrows are ever made.
    let status = unsafe {
        with(consumer, |consumer| {
            let found = (*consumer.consumer).pollable().map_err(crate::OpenError::Os)?;
            fd = found.as_raw_fd();
            Ok(())
        })
    };
    if status < 0 { status } else { fd }
}

/// Messages that this consumer's group has not acked yet, or that a lossy reader has not read; 0 for NULL. Counts them one by one.
///
/// # Safety
/// `consumer` is NULL or open, and used by no other thread now.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slipring_lag(consumer: *const slipring_consumer) -> u64 {
    // SAFETY: the caller's promises.
    let Some(handle) = (unsafe { consumer.as_ref() }).filter(|handle| !handle.poisoned) else {
        return 0;
    };
    let mut lag = 0;
    super::error::answer(|| {
        // SAFETY: owned by its handle; only shared borrows are ever made.
        lag = unsafe { &*handle.consumer }.lag();
        Ok(())
    });
    lag
}
