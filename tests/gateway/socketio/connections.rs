//! Connections: who is in which namespace, who waits for which answer, and for how long.

use std::time::Duration;

use slipring::gateway::engineio::Data;
use slipring::gateway::socketio::{
    Accept, AcceptError, Connection, Event, ExpectError, INVALID_NAMESPACE, Settings, Violation,
};

const NANO: Duration = Duration::from_nanos(1);
const START: Duration = Duration::from_secs(9);

type Tags = Connection<&'static str>;
type Received<'a> = Result<Option<Event<'a, &'static str>>, Violation>;

fn with(settings: Settings) -> Tags {
    Connection::new(settings.into(), START)
}

/// A client in the namespaces `/` and `/b`.
fn joined(settings: Settings) -> Tags {
    let mut connection = with(settings);
    for namespace in ["/", "/b"] {
        connection.receive(Data::Text(&format!("0{namespace},")), START).unwrap();
        connection.accept(namespace, Accept::default(), &mut vec![]).unwrap();
    }
    connection
}

fn text<'a>(connection: &mut Tags, text: &'a str) -> Received<'a> {
    connection.receive(Data::Text(text), START)
}

fn bytes(connection: &mut Tags, bytes: &[u8]) -> Received<'static> {
    connection.receive(Data::Binary(bytes.to_vec().into()), START)
}

fn due(connection: &mut Tags, at: Duration, violation: Violation) {
    assert_eq!(connection.next_deadline(), Some(at));
    assert_eq!(connection.tick(at - NANO), Ok(()));
    assert_eq!(connection.tick(at), Err(violation));
}

#[test]
fn a_client_must_join_a_namespace_in_time() {
    let end = START + Duration::from_secs(45);
    due(&mut with(Settings::default()), end, Violation::ConnectTimeout);

    // Being refused is not enough; an answer that is late is not the client's fault.
    let mut connection = with(Settings::default());
    text(&mut connection, "0").unwrap();
    assert_eq!((connection.next_deadline(), connection.tick(end)), (None, Ok(())));
    connection.refuse("/", "no", None, &mut vec![]).unwrap();
    due(&mut connection, end, Violation::ConnectTimeout);

    text(&mut connection, "0").unwrap();
    connection.accept("/", Accept::default(), &mut vec![]).unwrap();
    assert_eq!((connection.next_deadline(), connection.tick(end)), (None, Ok(())));
    text(&mut connection, "1").unwrap();
    assert_eq!((connection.next_deadline(), connection.tick(end)), (None, Ok(())));
}

#[test]
fn a_client_may_be_refused() {
    let (mut connection, mut out) = (with(Settings::default()), vec![]);
    assert_eq!(connection.refuse("/", "no", None, &mut out), Err(AcceptError::NotConnecting));
    text(&mut connection, r#"0/x,{"token":1}"#).unwrap();
    connection.refuse("/x", INVALID_NAMESPACE, None, &mut out).unwrap();
    assert_eq!(out, br#"44/x,{"message":"Invalid namespace"}"#);
    assert_eq!(
        connection.accept("/x", Accept::default(), &mut out),
        Err(AcceptError::NotConnecting)
    );
    // It may try again.
    text(&mut connection, "0/x").unwrap();
    out.clear();
    connection.expect("/x", 1, "one", START).unwrap();
    let unacked = connection.refuse("/x", "say \"please\"", Some(r#"{"code":7}"#), &mut out);
    assert_eq!(unacked, Ok(vec![(1, "one")]));
    assert_eq!(out, br#"44/x,{"message":"say \"please\"","data":{"code":7}}"#);
}

#[test]
fn what_a_client_must_not_send() {
    let cases: &[(&str, Violation)] = &[
        ("0", Violation::Joined),
        ("0/b", Violation::Joined),
        (r#"4{"message":"x"}"#, Violation::ConnectError),
        ("1/c", Violation::NotJoined),
        (r#"2/c,["a"]"#, Violation::NotJoined),
        ("3/c,1[]", Violation::NotJoined),
        (r#"51-/c,["a"]"#, Violation::NotJoined),
        ("abc", Violation::Invalid(slipring::gateway::socketio::Invalid::Type)),
    ];
    for (packet, violation) in cases {
        let mut connection = joined(Settings::default());
        assert_eq!(text(&mut connection, packet), Err(*violation), "{packet}");
    }
    // Before the answer to its CONNECT it is in nothing.
    for (packet, violation) in
        [(r#"2["a"]"#, Violation::NotJoined), ("1", Violation::NotJoined), ("0", Violation::Joined)]
    {
        let mut connection = with(Settings::default());
        text(&mut connection, "0").unwrap();
        assert_eq!(text(&mut connection, packet), Err(violation), "{packet}");
    }
}

#[test]
fn namespaces_are_so_many() {
    let mut connection = joined(Settings { max_namespaces: 3, ..Settings::default() });
    text(&mut connection, "0/c").unwrap();
    assert_eq!(text(&mut connection, "0/d"), Err(Violation::Namespaces));
    text(&mut connection, "1/b").unwrap();
    text(&mut connection, "0/d").unwrap();
}

#[test]
fn leaving_and_coming_again() {
    let mut connection = joined(Settings::default());
    connection.expect("/b", 4, "four", START).unwrap();
    let left = text(&mut connection, "1/b").unwrap();
    assert_eq!(
        left,
        Some(Event::Disconnect { namespace: "/b".into(), unacked: vec![(4, "four")] })
    );
    assert!(!connection.is_joined("/b") && connection.is_joined("/"));
    assert_eq!(connection.expired(START), None);
    assert_eq!(connection.expect("/b", 5, "five", START), Err(ExpectError::NotJoined));
    text(&mut connection, "0/b").unwrap();
    connection.accept("/b", Accept::default(), &mut vec![]).unwrap();
    assert_eq!(text(&mut connection, "3/b,4[]"), Ok(None), "an answer to who was here before");
}

#[test]
fn put_out_by_the_server() {
    let (mut connection, mut out) = (joined(Settings::default()), vec![]);
    connection.expect("/b", 4, "four", START).unwrap();
    assert_eq!(connection.disconnect("/b", &mut out), [(4, "four")]);
    assert_eq!(out, b"41/b,");
    assert!(connection.disconnect("/b", &mut out).is_empty());
    assert!(connection.disconnect("/c", &mut out).is_empty());
    assert_eq!(out, b"41/b,");
    // What was under way is nobody's fault.
    assert_eq!(text(&mut connection, r#"2/b,7["a"]"#), Ok(None));
    assert_eq!(text(&mut connection, "3/b,4[]"), Ok(None));
    assert_eq!(text(&mut connection, "1/b"), Ok(None));
    assert_eq!(text(&mut connection, r#"51-/b,["a"]"#), Ok(None));
    assert_eq!(bytes(&mut connection, b"x"), Ok(None));
    assert!(!connection.answer("/b", 7));
    assert_eq!(connection.expect("/b", 5, "five", START), Err(ExpectError::NotJoined));
    assert!(matches!(text(&mut connection, "0/b"), Ok(Some(Event::Connect { .. }))));
}

#[test]
fn attachments_come_after_their_packet() {
    let mut connection = joined(Settings::default());
    let head = r#"52-/b,7["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    assert_eq!(text(&mut connection, head), Ok(None));
    assert_eq!(bytes(&mut connection, &[1, 2, 3]), Ok(None));
    let event = bytes(&mut connection, &[]).unwrap().unwrap();
    let arguments = r#"{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}"#;
    let (namespace, name, arguments) = ("/b".into(), "message".into(), arguments.into());
    let attachments = vec![vec![1, 2, 3], vec![]];
    assert_eq!(event, Event::Event { namespace, name, arguments, id: Some(7), attachments });
    assert!(connection.answer("/b", 7));

    // In an ack, too.
    connection.expect("/", 9, "nine", START).unwrap();
    assert_eq!(text(&mut connection, r#"61-9[{"_placeholder":true,"num":0}]"#), Ok(None));
    let ack = bytes(&mut connection, b"x").unwrap().unwrap();
    let (namespace, arguments) = ("/".into(), r#"{"_placeholder":true,"num":0}"#.into());
    assert_eq!(
        ack,
        Event::Ack { namespace, id: 9, tag: "nine", arguments, attachments: vec![b"x".to_vec()] }
    );

    // None at all are none to wait for.
    assert!(matches!(text(&mut connection, r#"50-["a"]"#), Ok(Some(Event::Event { .. }))));
    assert!(matches!(text(&mut connection, r#"2["a"]"#), Ok(Some(Event::Event { .. }))));
    assert_eq!(bytes(&mut connection, b"x"), Err(Violation::Binary));
}

#[test]
fn attachments_come_without_anything_between() {
    let mut connection = joined(Settings::default());
    text(&mut connection, r#"51-["a"]"#).unwrap();
    assert_eq!(text(&mut connection, r#"2["b"]"#), Err(Violation::Text));
    assert_eq!(bytes(&mut with(Settings::default()), b"x"), Err(Violation::Binary));
}

#[test]
fn attachments_come_in_time_and_within_bounds() {
    let mut connection = joined(Settings::default());
    text(&mut connection, r#"52-["a"]"#).unwrap();
    due(&mut connection, START + Duration::from_secs(60), Violation::AttachmentTimeout);
    bytes(&mut connection, b"x").unwrap();
    due(&mut connection, START + Duration::from_secs(60), Violation::AttachmentTimeout);
    bytes(&mut connection, b"x").unwrap();
    assert_eq!(connection.next_deadline(), None);

    let mut connection = joined(Settings { max_attachment_bytes: 5, ..Settings::default() });
    for (first, second, fits) in [(2, 3, true), (5, 0, true), (3, 3, false), (0, 6, false)] {
        text(&mut connection, r#"52-["a"]"#).unwrap();
        bytes(&mut connection, &vec![0; first]).unwrap();
        let came = bytes(&mut connection, &vec![0; second]);
        assert_eq!(came.is_ok(), fits, "{first} {second}");
        if !fits {
            assert_eq!(came, Err(Violation::AttachmentBytes));
            connection = joined(Settings { max_attachment_bytes: 5, ..Settings::default() });
        }
    }
}

#[test]
fn an_event_is_answered_once() {
    let mut connection = joined(Settings { max_unanswered: 2, ..Settings::default() });
    assert!(!connection.answer("/", 5));
    text(&mut connection, r#"25["a"]"#).unwrap();
    assert!(!connection.answer("/b", 5));
    assert!(connection.answer("/", 5));
    assert!(!connection.answer("/", 5));
    // And not many are left unanswered.
    for id in [1, 2] {
        text(&mut connection, &format!(r#"2{id}["a"]"#)).unwrap();
    }
    text(&mut connection, r#"2["a"]"#).unwrap();
    text(&mut connection, r#"2/b,3["a"]"#).unwrap();
    assert!(connection.answer("/", 1));
    text(&mut connection, r#"23["a"]"#).unwrap();
    assert_eq!(text(&mut connection, r#"24["a"]"#), Err(Violation::Unanswered));
}

#[test]
fn acks_are_given_to_whom_they_are_for() {
    let mut connection = joined(Settings::default());
    connection.expect("/", 1, "root", START + NANO).unwrap();
    connection.expect("/b", 1, "b", START + NANO).unwrap();
    assert_eq!(text(&mut connection, "32[]"), Ok(None), "an id that nobody waits for");
    assert_eq!(text(&mut connection, "3[]"), Ok(None), "no id");
    let ack = text(&mut connection, "3/b,1[ 1, 2 ]").unwrap().unwrap();
    let (namespace, arguments) = ("/b".into(), "1, 2".into());
    assert_eq!(ack, Event::Ack { namespace, id: 1, tag: "b", arguments, attachments: vec![] });
    assert_eq!(text(&mut connection, "3/b,1[]"), Ok(None), "a second time");
    let unacked: Vec<_> = connection.into_unacked().collect();
    assert_eq!(unacked, [("/".to_owned(), 1, "root")]);
}

#[test]
fn acks_are_waited_for_so_long() {
    let mut connection = joined(Settings { max_expected: 3, ..Settings::default() });
    let at = |seconds| START + Duration::from_secs(seconds);
    for (id, tag, until) in [(1, "one", 30), (2, "two", 10), (3, "three", 20)] {
        connection.expect("/", id, tag, at(until)).unwrap();
    }
    connection.expect("/b", 2, "b", at(15)).unwrap();
    assert_eq!(connection.expect("/", 4, "four", at(1)), Err(ExpectError::Full));
    assert_eq!(connection.next_deadline(), Some(at(10)));
    assert_eq!(connection.expired(at(10) - NANO), None);
    assert_eq!(connection.expired(at(10)), Some(("/", 2, "two")));
    assert_eq!(connection.next_deadline(), Some(at(15)));
    // Anew, and later.
    assert_eq!(connection.expect("/", 3, "again", at(40)), Ok(Some("three")));
    assert_eq!(connection.expired(at(39)), Some(("/", 1, "one")));
    assert_eq!(connection.expired(at(39)), Some(("/b", 2, "b")));
    assert_eq!(connection.expired(at(39)), None);
    assert_eq!(text(&mut connection, "32[]"), Ok(None), "too late");
    assert_eq!(connection.expired(at(40)), Some(("/", 3, "again")));
    assert_eq!(connection.next_deadline(), None);
}
