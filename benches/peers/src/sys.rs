//! What is asked of the system directly: cores, clocks, signals, shared pages.

use std::ffi::c_int;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering::SeqCst};
use std::time::Duration;

use crate::Result;

/// The cores that this process may use.
pub fn cores() -> Vec<usize> {
    // SAFETY: an all-zero set is a valid empty one.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set lives until the call returns.
    unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) };
    // SAFETY: the core's number is within the set.
    (0..libc::CPU_SETSIZE as usize).filter(|&core| unsafe { libc::CPU_ISSET(core, &set) }).collect()
}

/// Ties the calling thread to a core.
pub fn pin(core: usize) -> Result<()> {
    // SAFETY: an all-zero set is a valid empty one.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the core's number came from `cores`.
    unsafe { libc::CPU_SET(core, &mut set) };
    // SAFETY: the set lives until the call returns.
    let failed =
        unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) };
    if failed == 0 { Ok(()) } else { Err(last_error("pin to a core")) }
}

/// Dies when the parent does, and after `limit` in any case.
pub fn leash(parent: u32, limit: Duration) {
    // SAFETY: plain system call.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    // The parent may have gone before that.
    // SAFETY: plain system call.
    if unsafe { libc::getppid() } as u32 != parent {
        std::process::exit(1);
    }
    // SAFETY: plain system call; its signal kills this process.
    unsafe { libc::alarm(limit.as_secs() as u32) };
}

/// Nanoseconds of the clock that all processes share.
pub fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the time lives until the call returns.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The cheapest clock there is, in units of its own: reading it is a part of each latency.
#[inline(always)]
pub fn ticks() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 has this instruction.
    return unsafe { core::arch::x86_64::_rdtsc() };
    #[cfg(not(target_arch = "x86_64"))]
    now()
}

/// Whether nobody has that process id.
pub fn is_gone(process: i32) -> bool {
    // SAFETY: signal 0 only asks.
    let refused = unsafe { libc::kill(process, 0) } != 0;
    refused && io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH)
}

/// A file that several processes map.
pub fn map(path: &Path, len: usize) -> Result<memmap2::MmapRaw> {
    let file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    file.set_len(len as u64)?;
    let map = memmap2::MmapOptions::new().populate().map_raw(&file)?;
    Ok(map)
}

/// What just failed, and why.
pub fn last_error(what: &str) -> crate::Error {
    format!("{what}: {}", io::Error::last_os_error()).into()
}

/// The process to kill when this one is interrupted.
static WORKING: AtomicI32 = AtomicI32::new(0);
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on an interrupt or a request to end kills that process (0: none), so that what it was doing can be cleaned up.
pub fn stop_on_interrupt(process: u32) {
    extern "C" fn stop(_: c_int) {
        INTERRUPTED.store(true, SeqCst);
        let working = WORKING.load(SeqCst);
        if working > 0 {
            // SAFETY: allowed in a handler.
            unsafe { libc::kill(working, libc::SIGKILL) };
        }
    }
    WORKING.store(process as i32, SeqCst);
    let stop = stop as extern "C" fn(c_int) as libc::sighandler_t;
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: the handler calls nothing but `kill`.
        unsafe { libc::signal(signal, stop) };
    }
}

/// Whether there was such an interrupt.
pub fn interrupted() -> bool {
    INTERRUPTED.load(SeqCst)
}
