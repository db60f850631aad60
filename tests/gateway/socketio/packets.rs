//! Packets, read and written.

use proptest::prelude::*;
use slipring::gateway::socketio::{Emit, Invalid, Kind, Offset, Packet, Settings, is_reserved};

pub fn parse(text: &str) -> Result<Packet<'_>, Invalid> {
    Packet::parse(text, &Settings::default())
}

fn encoded(packet: &Packet) -> String {
    let mut out = vec![];
    packet.encode(&mut out);
    String::from_utf8(out).unwrap()
}

fn packet<'a>(kind: Kind, namespace: &'a str, id: Option<u64>, payload: &'a str) -> Packet<'a> {
    Packet { kind, attachments: None, namespace, id, payload }
}

#[test]
fn packets_of_the_specification() {
    use Kind::*;
    let two = r#"["baz",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    let cases: &[(&str, Packet)] = &[
        ("0", packet(Connect, "/", None, "")),
        (r#"0{"token":"123"}"#, packet(Connect, "/", None, r#"{"token":"123"}"#)),
        ("0/admin,", packet(Connect, "/admin", None, "")),
        (r#"0/admin,{"sid":"o"}"#, packet(Connect, "/admin", None, r#"{"sid":"o"}"#)),
        ("1", packet(Disconnect, "/", None, "")),
        ("1/admin,", packet(Disconnect, "/admin", None, "")),
        (r#"2["foo"]"#, packet(Event, "/", None, r#"["foo"]"#)),
        (r#"2/admin,["bar"]"#, packet(Event, "/admin", None, r#"["bar"]"#)),
        (r#"212["foo"]"#, packet(Event, "/", Some(12), r#"["foo"]"#)),
        ("2[1,2]", packet(Event, "/", None, "[1,2]")),
        (r#"3/admin,13["bar"]"#, packet(Ack, "/admin", Some(13), r#"["bar"]"#)),
        ("30[]", packet(Ack, "/", Some(0), "[]")),
        (
            r#"4{"message":"Not authorized"}"#,
            packet(ConnectError, "/", None, r#"{"message":"Not authorized"}"#),
        ),
        ("4\"no\"", packet(ConnectError, "/", None, "\"no\"")),
        (&format!("52-{two}"), Packet { attachments: Some(2), ..packet(Event, "/", None, two) }),
        (
            &format!("62-/admin,15{two}"),
            Packet { attachments: Some(2), ..packet(Ack, "/admin", Some(15), two) },
        ),
        (r#"50-["no"]"#, Packet { attachments: Some(0), ..packet(Event, "/", None, r#"["no"]"#) }),
        (
            r#"2/a?b=1,18446744073709551615["x"]"#,
            packet(Event, "/a?b=1", Some(u64::MAX), r#"["x"]"#),
        ),
    ];
    for (text, packet) in cases {
        assert_eq!(parse(text).as_ref(), Ok(packet), "{text}");
        assert_eq!(encoded(packet), format!("4{text}"));
    }
    // The comma may be missing at the end, and space is no matter.
    assert_eq!(parse("0/random"), Ok(packet(Connect, "/random", None, "")));
    assert_eq!(parse("1/custom"), Ok(packet(Disconnect, "/custom", None, "")));
    assert_eq!(parse("2 [ \"a\" , 1 ] ").map(|packet| packet.arguments()), Ok("1"));
}

#[test]
fn what_is_no_packet() {
    use Invalid::*;
    let nested =
        format!(r#"51-["a",{}{{"_placeholder":true,"num":1}}{}]"#, "[".repeat(9), "]".repeat(9));
    let deep = format!(r#"50-["a",{}{}]"#, "[".repeat(200), "]".repeat(200));
    let long = format!("0/{}", "n".repeat(256));
    let cases: &[(&str, Invalid)] = &[
        ("", Type),
        ("abc", Type),
        ("7", Type),
        ("€", Type),
        (" 0", Type),
        ("-1", Type),
        ("5", Attachments),
        (r#"5["a"]"#, Attachments),
        (r#"5-["a"]"#, Attachments),
        (r#"5x-["a"]"#, Attachments),
        (r#"51["a"]"#, Attachments),
        (r#"5-1-["a"]"#, Attachments),
        (r#"51.0-["a"]"#, Attachments),
        (r#"599999999999999999999-["a"]"#, Attachments),
        (r#"511-["a"]"#, TooManyAttachments),
        (r#"64294967296-["a"]"#, TooManyAttachments),
        (&long, Namespace),
        (r#"218446744073709551616["a"]"#, Id),
        ("0[]", Payload),
        ("0\"a\"", Payload),
        ("01{", Payload),
        ("0null", Payload),
        ("1{}", Payload),
        ("1/admin,[]", Payload),
        ("2", Payload),
        ("2{}", Payload),
        ("2[]", Payload),
        ("2[null]", Payload),
        ("2[[1]]", Payload),
        ("2[true]", Payload),
        (r#"2["a"]]"#, Payload),
        (r#"2["a""#, Payload),
        (r#"2["a",]"#, Payload),
        (r#"2["a"] x"#, Payload),
        ("2[\"a\nb\"]", Payload),
        (r#"2abc["a",1]"#, Payload),
        (r#"2-1["a"]"#, Payload),
        (r#"2["\ud800"]"#, Payload),
        ("2[01]", Payload),
        ("3", Payload),
        ("31{}", Payload),
        ("31", Payload),
        ("4", Payload),
        ("4[]", Payload),
        ("4null", Payload),
        (&deep, Payload),
        (r#"51-["a",{"_placeholder":true,"num":1}]"#, Placeholder),
        (r#"51-["a",{"_placeholder":true,"num":-1}]"#, Placeholder),
        (r#"51-["a",{"_placeholder":true,"num":0.5}]"#, Placeholder),
        (r#"51-["a",{"_placeholder":true,"num":"0"}]"#, Placeholder),
        (r#"51-["a",{"_placeholder":true}]"#, Placeholder),
        (r#"51-["a",{"b":[{"num":9,"\u005fplaceholder":true}]}]"#, Placeholder),
        (r#"61-9[{"_placeholder":true,"num":0,"num":1}]"#, Placeholder),
        (r#"50-["a",{"_placeholder":true,"num":0}]"#, Placeholder),
        (&nested, Placeholder),
    ];
    for (text, invalid) in cases {
        assert_eq!(parse(text), Err(*invalid), "{text}");
    }
    for name in
        ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]
    {
        assert_eq!(parse(&format!(r#"2["{name}"]"#)), Err(Payload), "{name}");
        assert_eq!(parse(&format!(r#"51-["{name}"]"#)), Err(Payload), "{name}");
        assert!(is_reserved(name) && parse(&format!(r#"3["{name}"]"#)).is_ok());
    }
    assert_eq!(parse(r#"2["\u0063onnect"]"#), Err(Payload), "the name that it means");
    // Not a placeholder, and not looked at where there are no attachments.
    for text in
        [r#"51-["a",{"_placeholder":false,"num":7}]"#, r#"2["a",{"_placeholder":true,"num":7}]"#]
    {
        assert!(parse(text).is_ok(), "{text}");
    }
}

#[test]
fn limits_are_settings() {
    let settings = Settings { max_attachments: 2, max_namespace_len: 3, ..Settings::default() };
    let parse = |text| Packet::parse(text, &settings).map(|_| ());
    assert_eq!(parse(r#"52-["a"]"#), Ok(()));
    assert_eq!(parse(r#"53-["a"]"#), Err(Invalid::TooManyAttachments));
    assert_eq!(parse("0/ab,"), Ok(()));
    assert_eq!(parse("0/abc,"), Err(Invalid::Namespace));
}

#[test]
fn deep_json_takes_no_stack() {
    let deep = format!(r#"2["a",{}{}]"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(parse(&deep).unwrap().arguments().len(), 200_000);
}

#[test]
fn names_and_arguments() {
    let cases = [
        (r#"2["message",1,"2",{"3":[true]}]"#, "message", r#"1,"2",{"3":[true]}"#),
        (r#"2["a"]"#, "a", ""),
        (r#"2["a,\"b\u00e4"  ,  [1, 2]  ]"#, "a,\"bä", "[1, 2]"),
        ("2[7]", "7", ""),
        ("2[-1.5e3,0]", "-1.5e3", "0"),
        (r#"2["",""]"#, "", "\"\""),
    ];
    for (text, name, arguments) in cases {
        let packet = parse(text).unwrap();
        assert_eq!(
            (packet.name().as_deref(), packet.arguments()),
            (Some(name), arguments),
            "{text}"
        );
    }
    assert_eq!(parse("31[ 1, 2 ]").unwrap().arguments(), "1, 2");
    assert_eq!(parse("0").unwrap().arguments(), "");
    let borrowed = parse(r#"2["plain"]"#).unwrap().name();
    assert!(matches!(borrowed, Some(std::borrow::Cow::Borrowed("plain"))));
}

fn emitted(emit: &Emit) -> String {
    let mut out = b"before ".to_vec();
    emit.encode(&mut out).unwrap();
    String::from_utf8(out).unwrap().strip_prefix("before ").unwrap().to_owned()
}

#[test]
fn events_to_clients() {
    let offset = Some(Offset { epoch: 7, position: 1234 });
    let plain = Emit { namespace: "/", name: "foo", ..Emit::default() };
    assert_eq!(emitted(&plain), r#"42["foo"]"#);
    assert_eq!(emitted(&Emit { offset, ..plain.clone() }), r#"42["foo","7-1234"]"#);
    let full = Emit {
        namespace: "/chat",
        name: "a\"b\n",
        arguments: r#"1,{"x":[]}"#,
        id: Some(5),
        offset,
        attachments: 0,
    };
    assert_eq!(emitted(&full), r#"42/chat,5["a\"b\n",1,{"x":[]},"7-1234"]"#);
    let arguments = format!("{},{}", Emit::placeholder(0), Emit::placeholder(1));
    let binary = Emit { arguments: &arguments, attachments: 2, offset, ..plain };
    assert_eq!(
        emitted(&binary),
        r#"452-["foo",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1},"7-1234"]"#
    );
}

#[test]
fn reserved_names_are_not_sent() {
    let mut out = b"kept".to_vec();
    let emit = Emit { namespace: "/", name: "disconnect", ..Emit::default() };
    assert_eq!(emit.encode(&mut out).unwrap_err().0, "disconnect");
    assert_eq!(out, b"kept");
}

#[test]
fn offsets_are_written_in_one_way() {
    let offset = Offset { epoch: u64::MAX, position: 0 };
    assert_eq!(offset.to_string().parse(), Ok(offset));
    for text in [
        "",
        "-",
        "1",
        "1-",
        "-1",
        "1-2-3",
        "+1-2",
        "01-2",
        "1-02",
        "1- 2",
        "a-b",
        "18446744073709551616-0",
        "MzUPkW0",
    ] {
        assert!(text.parse::<Offset>().is_err(), "{text}");
    }
}

/// JSON of all sorts.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|b| b.to_string()),
        any::<i32>().prop_map(|n| n.to_string()),
        any::<String>().prop_map(|text| serde_json(&text)),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|all| format!("[{}]", all.join(","))),
            prop::collection::vec((any::<String>(), inner), 0..4).prop_map(|all| {
                let fields = all.iter().map(|(key, value)| format!("{}:{value}", serde_json(key)));
                format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
            }),
        ]
    })
}

/// A text as JSON, by way of the encoder under test.
fn serde_json(text: &str) -> String {
    let mut out = vec![];
    let name = format!("!{text}");
    Emit { namespace: "/", name: &name, ..Emit::default() }.encode(&mut out).unwrap();
    String::from_utf8(out).unwrap().replacen("42[\"!", "\"", 1).trim_end_matches(']').to_owned()
}

/// An event: namespace, name, arguments, id, offset.
pub type Parts = (String, String, Vec<String>, Option<u64>, Option<(u64, u64)>);

pub fn any_event() -> impl Strategy<Value = Parts> {
    let namespace = prop_oneof![Just("/".to_owned()), "/[a-z/?=]{0,8}"];
    let name = "[^\u{0}]{0,8}".prop_filter("not reserved", |name| !is_reserved(name));
    let arguments = prop::collection::vec(json(), 0..4);
    let id = prop::option::of(0u64..1 << 53);
    (namespace, name, arguments, id, prop::option::of(any::<(u64, u64)>()))
}

/// The event on the wire, and its arguments with the offset.
pub fn written((namespace, name, arguments, id, offset): &Parts) -> (String, String) {
    let offset = offset.map(|(epoch, position)| Offset { epoch, position });
    let arguments = arguments.join(",");
    let emit = Emit { namespace, name, arguments: &arguments, id: *id, offset, attachments: 0 };
    let all = [
        Some(arguments.clone()).filter(|some| !some.is_empty()),
        offset.map(|offset| format!("\"{offset}\"")),
    ];
    (emitted(&emit), all.into_iter().flatten().collect::<Vec<_>>().join(","))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_emitted_is_parsed(parts in any_event()) {
        let (text, arguments) = written(&parts);
        let packet = parse(&text[1..]).unwrap();
        prop_assert_eq!(packet.kind, Kind::Event);
        prop_assert_eq!(packet.namespace, &parts.0);
        prop_assert_eq!(packet.name().unwrap(), parts.1.as_str());
        prop_assert_eq!(packet.arguments().trim(), arguments.trim());
        prop_assert_eq!(packet.id, parts.3);
        prop_assert_eq!(encoded(&packet), text);
    }

    #[test]
    fn offsets_come_back(epoch: u64, position: u64) {
        let offset = Offset { epoch, position };
        prop_assert_eq!(offset.to_string().parse(), Ok(offset));
    }

    /// Whatever is taken for a packet is written as it came, but for what may be left out.
    #[test]
    fn any_text(text in r#"[0-7]([0-9]{0,2}-)?(/[a-b]{0,2},?)?[0-9]{0,3}[\[\]{}",: a0]{0,12}"#) {
        if let Ok(packet) = parse(&text) {
            let again = encoded(&packet);
            prop_assert_eq!(parse(&again[1..]), Ok(packet));
        }
    }
}
