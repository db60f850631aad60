//! How a request becomes a connection, and why it does not.

use slipring::gateway::http::{Event, Limits, Origins, Parser};
use slipring::gateway::websocket::{Connection, Event as Message, Handshake, Limits as Rules};

use super::client::{TEXT, whole};

/// The RFC's own example.
const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Origin: http://example.com\r\nSec-WebSocket-Protocol: chat, superchat\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

fn example() -> Origins {
    Origins::Listed(vec!["http://example.com".into()])
}

/// The answer to a request, and the subprotocol.
fn answer(request: &str, origins: &Origins, known: &[&str]) -> String {
    let mut parser = Parser::new(Limits::default());
    let Ok(Some(Event::Request(request))) = parser.next(&mut request.as_bytes()) else {
        panic!("not a request: {request}");
    };
    let mut out = Vec::new();
    match Handshake::parse(&request, origins) {
        Ok(handshake) => handshake.accept(handshake.choose(known), &mut out),
        Err(refusal) => refusal.write(&request, &mut out),
    }
    String::from_utf8(out).unwrap()
}

#[test]
fn the_rfcs_example() {
    assert_eq!(
        answer(REQUEST, &example(), &["superchat"]),
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
        Sec-WebSocket-Protocol: superchat\r\n\r\n"
    );
    let without = answer(REQUEST, &example(), &["Chat", "other"]);
    assert!(without.starts_with("HTTP/1.1 101 "));
    assert!(!without.contains("Protocol:"), "{without}");
}

#[test]
fn the_clients_order_of_subprotocols_counts() {
    let answer = answer(REQUEST, &example(), &["superchat", "chat"]);
    assert!(answer.contains("Sec-WebSocket-Protocol: chat\r\n"), "{answer}");
}

#[test]
fn what_other_clients_send() {
    for (from, to) in [
        ("Upgrade: websocket", "upgrade: WebSocket"),
        ("Connection: Upgrade", "Connection: keep-alive, upgrade"),
        ("Connection: Upgrade", "connection: keep-alive\r\nCONNECTION: ,Upgrade"),
        ("Upgrade: websocket", "Upgrade: h2c, websocket"),
        ("Origin: http://example.com\r\n", ""),
        ("Origin: http://example.com", "Origin: http://server.example.com"),
        ("Origin: http://example.com", "Origin: https://Server.example.com"),
        ("Version: 13\r\n", "Version: 13\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"),
    ] {
        assert!(REQUEST.contains(from));
        let answer = answer(&REQUEST.replacen(from, to, 1), &example(), &[]);
        assert!(answer.starts_with("HTTP/1.1 101 "), "{to}: {answer}");
        assert!(!answer.contains("Extensions"), "{answer}");
    }
}

#[test]
fn what_is_refused() {
    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    for (from, to, status) in [
        ("GET", "POST", 405),
        ("GET", "HEAD", 405),
        ("Upgrade: websocket", "Upgrade: h2c", 426),
        ("Upgrade: websocket", "Upgrade: websocket2", 426),
        ("Upgrade: websocket\r\n", "", 426),
        ("Connection: Upgrade", "Connection: keep-alive", 426),
        ("Connection: Upgrade\r\n", "", 426),
        ("Version: 13", "Version: 8", 426),
        ("Version: 13", "Version: 13, 8", 426),
        ("Version: 13", "Version: 013", 426),
        ("Sec-WebSocket-Version: 13\r\n", "", 426),
        ("Version: 13\r\n", "Version: 13\r\nSec-WebSocket-Version: 13\r\n", 426),
        (KEY, "", 400),
        (KEY, "dGhlIHNhbXBsZSBub25jZQ=", 400),
        (KEY, "dGhlIHNhbXBsZSBub25jZQ", 400),
        (KEY, "dGhlIHNhbXBsZSBub25jZR==", 400),
        (KEY, "dGhlIHNhbXBsZSBub25j", 400),
        (KEY, "dGhlIHNhbXBsZSBub25jZTEy", 400),
        (KEY, "dGhlIHNhbXBsZSBub25jZTEyMw==", 400),
        (KEY, "dGhl IHNhbXBsZSBub25jZQ=", 400),
        (
            "Sec-WebSocket-Key: ",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: ",
            400,
        ),
        ("Host: ", "Content-Length: 5\r\nHost: ", 400),
        ("Host: ", "Transfer-Encoding: chunked\r\nHost: ", 400),
        ("HTTP/1.1", "HTTP/1.0", 400),
        ("http://example.com", "http://example.org", 403),
        ("http://example.com", "https://example.com", 403),
        ("http://example.com", "http://example.com.evil.example", 403),
        ("http://example.com", "http://server.example.com:81", 403),
        ("http://example.com", "null", 403),
        ("http://example.com", "", 403),
        ("Origin: ", "Origin: http://evil.example\r\nOrigin: ", 403),
    ] {
        assert!(REQUEST.contains(from));
        let answer = answer(&REQUEST.replacen(from, to, 1), &example(), &["chat"]);
        let head = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&head), "{from} -> {to}: {answer}");
        assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
        assert_eq!(answer.contains("\r\nSec-WebSocket-Version: 13\r\n"), status == 426, "{answer}");
        assert_eq!(answer.contains("\r\nUpgrade: websocket\r\n"), status == 426, "{answer}");
        assert_eq!(answer.contains("\r\nAllow: GET\r\n"), status == 405, "{answer}");
    }
}

#[test]
fn any_origin_if_it_is_said() {
    let request = REQUEST.replace("http://example.com", "https://elsewhere.example");
    assert!(answer(&request, &Origins::default(), &[]).starts_with("HTTP/1.1 403 "));
    assert!(answer(&request, &Origins::Any, &[]).starts_with("HTTP/1.1 101 "));
}

#[test]
fn frames_behind_the_request_are_the_connections() {
    let mut bytes = [REQUEST.as_bytes(), &whole(TEXT, b"early")].concat();
    let mut rest = &bytes[..];
    let mut parser = Parser::new(Limits::default());
    assert!(matches!(parser.next(&mut rest), Ok(Some(Event::Request(_)))));
    let left = rest.len();
    let at = bytes.len() - left;
    let mut connection = Connection::new(Rules::default());
    assert_eq!(connection.next(&mut &mut bytes[at..]), Some(Message::Text("early")));
}
