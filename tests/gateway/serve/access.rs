//! Who is let in.

use std::process::Command;

use super::Place;

#[test]
fn only_known_names_are_answered() {
    let place = Place::new(&["--set", "hosts=queue.example"]);
    let ask = |host: &str| {
        let mut client = place.client();
        client.send(format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes());
        client.answer().status
    };
    for host in
        ["localhost", "LOCALHOST:80", "127.0.0.1:9", "[::1]:9", "a.localhost", "queue.example:1"]
    {
        assert_eq!(ask(host), 200, "{host}");
    }
    for host in ["evil.example", "evil.example:80", "localhost.evil.example", "notlocalhost"] {
        assert_eq!(ask(host), 403, "{host}");
    }
}

#[test]
fn pages_of_other_origins() {
    let place = Place::new(&["--set", "origins=https://good.example"]);
    let post =
        |origin: &str| place.client().ask("POST", "/q/q", &[&format!("Origin: {origin}")], b"m");
    assert_eq!(post("https://evil.example").status, 403);
    let good = post("https://good.example");
    assert_eq!(good.status, 201);
    assert_eq!(good.field("Access-Control-Allow-Origin"), Some("https://good.example"));
    assert_eq!(post("http://localhost").status, 201);
    let fields = ["Origin: https://good.example", "Access-Control-Request-Method: POST"];
    let preflight = place.client().ask("OPTIONS", "/q/q", &fields, b"");
    assert_eq!(preflight.status, 204);
    assert!(preflight.field("Access-Control-Allow-Methods").is_some());
    let fields = [
        "Origin: https://evil.example",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    ];
    assert_eq!(place.client().ask("GET", "/ws/q", &fields, b"").status, 403);
    assert_eq!(place.queue().stats().sent, 2);
}

#[test]
fn a_token_is_asked_for() {
    let dir = super::common::TempDir::new();
    let file = dir.path("token");
    std::fs::write(&file, "secret\n").unwrap();
    let place = Place::new(&["--token-file", &file]);
    let ask = |target: &str, fields: &[&str]| place.client().ask("GET", target, fields, b"");
    let refused = ask("/metrics", &[]);
    assert_eq!((refused.status, refused.field("WWW-Authenticate")), (401, Some("Bearer")));
    assert_eq!(ask("/metrics", &["Authorization: Bearer wrong!"]).status, 401);
    assert_eq!(ask("/metrics", &["Authorization: Bearer secre"]).status, 401);
    assert_eq!(ask("/metrics", &["Authorization: Bearer secret"]).status, 200);
    assert_eq!(ask("/q/q?access_token=secret", &[]).status, 204);
    assert_eq!(ask("/healthz", &[]).status, 200);
}

#[test]
fn listening_elsewhere_without_a_token_is_refused() {
    let dir = super::common::TempDir::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_slipring"));
    command.args(["serve", "--listen", "0.0.0.0:0"]).env("SLIPRING_DIR", dir.path(""));
    let out = command.output().unwrap();
    let text = String::from_utf8(out.stderr).unwrap();
    assert_eq!((out.status.code(), text.contains("set a token")), (Some(1), true), "{text}");
}
