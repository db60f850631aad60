//! `slipring doctor`: each problem is provoked, found, and cured by the command that it says.

use crate::shell::Shell;
use serde_json::Value;
use slipring::Queue;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// A report's problems or notes: what, and the command.
fn found(shell: &Shell, list: &str) -> Vec<(String, String)> {
    let said = shell.run(&["doctor", "--json"]);
    let report: Value = serde_json::from_slice(&said.out).unwrap();
    let problems = report["problems"].as_array().unwrap();
    assert_eq!(said.code == Some(0), problems.is_empty(), "{}", said.err);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let items = report[list].as_array().unwrap().iter();
    items.map(|item| (text(&item[list.trim_end_matches('s')]), text(&item["command"]))).collect()
}

/// The command of the only one whose text contains the words.
fn only(shell: &Shell, list: &str, words: &str) -> String {
    let all = found(shell, list);
    let mut fitting = all.iter().filter(|(what, _)| what.contains(words));
    let found = fitting.next().unwrap_or_else(|| panic!("no {words:?} in {all:?}"));
    assert!(fitting.next().is_none(), "more than one {words:?} in {all:?}");
    found.1.clone()
}

fn sh(shell: &Shell, line: &str) {
    let status = Command::new("sh").args(["-c", line]).env("SLIPRING_DIR", shell.dir()).status();
    assert!(status.unwrap().success(), "{line}");
}

#[test]
fn permissions() {
    let shell = Shell::new();
    shell.ok(&["create", "q", "--capacity", "64K", "--mode", "0606"]);
    fs::set_permissions(shell.dir(), fs::Permissions::from_mode(0o777)).unwrap();
    let file =
        only(&shell, "problems", "q: anybody may write its file, and so spoil it (mode 0606)");
    let directory = only(&shell, "problems", "anybody may remove what others have in it");
    sh(&shell, &file);
    sh(&shell, &directory);
    assert_eq!(found(&shell, "problems"), []);
    let mode = |path: &str| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(&shell.path("q")), mode(&shell.dir())), (0o604, 0o1777));
}

#[test]
fn places_that_are_all_taken() {
    let shell = Shell::new();
    let options = Queue::options().capacity(4096).max_members(2).max_groups(1);
    let queue = options.create(&shell.path("q")).unwrap();
    let members = (queue.producer().unwrap(), queue.producer().unwrap());
    let command = only(&shell, "problems", "q: all 2 places for producers and consumers are taken");
    assert!(command.starts_with("slipring stat q"), "{command}");
    drop(members);
    let command = only(&shell, "problems", "q: there are as many groups as there can be, 1");
    assert!(command.contains("slipring group drop q"), "{command}");
    queue.drop_group("default").unwrap();
    assert_eq!(found(&shell, "problems"), []);
}

/// A queue is stale if it has no members, and nobody maps it either: an observer is no member.
#[test]
fn queues_that_nobody_has_open() {
    let shell = Shell::new();
    shell.ok(&["create", "q", "--capacity", "64K"]);
    shell.ok(&["send", "q", "x"]);
    let command = only(&shell, "notes", "q: nobody has it open");
    assert_eq!(command, "slipring rm q, if nobody needs it");
    let text = shell.ok(&["doctor"]);
    let lines = "q: open, 64 B of 64 KiB used, 1 group, 0 members, 0 asleep\n  \
                 group default: vacant, 0 members, 1 message behind\n";
    assert!(text.contains(lines), "{text}");
    assert!(found(&shell, "notes")[0].0.ends_with("and 64 B wait in it"));
    let mut tail = shell.start(&["tail", "-f", "q"]);
    let mut byte = [0];
    std::io::Read::read_exact(tail.child().stdout.as_mut().unwrap(), &mut byte).unwrap();
    assert_eq!(found(&shell, "notes"), []);
    tail.kill();
    only(&shell, "notes", "q: nobody has it open");
    let receiver = shell.start(&["recv", "q"]);
    shell.until("q", |stats| stats["members"].as_array().unwrap().len() == 1);
    assert_eq!(found(&shell, "notes"), []);
    drop(receiver);
}

#[test]
fn dead_letters_and_leftovers() {
    let shell = Shell::new();
    let queue = Queue::options().capacity(4096).create(&shell.path("q")).unwrap();
    queue.producer().unwrap().send(b"x").unwrap();
    let group = queue.consumer_options().group("g").dead_letter("q.dead").open().unwrap();
    assert!(found(&shell, "notes").iter().all(|(note, _)| !note.contains("dead letter")));
    group.recv().unwrap().reject("bad").unwrap();
    let command = only(&shell, "notes", "q: 1 dead letter in q.dead");
    assert!(command.starts_with("slipring dead ls q"), "{command}");
    shell.ok(&["dead", "drop", "q"]);
    assert!(found(&shell, "notes").iter().all(|(note, _)| !note.contains("dead letter")));
    // Its bell is its own; one of a queue that is gone is left over.
    std::os::fd::AsFd::as_fd(&group);
    fs::write(shell.path(".bell-0123456789abcdef-1"), "").unwrap();
    let command = only(&shell, "notes", "1 socket of queues that are gone");
    sh(&shell, command.split(',').next().unwrap());
    assert!(found(&shell, "notes").iter().all(|(note, _)| !note.contains("socket")));
}

#[test]
fn limits() {
    let shell = Shell::new();
    for (limit, words, command) in [
        ("ulimit -Sf 2000", "a file may have at most 1000 KiB, and", "ulimit -f unlimited"),
        ("ulimit -Sn 64", "few open files are allowed", "ulimit -n 1024"),
    ] {
        let line = format!("{limit}; exec {} doctor", env!("CARGO_BIN_EXE_slipring"));
        let mut sh = Command::new("sh");
        let output = sh.args(["-c", &line]).env("SLIPRING_DIR", shell.dir()).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(words) && text.contains(&format!("try: {command}\n")), "{text}");
    }
    let text = shell.ok(&["doctor"]);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    for words in [
        &format!("kernel         {}", kernel.trim())[..],
        "layout version 1",
        "file system    tmpfs, ",
        "membarrier     ",
        "address space  ",
    ] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
}

#[test]
fn another_layout_version_is_named() {
    let shell = Shell::new();
    shell.ok(&["create", "q", "--capacity", "4K"]);
    let mut bytes = fs::read(shell.path("q")).unwrap();
    bytes[8] = 99;
    fs::write(shell.path("q"), bytes).unwrap();
    let command = only(&shell, "problems", "q: layout version 99 (features 0");
    assert_eq!(command, "slipring rm q, if nobody needs it");
    assert_eq!(shell.run(&["doctor"]).code, Some(6));
}
