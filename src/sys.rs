//! The operating system: the only room that names `libc`.
//!
//! What the rooms above may rely on:
//!
//! | module | promise |
//! |---|---|
//! | [`fork`] | tells that this process is a forked child; closes chosen descriptors in every child |
//! | [`lock`] | a byte of a file is locked for as long as the process that took it lives, and no longer |
//! | [`map`] | a file's memory, as a base pointer and a length |
//! | [`mod@file`] | files that appear whole or not at all, memory that is reserved or refused |
//! | [`futex`] | sleep on a word in shared memory, with a bound |
//! | [`barrier`] | a full fence in every other participant, paid for by the caller |
//! | [`bell`] | a descriptor for event loops that another process makes readable |
//!
//! Nothing here knows the layout of a queue, panics, or waits without a bound. Only `fork`
//! keeps state between calls, and `barrier` one cached answer.

use core::ffi::{CStr, c_int};
use core::time::Duration;
use std::ffi::CString;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

pub(crate) mod barrier;
pub(crate) mod bell;
pub(crate) mod file;
pub(crate) mod fork;
pub(crate) mod futex;
pub(crate) mod lock;
pub(crate) mod map;
#[cfg(test)]
mod testing;

/// Turns the `-1` convention of system calls into an error.
fn check(result: c_int) -> io::Result<c_int> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Repeats `call` for as long as a signal interrupts it.
fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Opens an existing file. Allocates nothing, so that it may run while forks are held off.
fn open(path: &CStr, flags: c_int) -> io::Result<OwnedFd> {
    uninterrupted(|| {
        // SAFETY: `path` is NUL-terminated and outlives the call; without O_CREAT no mode is read.
        let fd = check(unsafe { libc::open(path.as_ptr(), flags | libc::O_CLOEXEC) })?;
        // SAFETY: the kernel just made `fd`, and nobody else knows it.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    })
}

/// A path as the kernel takes it.
fn c_path(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

/// The name under which this process can open `fd`'s file anew, even one without a name.
fn proc_path(fd: RawFd) -> io::Result<CString> {
    Ok(CString::new(format!("/proc/self/fd/{fd}"))?)
}

/// A relative time for the kernel. Longer than 68 years is 68 years.
fn timespec(time: Duration) -> libc::timespec {
    let seconds = i32::try_from(time.as_secs()).unwrap_or(i32::MAX);
    libc::timespec { tv_sec: seconds.into(), tv_nsec: time.subsec_nanos().into() }
}
