//! The page at `/`: its files, its figures, the messages it shows, and all of it in a headless Chromium (see `tests/gateway/page`), of which
//! `SLIPRING_SCREENSHOTS=DIR` keeps pictures.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use slipring::{Queue, RecvError};

use super::common::TempDir;
use super::websocket::Socket;
use super::{Gateway, Place};
use crate::packages::Folder;

const HOSTILE: [&[u8]; 5] = [
    b"<img src=x onerror=\"window.hit=1\">",
    b"<script>window.hit=1</script>",
    b"{\"key\":\"value\",\"</script><script>window.hit=1</script>\":1}",
    "turned \u{202e}around\u{2066} and \u{7}rung".as_bytes(),
    b"\xFF\xFE<img src=x onerror=\"window.hit=1\">",
];

#[test]
fn files_that_browsers_keep_to_themselves() {
    let place = Place::new(&["--set", "token=secret"]);
    for (path, kind) in
        [("/", "text/html"), ("/page.js", "text/javascript"), ("/page.css", "text/css")]
    {
        let answer = place.ask("GET", path, b"");
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.field("Content-Type").unwrap().starts_with(kind), "{path}");
        assert_eq!(answer.field("X-Content-Type-Options"), Some("nosniff"));
        let policy = answer.field("Content-Security-Policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        // What it loads is here: nothing else could be loaded, nor does it ask.
        let text = answer.text();
        assert!(!text.contains("://") || path == "/page.js", "{path}");
        assert_eq!(text.matches("http://").count(), usize::from(path == "/page.js"), "SVG's name");
    }
    let posted = place.ask("POST", "/", b"");
    assert_eq!((posted.status, posted.field("Allow")), (401, None));
    let posted = place.ask("POST", "/?access_token=secret", b"");
    assert_eq!((posted.status, posted.field("Allow")), (405, Some("GET, HEAD")));
}

#[test]
fn who_may_look() {
    let place = Place::new(&["--set", "token=secret"]);
    assert_eq!(place.ask("GET", "/q/q/latest", b"").status, 401);
    assert_eq!(place.ask("GET", "/q/q/latest?access_token=secret", b"").status, 200);
    assert_eq!(Socket::refusal(&place, "/ws"), 401);
    Socket::open(&place, "/ws?access_token=secret").hear();
    // Anybody may come in, but what all others do is not for anybody.
    let place = Place::new(&["--insecure", "--set", "listen=0.0.0.0:0"]);
    assert_eq!(place.ask("GET", "/", b"").status, 404);
    assert_eq!(Socket::refusal(&place, "/ws"), 403);
}

#[test]
fn figures_once_a_second_for_all_who_look() {
    let place = Place::new(&[]);
    let mut sockets = [Socket::open(&place, "/ws"), Socket::open(&place, "/ws")];
    let first = sockets[0].hear();
    assert_eq!(first["queues"][0]["name"], "q");
    assert_eq!(first["queues"][0]["groups"][0]["lag"], 0);
    place.ask("POST", "/q/q", b"m");
    let lag = |figures: &Value| figures["queues"][0]["groups"][0]["lag"].as_u64();
    let mut seen = Vec::new();
    for socket in &mut sockets {
        let mut figures = socket.hear();
        while lag(&figures) != Some(1) {
            figures = socket.hear();
        }
        assert_eq!(figures["queues"][0]["sent"], 1);
        assert_eq!(figures["viewers"], 2);
        seen.push(figures);
    }
    // It is the same text for both.
    assert_eq!(seen[0], seen[1]);
    let before = sockets[0].hear()["ms"].as_u64().unwrap();
    let after = sockets[0].hear()["ms"].as_u64().unwrap();
    assert!(after >= before + 1000, "{before} {after}");
    sockets[1].say(json!({ "ack": 1 }));
    while sockets[1].hear()["status"] != 410 {}
    drop(sockets);
    let mut late = Socket::open(&place, "/ws");
    while late.hear()["viewers"] != 1 {}
}

#[test]
fn the_latest_messages_and_no_place_changes() {
    let place = Place::new(&["--set", "payload=200000"]);
    for number in 0..30 {
        place.ask("POST", &format!("/q/q?event=e{number}"), format!("{number}").as_bytes());
    }
    place.ask("POST", "/q/q", b"\xFF");
    place.ask("POST", "/q/q", "ä".repeat(50_000).as_bytes());
    let messages = place.ask("GET", "/q/q/latest?n=3", b"").json()["messages"].clone();
    let parts =
        |at: usize| (&messages[at]["event"], &messages[at]["payload"], &messages[at]["size"]);
    assert_eq!(parts(0), (&json!("e29"), &json!("29"), &json!(2)));
    assert_eq!(parts(1), (&json!(null), &json!("/w=="), &json!(1)));
    assert_eq!(messages[1]["encoding"], "base64");
    assert_eq!(parts(2), (&json!(null), &json!("ä".repeat(2048)), &json!(100_000)));
    assert_eq!((&messages[2]["cut"], &messages[1]["cut"]), (&json!(true), &json!(false)));
    let all = place.ask("GET", "/q/q/latest?n=1000000", b"").json();
    assert_eq!(all["messages"].as_array().unwrap().len(), 32);
    assert_eq!(place.ask("GET", "/q/q/latest?n=x", b"").status, 400);
    assert_eq!(place.ask("GET", "/q/none/latest", b"").status, 404);
    assert_eq!(place.queue().stats().received, 0);
}

#[test]
fn in_a_browser() {
    let dir = TempDir::new();
    let options = || Queue::options().capacity(1 << 20).topic(true);
    let queue = options().create(&dir.path("q")).unwrap();
    let gateway = Gateway::start(&dir, &["--set", "token=secret"]);
    let address = gateway.address.to_string();
    let mut gateway = Some(gateway);
    let folder = Folder::install("page");
    let mut node = folder.node("page.mjs");
    let shots = std::env::var("SLIPRING_SCREENSHOTS").unwrap_or_default();
    node.args([&address, "secret", &shots]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut node = node.spawn().unwrap();
    let mut input = node.stdin.take().unwrap();
    let rest = AtomicBool::new(false);
    let mut last = String::new();
    thread::scope(|scope| {
        for line in BufReader::new(node.stdout.take().unwrap()).lines() {
            last = line.unwrap();
            match last.as_str() {
                "load" => drop(scope.spawn(|| work(&queue, &rest))),
                "rest" => rest.store(true, Ordering::Relaxed),
                "hostile" => {
                    let mut producer = queue.producer().unwrap();
                    for payload in HOSTILE {
                        producer.send_event("<b onclick=1>x</b>", payload).unwrap();
                    }
                }
                "create later" => drop(options().create(&dir.path("later")).unwrap()),
                "remove later" => Queue::unlink(&dir.path("later")).unwrap(),
                "restart" => drop(gateway.take()),
                "started" => {
                    let listen = format!("listen={address}");
                    let flags = ["--set", "token=secret", "--set", &listen];
                    gateway = Some(Gateway::start(&dir, &flags));
                }
                _ => break,
            }
            writeln!(input).unwrap();
        }
        rest.store(true, Ordering::Relaxed);
    });
    assert!(node.wait().unwrap().success() && last == "done", "{last}");
}

/// Somebody sends, and somebody receives, until they are to rest.
fn work(queue: &Queue, rest: &AtomicBool) {
    let mut producer = queue.producer().unwrap();
    let consumer = queue.consumer("workers").unwrap();
    while !rest.load(Ordering::Relaxed) {
        producer.send(b"{\"work\":1}").unwrap();
        match consumer.recv_timeout(Duration::from_secs(30)) {
            Ok(message) => message.ack().unwrap(),
            Err(RecvError::Timeout) => panic!("it does not come"),
            Err(error) => panic!("{error}"),
        }
        thread::sleep(Duration::from_millis(1));
    }
}
