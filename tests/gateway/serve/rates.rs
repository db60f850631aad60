//! How much a client may send in a second.

use serde_json::json;

use super::nats::Nats;
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

const ENGINE: &str = "/socket.io/?EIO=4&transport=";

#[test]
fn over_socketio() {
    let place = Place::new(&["--set", "messages_per_second=5", "--set", "bytes_per_second=10000"]);
    let joined = || {
        let mut socket = Socket::open(&place, &format!("{ENGINE}websocket"));
        assert!(socket.next().to_text().unwrap().starts_with("0{"));
        socket.send("40/q,");
        assert!(socket.next().to_text().unwrap().starts_with("40/q,{"));
        socket
    };
    let mut many = joined();
    for _ in 0..100 {
        many.send(r#"42/q,["many","m"]"#);
    }
    assert_eq!(u16::from(many.closing()), 1008);
    let sent = place.queue().stats().sent;
    assert!((3..100).contains(&sent), "{sent}");
    let mut large = joined();
    large.send(&format!(r#"42/q,["large","{}"]"#, "x".repeat(50_000)));
    assert_eq!(u16::from(large.closing()), 1008);
    assert_eq!((place.metric(METRIC), place.queue().stats().sent), (2, sent));
}

/// However they are packed: a request each, or all in the body of one.
#[test]
fn over_polling() {
    let place = Place::new(&["--set", "messages_per_second=5", "--set", "bytes_per_second=10000"]);
    let message = r#"42/q,["many","m"]"#;
    let open = || {
        let text = place.ask("GET", &format!("{ENGINE}polling"), b"").text();
        let (_, rest) = text.split_once(r#""sid":""#).unwrap();
        let target = format!("{ENGINE}polling&sid={}", rest.split_once('"').unwrap().0);
        assert_eq!(place.ask("POST", &target, b"40/q,").status, 200);
        target
    };
    let (target, mut client) = (open(), place.client());
    let mut statuses =
        (0..100).map(|_| client.ask("POST", &target, &[], message.as_bytes()).status);
    assert_eq!(statuses.find(|status| *status != 200), Some(429));
    let sent = place.queue().stats().sent;
    assert!((5..100).contains(&sent), "{sent}");
    let body = [message; 100].join("\x1e");
    assert_eq!(place.ask("POST", &open(), body.as_bytes()).status, 429);
    let more = place.queue().stats().sent - sent;
    assert!((5..100).contains(&more), "{more}");
    let large = format!(r#"42/q,["large","{}"]"#, "x".repeat(50_000));
    assert_eq!(place.ask("POST", &open(), large.as_bytes()).status, 429);
    assert_eq!((place.metric(METRIC), place.queue().stats().sent), (3, sent + more));
}

#[test]
fn over_nats() {
    let nats = Nats::new(&["--set", "messages_per_second=5", "--set", "bytes_per_second=10000"]);
    let error = r"-ERR \'Rate Limit Exceeded\'";
    let mut many = nats.client();
    many.send("PUB q.many 1\r\nm\r\n".repeat(100).as_bytes());
    assert_eq!(many.rest(), [error]);
    let sent = nats.place.queue().stats().sent;
    assert!((5..100).contains(&sent), "{sent}");
    let mut large = nats.client();
    large.send(format!("PUB q.large 50000\r\n{}\r\n", "x".repeat(50_000)).as_bytes());
    assert_eq!(large.rest(), [error]);
    assert_eq!((nats.place.metric(METRIC), nats.place.queue().stats().sent), (2, sent));
}
