//! What C hands over: strings, buffers, option structs, handles. Checked as far as a pointer can be.

use core::ffi::{CStr, c_char};
use core::time::Duration;
use core::{ptr, slice};
use std::sync::{Mutex, PoisonError};

use super::error::{Failure, invalid};

/// How long a call waits: `0` not at all, `-1` for ever, else nanoseconds.
pub(super) enum Wait {
    No,
    ForEver,
    For(Duration),
}

impl Wait {
    #[inline(always)]
    pub(super) fn check(timeout_ns: i64) -> Result<(), Failure> {
        if timeout_ns < -1 { Err(bad_timeout()) } else { Ok(()) }
    }

    /// Of a number that was checked.
    pub(super) fn of(timeout_ns: i64) -> Self {
        match timeout_ns {
            0 => Self::No,
            1.. => Self::For(Duration::from_nanos(timeout_ns.unsigned_abs())),
            _ => Self::ForEver,
        }
    }
}

#[cold]
fn bad_timeout() -> Failure {
    invalid("timeout_ns: use 0 (do not wait), -1 (for ever) or nanoseconds")
}

/// # Safety
/// NULL, or a NUL-terminated string that lives for `'a`.
pub(super) unsafe fn text<'a>(at: *const c_char, what: &str) -> Result<Option<&'a str>, Failure> {
    if at.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promise; not NULL.
    let text = unsafe { CStr::from_ptr(at) };
    text.to_str().map(Some).map_err(|_| invalid(&format!("{what}: not UTF-8")))
}

/// As `text`, and NULL is an error.
///
/// # Safety
/// As `text`.
pub(super) unsafe fn name<'a>(at: *const c_char, what: &str) -> Result<&'a str, Failure> {
    // SAFETY: the caller's promise.
    let text = unsafe { text(at, what) }?;
    text.ok_or_else(|| is_null(what))
}

/// # Safety
/// `len` readable bytes that nobody writes for `'a`; NULL if there are none.
#[inline(always)]
pub(super) unsafe fn bytes<'a>(at: *const u8, len: usize) -> Result<&'a [u8], Failure> {
    if len == 0 {
        return Ok(&[]);
    }
    if at.is_null() || len > isize::MAX as usize {
        return Err(invalid("data is NULL, or its length is beyond the address space"));
    }
    // SAFETY: the caller's promise; not NULL, and a length that Rust allows.
    Ok(unsafe { slice::from_raw_parts(at, len) })
}

/// A place for a result.
///
/// # Safety
/// NULL, or writable for a `T`.
pub(super) unsafe fn set<T>(out: *mut T, value: T) {
    if !out.is_null() {
        // SAFETY: the caller's promise; C's structs have nothing to drop.
        unsafe { out.write(value) };
    }
}

#[inline(always)]
pub(super) fn not_null<T>(at: *const T, what: &str) -> Result<(), Failure> {
    if at.is_null() { Err(is_null(what)) } else { Ok(()) }
}

#[cold]
fn is_null(what: &str) -> Failure {
    invalid(&format!("{what} is NULL"))
}

/// An option struct of C: it begins with its size, and any bytes make one.
///
/// # Safety
/// `repr(C)`, begins with a `u32` that is its size, and consists of numbers and raw pointers.
pub(super) unsafe trait Options: Copy {
    fn defaults() -> Self;
}

/// The options of a program that was perhaps built with an older or newer header: what it does not know has its default, and what we do not
/// know must be zero.
///
/// # Safety
/// NULL, or a struct of as many readable bytes as it begins with saying.
pub(super) unsafe fn options<T: Options>(at: *const T) -> Result<T, Failure> {
    let mut options = T::defaults();
    if at.is_null() {
        return Ok(options);
    }
    // SAFETY: by `Options` a `u32` comes first.
    let size = unsafe { at.cast::<u32>().read() } as usize;
    if !(size_of::<u32>()..=4096).contains(&size) {
        return Err(invalid("struct_size of the options: call their _init function first"));
    }
    let known = size.min(size_of::<T>());
    // SAFETY: `size` bytes are readable by the caller's promise; `known` of them fit, and by `Options` any bytes will do.
    unsafe { ptr::copy_nonoverlapping(at.cast::<u8>(), (&raw mut options).cast::<u8>(), known) };
    // SAFETY: the rest of the `size` bytes.
    let unknown = unsafe { at.cast::<u8>().add(known) };
    // SAFETY: as above.
    let unknown = unsafe { slice::from_raw_parts(unknown, size - known) };
    if unknown.iter().any(|byte| *byte != 0) {
        return Err(invalid("the options use fields that this version does not know"));
    }
    Ok(options)
}

/// A number for each handle that gives out cookies, so that no other handle takes them. It comes again after a million handles.
pub(super) fn handle_number() -> u64 {
    static LAST: Mutex<u64> = Mutex::new(0);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    *last += 1;
    *last
}
