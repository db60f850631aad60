//! Stock NATS clients in three languages, each through all that a client does, without TLS and with it: see `tests/gateway/clients`.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use super::super::packages::Folder;
use super::Gateway;
use super::nats::Nats;
use super::nats_tls::Authority;

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

/// Runs a client without TLS and with it.
fn run(client: impl Fn() -> Command) {
    run_with(client(), None);
    run_with(client(), Some(Authority::new()));
}

/// When the client says so, the gateway is killed and another one takes its place.
fn run_with(mut client: Command, authority: Option<Authority>) {
    let mut flags =
        vec!["--set".to_owned(), "token=s3cret".into(), "--set".into(), "payload=262144".into()];
    flags.extend(authority.iter().flat_map(Authority::flags));
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let mut nats = Nats::new(&flags);
    let address = nats.address.to_string();
    client.args([&format!("nats://{address}"), "s3cret"]);
    client.args(authority.as_ref().map(Authority::certificate));
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
    run(|| folder.node("client.mjs"));
}

#[test]
fn python() {
    let folder = Folder::python(SOURCE);
    run(|| folder.python3("client.py"));
}

/// A package of its own: it brings a hundred others.
#[test]
fn rust() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(SOURCE).join("rust");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nats-client");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked", "--target-dir"]).arg(&target);
    assert!(cargo.current_dir(source).status().unwrap().success());
    run(|| Command::new(target.join("debug/nats-client")));
}
