//! The first process of a PID namespace.

use std::io::{self, Write};
use std::ptr;

/// Between fork and exec: what is executed will be pid 1 of a new PID namespace. Says its pid, as the parent sees it, on standard
/// output. The process in between waits for it and ends as it did. System calls only: nothing is allocated.
pub fn become_first() -> io::Result<()> {
    let (pid, mount) = (libc::CLONE_NEWPID, libc::CLONE_NEWNS);
    // Root may; others need a user namespace first.
    if unshare(pid | mount).is_err() {
        unshare(pid | mount | libc::CLONE_NEWUSER)?;
    }
    // SAFETY: only one thread came through the fork before, and both sides make system calls only.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            own_proc();
            Ok(())
        }
        first => between(first),
    }
}

fn unshare(flags: i32) -> io::Result<()> {
    // SAFETY: no pointers.
    let done = unsafe { libc::unshare(flags) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A /proc that shows the new namespace only, as containers have it. Without the right to mount, the old one stays.
fn own_proc() {
    let (root, proc) = (c"/".as_ptr(), c"proc".as_ptr());
    let private = libc::MS_REC | libc::MS_PRIVATE;
    // SAFETY: the strings are constants; this call ignores source, type and data.
    let done = unsafe { libc::mount(ptr::null(), root, ptr::null(), private, ptr::null()) };
    if done == 0 {
        // SAFETY: the strings are constants, and this file system needs no data.
        unsafe { libc::mount(proc, c"/proc".as_ptr(), proc, 0, ptr::null()) };
    }
}

/// Not `wait`: whoever is killed here must not leave the first process behind.
fn between(first: i32) -> ! {
    let mut line = [0; 32];
    let mut rest = line.as_mut_slice();
    // On a line of its own: the first process may have begun one.
    let _ = write!(rest, "\n> first {first}\n");
    let left = rest.len();
    let len = line.len() - left;
    // SAFETY: `len` bytes of the line, which lives.
    unsafe { libc::write(1, line.as_ptr().cast(), len) };
    // Pipes end when the first process ends, and the one over which std waits for the exec now.
    // SAFETY: nothing here uses a descriptor any more.
    unsafe { libc::syscall(libc::SYS_close_range, 0, u32::MAX, 0) };
    // SAFETY: takes a signal number and no pointers.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    let mut status = 0;
    // SAFETY: `status` outlives the call.
    while unsafe { libc::waitpid(first, &mut status, 0) } == -1 {}
    if libc::WIFSIGNALED(status) {
        let signal = libc::WTERMSIG(status);
        // SAFETY: no pointers. We end as it did.
        unsafe { libc::raise(signal) };
    }
    // SAFETY: ends this process, without handlers of the one it was forked from.
    unsafe { libc::_exit(libc::WEXITSTATUS(status)) }
}
