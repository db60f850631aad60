//! Where it listens.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use super::common::TempDir;
use super::{Gateway, LIMIT, Place};

/// Asks over a Unix socket, and reads to the end.
fn ask(path: &str) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_unix_socket_beside_the_port() {
    let dir = TempDir::new();
    let path = dir.path("gateway.sock");
    let flags = ["--set", &format!("listen_unix={path}"), "--set", "connections_per_address=1"];
    let mut gateway = Gateway::start(&dir, &flags);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // Connections of no address are not counted as of one.
    let idle = UnixStream::connect(&path).unwrap();
    assert!(ask(&path).ends_with("ok\n"));
    assert_eq!(gateway.client().ask("GET", "/healthz", &[], b"").status, 200);
    drop(idle);
    // Its name outlives a kill, and is taken over; one in use is not.
    gateway.signal("KILL");
    gateway.wait();
    let mut gateway = Gateway::start(&dir, &flags);
    assert!(ask(&path).ends_with("ok\n"));
    let place = Place::new(&[]);
    let mut second = super::command(&place.dir, &flags);
    let out = second.stderr(std::process::Stdio::piped()).output().unwrap();
    let text = String::from_utf8(out.stderr).unwrap();
    assert_eq!((out.status.code(), text.contains(&path)), (Some(1), true), "{text}");
    gateway.signal("TERM");
    assert_eq!(gateway.wait().code(), Some(0));
    assert!(!std::fs::exists(&path).unwrap());
}
