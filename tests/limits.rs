//! What is too much: each limit is a clear error, loses nothing, and leaves everything going on.

mod common;

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{TempDir, queue};
use slipring::{
    Consumer, JoinError, OpenError, Producer, Queue, RecvError, SendError, Start, Status,
};

const SHORT: Duration = Duration::from_millis(5);

/// A queue of 64 blocks of 64 bytes.
fn small(dir: &TempDir) -> Queue {
    queue(dir, "q", 4096)
}

/// Receives and acks everything; the payloads, as the numbers they begin with.
fn drain(rx: &Consumer) -> Vec<u64> {
    let mut all = Vec::new();
    while let Ok(message) = rx.try_recv() {
        all.push(u64::from_le_bytes(message.payload()[..8].try_into().unwrap()));
        message.ack().unwrap();
    }
    assert_eq!(rx.try_recv().unwrap_err(), RecvError::Empty);
    all
}

/// Sends numbers from `next` on until the ring is full.
fn fill(tx: &mut Producer, next: &mut u64, len: usize) -> u64 {
    let from = *next;
    let mut payload = vec![0; len];
    loop {
        payload[..8].copy_from_slice(&next.to_le_bytes());
        match tx.try_send(&payload) {
            Ok(_) => *next += 1,
            Err(error) => {
                assert_eq!(error, SendError::Full);
                return *next - from;
            }
        }
    }
}

#[test]
fn a_full_ring_refuses_every_way_of_sending_and_goes_on() {
    for (fenced, producers) in [(false, 1), (false, 2), (true, 1)] {
        let dir = TempDir::new();
        let options = Queue::options().capacity(4096).fenced(fenced);
        let queue = options.create(&dir.path("q")).unwrap();
        let mut tx = queue.producer().unwrap();
        let _second = (producers == 2).then(|| queue.producer().unwrap());
        let (mut sent, mut received) = (0, Vec::new());
        let rx = queue.consumer("default").unwrap();
        for round in 0..50 {
            let count = fill(&mut tx, &mut sent, 8 + round * 7);
            fill(&mut tx, &mut sent, 8);
            let text = SendError::Full.to_string();
            assert!(text.contains("full") && text.contains("acked"), "{text}");
            assert!(count > 0, "round {round}");
            // What asks for less than a block is refused as well, and nothing of what was refused appears.
            assert_eq!(tx.try_send(b"refused"), Err(SendError::Full));
            assert_eq!(tx.try_send_event("e", b"refused"), Err(SendError::Full));
            assert_eq!(tx.try_reserve(0).map(drop), Err(SendError::Full));
            assert_eq!(tx.send_timeout(b"refused", SHORT), Err(SendError::Timeout));
            let reserved = tx.reserve_timeout(1, SHORT).map(drop);
            assert_eq!(reserved, Err(SendError::Timeout));
            received.extend(drain(&rx));
        }
        assert_eq!(received, (0..sent).collect::<Vec<_>>());
        assert_eq!(queue.stats().sent, sent);
    }
}

#[test]
fn the_slowest_group_decides_and_dropping_it_makes_room() {
    let dir = TempDir::new();
    let queue = small(&dir);
    let mut tx = queue.producer().unwrap();
    let (slow, fast) = (queue.consumer("slow").unwrap(), queue.consumer("default").unwrap());
    let mut sent = 0;
    assert_eq!(fill(&mut tx, &mut sent, 8), 64);
    assert_eq!(drain(&fast).len(), 64);
    assert_eq!(fill(&mut tx, &mut sent, 8), 0);
    assert_eq!((fast.lag(), slow.lag()), (0, 64));
    // A message in hand holds what is behind it, however much of that is acked.
    let first = slow.recv().unwrap();
    assert_eq!(drain(&slow).len(), 63);
    assert_eq!(fill(&mut tx, &mut sent, 8), 0);
    first.ack().unwrap();
    assert_eq!(fill(&mut tx, &mut sent, 8), 64);
    assert_eq!(drain(&fast), (64..128).collect::<Vec<_>>());
    drop(slow);
    assert_eq!(fill(&mut tx, &mut sent, 8), 0);
    queue.drop_group("slow").unwrap();
    assert_eq!(fill(&mut tx, &mut sent, 8), 64);
    assert_eq!(drain(&fast), (128..192).collect::<Vec<_>>());
}

#[test]
fn a_sender_that_waits_for_room_gets_it() {
    let dir = TempDir::new();
    let queue = small(&dir);
    let mut tx = queue.producer().unwrap();
    let mut sent = 0;
    fill(&mut tx, &mut sent, 8);
    let rx = queue.consumer("default").unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in sent..sent + 500 {
                tx.send_timeout(&n.to_le_bytes(), Duration::from_secs(20)).unwrap();
            }
        });
        for expected in 0..sent + 500 {
            let message = rx.recv_timeout(Duration::from_secs(20)).unwrap();
            assert_eq!(message.payload(), expected.to_le_bytes());
            message.ack().unwrap();
        }
    });
}

#[test]
fn the_largest_message_fits_and_one_byte_more_says_how_much_would() {
    for retain in [0, 1024, 2048] {
        let dir = TempDir::new();
        let options = Queue::options().capacity(4096).retain(retain);
        let queue = options.create(&dir.path("q")).unwrap();
        let mut tx = queue.producer().unwrap();
        let rx = queue.consumer("default").unwrap();
        let max = queue.max_message();
        assert_eq!(max as u64, (4096 - retain) / 2);
        assert_eq!(tx.max_message(), max);
        for round in 0..100 {
            // From every place in the ring: some need padding to fit.
            tx.try_send(&vec![1; round % 64]).unwrap();
            assert_eq!(rx.recv().map(|message| message.ack().is_ok()), Ok(true));
            let payload = vec![round as u8; max];
            tx.try_send(&payload).unwrap();
            let too_large = SendError::TooLarge { len: max + 1, max };
            assert_eq!(tx.try_send(&vec![0; max + 1]), Err(too_large));
            assert_eq!(tx.send(&vec![0; max + 1]), Err(too_large), "it does not wait in vain");
            assert_eq!(tx.try_send_event("e", &payload), Err(too_large));
            assert_eq!(tx.reserve(max + 1).map(drop), Err(too_large));
            // Length and event together would wrap.
            let huge = tx.try_reserve_event("event", usize::MAX - 2).map(drop);
            assert!(matches!(huge, Err(SendError::TooLarge { .. })), "{huge:?}");
            let message = rx.try_recv().unwrap();
            assert_eq!(message.payload(), payload);
            message.ack().unwrap();
        }
        let text = SendError::TooLarge { len: max + 1, max }.to_string();
        assert!(text.contains(&(max + 1).to_string()) && text.contains(&max.to_string()), "{text}");
        assert_eq!(drain(&rx), Vec::<u64>::new());
    }
}

/// With nothing un-acked there is room for whatever is allowed at all, wherever it comes to lie and whatever was there before.
#[test]
fn with_nothing_un_acked_the_largest_message_fits_after_any_other() {
    for retain in [0, 1, 2, 4, 7, 8] {
        let dir = TempDir::new();
        let options = Queue::options().capacity(1024).retain(retain * 64);
        let queue = options.create(&dir.path("q")).unwrap();
        let mut tx = queue.producer().unwrap();
        let rx = queue.consumer("default").unwrap();
        let max = queue.max_message() / 64;
        for round in 0..2000 {
            let blocks = [max, 1 + round * 7 % max, 1 + round / 16 % max, max][round % 4];
            if round % 3 == 0 {
                let reserved = tx.try_reserve(blocks * 64).map(|slot| slot.abort());
                assert_eq!(reserved, Ok(()), "retain {retain}, round {round}: {blocks} blocks");
            }
            let sent = tx.try_send(&vec![0; blocks * 64]).map(drop);
            assert_eq!(sent, Ok(()), "retain {retain}, round {round}: {blocks} blocks, lag 0");
            rx.try_recv().unwrap().ack().unwrap();
        }
    }
}

#[test]
fn a_batch_with_one_that_is_too_large_sends_what_came_before() {
    let dir = TempDir::new();
    let queue = small(&dir);
    let mut tx = queue.producer().unwrap();
    let rx = queue.consumer("default").unwrap();
    let batch = [vec![1; 100], vec![2; 5000]];
    assert!(matches!(tx.send_batch(&batch), Err(SendError::TooLarge { len: 5000, .. })));
    tx.try_send(&7u64.to_le_bytes()).unwrap();
    let mut seen = Vec::new();
    while let Ok(message) = rx.try_recv() {
        seen.push(message.payload()[0]);
        message.ack().unwrap();
    }
    assert!(seen == [1, 7] || seen == [7], "{seen:?}");
}

#[test]
fn event_names_have_255_bytes() {
    let dir = TempDir::new();
    let queue = small(&dir);
    let mut tx = queue.producer().unwrap();
    let rx = queue.consumer("default").unwrap();
    let name = "e".repeat(255);
    tx.send_event(&name, b"x").unwrap();
    assert_eq!(rx.recv().unwrap().event(), Some(&name[..]));
    let error = tx.send_event(&"e".repeat(256), b"x").unwrap_err();
    assert_eq!((error, error.status()), (SendError::EventTooLong, Status::Invalid));
    assert!(error.to_string().contains("255"));
    assert_eq!(rx.recv().map(|message| message.ack().is_ok()), Ok(true));
    assert_eq!(rx.try_recv().unwrap_err(), RecvError::Empty);
}

/// The text of a limit's error, which names the queue, the limit and what to do.
fn limit<T: std::fmt::Debug>(result: Result<T, JoinError>, words: &[&str]) {
    let error = result.unwrap_err();
    let text = error.to_string();
    assert_eq!(error.status(), Status::Limit, "{text}");
    assert!(words.iter().all(|word| text.contains(word)), "{text}");
}

#[test]
fn no_more_members() {
    let dir = TempDir::new();
    let path = dir.path("q");
    let options = Queue::options().capacity(4096).max_members(5).max_groups(3);
    let queue = options.create(&path).unwrap();
    let mut first = queue.producer().unwrap();
    let rx = queue.consumer("default").unwrap();
    let mut others: Vec<_> = (0..3).map(|_| queue.producer().unwrap()).collect();
    let words = [&path[..], "5", "max_members"];
    for round in 0u64..20 {
        limit(queue.producer(), &words);
        limit(queue.consumer("default"), &words);
        limit(queue.consumer("another"), &words);
        limit(queue.consumer_options().lossy(true).open(), &words);
        // Watching takes no row, and those who are in go on.
        assert_eq!(queue.observe().unwrap().stats().members.len(), 5);
        first.try_send(&round.to_le_bytes()).unwrap();
        let last = others.len() - 1;
        others[last].try_send(&round.to_le_bytes()).unwrap();
        assert_eq!(drain(&rx), [round; 2]);
        // One goes, one comes.
        others.remove(0);
        others.push(queue.producer().unwrap());
    }
    // The group that could not be made for want of a row is not there.
    assert_eq!(queue.stats().groups.len(), 1);
}

#[test]
fn no_more_groups() {
    let dir = TempDir::new();
    let path = dir.path("q");
    let options = Queue::options().capacity(4096).max_groups(3);
    let queue = options.create(&path).unwrap();
    let mut tx = queue.producer().unwrap();
    let (durable, anonymous) =
        (queue.consumer("a").unwrap(), queue.consumer_options().open().unwrap());
    let words = [&path[..], "3 groups", "slipring group drop", "max_groups"];
    for round in 0u64..20 {
        limit(queue.consumer("b"), &words);
        limit(queue.consumer_options().open(), &words);
        limit(queue.consumer_options().lossy(true).open(), &words);
        tx.try_send(&round.to_le_bytes()).unwrap();
        // More members of a group that exists are welcome; rows of the refused were freed.
        let second = queue.consumer("a").unwrap();
        assert_eq!(drain(&second), [round]);
        assert_eq!(drain(&durable), Vec::<u64>::new());
        assert_eq!(drain(&anonymous), [round]);
        let default = queue.consumer("default").unwrap();
        assert_eq!(drain(&default), [round]);
    }
    // An anonymous group goes with its reader, a named one when it is dropped.
    drop(anonymous);
    let b = queue.consumer_options().group("b").start(Start::Latest).open().unwrap();
    tx.try_send(&99u64.to_le_bytes()).unwrap();
    assert_eq!(drain(&b), [99]);
    queue.drop_group("default").unwrap();
    let c = queue.consumer("c").unwrap();
    assert_eq!(drain(&durable), [99]);
    assert_eq!(c.group().as_deref(), Some("c"));
}

#[test]
fn options_that_make_no_sense() {
    let dir = TempDir::new();
    let path = dir.path("q");
    let options = Queue::options;
    let cases = [
        (options().block_size(32), "block size"),
        (options().block_size(96), "block size"),
        (options().block_size(2 << 20), "block size"),
        (options().capacity(1 << 40), "capacity"),
        (options().capacity(u64::MAX), "capacity"),
        (options().capacity(4096).retain(2049), "retain"),
        (options().max_groups(0), "max_groups"),
        (options().max_groups(257), "max_groups"),
        (options().max_members(0), "max_members"),
        (options().max_members(1024), "max_members"),
    ];
    for (options, word) in cases {
        let error = options.create(&path).unwrap_err();
        assert_eq!(error.status(), Status::Invalid, "{error}");
        assert!(error.to_string().contains(word), "{error}");
        assert!(!fs::exists(&path).unwrap());
    }
    assert_eq!(options().capacity(0).create(&path).unwrap().capacity(), 1024);
}

/// Names in a directory.
fn names(dir: &str) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Runs an ignored test of this program in a mount namespace where `dir` is a tmpfs of 2 MiB. `None`, with the reason printed, where
/// the system does not allow that.
fn in_a_small_tmpfs(test: &str, dir: &str) -> Option<std::process::Output> {
    let script = r#"mount -t tmpfs -o size=2m tmpfs "$1" && echo mounted && exec "$2" --exact "$3" --ignored --nocapture"#;
    let program = std::env::current_exe().unwrap();
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh", dir])
        .arg(program)
        .arg(test)
        .env("LIMITS_DIR", dir)
        .stdin(Stdio::null())
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) => {
            println!("not run: unshare: {error}");
            return None;
        }
    };
    if !String::from_utf8_lossy(&output.stdout).contains("mounted") {
        println!("not run: no tmpfs: {}", String::from_utf8_lossy(&output.stderr));
        return None;
    }
    Some(output)
}

#[test]
fn a_full_file_system() {
    let dir = TempDir::new();
    let Some(output) = in_a_small_tmpfs("inside_a_small_tmpfs", &dir.path("")) else { return };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("all of it was tried"), "{text}");
}

#[test]
#[ignore = "a process of a_full_file_system"]
fn inside_a_small_tmpfs() {
    let Ok(dir) = std::env::var("LIMITS_DIR") else { return };
    let path = |name: &str| format!("{dir}/{name}");
    let no_space = |result: Result<Queue, OpenError>, name: &str| {
        let error = result.map(drop).unwrap_err();
        let text = error.to_string();
        assert_eq!(error.status(), Status::NoSpace, "{text}");
        let words = [name, "no space left", "smaller capacity", "slipring doctor"];
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
    };
    // Too large from the start: an error at once, and no file.
    let big = Queue::options().capacity(4 << 20);
    no_space(big.create(&path("big")), "big");
    no_space(big.open_or_create(&path("big")), "big");
    assert_eq!(names(&dir), [""; 0]);

    // Full because of others, in the middle of work.
    let options = Queue::options().capacity(1 << 20).max_groups(4);
    let queue = options.create(&path("q")).unwrap();
    let mut tx = queue.producer().unwrap();
    let rx = queue.consumer("default").unwrap();
    let letters = queue.consumer_options().group("letters").dead_letter("dead").open().unwrap();
    let mut sent = 0;
    let half = 1 << 13;
    for n in 0..half as u64 {
        tx.try_send(&n.to_le_bytes()).unwrap();
        sent += 1;
    }
    fs::write(path("hog"), vec![1; 4 << 20]).unwrap_err();
    no_space(options.create(&path("second")), "second");
    let error = queue.consumer("new").map(drop).unwrap_err();
    assert_eq!(error.status(), Status::NoSpace, "{error}");
    assert!(error.to_string().contains("claim words"), "{error}");
    // Readers without claim words need no space; all that was reserved at first is there: no bus error, nothing lost.
    let anonymous = queue.consumer_options().open().unwrap();
    // A dead-letter queue that cannot be made leaves the message where it is.
    let error = letters.recv().unwrap().reject("bad").unwrap_err().to_string();
    assert!(error.contains("dead-letter") && error.contains("no space left"), "{error}");
    fill(&mut tx, &mut sent, 8);
    assert_eq!(sent, 1 << 14);
    assert_eq!(drain(&letters), (0..sent).collect::<Vec<_>>());
    assert_eq!(drain(&rx), (0..sent).collect::<Vec<_>>());
    assert_eq!(drain(&anonymous).len() as u64, sent);
    let from = sent;
    fill(&mut tx, &mut sent, 8);
    assert_eq!(drain(&rx), (from..sent).collect::<Vec<_>>());
    assert_eq!(drain(&anonymous).len() as u64, sent - from);
    letters.recv().unwrap().ack().unwrap();
    drop(letters);
    queue.drop_group("letters").unwrap();
    let mut files = names(&dir);
    files.sort();
    assert_eq!(files, ["hog", "q"]);

    // With space again everything goes on, with the same handles.
    fs::remove_file(path("hog")).unwrap();
    let new = queue.consumer_options().group("new").start(Start::Latest).open().unwrap();
    tx.try_send(&u64::MAX.to_le_bytes()).unwrap();
    for rx in [&rx, &anonymous, &new] {
        assert_eq!(drain(rx), [u64::MAX]);
    }
    drop((tx, rx, new, anonymous, queue));
    Queue::unlink(&path("q")).unwrap();
    options.create(&path("second")).unwrap();
    println!("all of it was tried");
}

#[test]
fn a_dead_letter_queue_that_is_full_gives_the_message_back() {
    let dir = TempDir::new();
    let queue = small(&dir);
    let mut tx = queue.producer().unwrap();
    let rx = queue.consumer_options().group("g").dead_letter("dead").open().unwrap();
    let aside = queue.consumer("default").unwrap();
    let mut rejected = 0u64;
    let mut sent = 0u64;
    let refused = loop {
        tx.try_send(&sent.to_le_bytes()).unwrap();
        sent += 1;
        aside.recv().unwrap().ack().unwrap();
        match rx.recv().unwrap().reject("bad") {
            Ok(()) => rejected += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused.status(), Status::Full, "{refused}");
    assert!(refused.to_string().contains("dead-letter"), "{refused}");
    assert_eq!(rejected, 64);
    let dead = Queue::open(&dir.path("dead")).unwrap().consumer("default").unwrap();
    assert_eq!(drain(&dead), (0..rejected).collect::<Vec<_>>());
    // It is the oldest again, and this time there is room.
    let again = rx.recv().unwrap();
    assert_eq!((again.payload(), again.deliveries()), (&rejected.to_le_bytes()[..], 2));
    again.reject("bad").unwrap();
    assert_eq!(drain(&dead), [rejected]);
    assert_eq!(drain(&rx), Vec::<u64>::new());
}

#[test]
fn out_of_descriptors() {
    let dir = TempDir::new();
    let path = dir.path("q");
    drop(small(&dir));
    let output = Command::new("sh")
        .args([
            "-c",
            r#"ulimit -n 48 && exec "$1" --exact few_descriptors --ignored --nocapture"#,
            "sh",
        ])
        .arg(std::env::current_exe().unwrap())
        .env("LIMITS_DIR", &path)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("all of it was tried"), "{text}");
}

#[test]
#[ignore = "a process of out_of_descriptors"]
fn few_descriptors() {
    let Ok(path) = std::env::var("LIMITS_DIR") else { return };
    let queue = Queue::open(&path).unwrap();
    let mut tx = queue.producer().unwrap();
    let rx = queue.consumer("default").unwrap();
    for round in 0..10u64 {
        let mut members = Vec::new();
        let refused = loop {
            match queue.producer() {
                Ok(producer) => members.push(producer),
                Err(error) => break error,
            }
        };
        assert_eq!(refused.status(), Status::Os, "{refused}");
        assert!((10..48).contains(&members.len()), "{}", members.len());
        let opened = Queue::open(&path).map(drop).unwrap_err();
        assert_eq!(opened.status(), Status::Os, "{opened}");
        // Those who are in go on, and the refused left no row behind.
        tx.try_send(&round.to_le_bytes()).unwrap();
        assert_eq!(drain(&rx), [round]);
        assert_eq!(queue.stats().members.len(), members.len() + 2);
    }
    println!("all of it was tried");
}
