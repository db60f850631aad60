//! A child that stops where it says so, with ptrace, and the page it shares with the one who traces it.
#![allow(dead_code)]

use std::convert::Infallible;
use std::ffi::c_long;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

const INSTRUCTION_POINTER: usize = std::mem::offset_of!(libc::user_regs_struct, rip);

/// What victim and tracer share beside the queue: how far the victim's application knows its operation to be.
#[repr(C)]
struct Page {
    /// Calls of the operation that have returned.
    returned: AtomicU32,
    /// `RUNNING`, `DONE` or `PANICKED`.
    state: AtomicU32,
    text_len: AtomicU32,
    text: [AtomicU8; 1024],
}
const RUNNING: u32 = 0;
const DONE: u32 = 1;
const PANICKED: u32 = 2;

/// The page, unmapped with its owner.
pub struct Shared(*mut Page);

impl Shared {
    pub fn new() -> Self {
        let (access, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
        // SAFETY: a new anonymous mapping; nothing else is touched.
        let page = unsafe { libc::mmap(ptr::null_mut(), size_of::<Page>(), access, flags, -1, 0) };
        assert_ne!(page, libc::MAP_FAILED);
        Self(page.cast())
    }

    fn page(&self) -> &Page {
        // SAFETY: mapped, zeroed, aligned to a page; atomics only; lives until `self` is dropped.
        unsafe { &*self.0 }
    }

    pub fn is_running(&self) -> bool {
        self.page().state.load(Ordering::Relaxed) == RUNNING
    }

    /// The victim got to its end.
    pub fn is_done(&self) -> bool {
        self.page().state.load(Ordering::SeqCst) == DONE
    }

    /// What it panicked with.
    pub fn panic(&self) -> Option<String> {
        (self.page().state.load(Ordering::SeqCst) == PANICKED).then(|| self.said())
    }

    pub fn returned(&self) -> u32 {
        self.page().returned.load(Ordering::SeqCst)
    }

    fn reset(&self) {
        self.page().returned.store(0, Ordering::SeqCst);
        self.page().state.store(RUNNING, Ordering::SeqCst);
        self.page().text_len.store(0, Ordering::SeqCst);
    }

    fn say(&self, text: &str) {
        let page = self.page();
        for (to, from) in page.text.iter().zip(text.bytes()) {
            to.store(from, Ordering::Relaxed);
        }
        page.text_len.store(text.len().min(page.text.len()) as u32, Ordering::SeqCst);
    }

    /// What the victim said last.
    pub fn said(&self) -> String {
        let page = self.page();
        let len = page.text_len.load(Ordering::SeqCst) as usize;
        let bytes: Vec<u8> =
            page.text.iter().take(len).map(|byte| byte.load(Ordering::Relaxed)).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: mapped by `new` with this size, and nothing borrows from it any more.
        unsafe { libc::munmap(self.0.cast(), size_of::<Page>()) };
    }
}

/// The victim's side, inside the child.
pub struct Victim<'s>(&'s Shared);

impl Victim<'_> {
    /// From the next instruction on the tracer steps.
    #[inline(always)]
    pub fn start(&self) {
        // SAFETY: a breakpoint touches neither memory nor registers; the tracer swallows its signal.
        unsafe { core::arch::asm!("int3") };
    }

    /// One more call of the operation has returned to the application.
    #[inline(always)]
    pub fn returned(&self) {
        self.0.page().returned.fetch_add(1, Ordering::SeqCst);
    }

    /// For the tracer to read.
    pub fn say(&self, text: &str) {
        self.0.say(text);
    }

    /// The operation is over. Nothing the victim owns is dropped: it is killed here.
    #[inline(always)]
    pub fn end(&self) -> Infallible {
        self.0.page().state.store(DONE, Ordering::SeqCst);
        loop {
            // SAFETY: as in `start`; the tracer kills what stops here.
            unsafe { core::arch::asm!("int3") };
        }
    }
}

/// A child that this thread traces. Killed and reaped when dropped.
pub struct Traced(libc::pid_t);

impl Traced {
    /// Forks a child that is traced and runs `body` up to its first mark.
    pub fn fork(shared: &Shared, body: impl FnOnce(&Victim) -> Infallible) -> Self {
        shared.reset();
        // SAFETY: the child uses what it opened itself, and never returns from here.
        let pid = unsafe { libc::fork() };
        assert_ne!(pid, -1, "fork: {}", std::io::Error::last_os_error());
        if pid == 0 {
            live(shared, body);
            // SAFETY: takes no pointers; nothing of the parent's is dropped.
            unsafe { libc::_exit(0) };
        }
        Self(pid)
    }

    /// Fails with words if this process may not trace its children.
    pub fn check_permission() -> Result<(), String> {
        let shared = Shared::new();
        let child = Self::fork(&shared, |victim| victim.end());
        match child.wait() {
            Ok(libc::SIGTRAP) => Ok(()),
            other => Err(format!(
                "ptrace is refused here ({}; {other:?}): a sandbox's seccomp filter, or /proc/sys/kernel/yama/ptrace_scope = 3?",
                shared.said()
            )),
        }
    }

    pub fn pid(&self) -> libc::pid_t {
        self.0
    }

    /// Kills it, and waits until its locks are gone.
    pub fn kill(self) {}

    pub fn request(&self, request: libc::c_uint, address: usize, data: u64) -> c_long {
        // SAFETY: of a stopped tracee; the requests used here write no memory of ours.
        unsafe { libc::ptrace(request, self.0, address, data) }
    }

    pub fn peek(&self, address: u64) -> u64 {
        self.request(libc::PTRACE_PEEKTEXT, address as usize, 0) as u64
    }

    /// False if that is no memory to be written to, even by a debugger.
    pub fn poke(&self, address: u64, word: u64) -> bool {
        self.request(libc::PTRACE_POKETEXT, address as usize, word) == 0
    }

    /// Waits for the next stop and says its signal; `Err` if the child is gone.
    pub fn wait(&self) -> Result<i32, String> {
        let mut status = 0;
        // SAFETY: the status is a live local.
        let got = unsafe { libc::waitpid(self.0, &mut status, libc::__WALL) };
        if got == self.0 && libc::WIFSTOPPED(status) {
            return Ok(libc::WSTOPSIG(status));
        }
        Err(format!("the victim is gone: status {status:#x}"))
    }

    /// Waits for its first mark.
    pub fn wait_for_start(&self) -> Result<(), String> {
        match self.wait()? {
            libc::SIGTRAP => Ok(()),
            signal => Err(format!("the victim got signal {signal} before its start")),
        }
    }

    /// Lets it run to its next stop, which only a step or a breakpoint may cause.
    pub fn resume(&self, request: libc::c_uint) -> Result<(), String> {
        self.request(request, 0, 0);
        match self.wait()? {
            libc::SIGTRAP => Ok(()),
            signal => Err(format!("the victim got signal {signal}")),
        }
    }

    /// Where it stands, as an address of the program's file.
    pub fn address(&self) -> u64 {
        let base = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
        let base = base.split('-').next().and_then(|base| u64::from_str_radix(base, 16).ok());
        self.instruction_pointer().wrapping_sub(base.unwrap_or(0))
    }

    pub fn instruction_pointer(&self) -> u64 {
        self.request(libc::PTRACE_PEEKUSER, INSTRUCTION_POINTER, 0) as u64
    }

    pub fn go_to(&self, address: u64) {
        self.request(libc::PTRACE_POKEUSER, INSTRUCTION_POINTER, address);
    }
}

/// The child's life.
fn live(shared: &Shared, body: impl FnOnce(&Victim) -> Infallible) {
    // SAFETY: takes no pointers.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    // SAFETY: asks to be traced by the parent; the other arguments are ignored.
    if unsafe { libc::ptrace(libc::PTRACE_TRACEME) } == -1 {
        shared.say(&std::io::Error::last_os_error().to_string());
        return;
    }
    let victim = Victim(shared);
    std::panic::set_hook(Box::new(|_| {}));
    let caught = catch_unwind(AssertUnwindSafe(|| {
        body(&victim);
    }));
    if let Err(panic) = caught {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        shared.say(text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic"));
    }
    shared.page().state.store(PANICKED, Ordering::SeqCst);
}

impl Drop for Traced {
    fn drop(&mut self) {
        // SAFETY: our child, not reaped yet.
        unsafe { libc::kill(self.0, libc::SIGKILL) };
        loop {
            let mut status = 0;
            // SAFETY: the status is a live local.
            let got = unsafe { libc::waitpid(self.0, &mut status, libc::__WALL) };
            if got == -1 || !libc::WIFSTOPPED(status) {
                return;
            }
        }
    }
}

/// Keeps tracer and children on one processor: a step is then two context switches and no wake-up of another processor.
pub fn stay_on_one_processor(n: usize) {
    // SAFETY: a set of processors is plain bits, for which zeros are valid.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    let size = size_of::<libc::cpu_set_t>();
    // SAFETY: the kernel writes at most `size` bytes into the set.
    if unsafe { libc::sched_getaffinity(0, size, &mut set) } != 0 {
        return;
    }
    // SAFETY: reads the set, at an index inside it.
    let allowed: Vec<usize> =
        (0..1024).filter(|cpu| unsafe { libc::CPU_ISSET(*cpu, &set) }).collect();
    let Some(cpu) = allowed.get(n % allowed.len().max(1)) else { return };
    // SAFETY: writes only the set.
    unsafe { libc::CPU_ZERO(&mut set) };
    // SAFETY: writes only the set, at an index inside it.
    unsafe { libc::CPU_SET(*cpu, &mut set) };
    // SAFETY: reads the set. Only this thread is moved; a refusal costs time, nothing else.
    unsafe { libc::sched_setaffinity(0, size, &set) };
}
