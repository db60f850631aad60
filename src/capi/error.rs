//! Status codes, and the text of the last error.

use core::ffi::{CStr, c_char};
use std::cell::RefCell;
use std::ffi::CString;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{AckError, JoinError, OpenError, RecvError, SendError, Status};

/// What every function that can fail returns: `SLIPRING_OK`, or one of the negative codes below. Codes are never renumbered.
pub type slipring_status = i32;

/// It worked.
pub const SLIPRING_OK: slipring_status = 0;
/// The ring is full, and the call was not to wait.
pub const SLIPRING_FULL: slipring_status = -1;
/// There is no message now, and the call was not to wait.
pub const SLIPRING_EMPTY: slipring_status = -2;
/// The time is over; or another process (stopped?) holds the queue's registry.
pub const SLIPRING_TIMEOUT: slipring_status = -3;
/// The queue was closed; for a consumer: and everything in it is done.
pub const SLIPRING_CLOSED: slipring_status = -4;
/// A lossy reader was overrun (the next call goes on behind the gap), or a start position was overwritten.
pub const SLIPRING_LAGGED: slipring_status = -5;
/// The message does not fit: into the queue, ever, or into the buffer given.
pub const SLIPRING_TOO_LARGE: slipring_status = -6;
/// No such queue or group.
pub const SLIPRING_NOT_FOUND: slipring_status = -7;
/// There is a queue of that name already.
pub const SLIPRING_EXISTS: slipring_status = -8;
/// Another layout version, another kind of file, or a group with other settings.
pub const SLIPRING_INCOMPATIBLE: slipring_status = -9;
/// The queue's file is damaged.
pub const SLIPRING_CORRUPT: slipring_status = -10;
/// The system's permissions forbid it.
pub const SLIPRING_PERMISSION: slipring_status = -11;
/// An argument makes no sense: NULL, out of range, stale.
pub const SLIPRING_INVALID: slipring_status = -12;
/// No more members or groups.
pub const SLIPRING_LIMIT: slipring_status = -13;
/// The handle was made before a fork(); open the queue again in the child.
pub const SLIPRING_FORKED: slipring_status = -14;
/// The file system is full.
pub const SLIPRING_NO_SPACE: slipring_status = -15;
/// Another error of the operating system; `slipring_last_error` says which.
pub const SLIPRING_OS: slipring_status = -16;
/// A bug in Slipring. The handle answers nothing else from then on; close it.
pub const SLIPRING_INTERNAL: slipring_status = -17;

/// A code's meaning in a few words: static text, never NULL, also for numbers that are no code. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn slipring_status_str(status: i32) -> *const c_char {
    text_of(status).as_ptr()
}

/// What the last call of this thread that failed had to say, as text for people; "" if none did. Never NULL. Valid until this
/// thread's next failing call; successful calls leave it alone.
#[unsafe(no_mangle)]
pub extern "C" fn slipring_last_error() -> *const c_char {
    LAST.try_with(|last| match &*last.borrow() {
        Last::Static(text) => text.as_ptr(),
        Last::Owned(text) => text.as_ptr(),
    })
    .unwrap_or(c"".as_ptr())
}

enum Last {
    Static(&'static CStr),
    Owned(CString),
}

thread_local! {
    static LAST: RefCell<Last> = const { RefCell::new(Last::Static(c"")) };
}

fn set_last(last: Last) {
    // In a thread that is going away nobody asks any more.
    let _ = LAST.try_with(|cell| cell.replace(last));
}

/// A failed call: its code, and its text unless the code says it all. Those that steer a program's flow carry no text, so that
/// they never allocate.
pub(super) struct Failure {
    status: slipring_status,
    text: Option<String>,
}

pub(super) type Outcome = Result<(), Failure>;

/// An argument that makes no sense.
pub(super) fn invalid(text: &str) -> Failure {
    Failure { status: SLIPRING_INVALID, text: Some(text.into()) }
}

/// A code that says it all.
pub(super) fn plain(status: slipring_status) -> Failure {
    Failure { status, text: None }
}

macro_rules! told {
    ($($error:ident)*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                let status = error.status();
                let flow = matches!(
                    status,
                    Status::Full | Status::Empty | Status::Timeout | Status::Lagged | Status::Closed
                );
                Self { status: status as i32, text: (!flow).then(|| error.to_string()) }
            }
        }
    )*};
}
told! { OpenError JoinError SendError RecvError AckError }

/// Runs a function's body: no panic leaves it, and a failure's text is kept for `slipring_last_error`.
#[inline(always)]
pub(super) fn answer(body: impl FnOnce() -> Outcome) -> slipring_status {
    answer_with(&mut false, body)
}

/// The same for a body that works on a handle: after a panic nothing is known of it, so it is not used again.
#[inline(always)]
pub(super) fn answer_with(poisoned: &mut bool, body: impl FnOnce() -> Outcome) -> slipring_status {
    if *poisoned {
        return report(plain(SLIPRING_INTERNAL));
    }
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => SLIPRING_OK,
        Ok(Err(failure)) => report(failure),
        Err(_) => {
            *poisoned = true;
            report(plain(SLIPRING_INTERNAL))
        }
    }
}

#[cold]
pub(super) fn report(failure: Failure) -> slipring_status {
    set_last(match failure.text.map(CString::new) {
        Some(Ok(text)) => Last::Owned(text),
        _ => Last::Static(text_of(failure.status)),
    });
    failure.status
}

fn text_of(status: slipring_status) -> &'static CStr {
    match status {
        SLIPRING_OK => c"ok",
        SLIPRING_FULL => c"the ring is full: a group has not acked enough",
        SLIPRING_EMPTY => c"no message now",
        SLIPRING_TIMEOUT => c"timed out",
        SLIPRING_CLOSED => c"the queue is closed",
        SLIPRING_LAGGED => c"overrun: messages were overwritten unseen",
        SLIPRING_TOO_LARGE => c"too large",
        SLIPRING_NOT_FOUND => c"not found",
        SLIPRING_EXISTS => c"exists already",
        SLIPRING_INCOMPATIBLE => c"incompatible",
        SLIPRING_CORRUPT => c"the queue's file is damaged",
        SLIPRING_PERMISSION => c"permission denied",
        SLIPRING_INVALID => c"invalid argument",
        SLIPRING_LIMIT => c"no more members or groups",
        SLIPRING_FORKED => c"used after a fork; open the queue again in the child",
        SLIPRING_NO_SPACE => c"no space left in the file system",
        SLIPRING_OS => c"operating system error",
        SLIPRING_INTERNAL => c"internal error: a bug in Slipring; close this handle",
        _ => c"unknown status",
    }
}
