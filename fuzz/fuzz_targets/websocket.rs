//! WebSocket frames: however the bytes are cut, and whether large messages are gathered or come in parts, the same is seen; what is sent and gathered is bounded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use slipring::gateway::websocket::{Connection, Event, Kind, Limits, MAX_CONTROL, is_valid};

const LIMITS: Limits = Limits { message: 700, fragments: 5, stream_from: usize::MAX };

// The first byte seeds the cuts.
fuzz_target!(|data: &[u8]| {
    let Some((&seed, bytes)) = data.split_first() else { return };
    let whole = seen(bytes, LIMITS, usize::MAX, 1);
    let parts = Limits { stream_from: 0, ..LIMITS };
    assert_eq!(whole, seen(bytes, LIMITS, 1, 1));
    assert_eq!(whole, seen(bytes, parts, 1, 1));
    assert_eq!(whole, seen(bytes, parts, usize::MAX, 1));
    assert_eq!(whole, seen(bytes, LIMITS, 40, u64::from(seed) + 1));
    never_read(bytes);
});

/// What is seen of bytes that come in pieces of up to so many, and what is sent.
fn seen(bytes: &[u8], limits: Limits, most: usize, mut seed: u64) -> (String, Vec<u8>) {
    let mut connection = Connection::new(limits);
    let (mut seen, mut sent, mut message) = (String::new(), Vec::new(), Vec::new());
    let mut bytes = bytes.to_vec();
    let mut rest = &mut bytes[..];
    while !rest.is_empty() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let len = rest.len().min(1 + (seed >> 33) as usize % most);
        let (mut input, after) = rest.split_at_mut(len);
        rest = after;
        while let Some(event) = connection.next(&mut input) {
            seen += &told(event, &mut message);
            assert!(message.len() <= LIMITS.message);
            connection.take_output(&mut sent);
        }
        assert!(input.is_empty());
    }
    (seen, sent)
}

/// An event in words; nothing for a message's parts before the last, which are put together.
fn told(event: Event, message: &mut Vec<u8>) -> String {
    match &event {
        Event::Part(part) => {
            assert_eq!(part.first, message.is_empty());
            message.extend_from_slice(part.bytes);
            if part.rest > 0 {
                return String::new();
            }
            let message = std::mem::take(message);
            let whole = match part.kind {
                Kind::Text => Event::Text(std::str::from_utf8(&message).unwrap()),
                Kind::Binary => Event::Binary(&message),
            };
            return told(whole, &mut Vec::new());
        }
        Event::Text(text) => assert!(text.len() <= LIMITS.message),
        Event::Binary(bytes) => assert!(bytes.len() <= LIMITS.message),
        Event::Ping(payload) | Event::Pong(payload) => assert!(payload.len() <= MAX_CONTROL),
        Event::Close { code, .. } => assert!(code.is_none_or(is_valid)),
        Event::Error(error) => assert!([1002, 1007, 1009].contains(&error.code)),
    }
    format!("{event:?}\n")
}

/// A client that sends and does not read: sixteen pongs and a Close wait for it.
fn never_read(bytes: &[u8]) {
    let mut connection = Connection::new(LIMITS);
    let mut bytes = bytes.to_vec();
    let mut input = &mut bytes[..];
    while connection.next(&mut input).is_some() {}
    let mut waits = Vec::new();
    connection.take_output(&mut waits);
    assert!(waits.len() <= 17 * (2 + MAX_CONTROL));
}
