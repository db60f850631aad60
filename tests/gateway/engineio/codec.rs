//! Packets and payloads.

use proptest::prelude::*;
use slipring::gateway::engineio::{Invalid, Message, Packet, Payload, Type, encode_payload};

fn text(kind: Type, text: &str) -> Packet<'_> {
    Packet::Text(kind, text)
}

fn binary(bytes: &[u8]) -> Packet<'_> {
    Packet::Binary(bytes.into())
}

/// The packets up to the first that is none, and whether there is such a one.
fn decoded(body: &str) -> (Vec<Packet<'_>>, Option<Invalid>) {
    let mut packets = vec![];
    for packet in Payload::new(body) {
        match packet {
            Ok(packet) => packets.push(packet),
            Err(invalid) => return (packets, Some(invalid)),
        }
    }
    (packets, None)
}

#[test]
fn payloads_of_the_specification() {
    let cases: &[(&str, &[Packet])] = &[
        ("4hello", &[text(Type::Message, "hello")]),
        ("4", &[text(Type::Message, "")]),
        (
            "4hello\x1e2\x1e4world",
            &[text(Type::Message, "hello"), text(Type::Ping, ""), text(Type::Message, "world")],
        ),
        ("4€\x1ebAQIDBA==", &[text(Type::Message, "€"), binary(&[1, 2, 3, 4])]),
        ("b", &[binary(&[])]),
        (
            "2probe\x1e3probe\x1e0{}\x1e1\x1e5\x1e6",
            &[
                text(Type::Ping, "probe"),
                text(Type::Pong, "probe"),
                text(Type::Open, "{}"),
                text(Type::Close, ""),
                text(Type::Upgrade, ""),
                text(Type::Noop, ""),
            ],
        ),
    ];
    for (body, packets) in cases {
        assert_eq!(decoded(body), (packets.to_vec(), None));
        let messages: Vec<Message> = packets.iter().map(Packet::to_message).collect();
        assert_eq!(encode_payload(&messages), body.as_bytes(), "{body}");
    }
    // Without padding, too.
    assert_eq!(decoded("bAQIDBA").0, [binary(&[1, 2, 3, 4])]);
}

#[test]
fn what_is_no_packet_ends_a_payload() {
    let cases: &[(&str, usize, Invalid)] = &[
        ("", 0, Invalid::Type),
        ("abc", 0, Invalid::Type),
        ("7", 0, Invalid::Type),
        ("€", 0, Invalid::Type),
        ("4a\x1e", 1, Invalid::Type),
        ("\x1e4a", 0, Invalid::Type),
        ("4a\x1e\x1e4b", 1, Invalid::Type),
        ("4a\x1e/\x1e4b", 1, Invalid::Type),
        ("4a\x1eb!\x1e4b", 1, Invalid::Base64),
        ("bA", 0, Invalid::Base64),
    ];
    for (body, good, invalid) in cases {
        let (packets, end) = decoded(body);
        assert_eq!((packets.len(), end), (*good, Some(*invalid)), "{body:?}");
        assert_eq!(Payload::new(body).count(), good + 1, "{body:?}");
    }
}

#[test]
fn a_frame_is_the_message_with_its_header() {
    let message = Message::framed(b"\x81\x03", b"4hi", false);
    assert_eq!((message.content(), message.frame()), (&b"4hi"[..], Some(&b"\x81\x034hi"[..])));
    assert_eq!(encode_payload([&message, &Message::binary(b"A")]), b"4hi\x1ebQQ==");
    assert_eq!(Message::text("4hi").frame(), None);
}

/// A text packet, or without a type a binary one.
pub type Parts = (Option<Type>, String);

fn any_packet() -> impl Strategy<Value = Parts> {
    let kinds =
        [Type::Open, Type::Close, Type::Ping, Type::Pong, Type::Message, Type::Upgrade, Type::Noop];
    (prop::option::weighted(0.7, prop::sample::select(kinds.to_vec())), "[^\x1e]{0,12}")
}

pub fn any_packets() -> impl Strategy<Value = Vec<Parts>> {
    prop::collection::vec(any_packet(), 1..8)
}

pub fn packets(parts: &[Parts]) -> Vec<Packet<'_>> {
    let packets = parts.iter().map(|(kind, word)| match kind {
        Some(kind) => text(*kind, word),
        None => binary(word.as_bytes()),
    });
    packets.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_encoded_is_decoded(parts in any_packets()) {
        let packets = packets(&parts);
        let messages: Vec<Message> = packets.iter().map(Packet::to_message).collect();
        let body = String::from_utf8(encode_payload(&messages)).unwrap();
        prop_assert_eq!(decoded(&body), (packets.clone(), None));
        for (packet, message) in packets.iter().zip(&messages) {
            if let Packet::Text(..) = packet {
                let text = std::str::from_utf8(message.content()).unwrap();
                prop_assert_eq!(Packet::parse(text), Ok(packet.clone()));
            }
        }
    }

    /// A payload cut at its separators is the same as a whole one, wherever it is cut.
    #[test]
    fn cuts_do_not_matter(
        parts in any_packets(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..3),
    ) {
        let packets = packets(&parts);
        let messages: Vec<Message> = packets.iter().map(Packet::to_message).collect();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(messages.len() + 1)).collect();
        cuts.extend([0, messages.len()]);
        cuts.sort();
        cuts.dedup();
        let bodies = cuts.windows(2).map(|ends| encode_payload(&messages[ends[0]..ends[1]]));
        let bodies: Vec<String> = bodies.map(|body| String::from_utf8(body).unwrap()).collect();
        let pieces: Vec<Packet> = bodies.iter().flat_map(|body| decoded(body).0).collect();
        prop_assert_eq!(pieces, packets);
    }

    #[test]
    fn no_input_is_too_much(body in ".{0,64}") {
        let (packets, end) = decoded(&body);
        prop_assert!(packets.len() + usize::from(end.is_some()) <= body.len() + 1);
    }
}
