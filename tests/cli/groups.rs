//! Work queues, fan-out, starts, and receivers that die.

use crate::shell::Shell;
use std::io::{BufRead, BufReader};

fn numbers(count: usize) -> String {
    (0..count).map(|number| format!("{number}\n")).collect()
}

fn sorted(texts: &[&str]) -> Vec<usize> {
    let lines = texts.iter().flat_map(|text| text.lines());
    let mut numbers: Vec<usize> = lines.map(|line| line.parse().unwrap()).collect();
    numbers.sort();
    numbers
}

#[test]
fn each_group_sees_all_and_members_share() {
    let shell = Shell::new();
    shell.ok(&["create", "q", "--topic", "--capacity", "64K"]);
    let recv = |group: &str| shell.start_read(&["recv", "q", "--group", group]);
    let (first, second, archive) = (recv("workers"), recv("workers"), recv("archive"));
    shell.until("q", |stats| stats["members"].as_array().unwrap().len() == 3);
    let lines = numbers(50_000);
    shell.feed(&["send", "q", "--lines", "--close"], lines.as_bytes()).fine(&["send"]);
    let text =
        |running: crate::shell::Running| String::from_utf8(running.end().fine(&["recv"])).unwrap();
    let (first, second, archive) = (text(first), text(second), text(archive));
    assert_eq!(archive, lines);
    assert_eq!(sorted(&[&first, &second]), (0..50_000).collect::<Vec<_>>());
}

#[test]
fn starts() {
    let shell = Shell::new();
    shell.ok(&["create", "q", "--capacity", "64K"]);
    shell.feed(&["send", "q", "--lines"], b"a\nb\nc\n").fine(&["send"]);
    let recv = |group: &str, from: &str| {
        shell.run(&["recv", "q", "--group", group, "--from", from, "--drain"])
    };
    assert_eq!(recv("all", "earliest").out, b"a\nb\nc\n");
    assert_eq!(recv("none", "latest").out, b"");
    assert_eq!(recv("some", "1").out, b"b\nc\n");
    // A group that exists goes on where it is, and says so.
    let again = recv("some", "earliest");
    assert_eq!((&*again.out, again.code), (&b""[..], Some(0)));
    assert!(again.err.contains("goes on where it is"), "{}", again.err);
}

#[test]
fn groups_are_listed_and_dropped() {
    let shell = Shell::new();
    shell.ok(&["create", "q", "--capacity", "64K"]);
    shell.ok(&["send", "q", "x", "--count", "5"]);
    shell.ok(&["recv", "q", "--group", "g", "-n", "2"]);
    let groups = shell.json(&["group", "ls", "q", "--json"]);
    let lags: Vec<String> = groups
        .as_array()
        .unwrap()
        .iter()
        .map(|group| format!("{} {}", group["name"].as_str().unwrap(), group["lag"]))
        .collect();
    assert_eq!(lags, ["default 5", "g 3"]);
    assert!(shell.ok(&["group", "ls", "q", "g"]).contains("named"));
    let member = shell.start(&["recv", "q", "--group", "g"]);
    shell.until("q", |stats| stats["received"] == 5);
    let said = shell.run(&["group", "drop", "q", "g"]);
    assert_eq!(said.code, Some(6));
    assert!(said.err.contains("has members (1); stop them first"), "{}", said.err);
    drop(member);
    shell.ok(&["group", "drop", "q", "g"]);
    shell.ok(&["group", "drop", "q", "default"]);
    assert_eq!(shell.json(&["group", "ls", "q", "--json"]).as_array().unwrap().len(), 0);
}

/// A receiver is killed with messages that it has not written yet: another one gets them, marked.
#[test]
fn a_killed_receiver_loses_nothing() {
    let shell = Shell::new();
    shell.ok(&["create", "q", "--capacity", "4M"]);
    let lines = numbers(30_000);
    shell.feed(&["send", "q", "--lines", "--close"], lines.as_bytes()).fine(&["send"]);
    // Nobody reads its pipe, so that it is stuck in the middle of a batch.
    let mut receiver = shell.start(&["recv", "q"]);
    let mut pipe = BufReader::new(receiver.child().stdout.take().unwrap());
    shell.until("q", |stats| stats["received"].as_u64() > Some(1));
    let mut seen = String::new();
    pipe.read_line(&mut seen).unwrap();
    receiver.kill();
    let mut rest = Vec::new();
    pipe.read_until(0, &mut rest).unwrap();
    // The last line that got into the pipe may be cut.
    let rest = String::from_utf8(rest).unwrap();
    seen.push_str(&rest[..rest.rfind('\n').map_or(0, |end| end + 1)]);

    let messages = shell.ok(&["recv", "q", "--json"]);
    let messages: Vec<serde_json::Value> =
        messages.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let again = messages.iter().filter(|message| message["deliveries"] == 2).count();
    assert!(again > 0 && again < messages.len(), "{again} of {}", messages.len());
    let text: String = messages
        .iter()
        .map(|message| format!("{}\n", message["payload"].as_str().unwrap()))
        .collect();
    let mut all = sorted(&[&seen, &text]);
    all.dedup();
    assert_eq!(all, (0..30_000).collect::<Vec<_>>());
}
