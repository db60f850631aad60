//! Clients that come back for what they missed.

use std::time::Duration;

use slipring::gateway::engineio::Data;
use slipring::gateway::socketio::{
    Accept, AcceptError, Connection, Event, NoOffset, Offset, Resume, Settings,
};

const NOW: Duration = Duration::from_secs(5);

fn connection() -> Connection<()> {
    Connection::new(Settings::default().into(), NOW)
}

/// What a CONNECT with this payload asks for.
fn resume(auth: &str) -> Option<Resume> {
    let text = format!("0/chat,{auth}");
    match connection().receive(Data::Text(&text), NOW) {
        Ok(Some(Event::Connect { namespace, auth: given, resume })) => {
            assert_eq!((namespace.as_ref(), given.as_ref()), ("/chat", auth));
            resume
        }
        other => panic!("{auth}: {other:?}"),
    }
}

#[test]
fn pid_and_offset_are_found_in_the_payload() {
    let after = |after| Some(Resume { pid: "p".into(), after });
    let offset = Offset { epoch: 1, position: 99 };
    assert_eq!(resume(""), None);
    assert_eq!(resume(r#"{"token":"x","offset":"1-99"}"#), None);
    assert_eq!(resume(r#"{"pid":7,"offset":"1-99"}"#), None);
    assert_eq!(
        resume(r#"{"pid":"p","offset":"1-99","token":{"pid":"q"}}"#),
        after(Some(Ok(offset)))
    );
    assert_eq!(resume(r#"{"offset":"1-99","pid":"\u0070"}"#), after(Some(Ok(offset))));
    // Before the first event: from where the session began.
    assert_eq!(resume(r#"{"pid":"p"}"#), after(None));
    assert_eq!(resume(r#"{"pid":"p","offset":null}"#), after(None));
    // The last argument of an event that was sent without an offset.
    for stray in ["\"MzUPkW0\"", "\"\"", "5", "{}", "\"1-099\""] {
        let auth = format!(r#"{{"pid":"p","offset":{stray}}}"#);
        assert_eq!(resume(&auth), after(Some(Err(NoOffset))), "{stray}");
    }
}

/// A client in the namespace `/chat` that asked to be recovered.
fn back() -> Connection<()> {
    let mut connection = connection();
    connection.receive(Data::Text(r#"0/chat,{"pid":"old","offset":"1-5"}"#), NOW).unwrap();
    connection
}

#[test]
fn a_recovered_client_keeps_its_pid() {
    let (mut connection, mut out) = (back(), vec![]);
    assert!(!connection.is_joined("/chat"), "missed events go before the answer");
    connection.recovered("/chat", "s", &mut out).unwrap();
    assert_eq!(out, br#"40/chat,{"sid":"s","pid":"old"}"#);
    assert!(connection.is_joined("/chat"));
    assert_eq!(connection.recovered("/chat", "s", &mut out), Err(AcceptError::NotConnecting));
}

#[test]
fn a_client_that_is_not_recovered_gets_a_new_pid_and_is_told_what_it_missed() {
    let (mut connection, mut out) = (back(), vec![]);
    let at = |position| Offset { epoch: 1, position };
    let same = Accept { sid: "s", pid: Some("old"), missed: None };
    assert_eq!(connection.accept("/chat", same, &mut out), Err(AcceptError::SamePid));
    assert!(out.is_empty() && !connection.is_joined("/chat"));
    let new = Accept { pid: Some("new"), missed: Some((at(6), at(90))), ..same };
    connection.accept("/chat", new, &mut out).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        r#"40/chat,{"sid":"s","pid":"new","missed":{"from":"1-6","to":"1-90"}}"#
    );
}

#[test]
fn a_new_client_is_not_recovered() {
    let (mut connection, mut out) = (connection(), vec![]);
    assert_eq!(connection.recovered("/", "s", &mut out), Err(AcceptError::NotConnecting));
    connection.receive(Data::Text("0"), NOW).unwrap();
    assert_eq!(connection.recovered("/", "s", &mut out), Err(AcceptError::NoPid));
    connection.accept("/", Accept { sid: "s\"", ..Accept::default() }, &mut out).unwrap();
    assert_eq!(out, br#"40{"sid":"s\""}"#);
}

#[test]
fn events_that_are_sent_again_may_want_acks() {
    let (mut connection, mut out) = (back(), vec![]);
    connection.expect("/chat", 3, (), NOW + NOW).unwrap();
    connection.recovered("/chat", "s", &mut out).unwrap();
    let ack = connection.receive(Data::Text("3/chat,3[1]"), NOW).unwrap();
    assert!(matches!(ack, Some(Event::Ack { id: 3, .. })), "{ack:?}");
}
