//! `slipring bench`: figures that can be true, pictures that can be read, and nothing that is left.

use crate::shell::{Running, Said, Shell};
use serde_json::Value;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What a kind measures one after the other: groups, and members of each.
const KINDS: [(&str, &[(u64, u64)]); 5] = [
    ("rtt", &[(1, 1)]),
    ("throughput", &[(1, 1)]),
    ("fanout", &[(1, 1), (2, 1), (4, 1), (8, 1)]),
    ("workers", &[(1, 1), (1, 2), (1, 4)]),
    ("wake", &[(1, 1)]),
];

fn bench<'a>(kind: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["bench", kind, "--seconds", "100ms"], more].concat()
}

fn assert_nothing_left(shell: &Shell) {
    let left: Vec<_> = fs::read_dir(shell.dir()).unwrap().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}

fn number(value: &Value, name: &str) -> f64 {
    value[name].as_f64().unwrap_or_else(|| panic!("no number {name} in {value}"))
}

/// Fields that are numbers above zero, each at most the next one.
fn ascending(value: &Value, names: &[&str]) {
    let numbers: Vec<f64> = names.iter().map(|name| number(value, name)).collect();
    assert!(numbers[0] > 0.0 && numbers.is_sorted(), "{names:?} {numbers:?}");
}

/// A figure of several repeats. Returns its median.
fn spread(value: &Value) -> f64 {
    ascending(value, &["min", "median", "max"]);
    number(value, "median")
}

fn equal(left: f64, right: f64) {
    assert!((left / right - 1.0).abs() < 1e-6, "{left} {right}");
}

fn check_latency(latency: &Value) {
    let percentiles = ["min_ns", "p50_ns", "p90_ns", "p99_ns", "p999_ns", "max_ns"];
    ascending(latency, &percentiles);
    ascending(latency, &["clock_ns"]);
    let times = latency["times"].as_array().unwrap();
    assert!(times.is_sorted_by_key(|step| step["ns"].as_u64().unwrap()));
    let counted: u64 = times.iter().map(|step| step["count"].as_u64().unwrap()).sum();
    assert_eq!(latency["count"], counted);
    // Half of them take no longer than the median, and the other half no less.
    let below = times.iter().filter(|step| step["ns"].as_u64() < latency["p50_ns"].as_u64());
    let below: u64 = below.map(|step| step["count"].as_u64().unwrap()).sum();
    assert!(below * 2 <= counted, "{latency}");
}

fn check_rates(row: &Value, size: f64) {
    let rate = spread(&row["messages_per_second"]);
    equal(spread(&row["bytes_per_second"]), rate * size);
    equal(spread(&row["ns_per_message"]), 1e9 / rate);
}

fn check_row(kind: &str, row: &Value, size: f64, cores: usize) {
    assert!(row["repeats"].as_u64() > Some(0), "{row}");
    if cores > 1 {
        let line = spread(&row["line_ns"]);
        assert!(row["shares_cache"].is_null() || row["shares_cache"] == (line < 200.0), "{row}");
    } else {
        assert!(row["line_ns"].is_null() && row["shares_cache"].is_null(), "{row}");
    }
    if kind == "wake" && cores > 1 {
        equal(number(row, "ratio"), number(&row["latency"], "p50_ns") / spread(&row["futex_ns"]));
    } else {
        assert!(row["futex_ns"].is_null(), "{row}");
    }
    if matches!(kind, "rtt" | "wake") {
        check_latency(&row["latency"]);
        let trip = &row["latency"]["trip_ns"];
        match kind {
            "rtt" if cores > 1 => {
                equal(number(row, "ratio"), spread(trip) / spread(&row["line_ns"]))
            }
            "rtt" => assert!(spread(trip) > 0.0 && row["ratio"].is_null(), "{row}"),
            _ => assert!(trip.is_null(), "{row}"),
        }
        for field in ["messages_per_second", "bytes_per_second", "ns_per_message"] {
            assert!(row[field].is_null(), "{row}");
        }
    } else {
        check_rates(row, size);
        assert!(row["latency"].is_null() && row["ratio"].is_null(), "{row}");
    }
}

fn check_kind(kind: &str, size: &str, bytes: u64) {
    let expected = KINDS.iter().find(|(name, _)| *name == kind).unwrap().1;
    let shell = Shell::new();
    let report = shell.json(&bench(kind, &["--json", "--size", size]));
    crate::json::check("bench", &[report.to_string()]);
    assert_eq!((&report["bench"], &report["size"]), (&kind.into(), &bytes.into()));
    assert_eq!(report["seconds"], 0.1);
    assert!(report["pinned"].is_boolean() && report["left_out"].is_u64(), "{report}");
    let cores = report["cores"].as_array().unwrap();
    let rows = report["rows"].as_array().unwrap();
    let mut seen: Vec<(u64, u64)> = rows
        .iter()
        .map(|row| (row["groups"].as_u64().unwrap(), row["members"].as_u64().unwrap()))
        .collect();
    // With near and far cores apart there can be two of each.
    seen.dedup();
    assert_eq!(seen, expected);
    rows.iter().for_each(|row| check_row(kind, row, bytes as f64, cores.len()));
    assert_nothing_left(&shell);
}

#[test]
fn round_trips() {
    check_kind("rtt", "64", 64);
}

#[test]
fn throughput() {
    check_kind("throughput", "1KiB", 1024);
}

#[test]
fn fan_out() {
    check_kind("fanout", "64", 64);
}

#[test]
fn workers() {
    check_kind("workers", "64", 64);
}

#[test]
fn wake_ups() {
    check_kind("wake", "64", 64);
}

#[test]
fn the_smallest_and_the_largest_messages() {
    for kind in ["rtt", "throughput"] {
        check_kind(kind, "1", 1);
        check_kind(kind, "1MiB", 1 << 20);
    }
}

#[test]
fn a_sole_core() {
    let shell = Shell::new();
    let cores = &shell.json(&bench("throughput", &["--json"]))["cores"];
    let core = cores[0].to_string();
    for kind in ["rtt", "throughput", "wake"] {
        let mut taskset = Command::new("taskset");
        taskset.args(["-c", &core, env!("CARGO_BIN_EXE_slipring")]).args(bench(kind, &["--json"]));
        let output = taskset.env("SLIPRING_DIR", shell.dir()).output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["cores"].to_string(), format!("[{core}]"));
        assert_eq!(report["rows"].as_array().unwrap().len(), 1);
        check_row(kind, &report["rows"][0], 64.0, 1);
    }
}

#[test]
fn bars_and_progress_on_a_terminal() {
    let shell = Shell::new();
    let program = env!("CARGO_BIN_EXE_slipring");
    let line = format!("{program} {}", bench("rtt", &[]).join(" "));
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    let output = script.env("SLIPRING_DIR", shell.dir()).env("TERM", "xterm").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("/20 repeats") && text.contains(" % ####"), "{text}");
    assert_nothing_left(&shell);
}

/// Says what the elements of an SVG file are, if it is one, and whether all of their numbers lie inside of it.
const READ_SVG: &str = r#"
import sys, re, xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
space = "{http://www.w3.org/2000/svg}"
width, height = map(float, root.get("viewBox").split()[2:])
across, down = ("x", "x1", "x2", "width"), ("y", "y1", "y2", "height")
for element in root.iter():
    assert element.tag.startswith(space), element.tag
    print(element.tag.removeprefix(space), (element.text or "").strip())
    points = [point.split(",") for point in element.get("points", "").split()]
    xs = [element.get(name) for name in across if element.get(name)] + [x for x, _ in points]
    ys = [element.get(name) for name in down if element.get(name)] + [y for _, y in points]
    assert all(0 <= float(x) <= width for x in xs), xs
    assert all(0 <= float(y) <= height for y in ys), ys
"#;

#[test]
fn tables_and_pictures_for_people() {
    let shell = Shell::new();
    let pictures = Shell::new();
    let path = pictures.path("picture.svg");
    for (kind, titles, shape, least) in [
        ("rtt", "P50", "polyline", 1),
        ("wake", "BARE WAKE", "polyline", 1),
        ("workers", "MESSAGES/S", "rect", 4),
    ] {
        let said = shell.run(&bench(kind, &["--svg", &path]));
        let err = said.err.clone();
        let text = String::from_utf8(said.fine(&["bench", kind])).unwrap();
        assert!(text.contains(titles) && text.contains("\ncores "), "{text}");
        // Neither bars nor progress where nobody looks.
        assert!(!text.contains(" % ") && err.is_empty(), "{text}{err}");
        let output = Command::new("python3").args(["-c", READ_SVG, &path]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let count = text.lines().filter(|line| line.starts_with(shape)).count();
        assert!(text.starts_with("svg") && count >= least, "{text}");
        assert!(text.contains("64 B each"), "{text}");
    }
    assert_nothing_left(&shell);
    // A place where it cannot be put: the figures are there nevertheless.
    let said = shell.run(&bench("throughput", &["--json", "--svg", &pictures.path("no/picture")]));
    assert_eq!(said.code, Some(3));
    assert!(said.err.contains("no/picture: no directory "), "{}", said.err);
    serde_json::from_slice::<Value>(&said.out).unwrap();
}

#[test]
fn wrong_arguments_are_2() {
    let shell = Shell::new();
    for (args, word) in [
        (&[][..], "throughput"),
        (&["speed"], "throughput"),
        (&["rtt", "--size", "0"], "1MiB"),
        (&["rtt", "--size", "1048577"], "1MiB"),
        (&["rtt", "--size", "large"], "64MiB"),
        (&["rtt", "--seconds", "0"], "10ms"),
        (&["rtt", "--seconds", "2h"], "1h"),
        (&["rtt", "--seconds", "soon"], "500ms"),
        (&["rtt", "wake"], "--help"),
    ] {
        let said = shell.run(&[&["bench"], args].concat());
        assert_eq!(said.code, Some(2), "{args:?}: {}", said.err);
        assert!(said.out.is_empty() && said.err.contains(word), "{args:?}: {}", said.err);
    }
    assert_nothing_left(&shell);
}

#[test]
fn a_directory_that_takes_no_queues() {
    let shell = Shell::new();
    for (dir, code) in [("/dev/null", 1), ("/proc/none", 3)] {
        let output = shell.command(&bench("rtt", &[])).env("SLIPRING_DIR", dir).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(text.starts_with("slipring: bench-") && text.lines().count() == 1, "{text}");
    }
}

/// Process ids and command lines of a benchmark's parts that play a role.
fn parts(of: u32, role: &str) -> Vec<(u32, String)> {
    let word = format!("\0bench-part\0{role}");
    let name = format!("\0bench-{of}-");
    let processes = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let id = entry.file_name().to_str()?.parse().ok()?;
        Some((id, fs::read_to_string(entry.path().join("cmdline")).ok()?))
    });
    processes.filter(|(_, line)| line.contains(&word) && line.contains(&name)).collect()
}

fn until(what: &str, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !so() {
        assert!(Instant::now() < end, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn signal(name: &str, id: u32) {
    let line = format!("kill -s {name} {id}");
    let status = Command::new("sh").args(["-c", &line]).status().unwrap();
    assert!(status.success());
}

/// Runs one that would go on for long, does something to it when it is at work, and returns what it said. Nothing is left of it.
fn interrupted(kind: &str, how: impl FnOnce(u32)) -> Said {
    let shell = Shell::new();
    // Where tests run in the background, the signal may be ignored.
    let mut command = Command::new("env");
    command.args(["--default-signal=INT,TERM", env!("CARGO_BIN_EXE_slipring")]);
    command.args(["bench", kind, "--seconds", "10m"]).env("SLIPRING_DIR", shell.dir());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let running = Running::new(&mut command);
    let id = running.id();
    let queues = || fs::read_dir(shell.dir()).unwrap().flatten().count();
    until("its queues", || queues() >= 2);
    how(id);
    let said = running.end();
    until("its parts to end", || parts(id, "").is_empty());
    assert_nothing_left(&shell);
    said
}

#[test]
fn interrupted_or_killed_it_leaves_nothing() {
    for name in ["INT", "TERM", "KILL"] {
        let said = interrupted("fanout", |id| signal(name, id));
        assert!(said.code.is_none() && said.out.is_empty(), "{}", said.err);
        let words = said.err.starts_with("slipring: bench: interrupted after ");
        assert_eq!(words, name != "KILL", "{}", said.err);
    }
}

#[test]
fn a_side_that_dies_ends_it() {
    for (kind, role) in [("throughput", "drain"), ("rtt", "ping"), ("wake", "limits")] {
        let said = interrupted(kind, |id| {
            let mut victim = Vec::new();
            until("a victim", || {
                victim = parts(id, role);
                !victim.is_empty()
            });
            signal("KILL", victim[0].0);
        });
        assert_eq!(said.code, Some(1), "{}", said.err);
        assert!(said.err.contains("one of the sides has ended early"), "{}", said.err);
    }
}
