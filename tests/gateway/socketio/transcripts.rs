//! Conversations with a small application, line by line: what happens, and after `=>` what comes of it. The same lines are played on the reference server
//! by `tests/gateway/engineio/reference.rs`.
//!
//! | what happens | |
//! |---|---|
//! | `tell PACKET`, `bytes TEXT` | the client sends a packet, or an attachment |
//! | `kick NAMESPACE` | the server puts the client out |
//! | `ask NAMESPACE TEXT` | the application sends an event that wants an ack |
//! | `wait MS` | time goes by |
//!
//! What comes of it: `< PACKET` and `<# HEX` (to the client), `acked ARGUMENTS` (to the application), `closed`. A line with `=!` is one where the reference
//! does otherwise.

use std::time::Duration;

use slipring::gateway::engineio::Data;
use slipring::gateway::socketio::{
    Accept, Connection, Emit, Event, INVALID_NAMESPACE, Kind, Packet, Settings, Violation,
};

use crate::engineio::script::{hex, read};

/// The application: it has two namespaces, lets everybody in but those with the token `bad`, tells whoever comes what they said, and sends back what it
/// is sent.
struct Application {
    connection: Connection<()>,
    now: Duration,
    asked: u64,
    seen: Vec<String>,
}

impl Application {
    fn new() -> Self {
        let settings = Settings { connect_timeout: Duration::from_secs(1), ..Settings::default() };
        let now = Duration::from_secs(1000);
        Self { connection: Connection::new(settings.into(), now), now, asked: 0, seen: vec![] }
    }

    fn step(&mut self, step: &str) -> Result<(), Violation> {
        let (verb, rest) = step.split_once(' ').unwrap_or((step, ""));
        let mut out = vec![];
        match verb {
            "tell" => self.receive(Data::Text(rest))?,
            "bytes" => self.receive(Data::Binary(rest.as_bytes().into()))?,
            "kick" => drop(self.connection.disconnect(rest, &mut out)),
            "ask" => {
                let (namespace, name) = rest.split_once(' ').unwrap();
                let id = Some(self.asked);
                Emit { namespace, name, id, ..Emit::default() }.encode(&mut out).unwrap();
                self.connection.expect(namespace, self.asked, (), self.now * 2).unwrap();
                self.asked += 1;
            }
            "wait" => {
                self.now += Duration::from_millis(rest.parse().unwrap());
                self.connection.tick(self.now)?;
            }
            _ => panic!("{step}: no such step"),
        }
        self.sent(&out, &[]);
        Ok(())
    }

    fn sent(&mut self, packet: &[u8], attachments: &[Vec<u8>]) {
        if let Some(packet) = std::str::from_utf8(packet).unwrap().strip_prefix('4') {
            self.seen.push(format!("< {packet}"));
            self.seen.extend(attachments.iter().map(|one| format!("<{}", hex(one))));
        }
    }

    fn receive(&mut self, data: Data) -> Result<(), Violation> {
        let Some(event) = self.connection.receive(data, self.now)? else { return Ok(()) };
        let mut out = vec![];
        match event {
            Event::Connect { namespace, auth, .. } => self.connected(&namespace, &auth),
            Event::Event { namespace, name, arguments, id: None, attachments } => {
                assert_eq!(name, "message");
                let (arguments, attached) = (&*arguments, attachments.len());
                let name = "message-back";
                Emit {
                    namespace: &namespace,
                    name,
                    arguments,
                    attachments: attached,
                    ..Emit::default()
                }
                .encode(&mut out)
                .unwrap();
                self.sent(&out, &attachments);
            }
            Event::Event { namespace, arguments, id: Some(id), attachments, .. } => {
                assert!(self.connection.answer(&namespace, id));
                let attached = Some(attachments.len()).filter(|some| *some > 0);
                let (kind, payload) = (Kind::Ack, format!("[{arguments}]"));
                Packet {
                    kind,
                    attachments: attached,
                    namespace: &namespace,
                    id: Some(id),
                    payload: &payload,
                }
                .encode(&mut out);
                self.sent(&out, &attachments);
            }
            Event::Ack { arguments, .. } => self.seen.push(format!("acked [{arguments}]")),
            _ => {}
        }
        Ok(())
    }

    fn connected(&mut self, namespace: &str, auth: &str) {
        let mut out = vec![];
        if !matches!(namespace, "/" | "/custom") {
            self.connection.refuse(namespace, INVALID_NAMESPACE, None, &mut out).unwrap();
            return self.sent(&out, &[]);
        }
        if auth.contains(r#""token":"bad""#) {
            self.connection.refuse(namespace, "no", Some(r#"{"code":7}"#), &mut out).unwrap();
            return self.sent(&out, &[]);
        }
        let accept = Accept { sid: "SID", ..Accept::default() };
        self.connection.accept(namespace, accept, &mut out).unwrap();
        self.sent(&out, &[]);
        out.clear();
        let arguments = if auth.is_empty() { "{}" } else { auth };
        Emit { namespace, name: "auth", arguments, ..Emit::default() }.encode(&mut out).unwrap();
        self.sent(&out, &[]);
    }
}

/// What comes of each step, up to the end of the connection.
pub fn played<'s>(steps: impl IntoIterator<Item = &'s str>) -> Vec<Vec<String>> {
    let mut application = Application::new();
    let mut all: Vec<Vec<String>> = vec![];
    for step in steps {
        let over = application.step(step).is_err();
        let mut seen = std::mem::take(&mut application.seen);
        seen.extend(over.then(|| "closed".into()));
        seen.sort();
        all.push(seen);
        if over {
            break;
        }
    }
    all
}

fn check(transcript: &str) {
    let lines = read(transcript).1;
    let seen = played(lines.iter().map(|(step, ..)| *step));
    let comes: Vec<Vec<String>> = lines.iter().map(|(_, comes, _)| comes.clone()).collect();
    assert_eq!(seen, comes, "{transcript}");
}

macro_rules! transcripts {
    ($($name:ident = $text:expr;)*) => {
        /// All, by name.
        pub const TRANSCRIPTS: &[(&str, &str)] = &[$((stringify!($name), $text)),*];
        $(#[test] fn $name() { check($text); })*
    };
}

transcripts! {
    joining_and_leaving = r#"
        tell 0 => < 0{"sid":"SID"} ; < 2["auth",{}]
        tell 0/custom,{"token":"abc"} => < 0/custom,{"sid":"SID"} ; < 2/custom,["auth",{"token":"abc"}]
        tell 2/custom,["message",1] => < 2/custom,["message-back",1]
        tell 1/custom
        tell 2["message",2] => < 2["message-back",2]
        tell 0/custom => < 0/custom,{"sid":"SID"} ; < 2/custom,["auth",{}]
        tell 1
        tell 2/custom,["message",3] => < 2/custom,["message-back",3]
    "#;
    refused = r#"
        tell 0/random => < 4/random,{"message":"Invalid namespace"}
        tell 0{"token":"bad"} => < 4{"message":"no","data":{"code":7}}
        tell 0/custom,{"token":"bad"} => < 4/custom,{"message":"no","data":{"code":7}}
        tell 0/random => < 4/random,{"message":"Invalid namespace"}
        tell 0 => < 0{"sid":"SID"} ; < 2["auth",{}]
    "#;
    messages = r#"
        tell 0 => < 0{"sid":"SID"} ; < 2["auth",{}]
        tell 2["message",1,"2",{"3":[true]}] => < 2["message-back",1,"2",{"3":[true]}]
        tell 2["message"] => < 2["message-back"]
        tell 2456["message-with-ack",1,"2",{"3":[false]}] => < 3456[1,"2",{"3":[false]}]
        tell 20["message-with-ack"] => < 30[]
        tell 2007["message-with-ack"] => < 37[]
    "#;
    attachments = r#"
        tell 0 => < 0{"sid":"SID"} ; < 2["auth",{}]
        tell 52-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]
        bytes ABC
        bytes DEF => < 52-["message-back",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}] ; <#414243 ; <#444546
        tell 51-789["message-with-ack",{"a":[{"_placeholder":true,"num":0}]}]
        bytes XYZ => < 61-789[{"a":[{"_placeholder":true,"num":0}]}] ; <#58595a
        tell 2["message",1] => < 2["message-back",1]
    "#;
    a_text_among_attachments = r#"
        tell 0 => < 0{"sid":"SID"} ; < 2["auth",{}]
        tell 52-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]
        bytes ABC
        tell 2["message",1] => closed
    "#;
    an_attachment_of_nothing = r#"
        tell 0 => < 0{"sid":"SID"} ; < 2["auth",{}]
        bytes ABC => closed
    "#;
    a_placeholder_of_nothing = r#"
        tell 0 => < 0{"sid":"SID"} ; < 2["auth",{}]
        tell 51-["message",{"_placeholder":true,"num":1}] =! closed
    "#;
    too_many_attachments = r#"
        tell 0 => < 0{"sid":"SID"} ; < 2["auth",{}]
        tell 511-["message"] => closed
    "#;
    acks = r#"
        tell 0 => < 0{"sid":"SID"} ; < 2["auth",{}]
        ask / well? => < 20["well?"]
        ask / again? => < 21["again?"]
        tell 31["b",2] => acked ["b",2]
        tell 31["c"]
        tell 30[] => acked []
        tell 37[]
        tell 3[]
    "#;
    put_out = r#"
        tell 0 => < 0{"sid":"SID"} ; < 2["auth",{}]
        tell 0/custom => < 0/custom,{"sid":"SID"} ; < 2/custom,["auth",{}]
        kick /custom => < 1/custom,
        tell 2["message",1] => < 2["message-back",1]
        tell 0/custom => < 0/custom,{"sid":"SID"} ; < 2/custom,["auth",{}]
        kick /custom => < 1/custom,
        tell 2/custom,["message",1] =!
    "#;
    nobody_joins = r#"
        tell 0/random => < 4/random,{"message":"Invalid namespace"}
        wait 990
        wait 20 => closed
    "#;
    somebody_joins = r#"
        wait 990
        tell 0 => < 0{"sid":"SID"} ; < 2["auth",{}]
        wait 500
        tell 1
        wait 5000
        tell 0 => < 0{"sid":"SID"} ; < 2["auth",{}]
    "#;
    joined_twice = r#"
        tell 0 => < 0{"sid":"SID"} ; < 2["auth",{}]
        tell 0 => closed
    "#;
    not_joined = r#"
        tell 2["message",1] => closed
    "#;
    not_joined_there = r#"
        tell 0 => < 0{"sid":"SID"} ; < 2["auth",{}]
        tell 2/custom,["message",1] => closed
    "#;
    left_and_not_joined = r#"
        tell 0 => < 0{"sid":"SID"} ; < 2["auth",{}]
        tell 1
        tell 1 => closed
    "#;
    what_only_the_server_says = r#"
        tell 0 => < 0{"sid":"SID"} ; < 2["auth",{}]
        tell 4{"message":"x"} => closed
    "#;
    no_packet = r#"
        tell 0 => < 0{"sid":"SID"} ; < 2["auth",{}]
        tell abc => closed
    "#;
    no_payload = r#"
        tell 0 => < 0{"sid":"SID"} ; < 2["auth",{}]
        tell 2{} => closed
    "#;
    no_id = r#"
        tell 0 => < 0{"sid":"SID"} ; < 2["auth",{}]
        tell 2abc["message-with-ack",1] => closed
    "#;
    a_reserved_name = r#"
        tell 0 => < 0{"sid":"SID"} ; < 2["auth",{}]
        tell 2["disconnecting"] => closed
    "#;
}
