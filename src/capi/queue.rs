//! Queues.

use core::ffi::{c_char, c_int};
use std::os::fd::{AsFd, BorrowedFd};

use super::error::{Failure, Outcome, answer, invalid, slipring_status};
use super::pointers::{Options, name, not_null, options, set};
use crate::{Queue, QueueOptions};

/// An open queue. Any number of threads may use one at once. Closing it leaves its producers and consumers at work.
pub struct slipring_queue(Queue);

/// A flag of `slipring_queue_options`: a pure topic, without the group "default"; messages that no group asked for are overwritten.
pub const SLIPRING_TOPIC: u32 = 1;
/// A flag of `slipring_queue_options`: real fences in place of membarrier(2), for sandboxes that forbid it; chosen by itself there.
pub const SLIPRING_FENCED: u32 = 2;

/// How a queue is made. Fill it with `slipring_queue_options_init`, then change what you like; zero means the default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct slipring_queue_options {
    /// The size of this struct; set by `slipring_queue_options_init`.
    pub struct_size: u32,
    /// Bytes of a block, a power of two from 64 to 1 MiB. Default 64.
    pub block_size: u32,
    /// Bytes of payload that the ring holds, rounded up to a power of two of blocks. Default 64 MiB.
    pub capacity: u64,
    /// Bytes of history kept behind the slowest reader, at most half the capacity. Default 0.
    pub retain: u64,
    /// The file's permission bits, applied exactly. Default 0600.
    pub mode: u32,
    /// Groups that there can be at once, 1 to 256. Default 64.
    pub max_groups: u32,
    /// Producers and consumers that there can be at once, 1 to 1023. Default 256.
    pub max_members: u32,
    /// `SLIPRING_TOPIC`, `SLIPRING_FENCED`, or both.
    pub flags: u32,
}

// SAFETY: numbers only, the size first.
unsafe impl Options for slipring_queue_options {
    fn defaults() -> Self {
        Self {
            struct_size: size_of::<Self>() as u32,
            block_size: 0,
            capacity: 0,
            retain: 0,
            mode: 0,
            max_groups: 0,
            max_members: 0,
            flags: 0,
        }
    }
}

impl slipring_queue_options {
    fn parse(&self) -> Result<QueueOptions, Failure> {
        if self.flags & !(SLIPRING_TOPIC | SLIPRING_FENCED) != 0 {
            return Err(invalid("queue options: unknown flags"));
        }
        let mut options = Queue::options()
            .retain(self.retain)
            .topic(self.flags & SLIPRING_TOPIC != 0)
            .fenced(self.flags & SLIPRING_FENCED != 0);
        if self.capacity != 0 {
            options = options.capacity(self.capacity);
        }
        if self.block_size != 0 {
            options = options.block_size(self.block_size);
        }
        if self.mode != 0 {
            options = options.mode(self.mode);
        }
        if self.max_groups != 0 {
            options = options.max_groups(self.max_groups);
        }
        if self.max_members != 0 {
            options = options.max_members(self.max_members);
        }
        Ok(options)
    }
}

/// The library's version as `major << 16 | minor << 8 | patch`, to be compared with `SLIPRING_VERSION`. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn slipring_version() -> u32 {
    let part = |text: &str| text.parse::<u32>().unwrap_or(0);
    part(env!("CARGO_PKG_VERSION_MAJOR")) << 16
        | part(env!("CARGO_PKG_VERSION_MINOR")) << 8
        | part(env!("CARGO_PKG_VERSION_PATCH"))
}

/// Sets all options to their defaults. NULL is ignored.
///
/// # Safety
/// `options` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slipring_queue_options_init(options: *mut slipring_queue_options) {
    // SAFETY: the caller's promise.
    unsafe { set(options, slipring_queue_options::defaults()) };
}

/// Makes a queue and opens it. It appears whole or not at all. `name`: 1 to 128 of `A-Z a-z 0-9 . _ -`, or a path (with a `/`).
/// `options` may be NULL. The queue that `*out` receives is the caller's, to be given to `slipring_close`.
///
/// EXISTS, PERMISSION, NO_SPACE, INVALID (a name or an option), OS.
///
/// # Safety
/// `name` is NULL or a string, `options` NULL or initialised, `out` NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slipring_create(
    name: *const c_char,
    options: *const slipring_queue_options,
    out: *mut *mut slipring_queue,
) -> slipring_status {
    // SAFETY: the caller's promises.
    unsafe {
        opening(name, out, || self::options(options)?.parse(), |options, name| options.create(name))
    }
}

/// Opens a queue that exists.
///
/// NOT_FOUND, INCOMPATIBLE, CORRUPT, PERMISSION, INVALID, OS. The rest as for `slipring_create`.
///
/// # Safety
/// `name` is NULL or a string, `out` NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slipring_open(
    name: *const c_char,
    out: *mut *mut slipring_queue,
) -> slipring_status {
    // SAFETY: the caller's promises.
    unsafe { opening(name, out, || Ok(()), |(), name| Queue::open(name)) }
}

/// Opens the queue of that name, or makes it; the options count only if it is made. The rest as for `slipring_create`.
///
/// # Safety
/// As for `slipring_create`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slipring_open_or_create(
    name: *const c_char,
    options: *const slipring_queue_options,
    out: *mut *mut slipring_queue,
) -> slipring_status {
    // SAFETY: the caller's promises.
    unsafe {
        opening(
            name,
            out,
            || self::options(options)?.parse(),
            |options, name| options.open_or_create(name),
        )
    }
}

/// # Safety
/// `name` is NULL or a string, `out` NULL or writable; `prepare` reads what its maker may read.
unsafe fn opening<T>(
    name: *const c_char,
    out: *mut *mut slipring_queue,
    prepare: impl FnOnce() -> Result<T, Failure>,
    open: impl FnOnce(T, &str) -> Result<Queue, crate::OpenError>,
) -> slipring_status {
    answer(|| {
        not_null(out, "out")?;
        // SAFETY: the caller's promise.
        let name = unsafe { self::name(name, "name") }?;
        let queue = open(prepare()?, name)?;
        // SAFETY: not NULL, and writable by the caller's promise.
        unsafe { set(out, Box::into_raw(Box::new(slipring_queue(queue)))) };
        Ok(())
    })
}

/// Lets a queue go. Its producers and consumers go on. NULL is ignored.
///
/// # Safety
/// `queue` is NULL or from this library, and not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slipring_close(queue: *mut slipring_queue) {
    if !queue.is_null() {
        // SAFETY: made by `Box::into_raw`, and given up by the caller.
        let queue = unsafe { Box::from_raw(queue) };
        answer(|| {
            drop(queue);
            Ok(())
        });
    }
}

/// Closes the queue for good: producers get CLOSED, consumers drain what there is and then get CLOSED.
///
/// FORKED, TIMEOUT (another process, stopped, holds the registry), CORRUPT, INVALID.
///
/// # Safety
/// `queue` is NULL or open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slipring_shutdown(queue: *mut slipring_queue) -> slipring_status {
    // SAFETY: the caller's promise.
    unsafe { with_queue(queue, |queue| Ok(queue.close()?)) }
}

/// Removes a queue's name. Who has it open goes on; the memory is given back when the last one is gone.
///
/// NOT_FOUND, PERMISSION, INCOMPATIBLE (not a queue's file), INVALID.
///
/// # Safety
/// `name` is NULL or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slipring_unlink(name: *const c_char) -> slipring_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let name = unsafe { self::name(name, "name") }?;
        Ok(Queue::unlink(name)?)
    })
}

/// Drops a group that has no members: what it has not acked is no longer kept for it.
///
/// NOT_FOUND, INCOMPATIBLE (it has members), FORKED, TIMEOUT, INVALID.
///
/// # Safety
/// `queue` is NULL or open, `group` NULL or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slipring_drop_group(
    queue: *mut slipring_queue,
    group: *const c_char,
) -> slipring_status {
    // SAFETY: the caller's promises.
    unsafe { with_queue(queue, |queue| Ok(queue.drop_group(name(group, "group")?)?)) }
}

/// Makes a queue without a name in a sealed memory file: nobody can truncate it, so peers need not be trusted that far. Pass
/// `slipring_queue_fd` to other processes (over a Unix socket, or by inheritance), which open it with `slipring_open_fd`.
///
/// # Safety
/// As for `slipring_create`; `label` is for people, as in memfd_create(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slipring_create_memfd(
    label: *const c_char,
    options: *const slipring_queue_options,
    out: *mut *mut slipring_queue,
) -> slipring_status {
    // SAFETY: the caller's promises.
    unsafe {
        opening(
            label,
            out,
            || self::options(options)?.parse(),
            |options, label| options.create_memfd(label),
        )
    }
}

/// Opens a queue that came as a descriptor. The descriptor stays the caller's.
///
/// INCOMPATIBLE (no queue, or a memory file that is not sealed), CORRUPT, INVALID, OS.
///
/// # Safety
/// `out` is NULL or writable; `fd` is open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slipring_open_fd(
    fd: c_int,
    out: *mut *mut slipring_queue,
) -> slipring_status {
    answer(|| {
        not_null(out, "out")?;
        if fd < 0 {
            return Err(invalid("fd is negative"));
        }
        // SAFETY: open during this call by the caller's promise.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        let own = fd.try_clone_to_owned().map_err(crate::OpenError::Os)?;
        let queue = Queue::from_fd(own)?;
        // SAFETY: not NULL, and writable by the caller's promise.
        unsafe { set(out, Box::into_raw(Box::new(slipring_queue(queue)))) };
        Ok(())
    })
}

/// The queue file's descriptor, to be passed to another process; INVALID for NULL. It stays the queue's: do not close it.
///
/// # Safety
/// `queue` is NULL or open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slipring_queue_fd(queue: *const slipring_queue) -> c_int {
    // SAFETY: the caller's promise.
    match unsafe { queue.as_ref() } {
        Some(queue) => std::os::fd::AsRawFd::as_raw_fd(&queue.0.as_fd()),
        None => invalid("queue is NULL").status(),
    }
}

/// A queue's figures. Each is right for some moment, not all for the same.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct slipring_queue_stats {
    /// Bytes of payload that the ring holds.
    pub capacity: u64,
    /// Bytes of a block.
    pub block_size: u64,
    /// Bytes of history kept behind the slowest reader.
    pub retain: u64,
    /// The longest message, in bytes, its event name included.
    pub max_message: u64,
    /// Bytes that the slowest reliable group has not acked.
    pub used: u64,
    /// The oldest position that can still be read.
    pub earliest: u64,
    /// The position that comes next.
    pub latest: u64,
    /// Messages sent.
    pub sent: u64,
    /// Messages delivered, to all groups together.
    pub received: u64,
    /// Dead members that were repaired.
    pub repaired: u64,
    /// Messages put into dead-letter queues.
    pub dead_lettered: u64,
    /// Messages given up without one.
    pub dropped: u64,
    /// Groups there are, and can be.
    pub groups: u32,
    /// Groups that there can be.
    pub max_groups: u32,
    /// Members there are, and can be.
    pub members: u32,
    /// Members that there can be.
    pub max_members: u32,
    /// 1 if the queue was closed to producers.
    pub closed: u32,
    /// 1 if it uses fences in place of membarrier.
    pub fenced: u32,
    /// The queue's random id, low half first.
    pub id: [u64; 2],
    /// Zero.
    pub spare: [u64; 6],
}

/// Reads a queue's figures. Counts messages one by one: not for a hot path.
///
/// INVALID.
///
/// # Safety
/// `queue` is NULL or open, `out` NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slipring_stats(
    queue: *const slipring_queue,
    out: *mut slipring_queue_stats,
) -> slipring_status {
    // SAFETY: the caller's promise.
    unsafe {
        with_queue(queue, |queue| {
            not_null(out, "out")?;
            set(out, figures(queue));
            Ok(())
        })
    }
}

fn figures(queue: &Queue) -> slipring_queue_stats {
    let stats = queue.stats();
    slipring_queue_stats {
        capacity: stats.capacity,
        block_size: stats.block_size,
        retain: stats.retain,
        max_message: queue.max_message() as u64,
        used: stats.used,
        earliest: stats.earliest,
        latest: stats.latest,
        sent: stats.sent,
        received: stats.received,
        repaired: stats.repaired,
        dead_lettered: stats.dead_lettered,
        dropped: stats.dropped,
        groups: stats.groups.len() as u32,
        max_groups: stats.max_groups,
        members: stats.members.len() as u32,
        max_members: stats.max_members,
        closed: stats.closed.into(),
        fenced: stats.fenced.into(),
        id: [stats.id as u64, (stats.id >> 64) as u64],
        spare: [0; 6],
    }
}

/// Repairs what dead members left, which waiting members also do by themselves. `*repaired` (may be NULL) receives how many there were.
///
/// FORKED, TIMEOUT, CORRUPT, INVALID.
///
/// # Safety
/// `queue` is NULL or open, `repaired` NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slipring_recover(
    queue: *mut slipring_queue,
    repaired: *mut u32,
) -> slipring_status {
    // SAFETY: the caller's promises.
    unsafe {
        with_queue(queue, |queue| {
            let found = queue.recover()?;
            set(repaired, found.members as u32);
            Ok(())
        })
    }
}

/// # Safety
/// `queue` is NULL or open.
pub(super) unsafe fn with_queue(
    queue: *const slipring_queue,
    body: impl FnOnce(&Queue) -> Outcome,
) -> slipring_status {
    // SAFETY: the caller's promise.
    match unsafe { queue.as_ref() } {
        Some(queue) => answer(|| body(&queue.0)),
        None => invalid("queue is NULL").status(),
    }
}
