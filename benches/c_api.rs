//! What the C interface costs: 64 bytes sent, borrowed and acked through slipring.h beside the same through the Rust API, in one thread of one
//! process, interleaved; and a frame of 4 MiB that is written and read in place beside one of 64 bytes. `make bench` runs it.
//!
//! The C side is tests/ffi/cost.c, compiled against what `make install LTO=1` puts into an empty prefix: by the system's C compiler with the
//! shared library and with the archive, and by clang with the archive of bitcode, which is inlined. Prints medians of the repeats.

#[path = "common/cores.rs"]
mod cores;

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_void};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use slipring::{AckError, Consumer, Message, Producer, Queue, RecvError, SendError};

const TURNS: u64 = 200_000;
const FRAMES: u64 = 50_000;
const FRAME: usize = 4 << 20;
const REPEATS: usize = 31;

fn main() {
    let dir = PathBuf::from(format!("/dev/shm/slipring-bench-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a directory in shared memory");
    stay();
    let libraries = build(&dir).map(|library| Side::load(&library));
    turns(&dir, &libraries);
    frames(&dir, &libraries[0]);
    let _ = std::fs::remove_dir_all(&dir);
}

fn turns(dir: &Path, libraries: &[Side; 3]) {
    let rust = queue(dir, "rust", 1 << 20);
    let mut tx = rust.producer().expect("producer");
    let rx = rust.consumer("default").expect("consumer");
    let pair = RefCell::new((&mut tx, &rx));
    let queues = ["shared", "archive", "bitcode"].map(|name| queue(dir, name, 1 << 20));
    let [shared, archive, bitcode] = [0, 1, 2].map(|at| libraries[at].open(&queues[at]));
    let rows = interleaved([
        &mut || rust_turns(&mut pair.borrow_mut(), TURNS),
        &mut || called_turns(&mut pair.borrow_mut(), TURNS),
        &mut || shared.turns(TURNS),
        &mut || archive.turns(TURNS),
        &mut || bitcode.turns(TURNS),
    ]);
    let [inlined, called, c @ ..] = rows.map(|each| each / TURNS as f64);
    println!("send, borrow and ack of 64 B: Rust {inlined:.1} ns, inlined into the loop");
    println!("  Rust, behind a call each: {called:.1} ns, ratio {:.2}", called / inlined);
    for (name, each) in ["libslipring.so", "libslipring.a", "libslipring-lto.a"].iter().zip(c) {
        let (beside_inlined, beside_called) = (each / inlined, each / called);
        println!(
            "  C, {name}: {each:.1} ns, ratio {beside_inlined:.2}; to Rust behind calls {beside_called:.2}"
        );
    }
}

fn frames(dir: &Path, shared: &Side) {
    let (small, large) = (queue(dir, "small", 64 << 20), queue(dir, "large", 64 << 20));
    let (small, large) = (shared.open(&small), shared.open(&large));
    let rows = interleaved([&mut || small.frames(64, FRAMES), &mut || large.frames(FRAME, FRAMES)]);
    let [small, large] = rows.map(|each| each / FRAMES as f64);
    println!(
        "a frame in place, its first and last byte touched: 64 B {small:.1} ns, 4 MiB {large:.1} ns, ratio {:.2}",
        large / small
    );
}

/// Nanoseconds of each work, the median of the repeats, each of which does all of them.
fn interleaved<const N: usize>(mut works: [&mut dyn FnMut() -> u64; N]) -> [f64; N] {
    let mut rows = [const { Vec::new() }; N];
    for repeat in 0..=REPEATS {
        for (row, work) in rows.iter_mut().zip(works.iter_mut()) {
            let start = Instant::now();
            black_box(work());
            let taken = start.elapsed().as_nanos() as f64;
            // The first one warms up.
            if repeat > 0 {
                row.push(taken);
            }
        }
    }
    rows.map(|mut row: Vec<f64>| {
        row.sort_by(f64::total_cmp);
        row[row.len() / 2]
    })
}

fn queue(dir: &Path, name: &str, capacity: u64) -> Queue {
    let path = dir.join(name);
    let queue = Queue::options().capacity(capacity).create(path.to_str().expect("a plain path"));
    let queue = queue.expect("a queue");
    queue.prefault();
    queue
}

type RustPair<'q> = (&'q mut Producer, &'q Consumer);

/// As a Rust program has it: the compiler sees through the calls.
#[inline(never)]
fn rust_turns((tx, rx): &mut RustPair<'_>, count: u64) -> u64 {
    let mut sum = 0;
    for n in 0..count {
        let payload = [n as u8; 64];
        // A length that is known at run time only, as it is on the other side.
        tx.send(black_box(&payload[..])).expect("room");
        let message = rx.recv().expect("a message");
        sum += u64::from(message.payload()[message.payload().len() - 1]);
        message.ack().expect("ack");
    }
    sum
}

/// The same through functions that are called, as those of any library that is linked: what is above this is the C interface's own.
#[inline(never)]
fn called_turns((tx, rx): &mut RustPair<'_>, count: u64) -> u64 {
    #[inline(never)]
    fn send(tx: &mut Producer, payload: &[u8]) -> Result<u64, SendError> {
        tx.send(payload)
    }
    #[inline(never)]
    fn recv(rx: &Consumer) -> Result<Message<'_>, RecvError> {
        rx.recv()
    }
    #[inline(never)]
    fn ack(message: Message<'_>) -> Result<(), AckError> {
        message.ack()
    }
    let mut sum = 0;
    for n in 0..count {
        let payload = [n as u8; 64];
        send(tx, black_box(&payload[..])).expect("room");
        let message = recv(rx).expect("a message");
        sum += u64::from(message.payload()[message.payload().len() - 1]);
        ack(message).expect("ack");
    }
    sum
}

/// Stays on the core that it is on.
fn stay() {
    // SAFETY: takes no arguments.
    let core = unsafe { libc::sched_getcpu() };
    cores::pin(usize::try_from(core).expect("a core's number"));
}

/// cost.c with the shared library, with the archive inside, and inlined.
fn build(dir: &Path) -> [PathBuf; 3] {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let prefix = dir.join("prefix");
    let lib = prefix.join("lib");
    run(Command::new("make")
        .args(["--silent", "install", "LTO=1", &format!("PREFIX={}", prefix.display())])
        .current_dir(root));
    let compile = |compiler: &str, library: &str, more: &[&str]| {
        let out = dir.join(format!("cost-{library}.so"));
        run(Command::new(compiler)
            .args(["-std=c11", "-O2", "-shared", "-fPIC"])
            .arg(format!("-I{}", prefix.join("include").display()))
            .arg(root.join("tests/ffi/cost.c"))
            .arg(lib.join(library))
            .args(["-lpthread", "-ldl", "-lm"])
            .args(more)
            .arg("-o")
            .arg(&out));
        out
    };
    let found = format!("-Wl,-rpath,{}", lib.display());
    let own = "-Wl,--exclude-libs,ALL";
    let lld = format!("--ld-path={}", lld().display());
    let inlined = "-Wl,-mllvm,-import-instr-limit=2000,-mllvm,-inline-threshold=3000";
    [
        compile("cc", "libslipring.so", &[&found]),
        compile("cc", "libslipring.a", &[own]),
        compile("clang", "libslipring-lto.a", &[own, "-flto=thin", &lld, inlined]),
    ]
}

/// The linker that comes with Rust: it reads the bitcode of this very compiler, and of older clangs.
fn lld() -> PathBuf {
    let asked = |what: &[&str]| {
        let output = Command::new("rustc").args(what).output().expect("rustc");
        String::from_utf8(output.stdout).expect("text")
    };
    let version = asked(&["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("a host");
    let root = asked(&["--print", "sysroot"]);
    Path::new(root.trim()).join("lib/rustlib").join(host).join("bin/gcc-ld/ld.lld")
}

fn run(command: &mut Command) {
    let output = command.output().expect("the command is there");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

/// The functions of cost.c.
struct Side {
    open: Open,
    close: Close,
    turns: Turns,
    frames: Frames,
}

type Open = unsafe extern "C" fn(*const c_char) -> *mut c_void;
type Close = unsafe extern "C" fn(*mut c_void);
type Turns = unsafe extern "C" fn(*mut c_void, u64) -> u64;
type Frames = unsafe extern "C" fn(*mut c_void, usize, u64) -> u64;

impl Side {
    fn load(library: &Path) -> Self {
        let path = CString::new(library.to_str().expect("a plain path")).expect("no zeros");
        // SAFETY: a string; the library's constructors do nothing.
        let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        assert!(!handle.is_null(), "{}", error());
        let find = |name: &CStr| {
            // SAFETY: an open library and a string.
            let found = unsafe { libc::dlsym(handle, name.as_ptr()) };
            assert!(!found.is_null(), "{}", error());
            found
        };
        Self {
            // SAFETY: the function of that name has that type.
            open: unsafe { std::mem::transmute::<*mut c_void, Open>(find(c"cost_open")) },
            // SAFETY: as above.
            close: unsafe { std::mem::transmute::<*mut c_void, Close>(find(c"cost_close")) },
            // SAFETY: as above.
            turns: unsafe { std::mem::transmute::<*mut c_void, Turns>(find(c"cost_turns")) },
            // SAFETY: as above.
            frames: unsafe { std::mem::transmute::<*mut c_void, Frames>(find(c"cost_frames")) },
        }
    }

    fn open(&self, queue: &Queue) -> Pair<'_> {
        let path = CString::new(queue.name()).expect("no zeros");
        // SAFETY: a string.
        Pair { side: self, pair: unsafe { (self.open)(path.as_ptr()) } }
    }
}

fn error() -> String {
    // SAFETY: takes no arguments.
    let text = unsafe { libc::dlerror() };
    // SAFETY: after a failure it is a string.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// A producer and a consumer of cost.c.
struct Pair<'s> {
    side: &'s Side,
    pair: *mut c_void,
}

impl Pair<'_> {
    fn turns(&self, count: u64) -> u64 {
        // SAFETY: open, and used by this thread alone.
        unsafe { (self.side.turns)(self.pair, count) }
    }

    fn frames(&self, size: usize, count: u64) -> u64 {
        // SAFETY: open, and used by this thread alone.
        unsafe { (self.side.frames)(self.pair, size, count) }
    }
}

impl Drop for Pair<'_> {
    fn drop(&mut self) {
        // SAFETY: open, and not used again.
        unsafe { (self.side.close)(self.pair) };
    }
}
