//! The chat of `examples/chat` in two headless browsers (`tests/gateway/page/chat.mjs`): whoever was cut off, or saw the gateway die, has every message once and
//! in the queue's order when it is back. `SLIPRING_SCREENSHOTS=DIR` keeps a picture.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use serde_json::Value;
use slipring::{Observer, Queue, Start};

use super::Gateway;
use super::common::TempDir;
use crate::packages::Folder;

#[test]
fn in_two_browsers() {
    let dir = TempDir::new();
    let options = Queue::options().capacity(1 << 20).topic(true);
    options.create(&dir.path("chat")).unwrap();
    let origins = ["--set", "origins=*"];
    let gateway = Gateway::start(&dir, &origins);
    let address = gateway.address;
    let mut gateway = Some(gateway);
    let folder = Folder::install("page");
    let mut node = folder.node("chat.mjs");
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/chat/index.html");
    let shots = std::env::var("SLIPRING_SCREENSHOTS").unwrap_or_default();
    node.args([&address.to_string(), page, &shots]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut node = node.spawn().unwrap();
    let mut input = node.stdin.take().unwrap();
    let mut last = String::new();
    for line in BufReader::new(node.stdout.take().unwrap()).lines() {
        last = line.unwrap();
        match last.as_str() {
            "kill" => {
                let mut gateway = gateway.take().unwrap();
                gateway.signal("KILL");
                gateway.wait();
            }
            "start" => gateway = Some(Gateway::start_at(&dir, address, &origins)),
            said => match said.strip_prefix("is ") {
                Some(list) => {
                    assert_eq!(
                        serde_json::from_str::<Vec<String>>(list).unwrap(),
                        written(&dir.path("chat"))
                    )
                }
                None => break,
            },
        }
        writeln!(input).unwrap();
    }
    assert!(node.wait().unwrap().success() && last == "done", "{last}");
}

/// What is in the queue, as the page shows it; a message that was sent again is the one it was.
fn written(queue: &str) -> Vec<String> {
    let mut reader = Observer::open(queue).unwrap();
    reader.seek(Start::Earliest).unwrap();
    let (mut ids, mut texts) = (HashSet::new(), Vec::new());
    while let Ok(message) = reader.try_recv() {
        let value: Value = serde_json::from_slice(&message.payload).unwrap();
        if ids.insert(value["id"].to_string()) {
            let text = |name: &str| value[name].as_str().unwrap().to_owned();
            texts.push(format!("{}: {}", text("from"), text("text")));
        }
    }
    texts
}
