//! Clients that misbehave: the others don't feel it, and memory is bounded.

use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::Place;

#[test]
fn too_large() {
    let place = Place::new(&["--set", "payload=1000", "--set", "head=512"]);
    assert_eq!(place.ask("POST", "/q/q", &[b'x'; 1000]).status, 201);
    let mut client = place.client();
    client.send(b"POST /q/q HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1001\r\n\r\n");
    assert_eq!(client.answer().status, 413);
    assert!(client.is_closed());
    let mut client = place.client();
    client.send(format!("GET /{} HTTP/1.1\r\n", "x".repeat(600)).as_bytes());
    assert_eq!(client.answer().status, 431);
    // More than the queue ever takes.
    let place = Place::new(&["--set", "payload=2000000"]);
    assert_eq!(place.ask("POST", "/q/q", &vec![b'x'; 600_000]).status, 413);
}

#[test]
fn slow_heads_and_bodies_and_idle_clients() {
    let place = Place::new(&["--set", "handshake_seconds=1", "--set", "idle_seconds=1"]);
    // A byte now and then does not help.
    let mut slow = place.client();
    for byte in b"GET /heal" {
        if slow.stream.get_mut().peek_closed() {
            break;
        }
        slow.send(&[*byte]);
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(slow.answer().status, 408);
    assert!(slow.is_closed());
    let mut body = place.client();
    body.send(b"POST /q/q HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc");
    assert_eq!(body.answer().status, 408);
    assert_eq!(place.metric("slipring_gateway_timeouts_total"), 2);
    assert!(place.client().is_closed(), "who says nothing at all is cut off");
    assert_eq!(place.metric("slipring_gateway_timeouts_total"), 3);
    let mut idle = place.client();
    assert_eq!(idle.ask("GET", "/healthz", &[], b"").status, 200);
    assert!(idle.is_closed());
    assert_eq!(place.metric("slipring_gateway_timeouts_total"), 4);
    assert_eq!(place.queue().stats().sent, 0);
}

trait PeekClosed {
    fn peek_closed(&self) -> bool;
}

impl PeekClosed for TcpStream {
    fn peek_closed(&self) -> bool {
        self.set_nonblocking(true).unwrap();
        let closed = self.peek(&mut [0; 1]).is_ok();
        self.set_nonblocking(false).unwrap();
        closed
    }
}

#[test]
fn half_open_clients() {
    let place = Place::new(&[]);
    // Who sends no more is still answered.
    let mut client = place.client();
    client.request("POST", "/q/q", &[], b"m");
    client.stream.get_mut().shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.answer().status, 201);
    assert!(client.is_closed());
    // Who waits, or listens, and goes is noticed at once.
    for target in ["/q/q?group=other&from=latest&wait=60s", "/q/q/events", "/q/q/events"] {
        let mut client = place.client();
        client.request("GET", target, &[], b"");
        place.until("it is there", |place| {
            place.queue().stats().groups.iter().any(|group| group.members == 1)
        });
        drop(client);
        place.until("it is gone", |place| {
            place.queue().stats().groups.iter().all(|group| group.members == 0)
        });
    }
}

#[test]
fn more_connections_than_there_may_be() {
    let place = Place::new(&["--set", "connections_per_address=3"]);
    let mut clients: Vec<_> = (0..3).map(|_| place.client()).collect();
    for client in &mut clients {
        assert_eq!(client.ask("GET", "/healthz", &[], b"").status, 200);
    }
    assert_eq!(place.client().answer().status, 503);
    drop(clients.pop());
    let figures = |client: &mut super::Client| client.ask("GET", "/metrics", &[], b"").text();
    let start = Instant::now();
    while !figures(&mut clients[0]).contains("slipring_gateway_connections 2\n") {
        assert!(start.elapsed() < super::LIMIT, "it is never noticed");
    }
    assert_eq!(place.ask("GET", "/healthz", b"").status, 200);
    assert!(figures(&mut clients[0]).contains("slipring_gateway_connections_refused_total 1\n"));
}

/// Clients that never read, on each face, while others go on.
#[test]
fn clients_that_never_read() {
    let place = Place::new(&[]);
    let queue = place.queue();
    let (mut producer, consumer) = (queue.producer().unwrap(), queue.consumer("default").unwrap());
    let before = place.gateway.memory();
    let upgrade = [
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    ];
    let mut deaf: Vec<_> = (0..20).map(|_| place.client()).collect();
    for (number, client) in deaf.iter_mut().enumerate() {
        match number % 2 {
            0 => client.request("GET", "/q/q/events", &[], b""),
            _ => client.request("GET", "/ws/q?format=raw", &upgrade, b""),
        }
        assert!([101, 200].contains(&client.head().status));
    }
    // And one that asks, and asks, and does not read the answers.
    let pushy = place.client();
    let stream = pushy.stream.get_ref().try_clone().unwrap();
    stream.set_nonblocking(true).unwrap();
    let mut stalled = 0;
    while stalled < 20 {
        let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(100);
        if std::io::Write::write(&mut &stream, &request).is_err() {
            stalled += 1;
            thread::sleep(Duration::from_millis(10));
        }
    }
    let mut client = place.client();
    let payload = [b'x'; 50_000];
    for _ in 0..1000 {
        producer.send(&payload).unwrap();
        consumer.recv().unwrap().ack().unwrap();
    }
    for _ in 0..20 {
        assert_eq!(client.ask("POST", "/q/q", &[], b"m").status, 201);
        consumer.recv().unwrap().ack().unwrap();
        assert_eq!(client.ask("GET", "/healthz", &[], b"").status, 200);
    }
    // 50 MB went by, a thousand times over for all of them; each may hold its bound and a message.
    let grown = place.gateway.memory().saturating_sub(before);
    assert!(grown < 32 << 10, "{grown} KiB");
    drop((deaf, pushy, stream));
    place.until("all are gone", |place| place.metric("slipring_gateway_connections") <= 2);
}
