//! Which core a thread is on.

/// Keeps this thread, and those that it starts, on a core.
pub fn pin(core: usize) {
    // SAFETY: an all-zero set is a valid empty one.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the core's number is within the set.
    unsafe { libc::CPU_SET(core, &mut set) };
    // SAFETY: the set lives until the call returns.
    unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) };
}
