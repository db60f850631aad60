//! `slipring demo`, and that nothing is left of it.

use crate::shell::Shell;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

fn place(pid: u32) -> String {
    format!("/dev/shm/slipring-demo-{pid}")
}

fn gone_within(path: &str, limit: Duration) -> bool {
    let end = Instant::now() + limit;
    while Path::new(path).exists() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(10));
    }
    !Path::new(path).exists()
}

#[test]
fn the_main_job_on_real_input() {
    let shell = Shell::new();
    let demo = shell.start(&["demo"]);
    let place = place(demo.id());
    let text = String::from_utf8(demo.end().fine(&["demo"])).unwrap();
    for line in ["sent ", "delivered ", "redelivered ", "rate ", "both replaced"] {
        assert!(text.contains(line), "no {line:?} in {text}");
    }
    assert_eq!(text.matches("\ncompared ").count(), 2, "{text}");
    assert!(!Path::new(&place).exists());
}

#[test]
fn figures_as_json() {
    let shell = Shell::new();
    let file = shell.path("text");
    // No newline at the end, and lines that are empty.
    fs::write(&file, "first\n\nthird\n".repeat(20_000) + "last").unwrap();
    let args = ["demo", "--json", "--file", &file, "--messages", "1", "--capacity", "64K"];
    let figures = shell.json(&args);
    assert_eq!(figures["equal"], true);
    for (name, value) in [("lines", 60_001), ("sent", 60_001), ("delivered_archive", 60_001)] {
        assert_eq!(figures[name], value, "{figures}");
    }
    let delivered = figures["delivered_workers"].as_u64().unwrap();
    let again = figures["redelivered"].as_u64().unwrap();
    assert!((60_001..=60_001 + again).contains(&delivered), "{figures}");
    assert!(figures["repaired"].as_u64().unwrap() >= 2, "{figures}");
}

/// Nobody is over before he is killed, however little there is to do.
#[test]
fn short_texts() {
    let shell = Shell::new();
    let file = shell.path("text");
    for lines in [1, 2, 3, 7, 40] {
        fs::write(&file, "a line\n".repeat(lines)).unwrap();
        let figures = shell.json(&["demo", "--json", "--file", &file, "--messages", "1"]);
        assert_eq!((&figures["equal"], &figures["sent"]), (&true.into(), &lines.into()));
    }
}

#[test]
fn what_it_cannot_do_it_says() {
    let shell = Shell::new();
    let empty = shell.path("empty");
    fs::write(&empty, "").unwrap();
    for (file, words) in [("/none", "give a text file"), (&empty, "--file PATH")] {
        let said = shell.run(&["demo", "--file", file]);
        assert_eq!(said.code, Some(1), "{}", said.err);
        assert!(said.err.contains(file) && said.err.contains(words), "{}", said.err);
    }
    // A line that does not fit into the queue: a part fails, and all is cleared up.
    let long = shell.path("long");
    fs::write(&long, "x".repeat(100_000)).unwrap();
    let demo = shell.start(&["demo", "--file", &long, "--messages", "1", "--capacity", "64K"]);
    let place = place(demo.id());
    let said = demo.end();
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.err.contains("--capacity"), "{}", said.err);
    assert!(!Path::new(&place).exists());
}

/// Killed itself, it leaves neither processes nor files: its parts notice.
#[test]
fn killed_itself_it_leaves_nothing() {
    let shell = Shell::new();
    let file = shell.path("text");
    fs::write(&file, "a line\n").unwrap();
    let demo = shell.start(&["demo", "--file", &file, "--messages", "3000000"]);
    let place = place(demo.id());
    let end = Instant::now() + Duration::from_secs(60);
    let at_work = || fs::metadata(format!("{place}/archive.0")).is_ok_and(|meta| meta.len() > 0);
    while !at_work() {
        assert!(Instant::now() < end, "it does not begin");
        std::thread::sleep(Duration::from_millis(5));
    }
    demo.kill();
    assert!(gone_within(&place, Duration::from_secs(30)), "{place} is left");
}
