//! Stock NATS clients in three languages, each through all that a client does: see `tests/gateway/clients`.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use super::super::packages::Folder;
use super::Gateway;
use super::nats::Nats;

const SOURCE: &str = "tests/gateway/clients";

const SCENES: [&str; 12] = [
    "publish and subscribe",
    "wildcards",
    "queue groups",
    "request and reply",
    "headers",
    "no responders",
    "from a position",
    "errors that are told",
    "maximum payload",
    "bad auth",
    "drain",
    "reconnect",
];

/// Runs a client; when it says so, the gateway is killed and another one takes its place.
fn run(client: &mut Command) {
    let flags = ["--set", "token=s3cret", "--set", "payload=262144"];
    let mut nats = Nats::new(&flags);
    let address = nats.address.to_string();
    client.args([&format!("nats://{address}"), "s3cret"]);
    let mut child = client.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut scenes = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if line == "restart" {
            nats.place.gateway.signal("KILL");
            nats.place.gateway.wait();
            let flags = [&["--nats", &address], &flags[..]].concat();
            nats.place.gateway = Gateway::start(&nats.place.dir, &flags);
            input.write_all(b"\n").unwrap();
        }
        scenes.extend(line.strip_prefix("ok ").map(str::to_owned));
    }
    assert!(child.wait().unwrap().success(), "after {scenes:?}");
    assert_eq!(scenes, SCENES);
}

#[test]
fn node() {
    let folder = Folder::npm(SOURCE);
    run(&mut folder.node("client.mjs"));
}

#[test]
fn python() {
    let folder = Folder::python(SOURCE);
    run(&mut folder.python3("client.py"));
}

/// A package of its own: it brings a hundred others.
#[test]
fn rust() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(SOURCE).join("rust");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nats-client");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked", "--target-dir"]).arg(&target);
    assert!(cargo.current_dir(source).status().unwrap().success());
    run(&mut Command::new(target.join("debug/nats-client")));
}
