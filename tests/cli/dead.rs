//! Dead letters: listed, sent again, given up, one by one or all.

use crate::shell::Shell;
use slipring::Queue;

/// Sends messages 0 to 5 to a queue, whose group `workers` rejects them all. Names may be paths.
fn reject_all(name: &str) {
    let queue = Queue::options().capacity(64 << 10).create(name).unwrap();
    let mut producer = queue.producer().unwrap();
    let workers = queue.consumer_options().group("workers").dead_letter("q.dead").open().unwrap();
    for number in 0..6 {
        producer.send_event(&format!("e.{number}"), number.to_string().as_bytes()).unwrap();
        workers.recv().unwrap().reject(&format!("reason {number}")).unwrap();
    }
    queue.drop_group("default").unwrap();
}

/// What `dead ls` finds: positions in the dead-letter queue.
fn listed(shell: &Shell, args: &[&str]) -> Vec<u64> {
    let list = shell.json(&[&["dead", "ls", "--json"], args].concat());
    list.as_array().unwrap().iter().map(|dead| dead["position"].as_u64().unwrap()).collect()
}

fn received(shell: &Shell, name: &str) -> Vec<String> {
    let text = shell.ok(&["recv", name, "--group", "workers", "--drain", "--json"]);
    let text = text.lines().map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).unwrap();
        format!("{} {}", message["event"].as_str().unwrap(), message["payload"].as_str().unwrap())
    });
    text.collect()
}

#[test]
fn listed_with_where_from_and_why() {
    let shell = Shell::new();
    reject_all(&shell.path("q"));
    let table = shell.ok(&["dead", "ls", "q"]);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 7);
    let words: Vec<&str> = lines[3].split_whitespace().collect();
    assert_eq!(words, ["q.dead", "2", "2", "workers", "1", "e.2", "2", "reason", "2"]);
    assert_eq!(listed(&shell, &["q.dead"]), [0, 1, 2, 3, 4, 5]);
    assert_eq!(listed(&shell, &["q", "1", "4"]), [1, 4]);
    assert_eq!(listed(&shell, &["q", "-n", "2"]), [0, 1]);
    assert_eq!(listed(&shell, &["q", "--group", "others"]), Vec::<u64>::new());
    assert_eq!(listed(&shell, &["q", "--group", "workers"]).len(), 6);
    // Whoever only lists changes nothing.
    assert_eq!(shell.json(&["stat", "q.dead", "--json"])["received"], 0);
}

#[test]
fn requeued_in_order_with_their_events() {
    let shell = Shell::new();
    reject_all(&shell.path("q"));
    let said = shell.run(&["dead", "requeue", "q"]);
    assert_eq!((said.code, &*said.err), (Some(0), "slipring: q: 6 dead letters requeued\n"));
    let expected: Vec<String> = (0..6).map(|number| format!("e.{number} {number}")).collect();
    assert_eq!(received(&shell, "q"), expected);
    assert_eq!(listed(&shell, &["q"]), Vec::<u64>::new());
    let said = shell.run(&["dead", "requeue", "q"]);
    assert_eq!((said.code, &*said.err), (Some(0), "slipring: q: 0 dead letters requeued\n"));
}

#[test]
fn some_are_requeued_some_dropped_and_the_others_stay() {
    let shell = Shell::new();
    reject_all(&shell.path("q"));
    shell.ok(&["dead", "requeue", "q", "3", "1"]);
    assert_eq!(listed(&shell, &["q"]), [0, 2, 4, 5]);
    // The dead-letter queue may be named itself: the letters know where they come from.
    shell.ok(&["dead", "requeue", "q.dead", "4"]);
    assert_eq!(received(&shell, "q"), ["e.1 1", "e.3 3", "e.4 4"]);
    shell.ok(&["dead", "drop", "q", "0"]);
    assert_eq!(listed(&shell, &["q.dead"]), [2, 5]);
    assert_eq!(shell.ok(&["peek", "q.dead"]), "2\n5\n");
    for verb in ["requeue", "drop"] {
        let said = shell.run(&["dead", verb, "q", "0"]);
        assert_eq!(said.code, Some(3));
        assert!(said.err.contains("no dead letter at 0; `slipring dead ls q`"), "{}", said.err);
    }
    shell.ok(&["dead", "drop", "q"]);
    assert_eq!((listed(&shell, &["q"]), received(&shell, "q")), (vec![], Vec::<String>::new()));
}

#[test]
fn queues_that_are_paths() {
    let shell = Shell::new();
    let path = shell.path("q");
    reject_all(&path);
    let elsewhere = |args: &[&str]| {
        let output = shell.command(args).env("SLIPRING_DIR", "/nowhere").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    elsewhere(&["dead", "requeue", &path, "0"]);
    elsewhere(&["dead", "requeue", &shell.path("q.dead"), "1"]);
    assert_eq!(received(&shell, "q"), ["e.0 0", "e.1 1"]);
}

#[test]
fn a_queue_that_is_gone_and_another_one() {
    let shell = Shell::new();
    reject_all(&shell.path("q"));
    shell.ok(&["rm", "q"]);
    let said = shell.run(&["dead", "requeue", "q.dead"]);
    assert_eq!(said.code, Some(3));
    assert!(said.err.contains("0 dead letters requeued"), "{}", said.err);
    assert!(said.err.contains("it is gone; say where they go, with --to QUEUE"), "{}", said.err);
    shell.ok(&["create", "other", "--capacity", "64K"]);
    assert_eq!(shell.run(&["dead", "requeue", "q.dead", "--to", "q.dead"]).code, Some(2));
    shell.ok(&["dead", "requeue", "q.dead", "--to", "other"]);
    assert_eq!(received(&shell, "other").len(), 6);
    assert_eq!(listed(&shell, &["q.dead"]), Vec::<u64>::new());
}

#[test]
fn a_full_queue_takes_what_it_can() {
    let shell = Shell::new();
    reject_all(&shell.path("q"));
    shell.ok(&["create", "small", "--capacity", "1K"]);
    shell.ok(&["send", "small", "x", "--count", "13"]);
    let said = shell.run(&["dead", "requeue", "q", "--to", "small"]);
    assert_eq!(said.code, Some(5), "{}", said.err);
    assert!(said.err.starts_with("slipring: q: 3 dead letters requeued\n"), "{}", said.err);
    assert!(said.err.contains("small: the ring is full"), "{}", said.err);
    assert_eq!(listed(&shell, &["q"]), [3, 4, 5]);
}

/// Two groups have given up the same message: it is sent once, since every group sees it.
#[test]
fn twins_are_requeued_once() {
    let shell = Shell::new();
    let queue = Queue::options().capacity(64 << 10).create(&shell.path("q")).unwrap();
    queue.producer().unwrap().send_event("e", b"twin").unwrap();
    for group in ["workers", "others"] {
        let consumer = queue.consumer_options().group(group).dead_letter("q.dead").open().unwrap();
        consumer.recv().unwrap().reject("bad").unwrap();
    }
    assert_eq!(listed(&shell, &["q"]), [0, 1]);
    let said = shell.run(&["dead", "requeue", "q"]);
    let words = "slipring: q: 1 dead letter requeued; of these messages 1 more\n";
    assert_eq!((said.code, &*said.err), (Some(0), words));
    assert_eq!(received(&shell, "q"), ["e twin"]);
    assert_eq!(listed(&shell, &["q"]), Vec::<u64>::new());
}
