//! TLS for NATS, which begins after INFO. (The stock clients, over TLS as well, are in `nats_clients`.)

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use super::LIMIT;
use super::common::TempDir;
use super::nats::{NATS, Nats, start};
use crate::nats::reference::compare_at;
use crate::nats::script;
use crate::nats::wire::{MAX_PAYLOAD, Setup};

/// Who signs a certificate for this machine, and that one with its key.
pub struct Authority(TempDir);

impl Authority {
    pub fn new() -> Self {
        let dir = TempDir::new();
        let make = |name: &str, more: &[&str]| {
            let mut command = Command::new("openssl");
            command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
            command.args(["-nodes", "-days", "2", "-subj", &format!("/CN={name}")]);
            command.args(["-keyout", &dir.path(&format!("{name}.key"))]);
            command.args(["-out", &dir.path(&format!("{name}.pem"))]).args(more);
            let out = command.output().unwrap();
            assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        };
        make("authority", &[]);
        let (ca, key) = (dir.path("authority.pem"), dir.path("authority.key"));
        let names = "subjectAltName=DNS:localhost,IP:127.0.0.1";
        let ordinary = "basicConstraints=critical,CA:FALSE";
        make("server", &["-CA", &ca, "-CAkey", &key, "-addext", names, "-addext", ordinary]);
        Self(dir)
    }

    /// What clients are to trust.
    pub fn certificate(&self) -> String {
        self.0.path("authority.pem")
    }

    fn files(&self) -> [String; 2] {
        ["server.pem", "server.key"].map(|name| self.0.path(name))
    }

    /// For a gateway that is to have the certificate.
    pub fn flags(&self) -> [String; 4] {
        let [certificate, key] = self.files();
        let set = || "--set".to_owned();
        [set(), format!("certificate={certificate}"), set(), format!("key={key}")]
    }
}

fn secure(more: &[&str]) -> Nats {
    let authority = Authority::new();
    let flags = authority.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).chain(more.iter().copied()).collect();
    Nats::new(&flags)
}

/// All that comes, as text.
fn rest(stream: &mut TcpStream) -> String {
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    String::from_utf8_lossy(&rest).into_owned()
}

/// Connects and takes INFO.
fn greeted(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let mut info = String::new();
    while !info.ends_with("\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        info.push(char::from(byte[0]));
    }
    assert!(info.starts_with("INFO ") && info.contains("\"tls_required\":true"), "{info}");
    stream
}

#[test]
fn who_does_not_upgrade_or_is_one_too_many_is_told_as_the_reference_would() {
    let (dir, authority) = (TempDir::new(), Authority::new());
    let (payload, flags) = (format!("payload={MAX_PAYLOAD}"), authority.flags());
    let flags = flags.iter().map(String::as_str).chain(["--set", &payload]);
    let (_gateway, address) =
        start(&dir, &NATS.iter().copied().chain(flags.clone()).collect::<Vec<_>>());
    let certificate = Some(authority.files().into());
    let setup = Setup { certificate, max_tokens: Some(64), ..Setup::default() };
    compare_at(&[address], &setup, &script::without_tls());
    let flags = flags.chain(["--set", "connections=2"]);
    let (_gateway, address) = start(&dir, &NATS.iter().copied().chain(flags).collect::<Vec<_>>());
    let setup = Setup { max_connections: Some(2), ..setup };
    compare_at(&[address], &setup, &script::crowd_before_tls());
}

#[test]
fn who_begins_nothing_or_nonsense_is_cut_off() {
    const TOLD: &str = "-ERR 'Secure Connection - TLS Required'\r\n";
    let nats = secure(&["--set", "handshake_seconds=1"]);
    let mut silent = greeted(nats.address);
    let mut half = greeted(nats.address);
    half.write_all(b"\x16\x03\x01\x02\0").unwrap();
    // A record of a handshake that is none.
    let mut noise = greeted(nats.address);
    noise.write_all(b"\x16\x03\x01\0\x05hello").unwrap();
    assert!(rest(&mut noise).len() < 10, "an alert at most");
    let mut plain = greeted(nats.address);
    plain.write_all(b"PING\r\n").unwrap();
    plain.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&mut plain), TOLD);
    // In the time that a handshake may take.
    assert_eq!(rest(&mut silent), TOLD);
    let left = rest(&mut half);
    assert!(!left.contains("INFO") && left.len() < 100, "{left:?}");
}

/// The certificate is for the ports; who may open the Unix socket is this user.
#[test]
fn the_unix_socket_stays_as_it_is() {
    let dir = TempDir::new();
    let unix = format!("nats_unix={}", dir.path("socket"));
    let _nats = secure(&["--set", &unix]);
    let mut stream = std::os::unix::net::UnixStream::connect(dir.path("socket")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(b"CONNECT {\"verbose\":false}\r\nPING\r\n").unwrap();
    let mut text = String::new();
    while !text.ends_with("PONG\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        text.push(char::from(byte[0]));
    }
    assert!(!text.contains("tls_required"), "{text}");
}
