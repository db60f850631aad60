//! Time-outs, to the nanosecond.

use std::time::Duration;

use slipring::gateway::engineio::{Data, Output, Reason, SendError, Session, Settings, Transport};

const NANO: Duration = Duration::from_nanos(1);
const MS: Duration = Duration::from_millis(1);
const START: Duration = Duration::from_secs(7);

/// A session whose first packet has been taken. Connection 0 is the one that opened it.
fn session(transport: Transport) -> Session<u32> {
    let mut session = Session::open(transport, 0, [1; 15], Settings::default().into(), START);
    let first = done(&mut session, START);
    assert!(first.len() == 1 && first[0].starts_with("0{") || first[0].starts_with("0 0{"));
    session
}

/// What the session has to say: packets, with the connection where it is not the only one, and its end.
fn done(session: &mut Session<u32>, now: Duration) -> Vec<String> {
    session.tick(now);
    let mut said = vec![];
    loop {
        let before = said.len();
        while let Some(output) = session.next_output() {
            said.push(match output {
                Output::Reply(to, reply) => {
                    format!("{to} {}", String::from_utf8(reply.body).unwrap())
                }
                Output::Close(to) => format!("{to} closed"),
                Output::Closed(reason) => format!("{reason:?}"),
                Output::Send(to, message) => {
                    format!("{to} {}", std::str::from_utf8(message.content()).unwrap())
                }
                other => format!("{other:?}"),
            });
        }
        while let Some(message) = session.pull() {
            said.push(std::str::from_utf8(message.content()).unwrap().to_owned());
        }
        if said.len() == before {
            return said;
        }
    }
}

/// Nothing happens until the next deadline, which is this one.
fn nothing_before(session: &mut Session<u32>, at: Duration) {
    assert_eq!(session.next_deadline(), Some(at));
    assert!(done(session, at - NANO).is_empty());
    assert_eq!(session.next_deadline(), Some(at));
}

#[test]
fn pings_and_pongs() {
    let mut session = session(Transport::WebSocket);
    let ping = START + Duration::from_secs(25);
    nothing_before(&mut session, ping);
    assert_eq!(done(&mut session, ping), ["2"]);
    // In the last moment.
    let pong = ping + Duration::from_secs(20) - NANO;
    session.message(0, Data::Text("3"), pong);
    let ping = pong + Duration::from_secs(25);
    nothing_before(&mut session, ping);
    // The ping is late, and the client is given its time from then on.
    let late = ping + 3 * MS;
    assert_eq!(done(&mut session, late), ["2"]);
    let end = late + Duration::from_secs(20);
    nothing_before(&mut session, end);
    assert_eq!(done(&mut session, end), ["0 closed", "PingTimeout"]);
    assert_eq!(session.next_deadline(), None);
}

#[test]
fn a_get_after_the_time_out_finds_no_session() {
    let mut session = session(Transport::Polling);
    let ping = START + Duration::from_secs(25);
    assert!(done(&mut session, ping).is_empty());
    let end = ping + Duration::from_secs(20);
    session.get(1, end);
    let said = done(&mut session, end);
    assert_eq!(said, [r#"1 {"code":1,"message":"Session ID unknown"}"#, "PingTimeout"]);
}

#[test]
fn a_get_in_time_is_sent_the_ping() {
    let mut session = session(Transport::Polling);
    let ping = START + Duration::from_secs(25);
    assert!(done(&mut session, ping).is_empty());
    session.get(1, ping + Duration::from_secs(20) - NANO);
    assert_eq!(done(&mut session, ping), ["1 2"]);
}

#[test]
fn a_probing_websocket() {
    let mut session = session(Transport::Polling);
    session.probe(5, START);
    let end = START + Duration::from_secs(10);
    nothing_before(&mut session, end);

    // From the first packet on, a parked GET is answered every 100 ms; a packet begins the interval anew.
    session.message(5, Data::Text("2probe"), START + 30 * MS);
    session.message(5, Data::Text("2probe"), START + 50 * MS);
    assert_eq!(done(&mut session, START + 50 * MS), ["5 3probe", "5 3probe"]);
    session.get(1, START + 60 * MS);
    nothing_before(&mut session, START + 150 * MS);
    assert_eq!(done(&mut session, START + 150 * MS), ["1 6"]);
    session.get(2, START + 151 * MS);
    nothing_before(&mut session, START + 250 * MS);
    assert_eq!(done(&mut session, START + 250 * MS), ["2 6"]);
    // With nobody there, the interval goes on.
    assert!(done(&mut session, START + 350 * MS).is_empty());
    session.get(3, START + 351 * MS);
    nothing_before(&mut session, START + 450 * MS);

    // A message that waits goes out instead.
    session.send(&[slipring::gateway::engineio::Message::text("4hi")]).unwrap();
    session.tick(START + 450 * MS);
    assert_eq!(done(&mut session, START + 450 * MS), ["3 4hi"]);

    assert!(done(&mut session, end - NANO).is_empty());
    assert_eq!(done(&mut session, end), ["5 closed"]);
    assert_eq!(session.next_deadline(), Some(START + Duration::from_secs(25)));
    session.probe(6, end);
    assert!(done(&mut session, end).is_empty());
}

#[test]
fn an_upgrade_gives_the_pong_its_time_anew() {
    let mut session = session(Transport::Polling);
    let ping = START + Duration::from_secs(25);
    session.get(1, ping);
    assert_eq!(done(&mut session, ping), ["1 2"]);
    session.probe(5, ping);
    let upgrade = ping + Duration::from_secs(9);
    session.message(5, Data::Text("5"), upgrade);
    assert_eq!(session.socket(), Some(5));
    nothing_before(&mut session, upgrade + Duration::from_secs(20));
    session.message(5, Data::Text("3"), upgrade + MS);
    nothing_before(&mut session, upgrade + MS + Duration::from_secs(25));
}

#[test]
fn a_close_waits_so_long() {
    let mut session = session(Transport::Polling);
    session.close(START);
    // A second one changes nothing.
    session.close(START + MS);
    let end = START + Duration::from_secs(30);
    nothing_before(&mut session, end);
    // No pings meanwhile; and what the client sends counts no more, whatever it is.
    assert!(session.post(1, "", Some(9)));
    let mut posted = session.body(1, b"4hi\x1e2\x1e3\x1e!").unwrap();
    assert_eq!(session.next_message(&mut posted, START), None);
    assert_eq!(done(&mut session, START + MS), ["1 ok"]);
    assert_eq!(done(&mut session, end), ["Closed"]);
}

#[test]
fn an_abort_does_not_wait() {
    let mut session = session(Transport::WebSocket);
    session.send(&[slipring::gateway::engineio::Message::text("4hi")]).unwrap();
    session.abort();
    assert_eq!(done(&mut session, START), ["0 closed", "Closed"]);
}

#[test]
fn after_the_end_nothing_happens() {
    for transport in [Transport::Polling, Transport::WebSocket] {
        let mut session = session(transport);
        session.lost(0);
        session.abort();
        session.abort();
        done(&mut session, START);
        assert_eq!(session.send(&[]), Err(SendError::Closed));
        session.close(START);
        session.probe(8, START);
        session.lost(8);
        assert_eq!(session.message(0, Data::Text("4hi"), START), None);
        assert!(!session.post(9, "", None));
        assert!(session.body(9, b"4hi").is_none());
        session.get(10, START);
        let unknown = r#"{"code":1,"message":"Session ID unknown"}"#;
        let expected = ["8 closed".to_owned(), format!("9 {unknown}"), format!("10 {unknown}")];
        assert_eq!(done(&mut session, START), expected);
        session.tick(START + Duration::from_secs(100));
        assert_eq!((session.next_deadline(), session.socket()), (None, None));
        assert!(done(&mut session, START).is_empty());
    }
}

#[test]
fn reasons_say_what_happened() {
    assert_eq!(Reason::PingTimeout.to_string(), "the client did not answer a ping in time");
}
