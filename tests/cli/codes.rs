//! Each exit code of the contract, and words that say what to do next.

use crate::shell::Shell;
use std::fs;

/// A failing command: its exit code, nothing on standard output, and these words on standard error.
fn fails(shell: &Shell, args: &[&str], code: i32, words: &[&str]) {
    let said = shell.run(args);
    assert_eq!(said.code, Some(code), "{args:?}: {}", said.err);
    assert!(said.out.is_empty(), "{args:?} printed {:?}", String::from_utf8_lossy(&said.out));
    for word in words {
        assert!(said.err.contains(word), "{args:?}: no {word:?} in {:?}", said.err);
    }
}

#[test]
fn usage_is_2() {
    let shell = Shell::new();
    shell.ok(&["create", "q", "--capacity", "64K"]);
    for (args, word) in [
        (&["frobnicate"][..], "--help"),
        (&["create"], "--help"),
        (&["create", "x", "--capacity", "12 parsecs"], "64MiB"),
        (&["create", "x", "--mode", "999"], "0660"),
        (&["create", "x", "--block", "65"], "power of two"),
        (&["create", ".x"], "not starting with a dot"),
        (&["send", "q"], "--lines"),
        (&["send", "q", "text", "--lines"], "takes no TEXT"),
        (&["send", "q", "text", "--rate", "0"], "messages a second"),
        (&["recv", "q", "--from", "monday"], "earliest"),
        (&["recv", "q", "--timeout", "soon"], "500ms"),
        (&["recv", "q", "--group", ".x"], "not starting with a dot"),
        (&["recv", "q", "--drain", "--dead-letter", "my letters"], "is no dead-letter queue name"),
        (&["create", "x/"], "a path ends in the name"),
        (&["stat", "x/"], "a path ends in the name"),
    ] {
        fails(&shell, args, 2, &[word]);
    }
    let event = "e".repeat(256);
    fails(&shell, &["send", "q", "--event", &event, "x"], 2, &["q: ", "255"]);
}

#[test]
fn not_found_is_3() {
    let shell = Shell::new();
    shell.ok(&["create", "q", "--capacity", "64K"]);
    let (file, other) = (shell.path("file"), shell.path("other"));
    shell.ok(&["record", "q", &file, "--drain"]);
    for args in [
        &["stat", "none"][..],
        &["stat", "none", "--interval", "10ms"],
        &["record", "none", &other],
        &["record", "none", &other, "--group", "g"],
        &["replay", &file, "none"],
        &["dead", "ls", "none"],
        &["dead", "requeue", "none"],
        &["dead", "drop", "none"],
        &["send", "none", "x"],
        &["recv", "none"],
        &["peek", "none"],
        &["tail", "none"],
        &["close", "none"],
        &["rm", "none"],
        &["doctor", "none"],
        &["group", "ls", "none"],
        &["group", "drop", "none", "default"],
    ] {
        fails(&shell, args, 3, &["none: ", "`slipring ls`"]);
    }
    fails(&shell, &["group", "drop", "q", "none"], 3, &["none", "`slipring group ls q`"]);
    fails(&shell, &["group", "ls", "q", "none"], 3, &["none", "`slipring group ls q`"]);
    fails(&shell, &["peek", "q", "--group", "none"], 3, &["none", "`slipring group ls q`"]);
    let path = shell.path("no/such/queue");
    fails(&shell, &["create", &path], 3, &["mkdir -p", &shell.path("no/such")]);
    let in_none = shell.path("no/file");
    fails(&shell, &["record", "q", &in_none], 3, &["mkdir -p", &shell.path("no")]);
    for setting in ["--config", "--token-file"] {
        fails(&shell, &["serve", setting, &in_none], 3, &["no/file: no such file"]);
    }
    let nowhere = shell.path("no/where");
    let output = shell.command(&["create", "q"]).env("SLIPRING_DIR", &nowhere).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(&format!("q: no directory {nowhere}; make it with")), "{said}");
}

#[test]
fn timeout_and_empty_are_4() {
    let shell = Shell::new();
    shell.ok(&["create", "q", "--capacity", "64K"]);
    fails(&shell, &["recv", "q", "--timeout", "20ms"], 4, &["q: ", "`slipring stat q`"]);
    fails(&shell, &["recv", "q", "-n", "1", "--drain"], 4, &["0 of 1 came"]);
    fails(&shell, &["peek", "q"], 4, &["no message waits", "`slipring tail q`"]);
    // Nothing is what `--drain` alone is content with.
    assert_eq!(shell.ok(&["recv", "q", "--drain"]), "");
    // The time counts from the last message.
    shell.ok(&["send", "q", "one"]);
    let said = shell.run(&["recv", "q", "--timeout", "20ms"]);
    assert_eq!((said.code, &*said.out), (Some(4), &b"one\n"[..]));
}

#[test]
fn full_is_5() {
    let shell = Shell::new();
    shell.ok(&["create", "q", "--capacity", "4K"]);
    let lines = "line\n".repeat(1000);
    for timeout in ["0", "20ms"] {
        let said = shell.feed(&["send", "q", "--lines", "--timeout", timeout], lines.as_bytes());
        assert_eq!(said.code, Some(5), "{}", said.err);
        assert!(said.err.contains("q: the ring") && said.err.contains("`slipring group ls q`"));
    }
    assert_eq!(shell.ok(&["recv", "q", "--drain"]), "line\n".repeat(64));
}

#[test]
fn corrupt_and_incompatible_are_6() {
    let shell = Shell::new();
    fs::write(shell.path("junk"), "no queue").unwrap();
    shell.ok(&["create", "cut", "--capacity", "64K"]);
    fs::File::options().write(true).open(shell.path("cut")).unwrap().set_len(8192).unwrap();
    for verb in ["stat", "recv", "peek", "tail", "close"] {
        fails(&shell, &[verb, "junk"], 6, &["junk: not a Slipring queue"]);
        fails(&shell, &[verb, "cut"], 6, &["cut: truncated", "`slipring rm`"]);
    }
    let said = shell.run(&["doctor", "--repair"]);
    assert_eq!(said.code, Some(6));
    let text = String::from_utf8(said.out).unwrap();
    assert!(text.contains("try: slipring rm cut") && text.contains("try: slipring rm junk"));
    // Repair deletes nothing.
    let states: Vec<String> = shell
        .json(&["ls", "--json"])
        .as_array()
        .unwrap()
        .iter()
        .map(|queue| format!("{} {}", queue["name"], queue["state"]))
        .collect();
    assert_eq!(states, [r#""cut" "corrupt""#, r#""junk" "incompatible""#]);
    // What a mistyped path leads to is not removed; what is in the queues' directory is.
    fails(&shell, &["rm", &shell.path("junk")], 6, &["left alone"]);
    shell.ok(&["rm", "junk", "cut"]);
    assert_eq!(fs::read_dir(shell.dir()).unwrap().count(), 0);
}

#[test]
fn other_failures_are_1() {
    let shell = Shell::new();
    shell.ok(&["create", "q", "--capacity", "4K"]);
    fails(&shell, &["create", "q"], 1, &["q: exists already", "`slipring rm`"]);
    let long = shell.feed(&["send", "q", "-"], &[b'x'; 5000]);
    assert_eq!(long.code, Some(1));
    assert!(long.err.contains("2048") && long.err.contains("--capacity"), "{}", long.err);
    let long = shell.feed(&["send", "q", "--lines"], &[&[b'\n'; 2][..], &[b'x'; 5000]].concat());
    assert_eq!(long.code, Some(1));
    assert!(long.err.contains("line 3") && long.err.contains("--capacity"), "{}", long.err);
    shell.ok(&["close", "q"]);
    fails(&shell, &["send", "q", "late"], 1, &["q: the queue is closed", "`slipring rm q`"]);
    // Three of four are there; the fourth is reported, the others are done.
    shell.ok(&["create", "a", "--capacity", "4K"]);
    fails(&shell, &["serve", "--listen", "here"], 1, &["listen = \"here\"", "127.0.0.1:7117"]);
    fails(&shell, &["rm", "a", "none", "q"], 3, &["none: no such queue"]);
    assert_eq!(shell.json(&["ls", "--json"]).as_array().unwrap().len(), 0);
}

#[test]
fn a_full_disk_at_the_reader_loses_nothing() {
    let shell = Shell::new();
    shell.ok(&["create", "q", "--capacity", "64K"]);
    shell.ok(&["send", "q", "precious"]);
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = shell.command(&["recv", "q", "-n", "1"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("standard output"));
    assert_eq!(shell.ok(&["recv", "q", "-n", "1"]), "precious\n");
}
