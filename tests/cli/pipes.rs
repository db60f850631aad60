//! `slipring send q --lines --close < file` and `slipring recv q > out` at once: `cmp` says equal.

use crate::shell::{Running, Shell};
use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// A directory on disk, since shared memory may be small; removed with it.
struct Disk(PathBuf);

impl Disk {
    fn new(name: &str) -> Self {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let path = place.join(format!("pipes-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Sends a file's lines while another process receives them into `out`.
fn copy(shell: &Shell, disk: &Disk, capacity: &str) {
    shell.ok(&["create", "q", "--capacity", capacity]);
    let out = File::create(disk.0.join("out")).unwrap();
    let mut receiver = shell.command(&["recv", "q"]);
    let receiver = receiver.stdin(Stdio::piped()).stdout(out).stderr(Stdio::piped());
    let receiver = Running::new(receiver);
    let mut sender = shell.command(&["send", "q", "--lines", "--close"]);
    let sender = sender.stdin(File::open(disk.0.join("in")).unwrap()).output().unwrap();
    assert!(sender.status.success(), "{}", String::from_utf8_lossy(&sender.stderr));
    // No progress bars where there is no terminal.
    assert!(sender.stdout.is_empty() && sender.stderr.is_empty());
    receiver.end().fine(&["recv", "q"]);
    shell.ok(&["rm", "q"]);
}

/// Compares `in` and `out`, of which the last line may lack its newline in `in`.
fn equal(disk: &Disk) {
    let mut sent = BufReader::new(File::open(disk.0.join("in")).unwrap());
    let mut got = BufReader::new(File::open(disk.0.join("out")).unwrap());
    let (mut a, mut b) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    let mut at = 0_u64;
    loop {
        let count = fill(&mut sent, &mut a);
        let same = fill(&mut got, &mut b);
        assert_eq!((count, a[..count] == b[..same]), (same, true), "they differ after byte {at}");
        if count == 0 {
            return;
        }
        at += count as u64;
    }
}

fn fill(from: &mut impl Read, buffer: &mut [u8]) -> usize {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..]).unwrap() {
            0 => break,
            count => filled += count,
        }
    }
    filled
}

fn round_trip(name: &str, text: &[u8]) {
    let (shell, disk) = (Shell::new(), Disk::new(name));
    fs::write(disk.0.join("in"), text).unwrap();
    copy(&shell, &disk, "64K");
    equal(&disk);
}

#[test]
fn a_text() {
    round_trip("text", &fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/LICENSE-APACHE")).unwrap());
}

#[test]
fn empty_lines() {
    round_trip("empty-lines", "\n".repeat(10_000).as_bytes());
    round_trip("some-empty-lines", b"\n\nfirst\n\n\nsecond\n\n");
}

#[test]
fn nothing() {
    round_trip("nothing", b"");
}

#[test]
fn any_bytes_but_newlines() {
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).chain([b'\n']).collect();
    round_trip("bytes", &bytes);
}

/// What comes out of lines ends in a newline, also if what went in did not.
#[test]
fn a_last_line_without_its_newline() {
    let shell = Shell::new();
    shell.ok(&["create", "q", "--capacity", "64K"]);
    shell.feed(&["send", "q", "--lines"], b"one\ntwo").fine(&["send"]);
    assert_eq!(shell.ok(&["recv", "q", "--drain"]), "one\ntwo\n");
}

/// 300 MB of lines from none to a thousand bytes long.
#[test]
fn three_hundred_megabytes() {
    let (shell, disk) = (Shell::new(), Disk::new("large"));
    let mut file = BufWriter::new(File::create(disk.0.join("in")).unwrap());
    let (mut seed, mut written) = (1_u64, 0);
    let letters: Vec<u8> = (0..2048).map(|at| b'a' + (at % 23) as u8).collect();
    while written < 300_000_000 {
        // Xorshift: any bytes will do.
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let len = [0, 1, 10, 60, 61, 100, 300, 1000][(seed % 8) as usize];
        let from = (seed >> 32) as usize % 1000;
        file.write_all(&letters[from..from + len]).unwrap();
        file.write_all(b"\n").unwrap();
        written += len + 1;
    }
    file.into_inner().unwrap().sync_data().unwrap();
    copy(&shell, &disk, "8M");
    equal(&disk);
}

#[test]
fn all_of_standard_input_is_one_message() {
    let shell = Shell::new();
    shell.ok(&["create", "q", "--capacity", "64K"]);
    shell.feed(&["send", "q", "-"], b"one\ntwo\n\n").fine(&["send", "-"]);
    shell.feed(&["send", "q", "-"], b"").fine(&["send", "-"]);
    assert_eq!(shell.ok(&["stat", "q", "--json"]).matches(r#""sent":2"#).count(), 1);
    assert_eq!(shell.ok(&["recv", "q", "--drain", "--raw"]), "one\ntwo\n\n");
}

#[test]
fn count_and_event_and_rate() {
    let shell = Shell::new();
    shell.ok(&["create", "q", "--capacity", "64K"]);
    shell.ok(&["send", "q", "tick", "--count", "3", "--event", "clock.tick", "--rate", "1000"]);
    shell.feed(&["send", "q", "--lines", "--count", "2"], b"a\nb\nc\n").fine(&["send"]);
    let messages = shell.ok(&["recv", "q", "-n", "5", "--json"]);
    let fields: Vec<(String, String)> = messages
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|value| (value["event"].to_string(), value["payload"].to_string()))
        .collect();
    let tick = (r#""clock.tick""#.to_owned(), r#""tick""#.to_owned());
    let plain = |text: &str| ("null".to_owned(), format!("{text:?}"));
    assert_eq!(fields, [tick.clone(), tick.clone(), tick, plain("a"), plain("b")]);
}

#[test]
fn bytes_that_are_no_text_are_base64_in_json() {
    let shell = Shell::new();
    shell.ok(&["create", "q", "--capacity", "64K"]);
    shell.feed(&["send", "q", "-"], &[0xff, 0xfe, 0xfd]).fine(&["send"]);
    let message = shell.json(&["recv", "q", "-n", "1", "--json"]);
    assert_eq!(message["encoding"], "base64");
    assert_eq!(message["payload"], "//79");
    assert_eq!((&message["position"], &message["deliveries"]), (&0.into(), &1.into()));
}

/// `recv | head -1`: the reader goes, and that is no failure. What it was not given stays in the queue.
#[test]
fn a_reader_that_goes() {
    let shell = Shell::new();
    shell.ok(&["create", "q", "--capacity", "4M"]);
    let lines: String = (0..20_000).map(|line| format!("{line}\n")).collect();
    shell.feed(&["send", "q", "--lines"], lines.as_bytes()).fine(&["send"]);
    let mut receiver = shell.start(&["recv", "q"]);
    let mut pipe = receiver.child().stdout.take().unwrap();
    let mut first = [0; 2];
    pipe.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"0\n");
    drop(pipe);
    // It notices with the next write, if it was done with the queue before.
    shell.ok(&["send", "q", "--close", "last"]);
    let said = receiver.end();
    assert_eq!((said.code, &*said.err), (Some(0), ""));
    let rest = shell.ok(&["recv", "q"]);
    assert!(rest.ends_with("last\n"));
    let next: usize = rest.lines().next().unwrap().parse().unwrap_or(20_000);
    let missing: usize = rest.lines().count() - 1 + next;
    assert_eq!(missing, 20_000, "the rest is whole from {next} on");
}
