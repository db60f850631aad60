//! WebSocket (RFC 6455), the server's side.

#[path = "websocket/cases.rs"]
mod cases;
#[path = "websocket/client.rs"]
mod client;
#[path = "websocket/handshake.rs"]
mod handshake;
#[path = "websocket/other.rs"]
mod other;
#[path = "websocket/utf8.rs"]
mod utf8;

use std::collections::BTreeSet;

use slipring::gateway::websocket::{
    Connection, Event, Limits, MAX_CONTROL, Opcode, header, is_valid, shared_frame, write_frame,
};

use crate::http::cuts::{Random, ways};
use client::*;

#[test]
fn every_case_whole_and_cut() {
    let cases = cases::all();
    assert!(cases.len() >= 150, "{} cases", cases.len());
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len(), "names are unique");
    for (seed, case) in cases.iter().enumerate() {
        // Gathered, and in parts.
        for stream_from in [usize::MAX, 0] {
            let limits = Limits { stream_from, ..case.limits };
            for way in ways(case.sent.len(), seed as u64) {
                converse(case, limits, &way);
            }
        }
    }
}

fn converse(case: &cases::Case, limits: Limits, way: &[usize]) {
    let mut echo = Echo::new(limits);
    let mut received = 0;
    for piece in way {
        echo.receive(&case.sent[received..received + piece]);
        received += piece;
        let due = received >= case.soon.unwrap_or(case.sent.len());
        let all = echo.seen.len() == case.seen.len();
        assert_eq!(all, due, "{}: after {received} bytes: {:?}", case.name, echo.seen.last());
    }
    assert!(echo.seen == case.seen, "{}: {:?}", case.name, echo.seen.last());
    assert_eq!(frames(&echo.sent), answers(&case.seen), "{}", case.name);
    let ended = matches!(case.seen.last(), Some(Seen::Close(..) | Seen::Error(_)));
    assert_eq!(echo.connection.is_closed(), ended, "{}", case.name);
    assert_eq!(echo.connection.is_open(), !ended, "{}", case.name);
}

#[test]
fn every_pair_of_first_bytes() {
    for (first, second) in (0..=255).flat_map(|first| (0..=255).map(move |second| (first, second)))
    {
        let known = [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG].contains(&(first & 15));
        let control = first & 8 != 0;
        let right = first & 0x70 == 0
            && known
            && second & 0x80 != 0
            && first & 15 != CONTINUATION
            && (!control || first & FIN != 0 && second & 0x7F <= 125);
        let mut echo = Echo::new(Limits::default());
        echo.receive(&[first, second]);
        let seen: &[Seen] = if right { &[] } else { &[Seen::Error(1002)] };
        assert_eq!(echo.seen, seen, "{first:08b} {second:08b}");
    }
}

#[test]
fn the_server_says_goodbye_first() {
    let mut echo = Echo::new(Limits::default());
    echo.connection.close(1001, "the server goes down");
    echo.connection.close(1011, "once is enough");
    assert!(!echo.connection.is_open() && !echo.connection.is_closed());
    // What was on its way still counts; pings are not answered any more.
    echo.receive(&[whole(TEXT, b"on its way"), whole(PING, b"?")].concat());
    assert_eq!(echo.seen.last(), Some(&Seen::Ping(b"?".to_vec())));
    assert!(!echo.connection.is_closed());
    echo.receive(&close(1001, b""));
    assert_eq!(echo.seen.last(), Some(&Seen::Close(Some(1001), String::new())));
    assert!(echo.connection.is_closed());
    let goodbye = frames(&echo.sent).into_iter().filter(|(opcode, _)| *opcode == CLOSE);
    assert_eq!(goodbye.collect::<Vec<_>>(), [(CLOSE, 1001_u16.to_be_bytes().to_vec())]);
}

#[test]
fn a_broken_rule_after_the_goodbye_is_not_answered() {
    let mut echo = Echo::new(Limits::default());
    echo.connection.close(1000, "");
    echo.receive(&[FIN | 3, 0x80]);
    assert_eq!(echo.seen, [Seen::Error(1002)]);
    assert!(echo.connection.is_closed());
    assert_eq!(frames(&echo.sent), [(CLOSE, 1000_u16.to_be_bytes().to_vec())]);
}

#[test]
fn long_reasons_are_cut_at_a_character() {
    for (reason, sent) in [
        ("x".repeat(123), 123),
        ("x".repeat(124), 123),
        ("€".repeat(42), 123),
        ("€".repeat(40) + "xxxx", 123),
        ("€".repeat(40) + "xx€", 122),
    ] {
        let mut connection = Connection::new(Limits::default());
        connection.close(1008, &reason);
        let mut out = Vec::new();
        connection.take_output(&mut out);
        assert_eq!(out[..4], [0x88, sent as u8 + 2, 0x03, 0xF0], "{reason}");
        assert_eq!(out[4..], reason.as_bytes()[..sent], "{reason}");
    }
}

/// Who pings and does not read gets the latest pong, and costs no memory.
#[test]
fn pongs_that_wait_are_bounded() {
    let mut connection = Connection::new(Limits::default());
    let payload = |at: usize| format!("{at:0>125}").into_bytes();
    for at in 0..10_000 {
        let mut ping = whole(PING, &payload(at));
        assert_eq!(connection.next(&mut &mut ping[..]), Some(Event::Ping(&payload(at))));
    }
    connection.close(1000, "");
    let mut ping = whole(PING, b"too late");
    assert!(connection.next(&mut &mut ping[..]).is_some());
    let mut out = Vec::new();
    connection.take_output(&mut out);
    assert!(!connection.has_output());
    let mut sent = frames(&out);
    assert_eq!(sent.pop(), Some((CLOSE, 1000_u16.to_be_bytes().to_vec())));
    let latest = sent.pop();
    assert_eq!(latest, Some((PONG, payload(9_999))));
    assert_eq!(sent, (0..15).map(|at| (PONG, payload(at))).collect::<Vec<_>>());
}

/// The rest of a large message is received where it is wanted, and its mask is taken off there.
#[test]
fn a_large_payload_goes_straight_to_its_place() {
    let mut random = Random(11);
    let payload: Vec<u8> = (0..100_000).map(|_| random.below(256) as u8).collect();
    let after = whole(TEXT, b"after");
    let mut wire = &[whole(BINARY, &payload), after].concat()[..];
    let limits = Limits { stream_from: 50_000, ..Limits::default() };
    let mut connection = Connection::new(limits);
    let mut receive = |place: &mut [u8]| {
        let n = place.len().min(wire.len()).min(7001);
        place[..n].copy_from_slice(&wire[..n]);
        wire = &wire[n..];
        n
    };

    let mut buffer = [0; 4096];
    let n = receive(&mut buffer);
    let mut input = &mut buffer[..n];
    let Some(Event::Part(part)) = connection.next(&mut input) else { panic!("no part") };
    assert!(part.first);
    let mut place = vec![0; part.bytes.len() + part.rest];
    place[..part.bytes.len()].copy_from_slice(part.bytes);
    let mut done = part.bytes.len();
    assert!(connection.next(&mut input).is_none());
    while connection.payload_due() > 0 {
        assert_eq!(connection.payload_due(), place.len() - done);
        let n = receive(&mut place[done..]);
        let mut input = &mut place[done..done + n];
        done += n;
        let Some(Event::Part(part)) = connection.next(&mut input) else { panic!("no part") };
        assert_eq!((part.first, part.bytes.len(), part.rest), (false, n, 100_000 - done));
    }
    assert!(place == payload);
    let n = receive(&mut buffer);
    assert_eq!(connection.next(&mut &mut buffer[..n]), Some(Event::Text("after")));
}

#[test]
fn only_large_messages_come_in_parts() {
    let limits = Limits { stream_from: 1000, ..Limits::default() };
    for (len, parts) in [(999, false), (1000, true)] {
        let mut connection = Connection::new(limits);
        let mut sent = whole(BINARY, &vec![7; len]);
        let (first, second) = sent.split_at_mut(500);
        let event = connection.next(&mut &mut *first);
        assert_eq!(matches!(event, Some(Event::Part(_))), parts);
        let event = connection.next(&mut &mut *second);
        assert_eq!(matches!(event, Some(Event::Part(_))), parts);
        assert_eq!(matches!(event, Some(Event::Binary(bytes)) if bytes.len() == len), !parts);
    }
}

#[test]
fn headers_are_as_short_as_can_be() {
    for len in [0, 1, 125, 126, 127, 255, 65_535, 65_536, 100_000] {
        let payload = vec![0xA5; len];
        let mut frame = b"before".to_vec();
        write_frame(&mut frame, Opcode::Binary, &payload);
        let frame = &frame[6..];
        assert_eq!(frames(frame), [(BINARY, payload.clone())]);
        assert_eq!(*shared_frame(Opcode::Binary, &payload), *frame);
        assert_eq!([&header(Opcode::Binary, len)[..], &payload].concat(), frame);
    }
    assert_eq!(header(Opcode::Text, 1 << 40)[..], [0x81, 127, 0, 0, 1, 0, 0, 0, 0, 0]);
    assert_eq!(header(Opcode::Ping, MAX_CONTROL)[..], [0x89, 125]);
}

#[test]
fn codes_that_may_be_sent() {
    let valid: Vec<u16> = (0..=u16::MAX).filter(|code| is_valid(*code)).collect();
    let expected = (1000..=1003).chain(1007..=1014).chain(3000..=4999);
    assert_eq!(valid, expected.collect::<Vec<u16>>());
}
