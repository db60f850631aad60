//! SIGINT and SIGTERM: what is begun is finished, and a line says what was done. Readers that go: nothing is said at all.

use crate::shell::{Running, Shell};
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

#[test]
fn a_receiver_acks_what_it_wrote() {
    for signal in ["INT", "TERM"] {
        let shell = Shell::new();
        shell.ok(&["create", "q", "--capacity", "64K"]);
        shell.ok(&["send", "q", "x", "--count", "5"]);
        let receiver = shell.start_read(&["recv", "q"]);
        shell.until("q", |stats| stats["groups"][0]["lag"] == 0);
        receiver.signal(signal);
        let said = receiver.end();
        assert_eq!((said.code, &*said.out), (Some(0), &b"x\nx\nx\nx\nx\n"[..]));
        assert_eq!(said.err, "slipring: q: interrupted; 5 messages received and acked\n");
        // It has left as one does.
        assert_eq!(shell.json(&["stat", "q", "--json"])["members"].as_array().unwrap().len(), 0);
        assert_eq!(shell.json(&["stat", "q", "--json"])["repaired"], 0);
    }
}

#[test]
fn fewer_than_asked_for_is_still_4() {
    let shell = Shell::new();
    shell.ok(&["create", "q", "--capacity", "64K"]);
    shell.ok(&["send", "q", "x"]);
    let receiver = shell.start_read(&["recv", "q", "-n", "2"]);
    shell.until("q", |stats| stats["groups"][0]["lag"] == 0);
    receiver.signal("INT");
    let said = receiver.end();
    assert_eq!(said.code, Some(4));
    assert!(said.err.contains("interrupted; 1 message received") && said.err.contains("1 of 2"));
}

/// Who is stuck, because nobody reads what it writes, is ended by a second signal.
#[test]
fn a_second_signal_ends_it_at_once() {
    use std::os::unix::process::ExitStatusExt;
    let shell = Shell::new();
    shell.ok(&["create", "q", "--capacity", "4M"]);
    shell.ok(&["send", "q", &"x".repeat(1000), "--count", "1000"]);
    let mut receiver = shell.start(&["recv", "q"]);
    // So many that a pipe cannot take them.
    shell.until("q", |stats| stats["received"].as_u64() > Some(60));
    let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let status = loop {
        receiver.signal("TERM");
        std::thread::sleep(std::time::Duration::from_millis(20));
        if let Some(status) = receiver.child().try_wait().unwrap() {
            break status;
        }
        assert!(std::time::Instant::now() < end, "it goes on");
    };
    assert_eq!(status.signal(), Some(15));
}

#[test]
fn observers_and_senders() {
    let shell = Shell::new();
    shell.ok(&["create", "q", "--capacity", "64K", "--topic"]);
    shell.ok(&["send", "q", "old"]);
    let mut tail = shell.start(&["tail", "-f", "q"]);
    let mut out = BufReader::new(tail.child().stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    shell.ok(&["send", "q", "new", "--count", "2"]);
    out.read_line(&mut line).unwrap();
    out.read_line(&mut line).unwrap();
    tail.signal("INT");
    let said = tail.end();
    assert_eq!((said.code, &*line), (Some(0), "old\nnew\nnew\n"));
    assert_eq!(said.err, "slipring: q: interrupted; 2 messages came since\n");

    let mut stat = shell.start(&["stat", "q", "-i", "10ms", "--json"]);
    let mut out = BufReader::new(stat.child().stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    stat.signal("INT");
    out.read_to_string(&mut String::new()).unwrap();
    let said = stat.end();
    assert_eq!(said.code, Some(0));
    assert!(said.err.contains("q: interrupted; ") && said.err.contains(" 0 sent"), "{}", said.err);

    // A sender that waits for its input cannot stop there: it ends as by the signal, after its words.
    let mut sender = shell.start(&["send", "q", "--lines"]);
    std::io::Write::write_all(sender.child().stdin.as_mut().unwrap(), b"a\nb\n").unwrap();
    shell.until("q", |stats| stats["sent"] == 5);
    sender.signal("INT");
    let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while sender.child().try_wait().unwrap().is_none() {
        assert!(std::time::Instant::now() < end, "it goes on");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let said = sender.end();
    assert_eq!(said.code, None);
    assert_eq!(said.err, "slipring: q: interrupted; at least 2 messages sent\n");
}

/// The reader of tables, or of words, has gone: no complaint, and no panic.
#[test]
fn readers_that_go() {
    let shell = Shell::new();
    shell.ok(&["create", "q", "--capacity", "64K"]);
    shell.ok(&["send", "q", "x", "--count", "2"]);
    let (file, text) = (shell.path("file"), shell.path("text"));
    shell.ok(&["record", "q", &file, "--drain"]);
    std::fs::write(&text, "a line\n".repeat(9)).unwrap();
    for args in [
        &["ls"][..],
        &["peek", "q"],
        &["tail", "q"],
        &["recv", "q"],
        &["record", "q", "-"],
        &["replay", "--check", &file],
        &["bench", "throughput", "--seconds", "10ms"],
        &["demo", "--file", &text, "--messages", "1"],
        &["--version"],
        &["recv", "--help"],
        &["ls", "--json"],
        &["stat", "q"],
        &["stat", "q", "--prometheus"],
        &["stat", "q", "-i", "10ms"],
        &["group", "ls", "q"],
        &["dead", "ls", "q"],
        &["doctor", "q"],
        &["completions", "bash"],
        &["man"],
        &["--help"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = shell.command(args);
        command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped());
        let said = Running::new(&mut command).end();
        assert_eq!(said.code, Some(0), "{args:?}: {}", said.err);
        assert!(!said.err.contains("panicked") && !said.err.contains("pipe"), "{}", said.err);
    }
    let nobody_reads_words = |args: &[&str]| {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = shell.command(args);
        Running::new(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(writer))
    };
    assert_eq!(nobody_reads_words(&["stat", "none"]).end().code, Some(3));
    let socket = shell.path(".socket");
    let setting = format!("listen_unix={socket}");
    let serve = nobody_reads_words(&["serve", "--listen", "127.0.0.1:0", "--set", &setting]);
    let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let mut client = loop {
        if let Ok(client) = std::os::unix::net::UnixStream::connect(&socket) {
            break client;
        }
        assert!(std::time::Instant::now() < end, "it does not serve");
        std::thread::sleep(std::time::Duration::from_millis(5));
    };
    std::io::Write::write_all(&mut client, b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    assert!(client.read(&mut [0; 16]).unwrap() > 0);
    serve.signal("TERM");
    assert_eq!(serve.end().code, Some(0));
}

/// Whoever ends it is told how far it was, and nothing is left.
#[test]
fn a_demo_that_is_interrupted() {
    let shell = Shell::new();
    let file = shell.path("text");
    std::fs::write(&file, "a line\n").unwrap();
    let demo = shell.start(&["demo", "--file", &file, "--messages", "3000000"]);
    let place = format!("/dev/shm/slipring-demo-{}", demo.id());
    let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let until = |what: &str, so: &dyn Fn() -> bool| {
        while !so() {
            assert!(std::time::Instant::now() < end, "waited too long for {what}");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    };
    let written = || std::fs::metadata(format!("{place}/archive.0")).map_or(0, |meta| meta.len());
    until("the first messages", &|| written() > 0);
    demo.signal("INT");
    let said = demo.end();
    assert_eq!(said.code, None);
    assert!(said.err.starts_with("slipring: demo: interrupted after "), "{}", said.err);
    until("the parts to tidy up", &|| !std::path::Path::new(&place).exists());
}
