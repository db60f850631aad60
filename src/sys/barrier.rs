//! A full fence in every other participant, paid for by the caller.
//!
//! `membarrier(GLOBAL_EXPEDITED)` reaches the threads of every process that has registered,
//! running or not. So whoever only wakes sleepers needs no fence, and the one that goes to
//! sleep pays 0.35 to 10 µs. It holds only if *every* participant has registered, which the
//! rooms above keep track of in the file.

use core::ffi::c_int;
use std::env;
use std::io;

use crate::sync::{AtomicU32, Ordering, fence};

/// Set to `1`, it makes [`available`] say no: all participants then use real fences.
const REFUSE: &str = "SLIPRING_NO_MEMBARRIER";

/// What [`available`] found. A forked child inherits the answer, rightly: the registration
/// belongs to the address space, and is copied with it. (An exec clears both.)
static ANSWER: AtomicU32 = AtomicU32::new(UNKNOWN);
const UNKNOWN: u32 = 0;
const YES: u32 = 1;
const NO: u32 = 2;

/// Whether this process is registered, so that a peer's [`heavy`] reaches it. Registers at the
/// first call; seccomp, an old kernel or `SLIPRING_NO_MEMBARRIER=1` refuse it.
pub(crate) fn available() -> bool {
    match ANSWER.load(Ordering::Acquire) {
        UNKNOWN => {
            // Two threads may both come here: registering twice is harmless.
            let answer = register();
            ANSWER.store(if answer { YES } else { NO }, Ordering::Release);
            answer
        }
        answer => answer == YES,
    }
}

/// A full fence here and in every thread of every registered process. Where it isn't
/// [`available`] or the kernel refuses, only here, and returns `false`.
pub(crate) fn heavy() -> bool {
    let everywhere = available() && membarrier(libc::MEMBARRIER_CMD_GLOBAL_EXPEDITED).is_ok();
    if !everywhere {
        fence(Ordering::SeqCst);
    }
    everywhere
}

fn register() -> bool {
    let needed =
        libc::MEMBARRIER_CMD_GLOBAL_EXPEDITED | libc::MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED;
    env::var_os(REFUSE).is_none_or(|value| value != "1")
        && membarrier(libc::MEMBARRIER_CMD_QUERY).is_ok_and(|known| known & needed == needed)
        && membarrier(libc::MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED).is_ok()
}

fn membarrier(command: c_int) -> io::Result<c_int> {
    // SAFETY: membarrier touches no memory of ours; flags and cpu are 0.
    let result = unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) };
    // A mask of commands at most, so it fits.
    super::check(result as c_int)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::testing::Child;
    use std::process::Command;

    /// MEMBARRIER_CMD_GET_REGISTRATIONS, Linux 6.3.
    const REGISTRATIONS: c_int = 1 << 9;

    #[test]
    fn this_machine_has_it() {
        assert!(available());
        assert!(available());
        assert!(heavy());
    }

    #[test]
    fn a_forked_child_stays_registered() {
        assert!(available());
        let wanted = libc::MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED;
        let Ok(known) = membarrier(REGISTRATIONS) else { return };
        assert_ne!(known & wanted, 0);
        let child =
            Child::fork(|| membarrier(REGISTRATIONS).is_ok_and(|known| known & wanted != 0));
        assert!(child.said_yes());
    }

    #[test]
    fn the_environment_can_refuse() {
        let this = env::current_exe().unwrap();
        let name = concat!(module_path!(), "::inner_refused");
        let name = name.split_once("::").unwrap().1;
        let out = Command::new(this)
            .args([name, "--exact", "--ignored"])
            .env(REFUSE, "1")
            .output()
            .unwrap();
        assert!(out.status.success());
        assert!(String::from_utf8_lossy(&out.stdout).contains("1 passed"));
    }

    #[test]
    #[ignore = "run by the_environment_can_refuse"]
    fn inner_refused() {
        assert!(!available());
        assert!(!heavy());
    }
}
