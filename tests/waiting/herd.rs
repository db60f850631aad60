//! One message wakes one worker of each group, and not all of them.

use super::child::{Child, SOON, alone, say};
use super::common::TempDir;
use super::{both_ways, queue};
use slipring::Queue;
use std::time::{Duration, Instant};

const WORKERS: usize = 5;
const GROUPS: [&str; 2] = ["default", "other"];
const MESSAGES: u64 = 150;
/// Sleepers wake this often by themselves.
const NAP: Duration = Duration::from_millis(50);

both_ways! { one_message_wakes_one_worker_of_each_group }

pub fn play(arguments: &[String]) {
    let queue = Queue::open(&arguments[0]).unwrap();
    let rx = queue.consumer(&arguments[1]).unwrap();
    say("ready");
    loop {
        rx.recv().unwrap().ack().unwrap();
    }
}

/// How often a process has gone to sleep.
fn sleeps(child: &Child) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", child.pid())).unwrap();
    let of = |path: std::path::PathBuf| -> u64 {
        let text = std::fs::read_to_string(path.join("status")).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.unwrap().trim().parse().unwrap()
    };
    tasks.map(|task| of(task.unwrap().path())).sum()
}

fn one_message_wakes_one_worker_of_each_group(fenced: bool) {
    let _alone = alone();
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 1 << 14, fenced);
    let mut crew: Vec<Child> = Vec::new();
    for group in GROUPS {
        crew.extend((0..WORKERS).map(|_| Child::start("herd", &[queue.name(), group])));
    }
    for child in &mut crew {
        assert_eq!(child.hear(), "ready");
    }
    let mut tx = queue.producer().unwrap();
    // All asleep.
    std::thread::sleep(Duration::from_millis(20));
    let count = || crew.iter().map(sleeps).sum::<u64>();
    let (before, start) = (count(), Instant::now());
    for _ in 0..MESSAGES {
        tx.send(b"x").unwrap();
        // Until it is done, and whoever did it is asleep again.
        let sent = Instant::now();
        while queue.stats().groups.iter().any(|group| group.lag > 0) {
            assert!(sent.elapsed() < SOON, "nobody is woken");
            std::thread::sleep(Duration::from_micros(50));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let (slept, time) = (count() - before, start.elapsed());
    let wakes = MESSAGES * GROUPS.len() as u64;
    let naps = (time.as_micros() / NAP.as_micros() + 1) as u64 * crew.len() as u64;
    println!(
        "{MESSAGES} messages to {} groups of {WORKERS}: {slept} sleeps, of which at most {naps} after a nap; a herd: {}",
        GROUPS.len(),
        wakes * WORKERS as u64
    );
    // Nearly every message found all asleep: else this shows nothing.
    assert!(slept >= wakes * 9 / 10, "{slept} sleeps for {wakes} wakes");
    assert!(slept <= wakes + wakes / 5 + naps, "{slept} sleeps for {wakes} wakes, {naps} naps");
}
