//! Counts a child's system calls, with ptrace: no more and no fewer than the kernel sees.

use super::child::{Child, SOON};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// System calls by number.
pub type Calls = BTreeMap<u64, u64>;

/// In a child: its parent counts what `body` calls. (`getppid` marks the ends: nobody else uses it.)
pub fn counted<T>(body: impl FnOnce() -> T) -> T {
    trace_me();
    marker();
    let result = body();
    marker();
    result
}

fn marker() {
    // SAFETY: takes no arguments.
    unsafe { libc::getppid() };
}

fn trace_me() {
    super::child::say(&format!("traced {}", thread_id()));
    // SAFETY: makes the parent our tracer; the other arguments are ignored.
    let done = unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) };
    assert_eq!(done, 0, "ptrace is refused here: {}", std::io::Error::last_os_error());
    let process = std::process::id();
    // SAFETY: no pointers. Stops this thread until the tracer has come.
    unsafe { libc::syscall(libc::SYS_tgkill, process, thread_id(), libc::SIGSTOP) };
}

fn thread_id() -> i32 {
    // SAFETY: takes no arguments.
    unsafe { libc::gettid() }
}

/// In the parent, on the thread that started the child: the calls between the two markers.
pub fn count(child: &mut Child) -> Calls {
    let said = child.hear();
    let thread: i32 = said.strip_prefix("traced ").expect(&said).parse().unwrap();
    let mut calls = Calls::new();
    let mut markers = 0;
    assert_eq!(wait(thread), libc::SIGSTOP);
    let options = libc::PTRACE_O_TRACESYSGOOD | libc::PTRACE_O_EXITKILL;
    request(libc::PTRACE_SETOPTIONS, thread, options as usize);
    loop {
        request(libc::PTRACE_SYSCALL, thread, 0);
        let stop = wait(thread);
        assert_eq!(stop, libc::SIGTRAP | 0x80, "the child got a signal");
        match entered(thread) {
            Some(number) if number == libc::SYS_getppid as u64 => markers += 1,
            Some(number) if markers == 1 => *calls.entry(number).or_default() += 1,
            _ => {}
        }
        if markers == 2 {
            request(libc::PTRACE_DETACH, thread, 0);
            return calls;
        }
    }
}

fn request(what: libc::c_uint, thread: i32, data: usize) {
    // SAFETY: none of the requests made here takes a pointer.
    let done = unsafe { libc::ptrace(what, thread, 0, data) };
    assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
}

/// The signal that stopped the thread.
fn wait(thread: i32) -> i32 {
    let start = Instant::now();
    loop {
        let mut status = 0;
        // SAFETY: the status outlives the call.
        let seen = unsafe { libc::waitpid(thread, &mut status, libc::__WALL | libc::WNOHANG) };
        if seen == thread {
            assert!(libc::WIFSTOPPED(status), "the traced child ended: {status:#x}");
            return libc::WSTOPSIG(status);
        }
        assert!(start.elapsed() < SOON * 2, "the traced child neither calls nor ends");
        std::thread::sleep(Duration::from_micros(20));
    }
}

/// The number of the system call, if the thread stands at its entry.
fn entered(thread: i32) -> Option<u64> {
    // SAFETY: plain numbers, for which all zeros are valid.
    let mut info: libc::ptrace_syscall_info = unsafe { std::mem::zeroed() };
    let size = size_of::<libc::ptrace_syscall_info>();
    // SAFETY: writes at most `size` bytes into `info`, which outlives the call.
    let got = unsafe { libc::ptrace(libc::PTRACE_GET_SYSCALL_INFO, thread, size, &raw mut info) };
    assert!(got > 0, "{}", std::io::Error::last_os_error());
    if info.op != libc::PTRACE_SYSCALL_INFO_ENTRY {
        return None;
    }
    // SAFETY: at an entry this is the field that the kernel has filled in.
    Some(unsafe { info.u.entry.nr })
}
