//! Many clients that misbehave at once: others get on, and what each may cost is bounded.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use tungstenite::protocol::frame::coding::CloseCode;

use super::websocket::Socket;
use super::{Client, LIMIT, Place};

const MANY: [&str; 4] = ["--set", "connections=20000", "--set", "connections_per_address=20000"];
const UPGRADE: [&str; 4] = [
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
];

/// Somebody else sends, pulls and acks.
fn others_get_on(place: &Place, client: &mut Client, times: usize) {
    for number in 0..times {
        let text = number.to_string();
        assert_eq!(client.ask("POST", "/q/q?event=other", &[], text.as_bytes()).status, 201);
        let pulled = client.ask("GET", "/q/q?wait=60s", &[], b"");
        assert_eq!(pulled.text(), text);
        let target = format!("/q/q/ack?token={}", pulled.field("Slipring-Ack").unwrap());
        assert_eq!(client.ask("POST", &target, &[], b"").status, 204);
    }
    assert_eq!(place.queue().stats().groups[0].lag, 0);
}

/// Descriptors that the gateway has open.
fn descriptors(place: &Place) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", place.gateway.child.id())).unwrap().count()
}

#[test]
fn heads_and_bodies_a_byte_at_a_time() {
    let times = ["--set", "handshake_seconds=2", "--set", "idle_seconds=3"];
    let place = Place::new(&[&MANY[..], &times].concat());
    let memory = place.gateway.memory();
    let begin: [&[u8]; 3] = [
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ",
        b"POST /q/q HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n",
        b"POST /q/q HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n",
    ];
    let mut slow: Vec<TcpStream> = Vec::new();
    for number in 0..300 {
        let mut client = place.client();
        client.send(begin[number % 3]);
        slow.push(client.stream.into_inner());
    }
    let mut other = place.client();
    // Each sends on for as long as it is let.
    let start = Instant::now();
    while place.metric("slipring_gateway_timeouts_total") < 300 {
        assert!(start.elapsed() < LIMIT, "they are never cut off");
        for stream in &mut slow {
            let _ = stream.write(b"x");
        }
        others_get_on(&place, &mut other, 3);
        thread::sleep(Duration::from_millis(50));
    }
    for stream in slow {
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let mut answer = Vec::new();
        match (&stream).read_to_end(&mut answer) {
            // It sent on after the end.
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
            Ok(_) => assert!(answer.starts_with(b"HTTP/1.1 408 "), "{answer:?}"),
        }
    }
    place.until("all are gone", |place| place.metric("slipring_gateway_connections") <= 2);
    let grown = place.gateway.memory().saturating_sub(memory);
    assert!(grown < 16 << 10, "{grown} KiB");
}

#[test]
fn more_than_is_taken_on_each_face() {
    let place = Place::new(&[&MANY[..], &["--set", "payload=10000"]].concat());
    let memory = place.gateway.memory();
    let mut held = Vec::new();
    for number in 0..400 {
        let mut client = place.client();
        match number % 4 {
            // Heads just below the limit, which are never finished.
            0 => client.send(format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(8000)).as_bytes()),
            1 => {
                client
                    .send(b"POST /q/q HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n");
            }
            2 => {
                client.request("POST", "/q/q", &["Transfer-Encoding: chunked"], b"");
            }
            _ => {
                client.request("GET", "/ws/q", &UPGRADE, b"");
                assert_eq!(client.head().status, 101);
                // A frame that says it has 2^62 bytes.
                client.send(b"\x82\xFF\x40\0\0\0\0\0\0\0mask");
            }
        }
        held.push(client);
    }
    let mut other = place.client();
    others_get_on(&place, &mut other, 20);
    for (number, client) in held.iter_mut().enumerate() {
        match number % 4 {
            0 => {}
            1 => assert_eq!(client.answer().status, 413),
            2 => assert_eq!(client.answer().status, 400),
            _ => assert_eq!(Socket::over(client).closing(), CloseCode::Size),
        }
    }
    let grown = place.gateway.memory().saturating_sub(memory);
    assert!(grown < 16 << 10, "{grown} KiB");
}

/// Thousands that connect, ask for something on any face, and are gone, with a reset since they have not read the answer.
#[test]
fn storms_of_resets() {
    let place = Place::new(&MANY);
    let mut other = place.client();
    others_get_on(&place, &mut other, 1);
    let (memory, open) = (place.gateway.memory(), descriptors(&place));
    for round in 0..3000 {
        let mut client = place.client();
        match round % 6 {
            0 => client.request("GET", "/metrics", &[], b""),
            1 => client.request("GET", "/q/q/events?from=earliest", &[], b""),
            2 => client.request("GET", "/ws/q?from=earliest", &UPGRADE, b""),
            3 => client.request("GET", "/ws/q?group=g", &UPGRADE, b""),
            4 => client.request("GET", "/q/q?group=g&from=latest&wait=60s", &[], b""),
            _ => {}
        }
        if round % 2 == 0 && round % 6 != 4 {
            client.stream.get_ref().peek(&mut [0; 1]).unwrap();
        }
        drop(client);
        if round % 100 == 0 {
            others_get_on(&place, &mut other, 1);
        }
    }
    place.until("all are gone", |place| place.metric("slipring_gateway_connections") <= 2);
    place.until("nobody is left in the queue", |place| {
        place.queue().stats().groups.iter().all(|group| group.kind != "lossy" && group.members == 0)
    });
    others_get_on(&place, &mut other, 20);
    place.until("its descriptors are closed", |place| descriptors(place) <= open + 1);
    let grown = place.gateway.memory().saturating_sub(memory);
    assert!(grown < 16 << 10, "{grown} KiB");
}

/// Asks for message after message and reads no answer: it gets no more than fits on the way, and all of it goes back.
#[test]
fn a_puller_that_never_reads() {
    let place = Place::new(&["--set", "out_queue=4096", "--set", "ack_seconds=2"]);
    let memory = place.gateway.memory();
    let queue = super::common::queue(&place.dir, "large", 64 << 20);
    let mut producer = queue.producer().unwrap();
    for number in 0..COUNT {
        producer.send(format!("{number:60000}").as_bytes()).unwrap();
    }
    let mut deaf = place.client();
    let requests = "GET /q/large HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(COUNT);
    deaf.send(requests.as_bytes());
    let mut other = place.client();
    others_get_on(&place, &mut other, 50);
    let received = queue.stats().received;
    assert!(received > 0 && received < COUNT as u64, "{received}");
    let grown = place.gateway.memory().saturating_sub(memory);
    // The gateway has mapped the ring as well, of which it has read this much.
    let read = received * 60;
    assert!(grown < read + (8 << 10), "{grown} KiB");
    drop(deaf);
    let mut numbers: Vec<usize> = (0..COUNT)
        .map(|_| {
            let pulled = other.ask("GET", "/q/large?wait=60s", &[], b"");
            let target = format!("/q/large/ack?token={}", pulled.field("Slipring-Ack").unwrap());
            assert_eq!(other.ask("POST", &target, &[], b"").status, 204);
            pulled.text().trim().parse().unwrap()
        })
        .collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..COUNT));
}

const COUNT: usize = 500;
const IDLE: usize = 10_000;

/// Also prints what a connection costs.
#[test]
fn ten_thousand_who_do_nothing() {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let limit = |at| line.split_whitespace().nth(at).unwrap().parse().unwrap_or(usize::MAX);
    let (soft, hard): (usize, usize) = (limit(3), limit(4));
    let count = IDLE.min(hard - 300);
    if soft < count + 300 {
        // Again, with as many descriptors as one may have; the gateway has them from there.
        let mut again = Command::new("sh");
        again.arg("-c").arg(format!("ulimit -n {} && exec \"$0\" \"$@\"", count + 300));
        let name = "serve::hostile::ten_thousand_who_do_nothing";
        again.arg(std::env::current_exe().unwrap()).args(["--exact", name, "--nocapture"]);
        return assert!(again.status().unwrap().success());
    }
    let idle = ["--set", "idle_seconds=600", "--set", "handshake_seconds=600"];
    let flags = [&MANY[..], &idle].concat();
    for (face, most) in [("HTTP", 4), ("WebSocket", 6)] {
        let place = Place::new(&flags);
        let mut other = place.client();
        others_get_on(&place, &mut other, 10);
        let before = place.gateway.memory();
        let clients: Vec<Client> = (0..count)
            .map(|_| {
                let mut client = place.client();
                let (target, fields) = match face {
                    "HTTP" => ("/healthz", &[][..]),
                    _ => ("/ws/q?group=idle&from=latest", &UPGRADE[..]),
                };
                client.request("GET", target, fields, b"");
                assert!([101, 200].contains(&client.answer().status));
                client
            })
            .collect();
        assert!(place.metric("slipring_gateway_connections") >= count as u64);
        let each = (place.gateway.memory() - before) as f64 / count as f64;
        println!("{count} idle connections, {face}: {each:.2} KiB each");
        assert!(each < f64::from(most), "{face}: {each} KiB each");
        others_get_on(&place, &mut other, 50);
        drop(clients);
        place.until("all are gone", |place| place.metric("slipring_gateway_connections") <= 2);
        others_get_on(&place, &mut other, 10);
    }
}
