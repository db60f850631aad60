//! Makes system calls of a traced child fail, and looks at what it holds.

use std::collections::BTreeMap;
use std::mem::offset_of;

use crate::traced::Traced;

/// A system call: its number and, of a call that does many things, its second argument.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Call {
    pub number: i64,
    command: i64,
}

/// What is to go wrong.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Fault {
    None,
    /// The k-th call fails.
    Once {
        k: usize,
        error: i32,
    },
    /// All calls from the k-th on that can fail so do: there is no more of something.
    From {
        k: usize,
        error: i32,
    },
}

/// Errors that last.
pub const SCARCE: [i32; 3] = [libc::ENOMEM, libc::EMFILE, libc::ENOSPC];

const ERRORS: [i32; 8] = [
    libc::EINTR,
    libc::ENOMEM,
    libc::EMFILE,
    libc::ENOSPC,
    libc::EACCES,
    libc::EPERM,
    libc::EIO,
    libc::ENOSYS,
];

/// Calls that make a descriptor.
const OPENING: [i64; 6] = [
    libc::SYS_open,
    libc::SYS_openat,
    libc::SYS_memfd_create,
    libc::SYS_epoll_create1,
    libc::SYS_timerfd_create,
    libc::SYS_dup,
];
/// Calls that take room in a file system.
const STORING: [i64; 8] = [
    libc::SYS_openat,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_pwrite64,
    libc::SYS_linkat,
    libc::SYS_mkdir,
    libc::SYS_mknod,
    libc::SYS_mknodat,
];
/// Calls that take the kernel's memory.
const ALLOCATING: [i64; 6] = [
    libc::SYS_openat,
    libc::SYS_mmap,
    libc::SYS_fallocate,
    libc::SYS_memfd_create,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
];
/// Calls that a signal may interrupt.
const INTERRUPTIBLE: [i64; 10] = [
    libc::SYS_open,
    libc::SYS_openat,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_read,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_futex,
    libc::SYS_getrandom,
    libc::SYS_clock_nanosleep,
];
/// Calls that give something back. The kernel does what they ask even if it then says otherwise.
const RELEASING: [i64; 2] = [libc::SYS_close, libc::SYS_munmap];

impl Call {
    fn is_fcntl(self, command: i32) -> bool {
        self.number == libc::SYS_fcntl && self.command == i64::from(command)
    }

    /// Takes or frees a lock. Freeing is told apart by nobody: it cannot fail, but may be said to.
    pub fn locks(self) -> bool {
        self.is_fcntl(libc::F_OFD_SETLK)
    }

    fn opens(self) -> bool {
        OPENING.contains(&self.number) || self.is_fcntl(libc::F_DUPFD_CLOEXEC)
    }

    fn stores(self) -> bool {
        STORING.contains(&self.number)
    }

    fn releases(self) -> bool {
        RELEASING.contains(&self.number)
    }

    pub fn is_interruptible(self) -> bool {
        INTERRUPTIBLE.contains(&self.number) || self.locks()
    }

    /// What it may fail with.
    pub fn errors(self) -> impl Iterator<Item = i32> {
        ERRORS.into_iter().filter(move |error| match *error {
            libc::EINTR => self.is_interruptible() || self.number == libc::SYS_close,
            // A sleep ends early or on time.
            _ if self.number == libc::SYS_clock_nanosleep => false,
            _ if self.releases() => *error == libc::EIO,
            libc::EMFILE => self.opens(),
            libc::ENOSPC => self.stores(),
            _ => true,
        })
    }

    fn lasts(self, error: i32) -> bool {
        match error {
            libc::EMFILE => self.opens(),
            libc::ENOSPC => self.stores(),
            _ => ALLOCATING.contains(&self.number),
        }
    }
}

/// What a process has of the kernel's, by name, and how often.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Held(BTreeMap<String, usize>);

impl Held {
    fn of(pid: libc::pid_t) -> Self {
        let mut held = BTreeMap::new();
        let folder = std::fs::read_dir(format!("/proc/{pid}/fd"));
        for entry in folder.into_iter().flatten().flatten() {
            let target = std::fs::read_link(entry.path()).unwrap_or_default();
            // Unnamed things are numbered; and a test beside this one may remove what a child has inherited from it.
            let target = target.to_string_lossy().split('#').next().unwrap_or("").to_owned();
            let target = target.trim_end_matches(" (deleted)");
            *held.entry(format!("descriptor of {target}")).or_default() += 1;
        }
        let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
        // The allocator's own memory has no name.
        for line in maps.lines().filter(|line| line.contains('/')) {
            let name = line.find('/').and_then(|at| line.get(at..)).unwrap_or("");
            *held.entry(format!("mapping of {name}")).or_default() += 1;
        }
        Self(held)
    }
}

/// What became of a child.
#[derive(Default)]
pub struct Outcome {
    /// The operation's calls.
    pub calls: Vec<Call>,
    /// Those that were made to fail.
    pub failed: Vec<Call>,
    pub before: Held,
    pub after: Held,
}

impl Fault {
    fn error_for(self, at: usize, call: Call) -> Option<i32> {
        match self {
            Fault::Once { k, error } if k == at => Some(error),
            Fault::From { k, error } if at >= k && call.lasts(error) => Some(error),
            _ => None,
        }
    }
}

const CALL_STOP: i32 = libc::SIGTRAP | 0x80;
const NUMBER: usize = offset_of!(libc::user_regs_struct, orig_rax);
const SECOND: usize = offset_of!(libc::user_regs_struct, rsi);
const RESULT: usize = offset_of!(libc::user_regs_struct, rax);

/// Marks, in the child's order: all is ready; the operation begins; it is over; what it made is dropped.
pub fn run(child: &Traced, fault: Fault) -> Result<Outcome, String> {
    child.wait_for_start()?;
    let options = libc::PTRACE_O_TRACESYSGOOD as u64;
    child.request(libc::PTRACE_SETOPTIONS, 0, options);
    let mut outcome = Outcome { before: Held::of(child.pid()), ..Outcome::default() };
    child.resume(libc::PTRACE_CONT)?;
    while step(child)? {
        let number = child.request(libc::PTRACE_PEEKUSER, NUMBER, 0);
        let command = child.request(libc::PTRACE_PEEKUSER, SECOND, 0);
        let call = Call { number, command };
        let error = fault.error_for(outcome.calls.len(), call);
        outcome.calls.push(call);
        outcome.failed.extend(error.map(|_| call));
        if error.is_some() && !call.releases() {
            child.request(libc::PTRACE_POKEUSER, NUMBER, u64::MAX);
        }
        if !step(child)? {
            return Err("a call without an end".into());
        }
        if let Some(error) = error {
            child.request(libc::PTRACE_POKEUSER, RESULT, i64::from(-error) as u64);
        }
        if outcome.calls.len() > 20_000 {
            return Err("it goes on and on".into());
        }
    }
    child.resume(libc::PTRACE_CONT)?;
    outcome.after = Held::of(child.pid());
    Ok(outcome)
}

/// To the next system call's beginning or end. False: at the mark instead.
fn step(child: &Traced) -> Result<bool, String> {
    child.request(libc::PTRACE_SYSCALL, 0, 0);
    match child.wait()? {
        CALL_STOP => Ok(true),
        libc::SIGTRAP => Ok(false),
        signal => Err(format!("the child got signal {signal}")),
    }
}
