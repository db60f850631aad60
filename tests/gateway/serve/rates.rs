//! How much a client may send in a second.

use serde_json::json;

use super::{Place, websocket::Socket};

const METRIC: &str = "slipring_gateway_over_rate_total";

#[test]
fn too_many_requests() {
    let place = Place::new(&["--set", "messages_per_second=5"]);
    let mut client = place.client();
    client.send(&b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(500));
    let mut good = 0;
    let refused = loop {
        let answer = client.answer();
        if answer.status != 200 {
            break answer;
        }
        good += 1;
    };
    assert_eq!((refused.status, refused.field("Connection")), (429, Some("close")));
    assert!((5..500).contains(&good), "{good}");
    assert!(client.is_closed());
    // Each connection has its own.
    assert_eq!(place.metric(METRIC), 1);
}

#[test]
fn too_many_bytes() {
    let place = Place::new(&["--set", "bytes_per_second=10000"]);
    assert_eq!(place.ask("POST", "/q/q", &[b'x'; 8000]).status, 201);
    let mut client = place.client();
    client.send(b"POST /q/q HTTP/1.1\r\nHost: localhost\r\nContent-Length: 800000\r\n\r\n");
    client.send(&[b'x'; 64000]);
    assert_eq!(client.answer().status, 429);
    assert_eq!((place.metric(METRIC), place.queue().stats().sent), (1, 1));
}

#[test]
fn over_websocket() {
    let place = Place::new(&["--set", "messages_per_second=5", "--set", "bytes_per_second=10000"]);
    let mut many = Socket::open(&place, "/ws/q?from=latest");
    for _ in 0..100 {
        many.say(json!({ "send": "m", "event": "many" }));
    }
    assert_eq!(u16::from(many.closing()), 1008);
    assert!((4..100).contains(&place.queue().stats().sent));
    let mut large = Socket::open(&place, "/ws/q?from=latest");
    large.say(json!({ "send": "x".repeat(50_000) }));
    assert_eq!(u16::from(large.closing()), 1008);
    assert_eq!(place.metric(METRIC), 2);
}
