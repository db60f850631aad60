//! Completions, manual pages, colours: what there is around the commands.

use crate::shell::Shell;
use std::collections::BTreeSet;
use std::process::Command;

/// The commands below a command that its `--help` lists.
pub fn commands(shell: &Shell, of: &[&str]) -> Vec<String> {
    let help = shell.ok(&[of, &["--help"]].concat());
    let list = help.split("Commands:\n").nth(1).unwrap_or_default();
    let list = list.split("\n\n").next().unwrap_or_default();
    let word = |line: &str| line.split_whitespace().next().map(str::to_owned);
    list.lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("    "))
        .filter_map(word)
        .filter(|word| word != "help")
        .collect()
}

#[test]
fn completions_know_all_commands() {
    let shell = Shell::new();
    let commands = commands(&shell, &[]);
    assert!(commands.len() > 15 && commands.contains(&"dead".to_owned()), "{commands:?}");
    for name in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = shell.ok(&["completions", name]);
        for command in &commands {
            assert!(script.contains(command.as_str()), "{name}: no {command}");
        }
        assert!(!script.contains("bench-part"), "{name}: what is for us alone");
    }
    assert_eq!(shell.run(&["completions", "ed"]).code, Some(2));
}

/// The script as bash itself uses it.
#[test]
fn bash_completes() {
    let shell = Shell::new();
    let script = shell.path("script");
    std::fs::write(&script, shell.ok(&["completions", "bash"])).unwrap();
    let complete = |words: &str| {
        let all: Vec<&str> =
            [&["slipring"][..], &words.split_whitespace().collect::<Vec<_>>()].concat();
        let (count, current, before) = (all.len() - 1, all[all.len() - 1], all[all.len() - 2]);
        let line = format!(
            "source {script}; COMP_WORDS=(slipring {words}); COMP_CWORD={count}; \
             _slipring slipring {current} {before}; echo ${{COMPREPLY[@]}}"
        );
        let output = Command::new("bash").args(["--norc", "-c", &line]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(complete("rec"), "recv record");
    assert_eq!(complete("recv --max"), "--max-deliveries");
    assert_eq!(complete("dead re"), "requeue");
}

#[test]
fn manual_pages() {
    let shell = Shell::new();
    let page = shell.ok(&["man"]);
    assert!(page.contains(".TH slipring 1") && page.contains("kill \\-9"), "{page}");
    let dir = shell.path("man/man1");
    shell.ok(&["man", "--dir", &dir]);
    let pages = std::fs::read_dir(&dir).unwrap().flatten();
    let pages: BTreeSet<String> =
        pages.map(|entry| entry.file_name().into_string().unwrap()).collect();
    for command in commands(&shell, &[]) {
        assert!(pages.contains(&format!("slipring-{command}.1")), "no page for {command}");
    }
    assert!(pages.contains("slipring-dead-requeue.1") && !pages.contains("slipring-bench-part.1"));
    let text = std::fs::read_to_string(format!("{dir}/slipring-recv.1")).unwrap();
    assert!(text.contains("\\-\\-drain"), "{text}");
}

/// What a command prints on a terminal.
fn on_a_terminal(shell: &Shell, line: &str, environment: &[(&str, &str)]) -> String {
    let line = format!("{} {line}", env!("CARGO_BIN_EXE_slipring"));
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    script.env("SLIPRING_DIR", shell.dir()).env("TERM", "xterm").env_remove("NO_COLOR");
    script.envs(environment.iter().copied());
    let output = script.output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn titles_stand_out_on_terminals_only() {
    let shell = Shell::new();
    shell.ok(&["create", "q", "--capacity", "64K"]);
    let (bold, plain) = ("\x1b[1mNAME ", "NAME ");
    assert!(shell.ok(&["ls"]).starts_with(plain));
    assert!(on_a_terminal(&shell, "ls", &[]).starts_with(bold));
    for off in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let text = on_a_terminal(&shell, "ls", &[off]);
        assert!(text.starts_with(plain) && !text.contains('\x1b'), "{off:?}: {text}");
    }
    // An empty value is none.
    assert!(on_a_terminal(&shell, "ls", &[("NO_COLOR", "")]).starts_with(bold));
    assert!(on_a_terminal(&shell, "recv --help", &[]).contains('\x1b'));
    assert!(!on_a_terminal(&shell, "recv --help", &[("NO_COLOR", "1")]).contains('\x1b'));
}

/// A group's or an event's name may be anything: it gives no orders to the terminal.
#[test]
fn texts_of_others_are_tamed() {
    let shell = Shell::new();
    let queue = slipring::Queue::options().capacity(4096).create(&shell.path("q")).unwrap();
    queue.producer().unwrap().send_event("e\x1b[2J", b"one\ntwo\x07").unwrap();
    let consumer = queue.consumer_options().group("g").dead_letter("q.dead").open().unwrap();
    consumer.recv().unwrap().reject("why\x1b]0;x\x07").unwrap();
    let table = shell.ok(&["dead", "ls", "q"]);
    assert!(!table.contains('\x1b') && !table.contains('\x07'), "{table:?}");
    assert!(table.contains(r"one\ntwo\u{7}") && table.lines().count() == 2, "{table}");
}

#[test]
fn rates() {
    let shell = Shell::new();
    shell.ok(&["create", "q", "--capacity", "64K"]);
    let queue = slipring::Queue::open(&shell.path("q")).unwrap();
    let mut producer = queue.producer().unwrap();
    let stat = shell.start_read(&["stat", "q", "--json", "-i", "300ms", "-n", "4"]);
    let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let mut stat = stat;
    while stat.child().try_wait().unwrap().is_none() {
        producer.send(b"x").unwrap();
        queue.consumer("default").unwrap().recv().unwrap().ack().unwrap();
        assert!(std::time::Instant::now() < end, "it goes on");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let text = String::from_utf8(stat.end().fine(&["stat"])).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 4);
    let number = |line: &serde_json::Value, name: &str| line[name].as_f64().unwrap();
    for line in &lines {
        assert!(number(line, "seconds") > 0.0 && number(line, "sent_per_second") > 0.0, "{line}");
        // A block each.
        let (sent, bytes) = (number(line, "sent_per_second"), number(line, "bytes_per_second"));
        assert!((bytes / sent / 64.0 - 1.0).abs() < 0.5, "{line}");
    }
    // What is counted in the intervals is no more than there is.
    let counted: f64 =
        lines.iter().map(|line| number(line, "sent_per_second") * number(line, "seconds")).sum();
    let all = shell.json(&["stat", "q", "--json"])["sent"].as_f64().unwrap();
    assert!(counted > 0.0 && counted < all + 0.5, "{counted} of {all}");
    for (args, word) in [
        (&["stat", "q", "-i", "1ms"][..], "10ms"),
        (&["stat", "q", "-n", "1"], "--interval"),
        (&["stat"], "NAME"),
        (&["stat", "q", "--prometheus", "--json"], "cannot be used"),
    ] {
        let said = shell.run(args);
        assert!(said.code == Some(2) && said.err.contains(word), "{args:?}: {}", said.err);
    }
}

/// The names and values are those of the gateway.
#[test]
fn prometheus() {
    let shell = Shell::new();
    shell.ok(&["create", "a", "--capacity", "64K"]);
    shell.ok(&["create", "b", "--capacity", "64K"]);
    shell.ok(&["send", "a", "x", "--count", "3"]);
    let one = shell.ok(&["stat", "a", "--prometheus"]);
    assert!(one.contains("slipring_queue_sent_total{queue=\"a\"} 3\n"), "{one}");
    assert!(one.contains("slipring_group_lag{queue=\"a\",group=\"default\"} 3\n"), "{one}");
    assert!(!one.contains("\"b\""), "{one}");
    let all = shell.ok(&["stat", "--prometheus"]);
    assert!(all.contains("slipring_queue_sent_total{queue=\"b\"} 0\n"), "{all}");

    let mut gateway = shell.start(&["serve", "--listen", "127.0.0.1:0"]);
    let mut line = String::new();
    let err = gateway.child().stderr.as_mut().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(err), &mut line).unwrap();
    let url = format!("{}/metrics", line.trim().strip_prefix("listening on ").unwrap());
    let output = Command::new("curl").args(["-sSf", &url]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.ends_with(&all), "the gateway says {text}\nthe command says {all}");
}
