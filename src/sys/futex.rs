//! Sleep on a word of shared memory until another process wakes it.

use core::ptr;
use core::time::Duration;
use std::thread;

use crate::sync::AtomicU32;

/// Sleeps until `word` is woken or `limit` has passed, but not at all if `word` isn't
/// `expected` any more. Returns `false` if the time ran out. `true` may also be a false alarm:
/// the caller looks again at what it waits for.
pub(crate) fn wait(word: &AtomicU32, expected: u32, limit: Duration) -> bool {
    let limit = super::timespec(limit);
    // SAFETY: the word and the time outlive the call. Not FUTEX_PRIVATE: other processes wake it.
    let result = unsafe {
        libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT, expected, &raw const limit)
    };
    if result == 0 {
        return true;
    }
    match std::io::Error::last_os_error().raw_os_error() {
        Some(libc::ETIMEDOUT) => false,
        Some(libc::EAGAIN | libc::EINTR) => true,
        // Refused (seccomp?): the caller's loop becomes a slow poll, not a busy one.
        _ => {
            thread::sleep(Duration::from_millis(1));
            true
        }
    }
}

/// Wakes at most `count` sleepers of `word`, and tells how many it woke.
pub(crate) fn wake(word: &AtomicU32, count: u32) -> u32 {
    let count = i32::try_from(count).unwrap_or(i32::MAX);
    // SAFETY: the kernel only takes the address, of a word that lives.
    let woken = unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAKE,
            count,
            ptr::null::<libc::timespec>(),
        )
    };
    u32::try_from(woken).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::Ordering;
    use crate::sys::file;
    use crate::sys::map::Mapping;
    use crate::sys::testing::Child;
    use std::time::Instant;

    const LONG: Duration = Duration::from_secs(10);

    #[test]
    fn a_changed_word_does_not_sleep() {
        let start = Instant::now();
        assert!(wait(&AtomicU32::new(1), 0, LONG));
        assert!(start.elapsed() < LONG / 2);
    }

    #[test]
    fn time_runs_out() {
        let word = AtomicU32::new(0);
        let start = Instant::now();
        assert!(!wait(&word, 0, Duration::from_millis(20)));
        assert!(start.elapsed() >= Duration::from_millis(20));
        assert!(!wait(&word, 0, Duration::ZERO));
    }

    #[test]
    fn the_longest_limit_is_accepted() {
        let word = AtomicU32::new(0);
        thread::scope(|scope| {
            let sleeper = scope.spawn(|| wait(&word, 0, Duration::MAX));
            while wake(&word, 1) == 0 {
                thread::yield_now();
            }
            assert!(sleeper.join().unwrap());
        });
    }

    #[test]
    fn waking_nobody_wakes_nobody() {
        assert_eq!(wake(&AtomicU32::new(0), u32::MAX), 0);
    }

    #[test]
    fn another_process_wakes_through_another_mapping() {
        let file = file::memfd(c"slipring-futex-test").unwrap();
        file::reserve(&file, 0, 4096).unwrap();
        let (a, b) = (Mapping::shared(&file, 4096).unwrap(), Mapping::shared(&file, 4096).unwrap());
        // SAFETY: aligned, inside the mapping, and only accessed as atomics.
        let mine = unsafe { AtomicU32::from_ptr(a.base().cast()) };
        // SAFETY: as above.
        let theirs = unsafe { AtomicU32::from_ptr(b.base().cast()) };
        let child = Child::fork(|| {
            theirs.store(1, Ordering::Release);
            while wake(theirs, 1) == 0 && theirs.load(Ordering::Acquire) == 1 {
                // SAFETY: takes no arguments.
                unsafe { libc::sched_yield() };
            }
            true
        });
        while mine.load(Ordering::Acquire) == 0 {
            thread::yield_now();
        }
        assert!(wait(mine, 1, LONG));
        mine.store(2, Ordering::Release);
        assert!(child.said_yes());
    }
}
