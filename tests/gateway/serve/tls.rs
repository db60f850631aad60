//! TLS, with curl and openssl as clients.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use std::{fs, thread};

use super::common::{self, TempDir};
use super::{Client, Gateway, LIMIT};

/// A gateway with a certificate, and a queue `q`.
struct Sealed {
    gateway: Gateway,
    dir: TempDir,
}

impl Sealed {
    fn new(flags: &[&str]) -> Self {
        let dir = TempDir::new();
        common::queue(&dir, "q", 1 << 22);
        make_certificate(&dir, "first");
        install(&dir, "first");
        let (certificate, key) = settings(&dir);
        let all = [&["--set", &certificate, "--set", &key], flags].concat();
        Self { gateway: Gateway::start(&dir, &all), dir }
    }

    /// curl, which trusts the certificate of a name.
    fn curl(&self, ca: &str, flags: &[&str], path: &str) -> Output {
        let url = format!("https://localhost:{}{path}", self.gateway.address.port());
        let mut command = Command::new("curl");
        command.args(["-sS", "--max-time", "60", "--cacert", &self.dir.path(ca)]);
        command.args(flags).arg(url).output().unwrap()
    }

    fn metric(&self, name: &str) -> u64 {
        let out = self.curl(".first.pem", &[], "/metrics");
        let text = String::from_utf8(out.stdout).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
    }
}

fn settings(dir: &TempDir) -> (String, String) {
    (format!("certificate={}", dir.path(".in-use.pem")), format!("key={}", dir.path(".in-use.key")))
}

/// A certificate for localhost that signs itself.
fn make_certificate(dir: &TempDir, name: &str) {
    let (certificate, key) = (format!(".{name}.pem"), format!(".{name}.key"));
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    command.args(["-nodes", "-days", "2", "-subj", "/CN=localhost"]);
    command.args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
    command.args(["-keyout", &dir.path(&key), "-out", &dir.path(&certificate)]);
    let out = command.output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

fn install(dir: &TempDir, name: &str) {
    for part in ["pem", "key"] {
        let from = dir.path(&format!(".{name}.{part}"));
        fs::copy(from, dir.path(&format!(".in-use.{part}"))).unwrap();
    }
}

fn text(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

#[test]
fn curl_over_tls() {
    let place = Sealed::new(&[]);
    for version in ["1.2", "1.3"] {
        let version = [format!("--tlsv{version}"), "--tls-max".into(), version.into()];
        let version: Vec<&str> = version.iter().map(String::as_str).collect();
        let out = place.curl(".first.pem", &[&version[..], &["-d", "hello"]].concat(), "/q/q");
        assert!(text(&out).contains("position"), "{}", text(&out));
        let out = place.curl(".first.pem", &version, "/q/q");
        assert_eq!(text(&out), "hello");
    }
    // More than any buffer on the way.
    let big: Vec<u8> = (0..900_000_u32).map(|number| (number % 251) as u8).collect();
    let file = place.dir.path(".big");
    fs::write(&file, &big).unwrap();
    let flags = ["--data-binary", &format!("@{file}"), "-H", "Expect:"];
    let out = place.curl(".first.pem", &flags, "/q/q");
    assert!(text(&out).contains("position"), "{}", text(&out));
    assert!(place.curl(".first.pem", &[], "/q/q").stdout == big);
    assert_eq!(place.metric("slipring_gateway_tls_failures_total"), 0);
}

/// A client that reads slowly gets all, in order.
#[test]
fn a_stream_over_tls() {
    let place = Sealed::new(&["--set", "out_queue=1000"]);
    let mut producer = slipring::Queue::open(&place.dir.path("q")).unwrap().producer().unwrap();
    let address = place.gateway.address.to_string();
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &address, "-quiet", "-verify_quiet"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"GET /q/q/events?from=earliest HTTP/1.0\r\n\r\n").unwrap();
    for number in 0..2000 {
        producer.send(format!("{number:>1000}").as_bytes()).unwrap();
    }
    let mut stdout = child.stdout.take().unwrap();
    let mut got = String::new();
    let mut buffer = [0; 3000];
    while !got.ends_with("1999\n\n") {
        let count = stdout.read(&mut buffer).unwrap();
        assert!(count > 0, "it ended after {} bytes", got.len());
        got += std::str::from_utf8(&buffer[..count]).unwrap();
    }
    let numbers =
        got.lines().filter_map(|line| line.strip_prefix("data:")?.trim().parse::<u32>().ok());
    assert!(numbers.eq(0..2000), "some are missing, or twice");
    let _ = child.kill();
    child.wait().unwrap();
}

#[test]
fn what_is_not_tls_is_refused() {
    let place = Sealed::new(&["--set", "handshake_seconds=1"]);
    // Plain HTTP, noise, and a client that trusts somebody else.
    let mut client = Client::connect(place.gateway.address);
    client.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut rest = Vec::new();
    let _ = client.stream.read_to_end(&mut rest);
    assert!(rest.len() < 10, "an alert at most: {rest:?}");
    for noise in
        [&[0; 300][..], &[0xff; 70_000], b"\x16\x03\x01\xff\xff", b"\x16\x03\x01\0\x05hello"]
    {
        let mut stream = TcpStream::connect(place.gateway.address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let _ = stream.write_all(noise);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(rest.len() < 10, "an alert at most: {rest:?}");
    }
    make_certificate(&place.dir, "other");
    let out = place.curl(".other.pem", &[], "/healthz");
    assert_eq!(out.status.code(), Some(60), "{}", text(&out));
    let out = place.curl(".first.pem", &["--tls-max", "1.1"], "/healthz");
    assert!(!out.status.success());
    assert!(place.metric("slipring_gateway_tls_failures_total") >= 4);
    // Who does not shake hands is cut off.
    let mut silent = Client::connect(place.gateway.address);
    let mut rest = Vec::new();
    silent.stream.read_to_end(&mut rest).unwrap();
    assert!(rest.len() < 10, "an alert at most: {rest:?}");
    assert_eq!(text(&place.curl(".first.pem", &[], "/healthz")), "ok\n");
}

#[test]
fn half_handshakes_cost_little() {
    let place = Sealed::new(&["--set", "connections_per_address=600"]);
    let before = place.gateway.memory();
    // The beginning of a handshake message of 16 MiB, and as much of it as is taken.
    let clients: Vec<_> = (0..500)
        .map(|_| {
            let mut stream = TcpStream::connect(place.gateway.address).unwrap();
            stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
            for _ in 0..8 {
                let record = [b"\x16\x03\x01\x3f\xff\x01\xff\xff\xff".to_vec(), vec![0; 0x3ffb]];
                let _ = stream.write_all(&record.concat());
            }
            stream
        })
        .collect();
    assert_eq!(text(&place.curl(".first.pem", &[], "/healthz")), "ok\n");
    let grown = place.gateway.memory().saturating_sub(before);
    assert!(grown < 100 << 10, "{grown} KiB for 500 clients");
    drop(clients);
}

#[test]
fn certificates_are_read_anew() {
    let mut place = Sealed::new(&[]);
    make_certificate(&place.dir, "second");
    assert_eq!(text(&place.curl(".first.pem", &[], "/healthz")), "ok\n");
    // A key that is not the certificate's, a file that is none, and one that is not there.
    fs::copy(place.dir.path(".second.key"), place.dir.path(".in-use.key")).unwrap();
    place.gateway.signal("HUP");
    assert!(place.gateway.says().contains("nothing was reloaded"));
    fs::write(place.dir.path(".in-use.pem"), "nonsense").unwrap();
    place.gateway.signal("HUP");
    assert!(place.gateway.says().contains("no certificate"));
    fs::remove_file(place.dir.path(".in-use.pem")).unwrap();
    place.gateway.signal("HUP");
    assert!(place.gateway.says().contains(".in-use.pem"));
    assert_eq!(text(&place.curl(".first.pem", &[], "/healthz")), "ok\n");
    install(&place.dir, "second");
    place.gateway.signal("HUP");
    let start = std::time::Instant::now();
    while text(&place.curl(".second.pem", &[], "/healthz")) != "ok\n" {
        assert!(start.elapsed() < LIMIT, "it never shows the other certificate");
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(place.curl(".first.pem", &[], "/healthz").status.code(), Some(60));
}

#[test]
fn a_wrong_certificate_is_named_at_the_start() {
    let dir = TempDir::new();
    let (certificate, key) = settings(&dir);
    let mut command = super::command(&dir, &["--set", &certificate, "--set", &key]);
    let out = command.output().unwrap();
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out).contains(".in-use.pem"), "{}", text(&out));
}
