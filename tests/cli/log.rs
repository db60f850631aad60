//! `--log`: off by default, and never a secret in it.

use crate::shell::{Running, Shell};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

#[test]
fn a_repair_is_told() {
    let shell = Shell::new();
    shell.ok(&["create", "q", "--capacity", "64K"]);
    for (args, told) in [
        (&["recv", "q", "--drain"][..], false),
        (&["recv", "q", "--drain", "--log", "error"], false),
        (&["--log", "warn", "recv", "q", "--drain"], true),
        (&["doctor", "q", "--repair", "--log", "info"], true),
    ] {
        let receiver = shell.start(&["recv", "q"]);
        shell.until("q", |stats| stats["members"].as_array().unwrap().len() == 1);
        receiver.kill();
        let said = shell.run(args);
        assert_eq!(said.code, Some(0), "{args:?}: {}", said.err);
        let words = "WARN repaired what a dead member left queue=q row=0 holes=0 given_back=0";
        assert_eq!(said.err.contains(words), told, "{args:?}: {}", said.err);
    }
}

#[test]
fn the_environment_says_the_level_too() {
    let shell = Shell::new();
    let create = |name: &str, level: &str, args: &[&str]| {
        let args = [&["create", name, "--capacity", "4K"], args].concat();
        let output = shell.command(&args).env("SLIPRING_LOG", level).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, text) = create("a", "info", &[]);
    assert!(code == Some(0) && text.contains("INFO made queue=\"a\" capacity=4096"), "{text}");
    assert_eq!(create("b", "", &[]), (Some(0), String::new()));
    assert_eq!(create("c", "info", &["--log", "off"]), (Some(0), String::new()));
    let (code, text) = create("d", "loud", &[]);
    assert_eq!(code, Some(2));
    assert!(text.contains("SLIPRING_LOG=loud: use off, error"), "{text}");
    let said = shell.run(&["ls", "--log", "loud"]);
    assert!(said.code == Some(2) && said.err.contains("use off, error"), "{}", said.err);
}

/// What a gateway with a token says while a client shows it, and sends.
fn gateway(shell: &Shell, level: &str) -> String {
    let token = shell.path("token");
    std::fs::write(&token, "very-secret-token").unwrap();
    let mut gateway: Running =
        shell.start(&["serve", "--listen", "127.0.0.1:0", "--token-file", &token, "--log", level]);
    let mut err = BufReader::new(gateway.child().stderr.take().unwrap());
    let mut said = String::new();
    let address = loop {
        let start = said.len();
        assert!(err.read_line(&mut said).unwrap() > 0, "{said}");
        if let Some(address) = said[start..].trim().strip_prefix("listening on http://") {
            break address.to_owned();
        }
    };
    let mut client = TcpStream::connect(&address).unwrap();
    let head = "POST /q/q HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer very-secret-token\r\nConnection: close\r\n";
    write!(client, "{head}Content-Length: 14\r\n\r\nvery-secret-me").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    // Or it would wait a while for our end of the connection.
    drop(client);
    gateway.signal("TERM");
    err.read_to_string(&mut said).unwrap();
    assert_eq!(gateway.end().code, Some(0));
    said
}

#[test]
fn a_gateway_tells_of_its_clients_and_of_no_secret() {
    let shell = Shell::new();
    shell.ok(&["create", "q", "--capacity", "64K"]);
    let said = gateway(&shell, "trace");
    for words in ["accepted connection=1", "closed connection=1", "drains: no new clients"] {
        assert!(said.contains(words), "no {words:?} in {said}");
    }
    assert!(!said.contains("very-secret"), "{said}");
    let said = gateway(&shell, "off");
    // Where it listens, and what it did.
    assert_eq!(said.lines().count(), 2, "{said}");
}
