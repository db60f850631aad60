//! Status codes, and the text of the last error.

use core::ffi::{CStr, c_char};
use std::cell::{Cell, RefCell};
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
    match LAST.get() {
        Some(text) => text.as_ptr(),
        None => LONG
            .try_with(|text| text.borrow().as_ref().map_or(c"".as_ptr(), |text| text.as_ptr()))
            .unwrap_or(c"".as_ptr()),
    }
}

thread_local! {
    /// The text if it is a static one, else it is in `LONG`. Without a destructor: to register one allocates.
    static LAST: Cell<Option<&'static CStr>> = const { Cell::new(Some(c"")) };
    static LONG: RefCell<Option<CString>> = const { RefCell::new(None) };
}

/// A failed call: its code. Its text is kept for `slipring_last_error` when this is made.
pub(super) struct Failure(slipring_status);

pub(super) type Outcome = Result<(), Failure>;

impl Failure {
    pub(super) fn status(&self) -> slipring_status {
        self.0
    }
}

/// An argument that makes no sense.
#[cold]
pub(super) fn invalid(text: &str) -> Failure {
    told(SLIPRING_INVALID, text.into())
}

/// A code that says it all; allocates nothing.
#[cold]
pub(super) fn plain(status: slipring_status) -> Failure {
    LAST.set(Some(text_of(status)));
    Failure(status)
}

fn told(status: slipring_status, text: String) -> Failure {
    let Ok(text) = CString::new(text) else { return plain(status) };
    // In a thread that is going away nobody asks for a long text any more.
    if LONG.try_with(|long| long.replace(Some(text))).is_err() {
        return plain(status);
    }
    LAST.set(None);
    Failure(status)
}

/// Codes that steer a program's flow carry no text of their own, so that they never allocate.
fn steers(status: Status) -> bool {
    use Status::{Closed, Empty, Full, Lagged, Timeout};
    matches!(status, Full | Empty | Timeout | Lagged | Closed)
}

macro_rules! told {
    ($($error:ident)*) => {$(
        impl From<$error> for Failure {
            #[cold]
            fn from(error: $error) -> Self {
                let status = error.status();
                if steers(status) { plain(status as i32) } else { told(status as i32, error.to_string()) }
            }
        }
    )*};
}
told! { OpenError JoinError SendError RecvError }

impl From<AckError> for Failure {
    #[cold]
    fn from(error: AckError) -> Self {
        let status = error.status();
        // Why a dead-letter queue did not take a message is more than its code says.
        let plainly = steers(status) && !matches!(error, AckError::DeadLetter(_));
        if plainly { plain(status as i32) } else { told(status as i32, error.to_string()) }
    }
}

/// Runs a function's body: no panic leaves it.
#[inline(always)]
pub(super) fn answer(body: impl FnOnce() -> Outcome) -> slipring_status {
    caught(body).unwrap_or_else(|| plain(SLIPRING_INTERNAL).status())
}

/// What C holds and one thread at a time uses.
pub(super) trait Handle {
    /// What to say of NULL.
    const IS_NULL: &str;
    fn poisoned(&mut self) -> &mut bool;
}

/// Runs a function's body on a handle: no panic leaves it, and after one nothing is known of the handle, so it is not used again.
///
/// # Safety
/// `handle` is NULL or open, and used by no other thread now.
#[inline(always)]
pub(super) unsafe fn with<H: Handle>(
    handle: *mut H,
    body: impl FnOnce(&mut H) -> Outcome,
) -> slipring_status {
    // SAFETY: the caller's promise.
    let Some(handle) = (unsafe { handle.as_mut() }) else {
        return invalid(H::IS_NULL).status();
    };
    if !*handle.poisoned()
        && let Some(status) = caught(|| body(handle))
    {
        return status;
    }
    *handle.poisoned() = true;
    plain(SLIPRING_INTERNAL).status()
}

/// The body's status; `None` if it panicked.
#[inline(always)]
fn caught(body: impl FnOnce() -> Outcome) -> Option<slipring_status> {
    let body = || body().map_or_else(|failure| failure.status(), |()| SLIPRING_OK);
    catch_unwind(AssertUnwindSafe(body)).ok()
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
