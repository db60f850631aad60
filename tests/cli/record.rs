//! `record` and `replay`: what comes out is what went in, byte for byte; whatever happens to the recorder or to the file.

use crate::shell::Shell;
use slipring::{Observer, Queue};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

/// Events and payloads.
type Messages = Vec<(Option<String>, Vec<u8>)>;

/// All kinds of messages: empty ones, large ones, with all bytes, with events of all lengths.
fn all_kinds() -> Messages {
    let bytes: Vec<u8> = (0..=255).cycle().take(10_000).collect();
    let payloads = [0, 1, 55, 56, 64, 1000, 10_000].map(|len| bytes[..len].to_vec());
    let events = [None, Some("e".into()), Some("é.".repeat(85)), None];
    (0..200).map(|at| (events[at % 4].clone(), payloads[at % 7].clone())).collect()
}

fn send(queue: &Queue, messages: &Messages) {
    let mut producer = queue.producer().unwrap();
    for (event, payload) in messages {
        match event {
            Some(event) => producer.send_event(event, payload).unwrap(),
            None => producer.send(payload).unwrap(),
        };
    }
}

fn contents(shell: &Shell, name: &str) -> Messages {
    let mut observer = Observer::open(&shell.path(name)).unwrap();
    std::iter::from_fn(|| observer.try_recv().ok()).map(|seen| (seen.event, seen.payload)).collect()
}

fn queue(shell: &Shell, name: &str) -> Queue {
    Queue::options().capacity(4 << 20).create(&shell.path(name)).unwrap()
}

fn sent(count: usize) -> String {
    format!("slipring: copy: {count} messages sent\n")
}

#[test]
fn round_trips() {
    for how in [&["--drain"][..], &["--group", "g", "--drain"], &["-n", "200"]] {
        let shell = Shell::new();
        let (original, _copy) = (queue(&shell, "q"), queue(&shell, "copy"));
        send(&original, &all_kinds());
        let file = shell.path("file");
        let said = shell.run(&[&["record", "q", &file], how].concat());
        assert_eq!((said.code, &*said.err), (Some(0), "slipring: q: 200 messages recorded\n"));
        let said = shell.run(&["replay", &file, "copy"]);
        assert_eq!((said.code, said.err), (Some(0), sent(200)));
        assert!(contents(&shell, "copy") == all_kinds(), "what was replayed is not what was sent");
        let checked = shell.ok(&["replay", "--check", &file]);
        assert_eq!(
            checked,
            format!("{file}: whole: 200 messages of queue {:032x}\n", original.id())
        );
        // As private as a queue, and never over another file.
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let said = shell.run(&["record", "q", &file]);
        assert!(said.code == Some(1) && said.err.contains("exists"), "{}", said.err);
    }
}

#[test]
fn parts_and_pipes() {
    let shell = Shell::new();
    let (original, _copy) = (queue(&shell, "q"), queue(&shell, "copy"));
    let messages: Messages = (0..20).map(|at| (None, vec![at])).collect();
    send(&original, &messages);
    let file = shell.path("file");
    shell.ok(&["record", "q", &file, "--drain", "--from", "5"]);
    shell.ok(&["replay", &file, "copy", "--from", "10", "-n", "3"]);
    assert_eq!(contents(&shell, "copy"), messages[10..13]);
    // Positions need not be those of messages.
    shell.ok(&["replay", &file, "copy", "--from", "18"]);
    assert_eq!(contents(&shell, "copy")[3..], messages[18..]);
    let recorded = shell.run(&["record", "q", "-", "--drain"]);
    assert_eq!(recorded.code, Some(0));
    let said = shell.feed(&["replay", "-", "copy"], &recorded.out);
    assert_eq!((said.code, said.err), (Some(0), sent(20)));
    assert_eq!(contents(&shell, "copy")[5..], messages);
}

/// What the page says, written here once more: a file that nobody's code but this one has made.
fn by_the_page(messages: &[(u64, &[u8])]) -> Vec<u8> {
    fn crc(bytes: &[u8]) -> [u8; 4] {
        let mut sum = u32::MAX;
        for byte in bytes {
            sum ^= u32::from(*byte);
            for _ in 0..8 {
                sum = if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 };
            }
        }
        (!sum).to_le_bytes()
    }
    let mut file = b"SLIPREC\n".to_vec();
    file.extend(1_u32.to_le_bytes());
    file.extend(7_u128.to_le_bytes());
    file.extend(0_u64.to_le_bytes());
    file.extend(crc(&file.clone()));
    let mut frame = |body: &[u8]| {
        let len = (body.len() as u32).to_le_bytes();
        file.extend(len);
        file.extend(crc(&[&len, body].concat()));
        file.extend(body);
    };
    for (at, (seconds, payload)) in messages.iter().enumerate() {
        let (position, time) = ((at as u64).to_le_bytes(), (seconds * 1_000_000_000).to_le_bytes());
        frame(&[&[1][..], &position, &time, &[2], b"ev", payload].concat());
    }
    frame(&[&[3][..], &(messages.len() as u64).to_le_bytes()].concat());
    file
}

/// An hour lies between the messages.
#[test]
fn speeds() {
    let shell = Shell::new();
    let _copy = queue(&shell, "copy");
    let file = shell.path("file");
    fs::write(&file, by_the_page(&[(1000, b"a"), (4600, b"b"), (8200, b"c"), (0, b"d")])).unwrap();
    assert!(shell.ok(&["replay", "--check", &file]).contains("whole: 4 messages of queue 0"));
    let expected: Messages =
        ["a", "b", "c", "d"].map(|text| (Some("ev".into()), text.into())).into();
    let said = shell.run(&["replay", &file, "copy", "--speed", "max"]);
    assert_eq!((said.code, said.err), (Some(0), sent(4)));
    assert_eq!(contents(&shell, "copy"), expected);
    // A million times as fast: 7.2 ms.
    assert_eq!(shell.run(&["replay", &file, "copy", "--speed", "1000000"]).err, sent(4));
    // As it was: the second message is not due before an hour has gone, however long we look.
    let replay = shell.start(&["replay", &file, "copy"]);
    shell.until("copy", |stats| stats["sent"] == 9);
    std::thread::sleep(std::time::Duration::from_millis(200));
    replay.signal("INT");
    let said = replay.end();
    assert_eq!((said.code, &*said.err), (Some(0), "slipring: copy: interrupted; 1 message sent\n"));
    assert_eq!(shell.json(&["stat", "copy", "--json"])["sent"], 9);
    for speed in ["0", "-1", "fast", "nan"] {
        let said = shell.run(&["replay", &file, "copy", &format!("--speed={speed}")]);
        assert!(said.code == Some(2) && said.err.contains("or max"), "{speed}: {}", said.err);
    }
}

/// Cut at any place, any byte changed: the whole messages before are sent, and it says how many they were.
#[test]
fn damaged_files() {
    let shell = Shell::new();
    let (original, _copy) = (queue(&shell, "q"), queue(&shell, "copy"));
    let messages: Messages = (0..3).map(|at| (None, vec![at; 20])).collect();
    send(&original, &messages);
    let file = shell.path("file");
    shell.ok(&["record", "q", &file, "--drain"]);
    let bytes = fs::read(&file).unwrap();
    // Header, three messages of 8 + 18 + 20 bytes, and the end of 8 + 9.
    assert_eq!(bytes.len(), 40 + 3 * 46 + 17);
    let mut before = 0;
    let mut check = |bytes: &[u8], whole: usize, word: &str| {
        fs::write(&file, bytes).unwrap();
        let said = shell.run(&["replay", &file, "copy", "--speed", "max"]);
        assert_eq!(said.code, Some(6), "{}", said.err);
        let (s, are) = if whole == 1 { ("", "is") } else { ("s", "are") };
        let count = format!("; {whole} message{s} before that {are} whole\n");
        assert!(said.err.contains(word) && said.err.ends_with(&count), "{whole}: {}", said.err);
        assert_eq!(contents(&shell, "copy")[before..], messages[..whole]);
        before += whole;
    };
    for (len, whole) in [(20, 0), (40, 0), (85, 0), (86, 1), (90, 1), (178, 3), (194, 3)] {
        check(&bytes[..len], whole, "cut off");
    }
    for (at, whole) in [(12, 0), (39, 0), (45, 0), (60, 0), (94, 1), (136, 2), (185, 3)] {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x10;
        check(&bytes, whole, "damaged, a checksum is wrong");
    }
    let mut later = bytes.clone();
    later[8] = 2;
    let other = fs::read(shell.path("q")).unwrap();
    for (bytes, words) in [
        (&later, "recorded in version 2 of the format, this program reads version 1; use"),
        (&other, "not a recording; `slipring record` makes them"),
        (&Vec::new(), "not a recording"),
    ] {
        fs::write(&file, bytes).unwrap();
        let said = shell.run(&["replay", &file, "copy"]);
        assert!(said.code == Some(6) && said.err.contains(words), "{}", said.err);
    }
    let said = shell.run(&["replay", &shell.path("none"), "copy"]);
    assert!(said.code == Some(3) && said.err.contains("no such file"), "{}", said.err);
}

/// Interrupted while it waits, and under load: the file is whole, and what was acked is in it.
#[test]
fn interrupted_recorders_leave_whole_files() {
    for signal in ["INT", "TERM"] {
        let shell = Shell::new();
        let (original, _copy) = (queue(&shell, "q"), queue(&shell, "copy"));
        let file = shell.path("file");
        let recorder = shell.start(&["record", "q", &file, "--group", "g"]);
        let mut producer = original.producer().unwrap();
        let floor = |stats: &serde_json::Value| {
            let groups = stats["groups"].as_array().unwrap();
            groups
                .iter()
                .find(|group| group["name"] == "g")
                .map_or(0, |group| group["floor"].as_u64().unwrap())
        };
        shell.until("q", |stats| {
            producer.send(b"x").unwrap();
            floor(stats) > 20
        });
        recorder.signal(signal);
        let said = recorder.end();
        assert_eq!(said.code, Some(0), "{}", said.err);
        assert!(said.err.starts_with("slipring: q: interrupted; "), "{}", said.err);
        let acked = floor(&shell.json(&["stat", "q", "--json"]));
        let words = said.err.split_whitespace().collect::<Vec<_>>();
        assert_eq!(words[3].parse(), Ok(acked), "{}", said.err);
        shell.ok(&["replay", &file, "copy", "--speed", "max"]);
        assert_eq!(contents(&shell, "copy").len() as u64, acked);
    }
}

/// Killed at any time: what it has acked is whole in the file, and the rest is still in the queue.
#[test]
fn a_killed_recorder_loses_nothing() {
    let shell = Shell::new();
    let (original, _copy) = (queue(&shell, "q"), queue(&shell, "copy"));
    let lines: Messages = (0..20_000).map(|at| (None, at.to_string().into_bytes())).collect();
    send(&original, &lines);
    original.close().unwrap();
    let (first, second) = (shell.path("first"), shell.path("second"));
    let recorder = shell.start(&["record", "q", &first, "--group", "g"]);
    shell.until("q", |stats| stats["received"].as_u64() > Some(1000));
    recorder.kill();
    let said = shell.run(&["replay", &first, "copy", "--speed", "max"]);
    let copied = contents(&shell, "copy").len();
    // It may have been done before we came.
    assert!(said.code == Some(0) || said.err.contains("cut off"), "{}", said.err);
    assert!(copied > 0 && contents(&shell, "copy") == lines[..copied]);
    shell.ok(&["record", "q", &second, "--group", "g"]);
    let rest = queue(&shell, "rest");
    shell.ok(&["replay", &second, "rest", "--speed", "max"]);
    let rest = (contents(&shell, "rest"), rest).0;
    assert!(rest.len() + copied >= lines.len(), "{} and {copied}", rest.len());
    assert!(rest == lines[lines.len() - rest.len()..]);
}

/// A pipe that nobody empties holds the recorder up, until the ring has gone round: the file says that something is missing, and so does the exit code.
#[test]
fn an_overrun_observer_says_so() {
    let shell = Shell::new();
    let small = Queue::options().capacity(64 << 10).topic(true).create(&shell.path("q")).unwrap();
    let _copy = queue(&shell, "copy");
    let mut recorder = shell.command(&["record", "q", "-"]);
    recorder.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut recorder = crate::shell::Running::new(&mut recorder);
    let mut out = BufReader::new(recorder.child().stdout.take().unwrap());
    let mut producer = small.producer().unwrap();
    producer.send(b"first").unwrap();
    let mut recording = Vec::new();
    // The recorder is at work.
    while !recording.ends_with(b"first") {
        out.read_until(b't', &mut recording).unwrap();
    }
    // Far more than the pipe and its own buffer take.
    for _ in 0..4000 {
        producer.send(&[b'x'; 1000]).unwrap();
    }
    small.close().unwrap();
    out.read_to_end(&mut recording).unwrap();
    let said = recorder.end();
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.err.contains("with --group senders wait for the recorder"), "{}", said.err);
    let said = shell.feed(&["replay", "-", "copy", "--speed", "max"], &recording);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.err.contains(" where the recorder was overrun"), "{}", said.err);
    assert!(contents(&shell, "copy").len() < 4000);
}

#[test]
fn a_full_disk() {
    let shell = Shell::new();
    let original = queue(&shell, "q");
    send(&original, &(0..100).map(|_| (None, vec![b'x'; 1000])).collect());
    let file = shell.path("file");
    // A limit of the file's size stands for it: 40 KiB.
    let line = format!(
        "trap '' XFSZ; ulimit -f 80; exec {} record q {file} --group g --drain",
        env!("CARGO_BIN_EXE_slipring")
    );
    let output = std::process::Command::new("sh")
        .args(["-c", &line])
        .env("SLIPRING_DIR", shell.dir())
        .output();
    let output = output.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("{file}: File too large")), "{said}");
    let checked = shell.ok(&["replay", "--check", &file]);
    // Whole batches of 64 KiB: none of them fits, and nothing is acked.
    assert!(checked.contains("whole: 0 messages"), "{checked}");
    assert_eq!(shell.ok(&["recv", "q", "--group", "g", "--drain"]).lines().count(), 100);
}
