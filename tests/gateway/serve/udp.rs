//! Datagrams as messages.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::process::Command;
use std::thread;
use std::time::Duration;

use slipring::Consumer;

use super::Place;

/// A gateway with a UDP socket for `q`, at a port of its own.
fn place(flags: &[&str]) -> (Place, SocketAddr) {
    let place = Place::new(&[&["--set", "udp=127.0.0.1:0=q"], flags].concat());
    let text = place.ask("GET", "/metrics", b"").text();
    let (_, rest) = text.split_once("received_total{address=\"").unwrap();
    let address = rest.split('"').next().unwrap().parse().unwrap();
    (place, address)
}

fn sender() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").unwrap()
}

/// What has become of datagrams: `received`, and by reason.
fn figures(place: &Place) -> BTreeMap<String, u64> {
    let text = place.ask("GET", "/metrics", b"").text();
    let lines = text.lines().filter(|line| line.starts_with("slipring_udp_"));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let reason =
                name.split("reason=\"").nth(1).map_or("received", |r| r.trim_end_matches("\"}"));
            (reason.to_owned(), value.parse().unwrap())
        })
        .collect()
}

fn total(place: &Place) -> u64 {
    figures(place).values().sum()
}

fn take(consumer: &Consumer) -> Vec<u8> {
    let message = consumer.recv_timeout(Duration::from_secs(60)).unwrap();
    let payload = message.payload().to_vec();
    message.ack().unwrap();
    payload
}

/// The payload of a number: 8 to 207 bytes.
fn payload(number: u64) -> Vec<u8> {
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.resize(8 + (number % 200) as usize, number as u8);
    bytes
}

#[test]
fn a_hundred_thousand_datagrams() {
    const COUNT: u64 = 100_000;
    let (place, address) = place(&[]);
    let queue = place.queue();
    let consumer = queue.consumer("default").unwrap();
    let sending = thread::spawn(move || {
        let socket = sender();
        for number in 0..COUNT {
            assert_eq!(socket.send_to(&payload(number), address).unwrap(), payload(number).len());
        }
    });
    let mut count = 0;
    let mut next = 0;
    let mut over = false;
    loop {
        match consumer.recv_timeout(Duration::from_millis(20)) {
            Ok(message) => {
                let number = u64::from_le_bytes(message.payload()[..8].try_into().unwrap());
                assert!(number >= next, "{number} comes before {next}");
                assert_eq!(message.payload(), payload(number));
                next = number + 1;
                count += 1;
                message.ack().unwrap();
            }
            Err(_) if over => break,
            Err(_) => over = sending.is_finished() && total(&place) == COUNT,
        }
    }
    sending.join().unwrap();
    let figures = figures(&place);
    println!("{figures:?}");
    assert_eq!(figures["received"], count);
    assert_eq!(figures["received"] + figures["kernel"] + figures["full"], COUNT);
}

/// While the gateway does not run the kernel keeps what it has room for, and the rest is counted.
#[test]
fn what_the_kernel_drops_is_counted() {
    let (place, address) = place(&["--set", "udp_buffer=20000"]);
    let socket = sender();
    place.gateway.signal("STOP");
    for number in 0..1000 {
        socket.send_to(&payload(number), address).unwrap();
    }
    place.gateway.signal("CONT");
    place.until("all are counted", |place| total(place) == 1000);
    let figures = figures(&place);
    assert!(figures["received"] > 0 && figures["kernel"] > 0, "{figures:?}");
    let consumer = place.queue().consumer("default").unwrap();
    for number in 0..figures["received"] {
        assert_eq!(take(&consumer), payload(number));
    }
}

#[test]
fn datagrams_of_any_size() {
    let (place, address) = place(&["--set", "payload=60000"]);
    let consumer = place.queue().consumer("default").unwrap();
    let socket = sender();
    for size in [0, 1, 60_000, 60_001, 65_507, 63, 64, 65] {
        socket.send_to(&vec![b'x'; size], address).unwrap();
    }
    for size in [0, 1, 60_000, 63, 64, 65] {
        assert_eq!(take(&consumer).len(), size);
    }
    let figures = figures(&place);
    assert_eq!((figures["received"], figures["too_large"]), (6, 2), "{figures:?}");
}

#[test]
fn a_full_queue_holds_nobody_up() {
    let (place, address) = place(&[]);
    let queue = place.queue();
    let consumer = queue.consumer("default").unwrap();
    let socket = sender();
    let large = vec![b'x'; 50_000];
    for sent in 1..=40 {
        socket.send_to(&large, address).unwrap();
        place.until("it is counted", |place| total(place) == sent);
    }
    let figures = figures(&place);
    assert!(figures["full"] > 10 && figures["received"] > 10, "{figures:?}");
    for _ in 0..figures["received"] {
        assert_eq!(take(&consumer), large);
    }
    socket.send_to(b"again", address).unwrap();
    assert_eq!(take(&consumer), b"again");
    // Removed, and made anew.
    slipring::Queue::unlink(&place.dir.path("q")).unwrap();
    place.until("it is gone", |place| {
        socket.send_to(b"m", address).unwrap();
        self::figures(place)["unavailable"] > 0
    });
    let queue = super::common::queue(&place.dir, "q", 1 << 20);
    place.until("it is there again", |_| {
        socket.send_to(b"m", address).unwrap();
        queue.stats().sent > 0
    });
}

#[test]
fn sockets_with_events_and_what_is_wrong_with_settings() {
    let place = Place::new(&["--set", "udp=127.0.0.1:0=q/reading.raw, [::1]:0=q"]);
    let text = place.ask("GET", "/metrics", b"").text();
    let addresses = text.split("received_total{address=\"").skip(1);
    let addresses: Vec<SocketAddr> =
        addresses.map(|rest| rest.split('"').next().unwrap().parse().unwrap()).collect();
    sender().send_to(b"a", addresses[0]).unwrap();
    let consumer = place.queue().consumer("default").unwrap();
    let message = consumer.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!((message.event(), message.payload()), (Some("reading.raw"), &b"a"[..]));
    UdpSocket::bind("[::1]:0").unwrap().send_to(b"b", addresses[1]).unwrap();
    let message = consumer.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!((message.event(), message.payload()), (None, &b"b"[..]));
    let dir = super::common::TempDir::new();
    for (setting, part) in [
        ("udp=127.0.0.1:0", "QUEUE"),
        ("udp=127.0.0.1:0=", "name"),
        ("udp=nonsense=q", "nonsense"),
        ("udp=0.0.0.0:0=q", "insecure"),
    ] {
        let out = super::command(&dir, &["--set", setting]).output().unwrap();
        let text = String::from_utf8(out.stderr).unwrap();
        assert_eq!((out.status.code(), text.contains(part)), (Some(1), true), "{text}");
    }
}

/// The example does what it says.
#[test]
fn the_example() {
    let dir = super::common::TempDir::new();
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_slipring")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("sh");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/udp-collector/run.sh"));
    command.env("PATH", path).env("SLIPRING_DIR", dir.path(""));
    let out = command.output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success(), "{text}{said}");
    assert_eq!(text.lines().filter(|line| line.contains("celsius=")).count(), 30, "{text}{said}");
    assert!(text.contains("received 30"), "{text}{said}");
}
