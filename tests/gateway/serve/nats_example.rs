//! The example of a work queue, as its README has it.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use super::super::packages::Folder;
use super::common;
use super::nats::Nats;

const SOURCE: &str = "examples/nats-work-queue";

/// A worker that takes jobs; killed in the end.
struct Worker(Child);

impl Worker {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Self(child)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sends jobs; which workers have answered.
fn send(node: &Folder, count: usize, url: &str) -> BTreeSet<String> {
    let output = node.node("send.mjs").args([&count.to_string(), url]).output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let answers = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let answers: Vec<_> = answers.collect();
    let jobs: BTreeSet<u64> =
        answers.iter().map(|answer| answer["job"].as_u64().unwrap()).collect();
    assert_eq!((answers.len(), jobs.len()), (count, count));
    assert!(
        answers
            .iter()
            .all(|answer| answer["words"].as_u64() == answer["job"].as_u64().map(|job| job + 1))
    );
    answers.iter().map(|answer| answer["worker"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_work_queue_with_two_languages() {
    let nats = Nats::new(&[]);
    common::queue(&nats.place.dir, "jobs", 1 << 20);
    let url = format!("nats://{}", nats.address);
    let node = Folder::npm(SOURCE);
    let python = Folder::python(SOURCE);
    let first = Worker::start(node.node("worker.mjs").arg(&url));
    let second = Worker::start(python.python3("worker.py").arg(&url));
    assert_eq!(send(&node, 60, &url).len(), 2, "both had some");
    // One dies, the other goes on.
    drop(first);
    assert_eq!(send(&node, 10, &url), BTreeSet::from(["python".to_owned()]));
    drop(second);
}
