//! A short run of two contenders, from measuring to the report.

use std::path::PathBuf;
use std::process::Command;

struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("peers-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a directory");
        Self(dir)
    }
    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.0.join(file)).expect(file)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn peers() -> Command {
    Command::new(env!("CARGO_BIN_EXE_peers"))
}

/// One line of the results for each work, size and contender: a row, or why there is none.
#[test]
fn a_quick_run_has_a_row_for_everything() {
    let dir = Dir::new("quick");
    let ran =
        peers().args(["--quick", "--only", "pipe", "--out"]).arg(&dir.0).output().expect("runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let lines: Vec<serde_json::Value> = dir
        .read("results.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect();
    assert_eq!(lines[0]["row"], "machine");
    for (name, size, contender) in [
        ("round trip", 64, "pipe"),
        ("one way", 65536, "pipe"),
        ("one way, batches", 64, "slipring"),
        ("one way, in place", 65536, "slipring, threads"),
        ("2 to 2", 64, "slipring"),
        ("fan-out to 8 groups, batches", 64, "slipring, threads"),
        ("wake-up", 8, "pipe"),
    ] {
        let row = lines
            .iter()
            .find(|line| {
                line["name"] == name && line["size"] == size && line["contender"] == contender
            })
            .unwrap_or_else(|| panic!("no row for {contender} at {name} with {size} bytes"));
        // The host may have moved the cores meanwhile; then the row says so.
        if row["row"] == "result" {
            assert!(row["median"].as_f64().expect("a number") > 0.0, "{row}");
            let latencies = row["latency_ns"]["samples"].as_u64().unwrap_or(0);
            assert_eq!(latencies > 0, row["unit"] == "ns", "{row}");
        } else {
            assert!(row["why"].as_str().expect("a reason").contains("moved"), "{row}");
        }
    }
    let report = dir.read("report.md");
    assert!(report.contains("| pipe |") && report.contains("## Goals"), "{report}");
}

/// The report alone, from results that are given: sorted, with ratios, goals and plots.
#[test]
fn the_report_comes_from_the_results_alone() {
    let dir = Dir::new("report");
    let row = |contender: &str, size: usize, median: f64| {
        format!(
            r#"{{"row":"result","work":{{"kind":"Flow","mode":"Single","producers":1,"workers":1,"groups":1}},"name":"one way","size":{size},"contender":"{contender}","unit":"messages/s","place":"near","repeats":5,"median":{median},"min":1.0,"max":9e8,"line_ns":110.0,"latency_ns":null}}"#
        )
    };
    let machine = r#"{"row":"machine","processor":"a processor","cores":2,"kernel":"6","command":"peers","versions":[["rtrb","0.4"]],"dropped":[1,20]}"#;
    let lines = [
        machine.to_owned(),
        row("slipring", 64, 50e6),
        row("slot ring", 64, 100e6),
        row("slipring", 8, 70e6),
        row("slot ring", 8, 100e6),
        r#"{"row":"not_run","work":{"kind":"Flow","mode":"Single","producers":1,"workers":1,"groups":1},"name":"one way","size":64,"contender":"Aeron IPC","why":"no CMake"}"#.to_owned(),
    ];
    std::fs::write(dir.0.join("results.jsonl"), lines.join("\n")).expect("results");
    let ran = peers().arg("report").arg(&dir.0).output().expect("runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let report = dir.read("report.md");
    let best = report
        .find("| slot ring | 100.0 M/s | 1/s to 900.0 M/s | 2.00 | 5 |")
        .expect("the best row");
    let ours = report.find("| **slipring** | 50.0 M/s |").expect("our row");
    assert!(best < ours, "the best comes first");
    assert!(
        report.contains(
            "| one way | 8 B: slipring ≥ 0.6 × slot ring | 70.0 M/s | 100.0 M/s | 0.70 | met |"
        ),
        "{report}"
    );
    assert!(report.contains("| one way | 64 B: slipring ≥ 0.85 × slot ring | 50.0 M/s | 100.0 M/s | 0.50 | **missed** |"), "{report}");
    assert!(report.contains("- Aeron IPC: not run: no CMake"), "{report}");
    let plot = dir.read("throughput.svg");
    assert!(plot.contains("<svg") && plot.contains("slot ring"), "{plot}");
}

#[test]
fn what_it_does_not_know_it_says() {
    let ran = peers().arg("--fast").output().expect("runs");
    assert!(!ran.status.success());
    assert!(String::from_utf8_lossy(&ran.stderr).contains("--quick"));
    let ran = peers().args(["report", "/nowhere"]).output().expect("runs");
    assert!(String::from_utf8_lossy(&ran.stderr).contains("run the benchmark with --out first"));
}

#[test]
fn one_core_is_refused_with_a_reason() {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let first = allowed.expect("a list").trim().split([',', '-']).next().expect("a core");
    let ran = Command::new("taskset")
        .args(["-c", first, env!("CARGO_BIN_EXE_peers"), "--quick"])
        .output()
        .expect("taskset");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(!ran.status.success() && said.contains("two cores are needed"), "{said}");
}
