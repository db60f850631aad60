//! WebSocket, with tungstenite as the client.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::Instant;

use serde_json::{Value, json};
use tungstenite::protocol::Role;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, HandshakeError, Message, WebSocket};

use super::{Client, Gateway, LIMIT, Place};

pub struct Socket(WebSocket<TcpStream>);

impl Socket {
    pub fn open(place: &Place, target: &str) -> Self {
        Self::of(&place.gateway, target)
    }

    pub fn of(gateway: &Gateway, target: &str) -> Self {
        loop {
            let stream = TcpStream::connect(gateway.address).unwrap();
            stream.set_read_timeout(Some(LIMIT)).unwrap();
            match tungstenite::client(format!("ws://localhost{target}"), stream) {
                Err(HandshakeError::Failure(error)) if is_interrupted(&error) => {}
                opened => return Self(opened.unwrap().0),
            }
        }
    }

    /// Over a client after its handshake.
    pub fn over(client: &Client) -> Self {
        let stream = client.stream.get_ref().try_clone().unwrap();
        let come = client.stream.buffer().to_vec();
        Self(WebSocket::from_partially_read(stream, come, Role::Client, None))
    }

    /// The status with which a handshake is refused.
    pub fn refusal(place: &Place, target: &str) -> u16 {
        let stream = TcpStream::connect(place.gateway.address).unwrap();
        match tungstenite::client(format!("ws://localhost{target}"), stream) {
            Err(HandshakeError::Failure(Error::Http(answer))) => answer.status().as_u16(),
            other => panic!("{target}: {other:?}"),
        }
    }

    pub fn say(&mut self, value: Value) {
        self.send(&value.to_string());
    }

    pub fn send(&mut self, text: &str) {
        self.0.send(Message::text(text)).unwrap();
    }

    /// The next message that is no ping. (These keep coming, also if it does not.)
    pub(super) fn next(&mut self) -> Message {
        let start = Instant::now();
        loop {
            assert!(start.elapsed() < LIMIT, "no message comes");
            match self.0.read() {
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                Err(error) if is_interrupted(&error) => {}
                message => return message.unwrap(),
            }
        }
    }

    pub fn hear(&mut self) -> Value {
        serde_json::from_str(self.next().to_text().unwrap()).unwrap()
    }

    /// The code that the server closes with.
    pub fn closing(&mut self) -> CloseCode {
        loop {
            if let Message::Close(Some(frame)) = self.next() {
                return frame.code;
            }
        }
    }
}

/// The test was stopped meanwhile, and goes on.
fn is_interrupted(error: &Error) -> bool {
    matches!(error, Error::Io(error) if error.kind() == ErrorKind::Interrupted)
}

#[test]
fn messages_are_pushed_and_acked() {
    let place = Place::new(&[]);
    let mut socket = Socket::open(&place, "/ws/q?group=g");
    socket.say(json!({ "send": "hello", "event": "greeting" }));
    // The answer and the message may come in any order.
    let (a, b) = (socket.hear(), socket.hear());
    let (sent, message) = if a["sent"].is_u64() { (a, b) } else { (b, a) };
    let position = &sent["sent"];
    let expected = json!({
        "position": position, "event": "greeting", "encoding": "utf-8", "payload": "hello", "deliveries": 1
    });
    assert_eq!(message, expected);
    socket.say(json!({ "retry": position }));
    assert_eq!(socket.hear()["deliveries"], 2);
    socket.say(json!({ "ack": position }));
    socket.say(json!({ "ack": position }));
    assert_eq!(socket.hear()["status"], 410);
    socket.say(json!({ "send": "//4=", "encoding": "base64" }));
    let (a, b) = (socket.hear(), socket.hear());
    let message = if a["sent"].is_u64() { b } else { a };
    assert_eq!((&message["encoding"], &message["payload"]), (&json!("base64"), &json!("//4=")));
    socket.say(json!({ "reject": message["position"], "reason": "no text" }));
    place.until("it is dropped", |place| place.queue().stats().dropped == 1);
    socket.say(json!({ "send": { "any": ["json"] } }));
    let (a, b) = (socket.hear(), socket.hear());
    let message = if a["sent"].is_u64() { b } else { a };
    assert_eq!(message["payload"], r#"{"any":["json"]}"#);
    for nonsense in
        [json!({}), json!([]), json!({ "akc": 1 }), json!({ "send": 1, "encoding": "x" })]
    {
        socket.say(nonsense);
        assert_eq!(socket.hear()["status"], 400);
    }
}

#[test]
fn a_client_holds_no_more_than_its_window() {
    let place = Place::new(&["--set", "window=2"]);
    let mut producer = place.queue().producer().unwrap();
    for number in 0..5 {
        producer.send(number.to_string().as_bytes()).unwrap();
    }
    let (mut first, mut second) =
        (Socket::open(&place, "/ws/q?group=g"), Socket::open(&place, "/ws/q?group=g"));
    let held = [first.hear(), first.hear()];
    assert_eq!([&held[0]["payload"], &held[1]["payload"]], [&json!("0"), &json!("1")]);
    let others = [second.hear(), second.hear()];
    assert_eq!([&others[0]["payload"], &others[1]["payload"]], [&json!("2"), &json!("3")]);
    first.say(json!({ "ack": held[1]["position"] }));
    assert_eq!(first.hear()["payload"], "4");
    // What a client held when it went comes to the other one; without a goodbye, too.
    drop(first);
    second.say(json!({ "ack": others[0]["position"] }));
    second.say(json!({ "ack": others[1]["position"] }));
    let mut again = [second.hear(), second.hear()];
    again.sort_by_key(|message| message["position"].as_u64());
    assert_eq!([&again[0]["payload"], &again[1]["payload"]], [&json!("0"), &json!("4")]);
    assert!(again.iter().all(|message| message["deliveries"] == 2));
    second.0.close(None).unwrap();
    while second.0.read().is_ok() {}
    place.until("the group is left", |place| {
        place.queue().stats().groups.iter().all(|group| group.members == 0)
    });
}

#[test]
fn readers_without_a_group() {
    let place = Place::new(&[]);
    let mut producer = place.queue().producer().unwrap();
    producer.send_event("a", b"0").unwrap();
    let second = producer.send_event("b", b"1").unwrap();
    let mut all = Socket::open(&place, "/ws/q?from=earliest");
    let mut some = Socket::open(&place, "/ws/q?from=earliest&event=b");
    let mut at = Socket::open(&place, &format!("/ws/q?from={second}"));
    let mut raw = Socket::open(&place, "/ws/q?from=earliest&format=raw");
    let event = json!({ "position": second, "event": "b", "encoding": "utf-8", "payload": "1" });
    assert_eq!(all.hear()["payload"], "0");
    for socket in [&mut all, &mut some, &mut at] {
        assert_eq!(socket.hear(), event);
    }
    assert_eq!(raw.next(), Message::binary("0"));
    assert_eq!(raw.next(), Message::binary("1"));
    // A binary message is a payload.
    raw.0.send(Message::binary(&b"\0\x01"[..])).unwrap();
    let (a, b) = (raw.next(), raw.next());
    assert!(a == Message::binary(&b"\0\x01"[..]) || b == Message::binary(&b"\0\x01"[..]));
    assert_eq!(some.0.get_ref().peer_addr().unwrap(), place.gateway.address);
    place.queue().close().unwrap();
    assert_eq!(all.closing(), CloseCode::Normal);
}

#[test]
fn an_overrun_reader_is_told() {
    let place = Place::new(&["--set", "out_queue=4096"]);
    let queue = place.queue();
    let mut socket = Socket::open(&place, "/ws/q?from=earliest");
    let (mut producer, consumer) = (queue.producer().unwrap(), queue.consumer("default").unwrap());
    // More than sockets and ring take; nobody reads.
    for number in 0..400_u32 {
        producer.send(&[number.to_string().as_bytes(), &[b' '; 100_000]].concat()).unwrap();
        consumer.recv().unwrap().ack().unwrap();
    }
    producer.send(b"last").unwrap();
    let (mut missed, mut told, mut before) = (0, false, None);
    loop {
        let value = socket.hear();
        if value["missed"].is_object() {
            (missed, told) = (missed + 1, true);
            assert!(value["missed"]["from"].as_u64() < value["missed"]["to"].as_u64());
            continue;
        }
        let payload = value["payload"].as_str().unwrap().trim();
        if payload == "last" {
            assert!(told || before == Some(399));
            break;
        }
        let number: u32 = payload.parse().unwrap();
        let next = before.map_or(0, |before| before + 1);
        assert!(number == next || number > next && told, "{number} and not {next}");
        (before, told) = (Some(number), false);
    }
    assert!(missed > 0);
}

#[test]
fn refused_handshakes_and_messages() {
    let place = Place::new(&["--set", "payload=1000"]);
    for (target, status) in [
        ("/ws/none", 404),
        ("/ws/q?from=x", 400),
        ("/ws/q?format=xml", 400),
        ("/ws/q?group=g&format=raw", 400),
        ("/ws/q/x", 404),
    ] {
        assert_eq!(Socket::refusal(&place, target), status, "{target}");
    }
    let mut socket = Socket::open(&place, "/ws/q");
    socket.0.send(Message::binary(vec![0; 1001])).unwrap();
    assert_eq!(socket.closing(), CloseCode::Size);
    assert_eq!(place.queue().stats().sent, 0);
}
