//! docs/json.md against what is really printed: each field that is there is on the page, with its type, and each on the page is there. No command is left out.

use crate::shell::Shell;
use crate::surface::commands;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Of each section of the page: its fields and their types.
struct Page(BTreeMap<String, BTreeMap<String, String>>);

impl Page {
    fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/json.md");
        let text = std::fs::read_to_string(path).unwrap();
        let mut sections = BTreeMap::new();
        for section in text.split("\n## ").skip(1) {
            let name = section.lines().next().unwrap().trim_matches('`').to_owned();
            let rows = section.lines().filter(|line| line.starts_with("| `"));
            let field = |row: &str| {
                let mut cells = row.trim_matches('|').split('|').map(str::trim);
                let name = cells.next().unwrap().trim_matches('`').to_owned();
                (name, cells.next().unwrap().to_owned())
            };
            sections.insert(name, rows.map(field).collect());
        }
        Self(sections)
    }

    /// Appends what does not fit.
    fn check(&self, section: &str, value: &Value, wrong: &mut BTreeSet<String>) {
        let fields = &self.0[section];
        assert!(!fields.is_empty(), "{section} has no fields");
        let Some(object) = value.as_object() else {
            wrong.insert(format!("{section}: no object: {value}"));
            return;
        };
        for name in object.keys().filter(|name| !fields.contains_key(*name)) {
            wrong.insert(format!("{section}.{name} is not on the page"));
        }
        for (name, kind) in fields {
            let name = format!("{section}.{name}");
            match object.get(name.rsplit('.').next().unwrap()) {
                Some(value) => self.check_type(&name, kind, value, wrong),
                None if kind.ends_with(" or absent") => {}
                None => drop(wrong.insert(format!("{name} is missing"))),
            }
        }
    }

    fn check_type(&self, name: &str, kind: &str, value: &Value, wrong: &mut BTreeSet<String>) {
        let or_null = kind.strip_suffix(" or null");
        let kind = or_null.or(kind.strip_suffix(" or absent")).unwrap_or(kind);
        let fits = match kind {
            _ if or_null.is_some() && value.is_null() => true,
            _ if kind.contains(" or ") && !kind.starts_with("array") => {
                let fits = |kind: &&str| {
                    let mut wrong = BTreeSet::new();
                    self.check_type(name, kind, value, &mut wrong);
                    wrong.is_empty()
                };
                kind.split(" or ").any(|kind| fits(&kind))
            }
            "string" => value.is_string(),
            "integer" => value.is_u64(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            "array" => value.is_array(),
            _ => match kind.strip_prefix("array of ") {
                Some(kind) => {
                    let values = value.as_array().cloned().unwrap_or_default();
                    values.iter().for_each(|value| self.check_type(name, kind, value, wrong));
                    value.is_array()
                }
                None => {
                    self.check(kind, value, wrong);
                    true
                }
            },
        };
        if !fits {
            wrong.insert(format!("{name} is no {kind}: {value}"));
        }
    }
}

/// Checks what commands print: an object, an array of objects, or objects line by line. No list may be empty.
pub fn check(section: &str, outputs: &[String]) {
    let (page, mut wrong) = (Page::read(), BTreeSet::new());
    for text in outputs {
        let values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
        let values: Vec<Value> = values.map(Result::unwrap).collect();
        let flat: Vec<&Value> = values
            .iter()
            .flat_map(|value| value.as_array().map_or(vec![value], |all| all.iter().collect()))
            .collect();
        assert!(!flat.is_empty(), "{section}: nothing to compare");
        flat.into_iter().for_each(|value| page.check(section, value, &mut wrong));
    }
    assert!(wrong.is_empty(), "docs/json.md: {wrong:#?}");
}

/// A queue with a group of each kind, with members of each role, and with dead letters.
fn lively(shell: &Shell) -> (slipring::Producer, slipring::Consumer) {
    let queue = slipring::Queue::options().capacity(64 << 10).create(&shell.path("q")).unwrap();
    let mut producer = queue.producer().unwrap();
    producer.send_event("first", b"text").unwrap();
    producer.send(&[0xff]).unwrap();
    let group = queue.consumer_options().group("workers").dead_letter("q.dead").filter("*");
    let consumer = group.max_deliveries(9).open().unwrap();
    consumer.recv().unwrap().reject("bad").unwrap();
    (producer, consumer)
}

#[test]
fn tables_are_as_documented() {
    let shell = Shell::new();
    let _members = lively(&shell);
    let stat = shell.ok(&["stat", "q", "--json"]);
    let value: Value = serde_json::from_str(&stat).unwrap();
    for list in ["groups", "members"] {
        assert_eq!(value[list].as_array().unwrap().len(), 2, "{value}");
    }
    check("queue", &[stat]);
    check("group", &[shell.ok(&["group", "ls", "q", "--json"])]);
    check("rates", &[shell.ok(&["stat", "q", "--json", "-i", "10ms", "-n", "2"])]);
    std::fs::write(shell.path("junk"), "no queue").unwrap();
    check("ls", &[shell.ok(&["ls", "--json"])]);
}

#[test]
fn the_report_is_as_documented() {
    let shell = Shell::new();
    let (producer, _) = lively(&shell);
    drop(producer);
    let receiver = shell.start(&["recv", "q"]);
    shell.until("q", |stats| stats["members"].as_array().unwrap().len() == 1);
    receiver.kill();
    std::fs::write(shell.path("junk"), "no queue").unwrap();
    let said = shell.run(&["doctor", "--repair", "--json"]);
    let value: Value = serde_json::from_slice(&said.out).unwrap();
    for list in ["problems", "notes", "queues", "repaired"] {
        assert!(!value[list].as_array().unwrap().is_empty(), "no {list}: {value}");
    }
    check("doctor", &[String::from_utf8(said.out).unwrap()]);
}

#[test]
fn messages_are_as_documented() {
    let shell = Shell::new();
    let _members = lively(&shell);
    let dead = shell.ok(&["dead", "ls", "q", "--json"]);
    let value: Value = serde_json::from_str(&dead).unwrap();
    assert_eq!(value[0]["dead_letter"]["reason"], "bad");
    let outputs = [
        dead,
        shell.ok(&["peek", "q", "--json"]),
        shell.ok(&["tail", "q", "--json"]),
        shell.ok(&["recv", "q", "-n", "2", "--json"]),
        shell.ok(&["recv", "q.dead", "-n", "1", "--json"]),
    ];
    check("message", &outputs);
}

#[test]
fn what_was_done_is_as_documented() {
    let shell = Shell::new();
    let _members = lively(&shell);
    let file = shell.path("file");
    check("record", &[shell.ok(&["record", "q", &file, "--drain", "--json"])]);
    let checked = shell.json(&["replay", "--check", &file, "--json"]);
    assert_eq!((&checked["messages"], &checked["queue"]), (&2.into(), &Value::Null));
    let replayed = shell.ok(&["replay", &file, "q", "--speed", "max", "--json"]);
    assert!(replayed.contains(r#""messages":2,"queue":"q""#), "{replayed}");
    check("replay", &[checked.to_string(), replayed]);
    let said = shell.run(&["record", "q", "-", "--json"]);
    assert!(said.code == Some(2) && said.err.contains("name one"), "{}", said.err);

    let requeued = shell.ok(&["dead", "requeue", "q", "--json"]);
    assert_eq!(requeued, "{\"name\":\"q\",\"requeued\":1,\"twins\":0}\n");
    let dropped = shell.ok(&["dead", "drop", "q", "--json"]);
    assert_eq!(dropped, "{\"dropped\":0,\"name\":\"q\"}\n");
    check("dead", &[requeued, dropped]);
}

#[test]
fn the_demo_is_as_documented() {
    // What `bench` prints is compared in bench.rs.
    let shell = Shell::new();
    let file = shell.path("text");
    std::fs::write(&file, "a line\n".repeat(40)).unwrap();
    check("demo", &[shell.ok(&["demo", "--file", &file, "--messages", "1", "--json"])]);
}

/// Commands that print data: those above. The others print nothing when all is well, or something that is not for programs.
#[test]
fn every_command_that_prints_data_has_it() {
    const WITH: [&str; 14] = [
        "bench",
        "dead drop",
        "dead ls",
        "dead requeue",
        "demo",
        "doctor",
        "group ls",
        "ls",
        "peek",
        "record",
        "recv",
        "replay",
        "stat",
        "tail",
    ];
    const WITHOUT: [&str; 9] =
        ["close", "completions", "create", "group drop", "man", "rm", "send", "serve", "top"];
    let shell = Shell::new();
    let mut with = BTreeSet::new();
    let mut without = BTreeSet::new();
    for command in commands(&shell, &[]) {
        let below = commands(&shell, &[&command]);
        let leaves = if below.is_empty() { vec![String::new()] } else { below };
        for leaf in leaves {
            let words: Vec<&str> =
                [&*command, &*leaf].into_iter().filter(|w| !w.is_empty()).collect();
            let help = shell.ok(&[&words[..], &["--help"]].concat());
            let set = if help.contains("--json") { &mut with } else { &mut without };
            set.insert(words.join(" "));
        }
    }
    assert_eq!(with.iter().collect::<Vec<_>>(), WITH);
    assert_eq!(without.iter().collect::<Vec<_>>(), WITHOUT);
}

#[test]
fn what_is_not_documented_is_noticed() {
    let (page, mut wrong) = (Page::read(), BTreeSet::new());
    let strange = serde_json::json!({"row": "1", "pid": 1, "joined_unix_ns": 1, "role": "producer",
        "group": null, "count": 1, "new": 1});
    page.check("member", &strange, &mut wrong);
    let wrong: Vec<String> = wrong.into_iter().collect();
    assert_eq!(
        wrong,
        [
            "member.alive is missing",
            "member.group is no string: null",
            "member.new is not on the page",
            "member.row is no integer: \"1\"",
        ]
    );
    let mut wrong = BTreeSet::new();
    let neither = serde_json::json!([{"name": "q", "eror": "gone"}]);
    page.check_type("doctor.queues", "array of queue or unreadable", &neither, &mut wrong);
    assert_eq!(wrong.len(), 1, "{wrong:?}");
}
