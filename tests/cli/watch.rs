//! What only looks: ls, stat, peek, tail, doctor. None of them leaves a trace.

use crate::shell::Shell;
use std::io::{BufRead, BufReader};

#[test]
fn ls_and_stat() {
    let shell = Shell::new();
    let none = shell.run(&["ls"]);
    assert_eq!(none.code, Some(0));
    assert!(none.err.contains("`slipring create NAME`"), "{}", none.err);
    shell.ok(&["create", "b", "--capacity", "64K", "--retain", "4K", "--mode", "0640"]);
    shell.ok(&["create", "a", "--capacity", "1M", "--block", "256", "--topic"]);
    shell.ok(&["send", "b", "hello"]);
    let table = shell.ok(&["ls"]);
    let words: Vec<Vec<&str>> =
        table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[1], ["a", "open", "1", "MiB", "0", "B", "0", "0", "0", "0"]);
    assert_eq!(words[2], ["b", "open", "64", "KiB", "64", "B", "1", "1", "1", "0"]);
    let list = shell.json(&["ls", "--json"]);
    assert_eq!((&list[0]["name"], &list[0]["capacity"]), (&"a".into(), &(1 << 20).into()));
    assert_eq!((&list[1]["waiting"], &list[1]["sent"]), (&1.into(), &1.into()));
    let stat = shell.json(&["stat", "b", "--json"]);
    assert_eq!((&stat["retain"], &stat["latest"]), (&4096.into(), &1.into()));
    assert_eq!(stat["groups"][0]["name"], "default");
    assert_eq!(shell.json(&["stat", "a", "--json"])["block_size"], 256);
    let text = shell.ok(&["stat", "b"]);
    assert!(text.contains("capacity       64 KiB in blocks of 64 B"), "{text}");
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(shell.path("b")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}

/// The queues' directory, as it is listed and as its files' bytes are.
fn trace(shell: &Shell) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(shell.dir()).unwrap().flatten();
    let mut files: Vec<_> = entries
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read(entry.path()).unwrap_or_default())
        })
        .collect();
    files.sort();
    files
}

#[test]
fn observers_leave_no_trace() {
    let shell = Shell::new();
    shell.ok(&["create", "q", "--capacity", "4K", "--max-groups", "2", "--max-members", "2"]);
    shell.feed(&["send", "q", "--lines"], b"a\nb\nc\n").fine(&["send"]);
    shell.ok(&["recv", "q", "-n", "1"]);
    let before = trace(&shell);
    assert_eq!(shell.ok(&["peek", "q"]), "b\nc\n");
    assert_eq!(shell.ok(&["peek", "q", "-n", "1"]), "b\n");
    assert_eq!(shell.ok(&["peek", "q", "--group", "default", "--raw"]), "bc");
    assert_eq!(shell.ok(&["peek", "q", "--from", "earliest"]), "a\nb\nc\n");
    assert_eq!(shell.ok(&["peek", "q", "--from", "2"]), "c\n");
    assert_eq!(shell.ok(&["tail", "q"]), "a\nb\nc\n");
    assert_eq!(shell.ok(&["tail", "q", "-n", "2"]), "b\nc\n");
    let message = shell.json(&["peek", "q", "-n", "1", "--json"]);
    assert_eq!((&message["payload"], &message["position"]), (&"b".into(), &1.into()));
    for args in [&["stat", "q"][..], &["ls"], &["group", "ls", "q"], &["doctor"]] {
        shell.ok(args);
    }
    assert!(trace(&shell) == before, "somebody who only looked has written");
}

#[test]
fn tail_follows_until_the_queue_is_closed() {
    let shell = Shell::new();
    shell.ok(&["create", "q", "--capacity", "64K"]);
    shell.feed(&["send", "q", "--lines"], b"a\nb\nc\n").fine(&["send"]);
    let mut tail = shell.start(&["tail", "-f", "q", "-n", "1"]);
    let mut out = BufReader::new(tail.child().stdout.take().unwrap());
    let mut line = || {
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        line
    };
    assert_eq!(line(), "c\n");
    shell.ok(&["send", "q", "d"]);
    assert_eq!(line(), "d\n");
    shell.ok(&["send", "q", "e", "--close"]);
    assert_eq!((line(), line()), ("e\n".into(), String::new()));
    assert_eq!(tail.end().code, Some(0));
}

#[test]
fn doctor_sees_the_dead_and_repairs() {
    let shell = Shell::new();
    shell.ok(&["create", "q", "--capacity", "64K"]);
    let said = shell.ok(&["doctor"]);
    assert!(said.contains("no problems found") && said.contains(&shell.dir()), "{said}");
    let receiver = shell.start(&["recv", "q"]);
    shell.until("q", |stats| stats["members"][0]["alive"] == true);
    shell.ok(&["doctor", "q"]);
    let pid = receiver.id();
    receiver.kill();
    let report = shell.run(&["doctor", "q"]);
    assert_eq!(report.code, Some(1), "{}", report.err);
    let text = String::from_utf8(report.out).unwrap();
    assert!(text.contains(&format!("(pid {pid}) is dead")), "{text}");
    assert!(text.contains("try: slipring doctor q --repair"), "{text}");
    let report = shell.run(&["doctor", "q", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&report.out).unwrap();
    assert_eq!(report["problems"][0]["command"], "slipring doctor q --repair");
    assert_eq!(report["queues"][0]["members"][0]["alive"], false);
    let repaired = shell.run(&["doctor", "q", "--repair"]);
    assert_eq!(repaired.code, Some(0), "{}", repaired.err);
    assert!(repaired.err.contains("dead members repaired: 1"), "{}", repaired.err);
    assert_eq!(shell.json(&["stat", "q", "--json"])["members"].as_array().unwrap().len(), 0);
}

#[test]
fn doctor_names_the_group_that_holds_up_senders() {
    let shell = Shell::new();
    shell.ok(&["create", "q", "--capacity", "4K"]);
    shell.ok(&["send", "q", "x", "--count", "64"]);
    let report = shell.run(&["doctor", "q"]);
    assert_eq!(report.code, Some(1));
    let text = String::from_utf8(report.out).unwrap();
    assert!(text.contains("group default has no members and holds up senders"), "{text}");
    assert!(text.contains("try: slipring recv q --group default"), "{text}");
}
