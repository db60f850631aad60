//! The gateway's beginning and end.

use std::time::Duration;

use super::Place;

#[test]
fn a_signal_lets_clients_finish() {
    let mut place = Place::new(&[]);
    place.ask("POST", "/q/q", b"held");
    let held = place.ask("GET", "/q/q?group=held", b"");
    assert_eq!(held.text(), "held");
    let mut body = place.client();
    body.send(b"POST /q/q HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nfi");
    let mut waiting = place.client();
    waiting.request("GET", "/q/q?group=late&from=latest&wait=60s", &[], b"");
    let mut idle = place.client();
    assert_eq!(idle.ask("GET", "/healthz", &[], b"").status, 200);
    let mut events = place.client();
    events.request("GET", "/q/q/events", &[], b"");
    assert_eq!(events.head().status, 200);
    place.until("it waits", |place| {
        place.queue().stats().groups.iter().any(|group| group.name == "late" && group.members == 1)
    });
    place.gateway.signal("TERM");
    // Nobody came for it; who is idle is closed; a stream ends as such.
    assert_eq!(waiting.answer().status, 204);
    assert!(idle.is_closed());
    let mut last = String::new();
    while last != "0" {
        last = events.line();
    }
    assert!(std::net::TcpStream::connect(place.gateway.address).is_err());
    body.send(b"ne");
    let answer = body.answer();
    assert_eq!((answer.status, answer.field("Connection")), (201, Some("close")));
    // Clients close when they are told to.
    drop((waiting, idle, events, body));
    assert_eq!(place.gateway.wait().code(), Some(0));
    // Two asked on connections of their own.
    let last = "serve: interrupted after 6 connections; 2 messages published, 1 delivered";
    assert_eq!(place.gateway.says(), format!("slipring: {last}\n"));
    let queue = place.queue();
    assert_eq!(queue.stats().members.len(), 0);
    let consumer = queue.consumer("held").unwrap();
    let again = consumer.recv_timeout(Duration::from_secs(30)).unwrap();
    assert_eq!((again.payload(), again.deliveries()), (&b"held"[..], 2));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut place = Place::new(&["--set", "drain_seconds=3600"]);
    let mut client = place.client();
    client.send(b"POST /q/q HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nfi");
    assert_eq!(place.ask("GET", "/healthz", b"").status, 200);
    place.gateway.signal("INT");
    place.until("it listens no more", |place| {
        std::net::TcpStream::connect(place.gateway.address).is_err()
    });
    place.gateway.signal("INT");
    assert_eq!(place.gateway.wait().code(), Some(1));
}

#[test]
fn who_does_not_finish_is_cut_off() {
    let mut place = Place::new(&["--set", "drain_seconds=1"]);
    let mut client = place.client();
    client.send(b"POST /q/q HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nfi");
    assert_eq!(place.ask("GET", "/healthz", b"").status, 200);
    place.gateway.signal("TERM");
    assert_eq!(place.gateway.wait().code(), Some(0));
    assert!(client.is_closed());
}
