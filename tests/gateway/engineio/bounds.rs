//! What waits is bounded, and so is what comes.

use slipring::gateway::engineio::{Message, SendError, Settings, Transport};

use super::script::{Play, opened, settings};

fn texts(count: usize, len: usize) -> Vec<Message> {
    vec![Message::text(&format!("4{}", "x".repeat(len - 1))); count]
}

/// Up to ten messages and a hundred bytes may wait.
fn narrow() -> Settings {
    Settings { max_outgoing_messages: 10, max_outgoing_bytes: 100, ..settings() }
}

#[test]
fn messages_wait_up_to_a_count() {
    let mut play = opened(Transport::Polling, narrow());
    let session = play.session();
    assert_eq!(session.send(&texts(9, 2)), Ok(()));
    assert_eq!(session.send(&texts(2, 2)), Err(SendError::Full), "none of them is taken");
    assert_eq!(session.send(&texts(1, 2)), Ok(()));
    assert_eq!(session.send(&texts(1, 2)), Err(SendError::Full));
    assert!(play.seen().is_empty());
    let body = ["4x"; 10].join("|");
    assert_eq!(play.step("get a"), [format!("a 200 {body}"), "room".into()]);
    // Said once.
    assert!(play.step("get b").is_empty());
    assert_eq!(play.session().send(&texts(10, 2)), Ok(()));
}

#[test]
fn messages_wait_up_to_so_many_bytes() {
    let mut play = opened(Transport::WebSocket, narrow());
    let session = play.session();
    assert_eq!(session.send(&texts(1, 60)), Ok(()));
    assert_eq!(session.send(&texts(2, 20)), Ok(()));
    assert_eq!(session.send(&texts(1, 1)), Err(SendError::Full));
    // Room is worth mentioning when half of it is free.
    assert!(session.pull().is_some());
    assert_eq!(session.next_output(), Some(slipring::gateway::engineio::Output::Room));
    assert_eq!(session.next_output(), None);
    assert_eq!(session.send(&texts(1, 60)), Ok(()));
    assert_eq!(session.send(&texts(1, 1)), Err(SendError::Full));
    assert!(session.pull().is_some());
    assert_eq!(session.next_output(), None);
    assert!(session.pull().is_some());
    assert_eq!(session.next_output(), None, "60 of 100 bytes are still taken");
    assert!(session.pull().is_some());
    assert_eq!(session.next_output(), Some(slipring::gateway::engineio::Output::Room));
}

#[test]
fn where_nothing_waits_there_is_room_for_anything() {
    let mut play = opened(Transport::Polling, narrow());
    assert_eq!(play.session().send(&texts(11, 200)), Ok(()));
    assert_eq!(play.session().send(&texts(1, 1)), Err(SendError::Full));
    assert_eq!(play.session().send(&[]), Err(SendError::Full));
}

#[test]
fn a_ping_needs_no_room_and_takes_none() {
    let none = Settings { max_outgoing_messages: 0, max_outgoing_bytes: 0, ..settings() };
    let mut play = opened(Transport::Polling, none);
    assert_eq!(play.session().send(&texts(1, 9)), Ok(()));
    assert!(play.step("wait 25000").is_empty());
    assert_eq!(play.step("get a"), ["a 200 4xxxxxxxx|2"]);
    assert_eq!(play.session().send(&texts(1, 9)), Ok(()));
    assert_eq!(play.session().send(&texts(1, 9)), Err(SendError::Full));
}

#[test]
fn sent_together_is_answered_together() {
    let mut play = opened(Transport::Polling, settings());
    assert!(play.step("get a").is_empty());
    play.session().send(&texts(1, 2)).unwrap();
    play.session().send(&texts(2, 3)).unwrap();
    assert_eq!(play.seen(), ["a 200 4x|4xx|4xx"]);
}

fn poll() -> Play<'static> {
    let mut play = opened(Transport::Polling, settings());
    play.step("get parked");
    play
}

#[test]
fn a_post_over_the_limit_is_refused_and_the_session_goes_on() {
    let (full, step) = (format!("4{}", "x".repeat(999)), format!("post d 4{}", "x".repeat(999)));
    let mut play = opened(Transport::Polling, settings());
    // Its head says so.
    assert!(!play.session().post("a", "", Some(1001)));
    assert_eq!(play.seen(), ["a 413 "]);
    // Its body turns out so, before the end, or at the end.
    assert!(play.session().post("b", "", None));
    play.session().too_large("b");
    assert_eq!(play.seen(), ["b 413 "]);
    assert!(play.session().post("c", "", None));
    assert!(play.session().body("c", &[b'4'; 1001]).is_none());
    assert_eq!(play.seen(), ["c 413 "]);
    assert_eq!(play.step(&step), [format!("> {}", &full[1..]), "d 200 ok".into()]);
}

#[test]
fn only_one_post_comes_at_a_time() {
    let mut play = poll();
    assert!(play.session().post("a", "", Some(5)));
    assert!(!play.session().post("b", "", Some(5)));
    assert_eq!(play.seen(), ["a 400 ", "b 400 ", "over", "parked 200 1"]);
}

#[test]
fn a_post_that_breaks_off_ends_the_session() {
    let mut play = poll();
    assert!(play.session().post("a", "", Some(5)));
    play.session().lost("somebody");
    assert!(play.session().body("somebody", b"4hi").is_none());
    play.session().too_large("somebody");
    assert!(play.seen().is_empty());
    play.session().lost("a");
    assert_eq!(play.seen(), ["over", "parked 200 1"]);
}

#[test]
fn an_upgrade_cuts_off_a_post() {
    let mut play = poll();
    play.step("ws w");
    play.step("tell w 2probe");
    assert!(play.session().post("a", "", Some(5)));
    assert_eq!(play.step("tell w 5"), ["a 400 ", "parked 200 6"]);
    assert!(play.session().body("a", b"4late").is_none());
    assert_eq!(play.step("tell w 4hi"), ["> hi"]);
}

#[test]
fn a_post_must_be_text() {
    let mut play = poll();
    assert!(!play.session().post("a", "Application/Octet-Stream; x=y", Some(5)));
    assert_eq!(play.seen(), ["a 400 ", "over", "parked 200 1"]);
    let mut play = poll();
    assert!(play.session().post("a", "text/plain", Some(3)));
    assert!(play.session().body("a", b"4\xff\xff").is_none());
    assert_eq!(play.seen(), ["a 400 ", "over", "parked 200 1"]);
}
