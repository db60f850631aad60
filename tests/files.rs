//! Files that are no queues, or not ours, or not whole: each has its own error, which names the file and says what to do, and
//! nothing is written to it.

mod common;
#[path = "hostile/places.rs"]
mod places;

use std::fs::{self, File, Permissions};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use common::{TempDir, queue};
use places::{Memory, Places};
use slipring::{Observer, OpenError, Queue, RecvError, SendError, Status};

/// Size, time of the last write and content, which a refusal must not change.
fn print_of(path: &str) -> (u64, i64, i64, Vec<u8>) {
    let meta = fs::metadata(path).unwrap();
    // As root even what is unreadable; as somebody else it cannot have been written either.
    (meta.len(), meta.mtime(), meta.mtime_nsec(), fs::read(path).unwrap_or_default())
}

/// Every way of opening says `status`, in words that contain `words`.
fn refused(path: &str, status: Status, words: &[&str]) {
    let regular = fs::symlink_metadata(path).unwrap().is_file();
    let before = regular.then(|| print_of(path));
    let observed = Observer::open(path).map(drop);
    let opened = [Queue::open(path).map(drop), Queue::options().open_or_create(path).map(drop)];
    for result in opened.into_iter().chain([observed]) {
        let error = result.expect_err(path);
        let text = error.to_string();
        assert_eq!(error.status(), status, "{path}: {text}");
        assert!(text.contains(path), "it does not name the file: {text}");
        for word in words {
            assert!(text.contains(word), "{path}: no {word:?} in {text:?}");
        }
    }
    assert!(Queue::options().create(path).is_err_and(|error| error.status() == Status::Exists));
    assert_eq!(regular.then(|| print_of(path)), before, "{path} was written to");
}

/// A small queue's bytes, with one message in it.
fn whole(dir: &TempDir) -> Vec<u8> {
    let path = dir.path("whole");
    let queue = queue(dir, "whole", 4096);
    queue.producer().unwrap().send(b"hello").unwrap();
    drop(queue);
    fs::read(path).unwrap()
}

fn with(dir: &TempDir, name: &str, bytes: &[u8]) -> String {
    let path = dir.path(name);
    let _ = fs::remove_file(&path);
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn truncated_at_many_lengths() {
    let dir = TempDir::new();
    let bytes = whole(&dir);
    let lengths = [1, 7, 8, 16, 95, 96, 97, 4095, 4096, 4097, 4864, 8192, 65536];
    let ends = [bytes.len() / 2, bytes.len() - 4096, bytes.len() - 8, bytes.len() - 1];
    for len in lengths.into_iter().chain(ends) {
        let path = with(&dir, &format!("cut-{len}"), &bytes[..len]);
        let text = len.to_string();
        if len < 4096 {
            refused(&path, Status::Incompatible, &["not a Slipring queue", &text]);
        } else {
            refused(&path, Status::Corrupt, &["truncated", &text, "slipring rm"]);
        }
    }
    // More than the header says is no harm.
    let mut longer = bytes.clone();
    longer.extend([0; 100]);
    Queue::open(&with(&dir, "longer", &longer)).unwrap();
}

#[test]
fn empty_and_foreign() {
    let dir = TempDir::new();
    refused(&with(&dir, "empty", b""), Status::Corrupt, &["empty", "slipring rm"]);
    let text = "all work and no play\n".repeat(1000);
    refused(&with(&dir, "text", text.as_bytes()), Status::Incompatible, &["not a Slipring queue"]);
    let program = fs::read("/proc/self/exe").unwrap();
    refused(
        &with(&dir, "elf", &program[..1 << 16]),
        Status::Incompatible,
        &["not a Slipring queue"],
    );
    refused(&with(&dir, "zeros", &[0; 1 << 16]), Status::Incompatible, &["not a Slipring queue"]);
}

#[test]
fn of_another_version_or_with_features_that_we_do_not_know() {
    let dir = TempDir::new();
    let bytes = whole(&dir);
    for version in [0u32, 2, 77, u32::MAX] {
        let mut other = bytes.clone();
        other[8..12].copy_from_slice(&version.to_le_bytes());
        let path = with(&dir, "version", &other);
        let text = format!("version {version}");
        refused(&path, Status::Incompatible, &[&text, "reads version 1", "slipring rm"]);
    }
    for bit in 1..32 {
        let mut other = bytes.clone();
        other[12..16].copy_from_slice(&(1u32 << bit).to_le_bytes());
        refused(&with(&dir, "feature", &other), Status::Incompatible, &["features"]);
    }
}

#[test]
fn geometry_that_contradicts_itself_or_the_file() {
    let dir = TempDir::new();
    let bytes = whole(&dir);
    let len = bytes.len() as u64;
    // Offset, bytes of the field, values (those that ask for the same number of pages cannot be told from right ones).
    let fields: [(usize, usize, &[u64]); 6] = [
        (32, 4, &[0, 5, 7, 20, 21, 63, 64, 0xffff_ffff]),
        (36, 4, &[0, 3, 7, 30, 31, 39, 40, 63, 64, 0xffff_ffff]),
        (40, 4, &[0, 1, 63, 65, 257, 0xffff_ffff]),
        (44, 4, &[0, 1, 200, 300, 1024, 0xffff_ffff]),
        (48, 8, &[33, 64, 1 << 32, 1 << 63, u64::MAX]),
        (64, 8, &[0, 1, 4096, len - 1, len + 1, len + 4096, u64::MAX]),
    ];
    for (at, size, values) in fields {
        for value in values {
            let mut other = bytes.clone();
            other[at..at + size].copy_from_slice(&value.to_le_bytes()[..size]);
            refused(&with(&dir, "geometry", &other), Status::Corrupt, &["header"]);
        }
    }
    // A file of the length that its false header promises, as a sparse one: the parts still do not fit together.
    let mut other = bytes.clone();
    other[64..72].copy_from_slice(&(1u64 << 40).to_le_bytes());
    let path = with(&dir, "sparse", &other);
    File::options().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
    let error = Queue::open(&path).unwrap_err();
    assert_eq!(error.status(), Status::Corrupt, "{error}");
}

#[test]
fn directory_fifo_symlink_and_device() {
    let dir = TempDir::new();
    fs::create_dir(dir.path("directory")).unwrap();
    refused(&dir.path("directory"), Status::Incompatible, &["director"]);
    let made = Command::new("mkfifo").arg(dir.path("fifo")).status().unwrap();
    assert!(made.success());
    refused(&dir.path("fifo"), Status::Incompatible, &["not a regular file"]);
    drop(queue(&dir, "real", 4096));
    symlink(dir.path("real"), dir.path("link")).unwrap();
    refused(&dir.path("link"), Status::Incompatible, &["symbolic link"]);
    for special in ["/dev/null", "/dev/zero"] {
        assert_eq!(Queue::open(special).unwrap_err().status(), Status::Incompatible);
    }
    // Nothing but a queue's file is removed.
    for name in ["directory", "fifo", "link"] {
        let error = Queue::unlink(&dir.path(name)).unwrap_err();
        assert_eq!(error.status(), Status::Incompatible, "{error}");
        assert!(fs::symlink_metadata(dir.path(name)).is_ok());
    }
    let missing = Queue::open(&dir.path("missing")).unwrap_err();
    assert_eq!(missing.status(), Status::NotFound);
    assert!(missing.to_string().contains("slipring ls"), "{missing}");
    let missing = Queue::options().create(&dir.path("no/such/folder")).unwrap_err();
    assert_eq!(missing.status(), Status::NotFound);
}

/// Runs `body` in a thread that is somebody else for the kernel. False, with the reason printed, where that is not allowed.
fn as_nobody(body: impl FnOnce() + Send) -> bool {
    const NOBODY: libc::c_long = 65534;
    // The system calls themselves, and not libc's functions, which change all threads.
    let change = |call, ids: [libc::c_long; 3]| {
        // SAFETY: takes numbers only; changes the calling thread, which ends soon.
        unsafe { libc::syscall(call, ids[0], ids[1], ids[2]) == 0 }
    };
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let changed = change(libc::SYS_setgroups, [0; 3])
                && change(libc::SYS_setresgid, [NOBODY; 3])
                && change(libc::SYS_setresuid, [NOBODY; 3]);
            if changed {
                body();
            } else {
                println!("not run: this user may not become another one");
            }
            changed
        });
        thread.join().unwrap()
    })
}

#[test]
fn of_another_owner() {
    let dir = TempDir::new();
    let path = dir.path("q");
    let queue = queue(&dir, "q", 4096);
    queue.producer().unwrap().send(b"hello").unwrap();
    let owner = fs::metadata(&path).unwrap().uid().to_string();
    let before = print_of(&path);
    let chmod = |mode| fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    let permission = |error: OpenError, words: &[&str]| {
        let text = error.to_string();
        assert_eq!(error.status(), Status::Permission, "{text}");
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
    };
    chmod(0o600);
    as_nobody(|| {
        let words = [&path[..], "permission denied", &owner, "600", "--mode"];
        permission(Queue::open(&path).unwrap_err(), &words);
        permission(Observer::open(&path).unwrap_err(), &words);
        permission(Queue::options().open_or_create(&path).unwrap_err(), &words);
        permission(Queue::options().create(&dir.path("new")).unwrap_err(), &["permission denied"]);
        permission(Queue::unlink(&path).unwrap_err(), &["permission denied"]);
    });
    chmod(0o644);
    as_nobody(|| {
        permission(Queue::open(&path).unwrap_err(), &[&path, "644", "slipring peek"]);
        let mut observer = Observer::open(&path).unwrap();
        assert_eq!(observer.try_recv().unwrap().payload, b"hello");
        assert_eq!(observer.try_recv(), Err(RecvError::Empty));
        assert_eq!(observer.stats().sent, 1);
    });
    assert_eq!(print_of(&path), before, "written to");
    chmod(0o200);
    as_nobody(|| permission(Queue::open(&path).unwrap_err(), &[&path, "200"]));
    chmod(0o666);
    as_nobody(|| {
        let other = Queue::open(&path).unwrap();
        let message = other.consumer("default").unwrap();
        message.recv().unwrap().ack().unwrap();
    });
    assert!(fs::metadata(&path).is_ok());
}

#[test]
fn the_creators_mode_is_the_files_mode() {
    let dir = TempDir::new();
    for mode in [0o600, 0o660, 0o644, 0o666, 0o440] {
        let path = dir.path(&format!("q{mode:o}"));
        let queue = Queue::options().capacity(4096).mode(mode).create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, mode);
        queue.producer().unwrap().send(b"x").unwrap();
    }
}

/// A child of this test's program that runs one ignored test; killed when dropped.
struct Process(Child);

impl Process {
    fn start(test: &str, path: &str, stdin: Stdio) -> Self {
        let child = Command::new("/proc/self/exe")
            .args(["--exact", test, "--ignored", "--nocapture"])
            .env("FILES_PATH", path)
            .stdin(stdin)
            .stdout(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn half_made_files_of_killed_creators_never_appear() {
    let dir = TempDir::new();
    let mut seen = 0;
    for round in 0..25u64 {
        let creator = Process::start("creator", &dir.path("q"), Stdio::null());
        // The program takes some milliseconds to start; then it makes a queue after the other.
        thread::sleep(Duration::from_micros(4000 + round * 1700));
        drop(creator);
        for entry in fs::read_dir(dir.path("")).unwrap() {
            let path = entry.unwrap().path();
            let path = path.to_str().unwrap();
            Queue::open(path).unwrap_or_else(|error| panic!("half made: {error}"));
            seen += 1;
            fs::remove_file(path).unwrap();
        }
    }
    assert!(seen > 25, "the creators made no more than {seen} queues before they were killed");
    println!("{seen} queues of 25 killed creators, all whole");
}

#[test]
#[ignore = "a process of half_made_files_of_killed_creators_never_appear"]
fn creator() {
    let Ok(path) = std::env::var("FILES_PATH") else { return };
    let parent = std::os::unix::process::parent_id();
    for n in 0..10_000 {
        if std::os::unix::process::parent_id() != parent {
            return;
        }
        let queue = Queue::options().capacity(1 << 21).create(&format!("{path}{n}")).unwrap();
        drop(queue);
        if n >= 3 {
            Queue::unlink(&format!("{path}{}", n - 3)).unwrap();
        }
    }
}

fn duplicate(queue: &Queue) -> OwnedFd {
    queue.as_fd().try_clone_to_owned().unwrap()
}

#[test]
fn a_memfd_passed_to_a_process() {
    let queue = Queue::options().capacity(1 << 16).create_memfd("files-test").unwrap();
    let mut tx = queue.producer().unwrap();
    tx.send(b"to the child").unwrap();
    let mut child = Process::start("receiver", "", Stdio::from(duplicate(&queue)));
    let answers = queue.consumer("answers").unwrap();
    answers.recv_timeout(Duration::from_secs(10)).unwrap().ack().unwrap();
    let answer = answers.recv_timeout(Duration::from_secs(10)).unwrap();
    assert_eq!(answer.payload(), b"from the child");
    answer.ack().unwrap();
    assert!(child.0.wait().unwrap().success());
}

#[test]
#[ignore = "a process of a_memfd_passed_to_a_process"]
fn receiver() {
    if std::env::var("FILES_PATH").is_err() {
        return;
    }
    let queue = Queue::from_fd(std::io::stdin().as_fd().try_clone_to_owned().unwrap()).unwrap();
    let message = queue.consumer("default").unwrap();
    let message = message.recv_timeout(Duration::from_secs(10)).unwrap();
    assert_eq!(message.payload(), b"to the child");
    message.ack().unwrap();
    queue.producer().unwrap().send(b"from the child").unwrap();
}

#[test]
fn a_memfd_cannot_be_made_shorter_or_longer() {
    let queue = Queue::options().capacity(1 << 16).create_memfd("files-test").unwrap();
    let file = File::from(duplicate(&queue));
    let len = file.metadata().unwrap().len();
    for wanted in [0, 4096, len - 1, len + 4096] {
        let error = file.set_len(wanted).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPERM), "{wanted}");
    }
    queue.producer().unwrap().send(b"x").unwrap();
}

#[test]
fn holes_punched_into_a_memfd_are_errors_or_old_data() {
    let places = Places::of(64, 64, 4, 8);
    let ends = [(0, places.end), (4096, places.end), (places.entries_at, places.end)];
    let parts = [(4096, places.entries_at), (places.entries_at, places.blocks_at)];
    let more = [(places.blocks_at, places.claims_at), (places.claims_at, places.end)];
    for (from, to) in ends.into_iter().chain(parts).chain(more) {
        let options = Queue::options().capacity(4096).max_groups(4).max_members(8);
        let queue = options.create_memfd("files-test").unwrap();
        let mut tx = queue.producer().unwrap();
        let (one, two) = (queue.consumer("g").unwrap(), queue.consumer("g").unwrap());
        let sole = queue.consumer("default").unwrap();
        let mut observer = queue.observe().unwrap();
        for n in 0..20u8 {
            tx.send(&[n; 100]).unwrap();
        }
        let held = [one.recv().unwrap(), two.recv().unwrap(), sole.recv().unwrap()];
        let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
        let fd = queue.as_fd().as_raw_fd();
        // SAFETY: takes no pointers.
        let punched = unsafe { libc::fallocate(fd, mode, from as i64, (to - from) as i64) };
        assert_eq!(punched, 0);
        for message in held {
            assert_eq!(message.payload().len(), 100);
            let _ = message.ack();
        }
        for _ in 0..100 {
            for rx in [&one, &two, &sole] {
                match rx.try_recv() {
                    Ok(message) => drop(message.ack()),
                    Err(error) => assert!(
                        matches!(error, RecvError::Empty | RecvError::Corrupt | RecvError::Closed),
                        "{error:?}"
                    ),
                }
            }
            let _ = observer.try_recv();
            match tx.try_send(b"x") {
                Ok(_) | Err(SendError::Full | SendError::Corrupt | SendError::Closed) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
        let _ = (queue.stats(), queue.recover(), queue.producer(), queue.consumer("new"));
        match Queue::from_fd(duplicate(&queue)) {
            Err(error) => assert_eq!((error.status(), from), (Status::Incompatible, 0)),
            Ok(queue) => drop(queue.stats()),
        }
    }
}

#[test]
fn descriptors_of_other_things() {
    let dir = TempDir::new();
    let refused = |fd: OwnedFd, what: &str| {
        let error = Queue::from_fd(fd).map(drop).expect_err(what);
        assert_eq!(error.status(), Status::Incompatible, "{what}: {error}");
    };
    let (reader, writer) = std::io::pipe().unwrap();
    refused(reader.into(), "a pipe");
    refused(writer.into(), "a pipe");
    refused(File::open("/dev/null").unwrap().into(), "a device");
    refused(File::open("/proc/self/exe").unwrap().into(), "a program");
    refused(File::open(dir.path("")).unwrap().into(), "a directory");
    refused(std::net::UdpSocket::bind("127.0.0.1:0").unwrap().into(), "a socket");
    // A memory file that its maker can make shorter under us: that would be a SIGBUS.
    // SAFETY: the name ends with a zero byte.
    let fd = unsafe { libc::memfd_create(c"loose".as_ptr(), libc::MFD_CLOEXEC) };
    assert_ne!(fd, -1);
    // SAFETY: the kernel just made it.
    let loose = File::from(unsafe { <OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(fd) });
    loose.write_all_at(&whole(&dir), 0).unwrap();
    refused(loose.into(), "a memory file that is not sealed");
}

#[test]
fn a_handle_lives_on_when_its_file_is_replaced_or_spoiled_at_the_head() {
    let dir = TempDir::new();
    let path = dir.path("q");
    let queue = queue(&dir, "q", 4096);
    let places = Places::of(64, 64, 64, 256);
    let memory = Memory::open(&path, places.end);
    let (mut tx, rx) = (queue.producer().unwrap(), queue.consumer("default").unwrap());
    for word in 0..12 {
        memory.word(word * 8).store(u64::MAX, std::sync::atomic::Ordering::Relaxed);
    }
    // The header was read once and is not looked at again.
    tx.send(b"x").unwrap();
    rx.recv().unwrap().ack().unwrap();
    assert_eq!(Queue::open(&path).unwrap_err().status(), Status::Incompatible);
    fs::remove_file(&path).unwrap();
    fs::write(&path, b"something else").unwrap();
    tx.send(b"y").unwrap();
    rx.recv().unwrap().ack().unwrap();
}
