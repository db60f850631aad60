//! Fork guard: what a forked child must not inherit.
//!
//! A kernel lock belongs to an open file description, and a child shares its parent's. A child
//! that keeps the descriptor would keep the lock of a parent that died. So lock descriptors are
//! entered in a table that the child empties before `fork` returns in it.
//!
//! Opening and entering, leaving and closing are each one step to a fork: they hold a spin lock
//! that the prepare handler takes too. Nothing is allocated while it is held, since an
//! allocator may hold its own locks across a fork. `vfork`, `posix_spawn` and a raw `clone` run
//! no handlers; there close-on-exec does the work. From its creation to its handler, some
//! microseconds, a child does hold what its parent held. A signal handler that forks while its own
//! thread holds the lock hangs, as it would in `malloc`.

use std::io;
use std::iter;
use std::mem;
use std::os::fd::{IntoRawFd, OwnedFd, RawFd};
use std::process;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use crate::sync::{AtomicI32, AtomicU32, Ordering};

/// How many forks lie between the first process and this one.
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// `NOBODY`, the pid of the process that is installing the handlers, or `DONE`.
static INSTALLER: AtomicU32 = AtomicU32::new(NOBODY);
const NOBODY: u32 = 0;
const DONE: u32 = u32::MAX;

/// The fork generation of this process. It differs from one read earlier if and only if the
/// earlier one was read in a process of which this is a forked child.
#[inline]
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// Installs the fork handlers, once per process and its children. Call it before the first
/// [`generation`] that is to be compared.
pub(crate) fn install() -> io::Result<()> {
    loop {
        let seen = INSTALLER.load(Ordering::Acquire);
        if seen == DONE {
            return Ok(());
        }
        let me = process::id();
        if seen == me {
            thread::yield_now();
            continue;
        }
        // A pid that isn't ours belongs to a parent that forked before its handlers were in
        // place (else `in_child` would have stored DONE): nobody here will finish for it.
        let claim = INSTALLER.compare_exchange(seen, me, Ordering::Acquire, Ordering::Acquire);
        if claim.is_ok() {
            return register();
        }
    }
}

/// Registers the handlers and says so in `INSTALLER`.
fn register() -> io::Result<()> {
    // SAFETY: the handlers live as long as the code of this crate; on dlclose libc drops them.
    let code = unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
    if code == 0 {
        INSTALLER.store(DONE, Ordering::Release);
        Ok(())
    } else {
        INSTALLER.store(NOBODY, Ordering::Release);
        Err(io::Error::from_raw_os_error(code))
    }
}

extern "C" fn before() {
    mem::forget(Hold::take());
}

extern "C" fn in_parent() {
    BUSY.store(0, Ordering::Release);
}

/// Runs in the child, before `fork` returns: only loads, stores and `close`.
extern "C" fn in_child() {
    for slot in slots() {
        close(slot.swap(FREE, Ordering::Relaxed));
    }
    GENERATION.fetch_add(1, Ordering::Relaxed);
    INSTALLER.store(DONE, Ordering::Release);
    BUSY.store(0, Ordering::Release);
}

/// 1 while somebody changes the table or forks. A lock that is held by `Hold`, and through a fork.
static BUSY: AtomicU32 = AtomicU32::new(0);

/// Holds off forks while it lives.
struct Hold;

impl Hold {
    fn take() -> Self {
        let mut tries = 0_u32;
        while BUSY.swap(1, Ordering::Acquire) != 0 {
            tries = tries.saturating_add(1);
            // Yielding alone would starve a holder of lower real-time priority.
            if tries < 100 { thread::yield_now() } else { thread::sleep(Duration::from_micros(50)) }
        }
        Self
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        BUSY.store(0, Ordering::Release);
    }
}

/// What a slot without a descriptor holds.
const FREE: RawFd = -1;

/// A piece of the table. Pieces are added, never taken away.
struct Chunk {
    fds: [AtomicI32; 32],
    next: OnceLock<Box<Chunk>>,
}

static FIRST: Chunk = Chunk::new();

impl Chunk {
    const fn new() -> Self {
        Self { fds: [const { AtomicI32::new(FREE) }; 32], next: OnceLock::new() }
    }
}

fn chunks() -> impl Iterator<Item = &'static Chunk> {
    iter::successors(Some(&FIRST), |chunk| chunk.next.get().map(|next| &**next))
}

fn slots() -> impl Iterator<Item = &'static AtomicI32> {
    chunks().flat_map(|chunk| &chunk.fds)
}

/// The slot that holds `fd`. Stable only under a [`Hold`].
fn find(fd: RawFd) -> Option<&'static AtomicI32> {
    slots().find(|slot| slot.load(Ordering::Relaxed) == fd)
}

/// A free slot, and the hold that keeps it free.
fn vacancy() -> (Hold, &'static AtomicI32) {
    loop {
        let hold = Hold::take();
        if let Some(slot) = find(FREE) {
            return (hold, slot);
        }
        drop(hold);
        grow();
    }
}

/// Adds a chunk to the table. Allocates before it holds off forks, and frees after.
fn grow() {
    let spare = Box::new(Chunk::new());
    let hold = Hold::take();
    let refused = chunks().last().map(|last| last.next.set(spare));
    drop(hold);
    drop(refused);
}

fn close(fd: RawFd) {
    if fd >= 0 {
        // SAFETY: callers pass a descriptor that the table owned and no longer names.
        let _ = unsafe { libc::close(fd) };
    }
}

/// A descriptor that no forked child keeps open.
pub(crate) struct GuardedFd {
    fd: RawFd,
    generation: u32,
}

impl GuardedFd {
    /// Guards `fd`. A fork between its opening and this call is not covered: where that
    /// matters, use [`GuardedFd::open_with`].
    #[cfg(test)]
    pub(crate) fn new(fd: OwnedFd) -> io::Result<Self> {
        Self::open_with(|| Ok(fd))
    }

    /// Guards what `open` returns, and lets no fork happen in between. `open` must be short and
    /// must not allocate.
    pub(crate) fn open_with(open: impl FnOnce() -> io::Result<OwnedFd>) -> io::Result<Self> {
        install()?;
        let (_hold, slot) = vacancy();
        let fd = open()?.into_raw_fd();
        slot.store(fd, Ordering::Relaxed);
        Ok(Self { fd, generation: generation() })
    }

    /// The descriptor, or -1 in a forked child, where the number may by now be another file's.
    pub(crate) fn fd(&self) -> RawFd {
        if self.is_inherited() { FREE } else { self.fd }
    }

    /// Whether this is a forked child's copy, closed already.
    pub(crate) fn is_inherited(&self) -> bool {
        self.generation != generation()
    }
}

impl Drop for GuardedFd {
    fn drop(&mut self) {
        if self.is_inherited() {
            return;
        }
        let _hold = Hold::take();
        if let Some(slot) = find(self.fd) {
            slot.store(FREE, Ordering::Relaxed);
            close(self.fd);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::testing::Child;
    use std::fs::File;

    fn null() -> OwnedFd {
        File::open("/dev/null").unwrap().into()
    }

    fn is_open(fd: RawFd) -> bool {
        // SAFETY: F_GETFD only asks.
        unsafe { libc::fcntl(fd, libc::F_GETFD) != -1 }
    }

    #[test]
    fn generation_changes_in_the_child_only() {
        install().unwrap();
        install().unwrap();
        let before = generation();
        let child = Child::fork(|| generation() != before);
        assert!(child.said_yes());
        assert_eq!(generation(), before);
    }

    #[test]
    fn child_has_every_guarded_fd_closed_and_the_parent_none() {
        let guards: Vec<_> = (0..100).map(|_| GuardedFd::new(null()).unwrap()).collect();
        let numbers: Vec<_> = guards.iter().map(GuardedFd::fd).collect();
        let child = Child::fork(|| {
            numbers.iter().all(|&fd| !is_open(fd))
                && guards.iter().all(|guard| guard.is_inherited() && guard.fd() == -1)
        });
        assert!(child.said_yes());
        assert!(numbers.iter().all(|&fd| is_open(fd)));
    }

    #[test]
    fn child_does_not_close_a_number_that_was_reused() {
        let guard = GuardedFd::new(null()).unwrap();
        let number = guard.fd();
        let other = null();
        let child = Child::fork(|| {
            // SAFETY: in the child `number` is free.
            let reused = unsafe { libc::dup2(std::os::fd::AsRawFd::as_raw_fd(&other), number) };
            // SAFETY: the child drops its copy once, and never returns to the real owner.
            drop(unsafe { std::ptr::read(&guard) });
            reused == number && is_open(number)
        });
        assert!(child.said_yes());
    }

    #[test]
    fn dropping_frees_the_slot_and_closes_once() {
        let guard = GuardedFd::new(null()).unwrap();
        let number = guard.fd();
        assert!(find(number).is_some());
        drop(guard);
        let _hold = Hold::take();
        // Another test may have reopened the number, but then it has its own slot.
        assert!(slots().filter(|slot| slot.load(Ordering::Relaxed) == number).count() <= 1);
    }

    #[test]
    fn failed_open_leaves_no_slot_and_no_hold() {
        let open = || Err(io::Error::from_raw_os_error(libc::EMFILE));
        let Err(error) = GuardedFd::open_with(open) else { panic!("guarded nothing") };
        assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
        drop(GuardedFd::new(null()).unwrap());
    }

    #[test]
    fn no_fork_comes_between_opening_and_guarding() {
        let opened = AtomicI32::new(FREE);
        thread::scope(|scope| {
            let forker = scope.spawn(|| {
                while opened.load(Ordering::Acquire) == FREE {
                    thread::yield_now();
                }
                Child::fork(|| !is_open(opened.load(Ordering::Acquire))).said_yes()
            });
            let guard = GuardedFd::open_with(|| {
                let fd = null();
                opened.store(std::os::fd::AsRawFd::as_raw_fd(&fd), Ordering::Release);
                thread::sleep(Duration::from_millis(20));
                Ok(fd)
            });
            assert!(forker.join().unwrap());
            drop(guard);
        });
    }

    #[test]
    fn forks_and_guards_in_many_threads_do_not_hang() {
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..25 {
                        let guard = GuardedFd::new(null()).unwrap();
                        let number = guard.fd();
                        assert!(Child::fork(|| !is_open(number)).said_yes());
                    }
                });
            }
        });
    }
}
