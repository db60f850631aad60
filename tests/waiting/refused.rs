//! Where `membarrier` is refused, by a sandbox or by the environment, queues are made `fenced` and all goes on as before.

use super::child::{Child, SOON, listen, say};
use super::common::{TempDir, queue};
use slipring::{OpenError, Queue};
use std::sync::OnceLock;

/// Does this very system refuse it?
pub fn by_the_system() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        let register = libc::MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED;
        // SAFETY: no pointers.
        let done = unsafe { libc::syscall(libc::SYS_membarrier, register, 0, 0) };
        done != 0
    })
}

/// Makes a queue, echoes from it to another, and tries to open a third that others made.
pub fn play(arguments: &[String]) {
    if arguments[0] == "seccomp" {
        refuse_membarrier();
        assert!(by_the_system());
    }
    let made = Queue::options().capacity(1 << 14).create(&arguments[1]).unwrap();
    let opened = Queue::open(&arguments[2]);
    say(match &opened {
        Err(OpenError::Incompatible(text)) if text.contains("membarrier") => "incompatible",
        Err(_) => "another error",
        Ok(_) => "open",
    });
    let rx = made.consumer("default").unwrap();
    let mut tx = made.producer().unwrap();
    for _ in 0..20 {
        let message = rx.recv().unwrap();
        tx.send_event("back", message.payload()).unwrap();
        message.ack().unwrap();
        // Our own answer.
        rx.recv().unwrap().ack().unwrap();
    }
    say("done");
    listen();
}

/// A seccomp filter as sandboxes have them: this one system call is an error.
fn refuse_membarrier() {
    let step = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let mut program = [
        // The number of the system call is the first word.
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, libc::SYS_membarrier as u32),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: no pointers.
    let unprivileged = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    assert_eq!(unprivileged, 0);
    // SAFETY: the filter and its program outlive the call.
    let set =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) };
    assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
}

fn works_without_membarrier(how: &str, environment: &[(&str, &str)]) {
    let dir = TempDir::new();
    let ours = queue(&dir, "ours", 1 << 14);
    let theirs = dir.path("theirs");
    let mut child = Child::start_with("refused", &[how, &theirs, ours.name()], environment);
    let expected = if by_the_system() { "open" } else { "incompatible" };
    assert_eq!(child.hear(), expected);
    let queue = Queue::open(&theirs).unwrap();
    assert!(queue.stats().fenced);
    let mut tx = queue.producer().unwrap();
    let rx = queue.consumer_options().filter("back").group("us").open().unwrap();
    for round in 0..20u64 {
        // Sometimes it is asleep, sometimes not.
        std::thread::sleep(std::time::Duration::from_micros(round * 30));
        tx.send(&round.to_le_bytes()).unwrap();
        let message = rx.recv_timeout(SOON).unwrap();
        assert_eq!(message.payload(), round.to_le_bytes());
        message.ack().unwrap();
    }
    assert_eq!(child.hear(), "done");
}

#[test]
fn a_sandbox_without_membarrier() {
    works_without_membarrier("seccomp", &[]);
}

#[test]
fn an_environment_without_membarrier() {
    works_without_membarrier("environment", &[("SLIPRING_NO_MEMBARRIER", "1")]);
}
