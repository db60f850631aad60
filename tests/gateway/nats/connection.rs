//! The connection machine, where the scripted sessions do not reach: time, long messages, and what the caller is told.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use slipring::gateway::nats::{
    Action, Connection, Delivery, Info, Key, Limits, Peer, Permissions, Rules, ServerError,
    Settings,
};

use super::{all_cuts, shown};

const SECOND: Duration = Duration::from_secs(1);

/// A connection, its output, and a clock.
struct Client {
    connection: Connection,
    out: Vec<u8>,
    now: Duration,
    permissions: Arc<Permissions>,
    keys: Vec<Key>,
}

impl Client {
    fn new(settings: Settings) -> Self {
        let mut out = Vec::new();
        let now = SECOND * 100;
        let connection =
            Connection::new(Arc::new(settings), Peer { id: 7, ip: String::new() }, now, &mut out);
        assert!(out.starts_with(b"INFO {") && out.ends_with(b"} \r\n"));
        out.clear();
        Self { connection, out, now, permissions: Arc::default(), keys: Vec::new() }
    }

    /// Takes bytes as a server would that lets everybody in; the actions, one a line, the payload of a long message joined.
    fn take(&mut self, mut input: &[u8]) -> String {
        let mut actions = String::new();
        loop {
            let Self { connection, out, now, .. } = self;
            let Some(action) = connection.next(*now, &mut input, out) else { return actions };
            match action {
                Action::Continue | Action::Pong => {}
                Action::Connect(_) => connection.accept(self.permissions.clone(), *now, out),
                Action::Publish(message, payload) => {
                    let id = message.headers.message_id().map(shown);
                    actions += &format!(
                        "publish {} {id:?} [{}]\n",
                        shown(message.subject),
                        shown(payload)
                    );
                    connection.ok(out);
                }
                Action::Begin(message, len) => {
                    let id = message.headers.message_id().map(shown);
                    actions += &format!("begin {} {id:?} {len} ", shown(message.subject));
                }
                Action::Payload(part) => actions += &shown(part),
                Action::End => {
                    actions += " end\n";
                    connection.ok(out);
                }
                Action::Subscribe(key, new) => {
                    let group = new.group().map(shown);
                    actions += &format!(
                        "subscribe {} {group:?} {}\n",
                        shown(new.subject()),
                        shown(new.sid())
                    );
                    self.keys.push(key);
                    connection.ok(out);
                }
                Action::Unsubscribe(key, old) => {
                    assert!(self.keys.contains(&key));
                    actions +=
                        &format!("unsubscribe {} after {}\n", shown(old.sid()), old.delivered());
                }
                Action::Close(reason) => actions += &format!("close {reason:?}\n"),
            }
        }
    }

    fn connect(&mut self, options: &str) {
        assert_eq!(
            self.take(
                format!("CONNECT {{\"verbose\":false,{options}\"lang\":\"x\"}}\r\n").as_bytes()
            ),
            ""
        );
        assert_eq!(self.out(), "");
    }

    /// What has been written since it was last asked for.
    fn out(&mut self) -> String {
        shown(&std::mem::take(&mut self.out))
    }

    fn wait(&mut self, time: Duration) -> String {
        self.now += time;
        self.connection.tick(self.now, &mut self.out);
        self.out()
    }
}

fn limits(stream_above: usize) -> Settings {
    Settings { limits: Limits { stream_above, ..Limits::default() }, ..Settings::default() }
}

/// HPUB with its lengths counted.
fn with_headers(subject: &str, headers: &str, payload: &str) -> String {
    let (len, total) = (headers.len(), headers.len() + payload.len());
    format!("HPUB {subject} {len} {total}\r\n{headers}{payload}\r\n")
}

#[test]
fn info() {
    let info = Info {
        server_id: "S\"1".into(),
        host: "127.0.0.1".into(),
        port: 4222,
        tls_available: true,
        connect_urls: vec!["127.0.0.1:4223".into()],
        ..Info::default()
    };
    let settings = Settings { info, auth_required: true, ..Settings::default() };
    let mut out = Vec::new();
    Connection::new(Arc::new(settings), Peer { id: 9, ip: "::1".into() }, SECOND, &mut out);
    let json = out.strip_prefix(b"INFO ").unwrap().strip_suffix(b" \r\n").unwrap();
    let found: serde_json::Value = serde_json::from_slice(json).unwrap();
    let expected = serde_json::json!({
        "server_id": "S\"1", "server_name": "", "version": "", "proto": 1, "host": "127.0.0.1", "port": 4222,
        "headers": true, "auth_required": true, "tls_available": true, "max_payload": 1 << 20, "client_id": 9,
        "client_ip": "::1", "connect_urls": ["127.0.0.1:4223"],
    });
    assert_eq!(found, expected);
}

#[test]
fn who_does_not_say_who_it_is_has_two_seconds() {
    let mut client = Client::new(Settings { auth_required: true, ..Settings::default() });
    assert_eq!(client.connection.deadline(), Some(client.now + SECOND * 2));
    assert_eq!(client.wait(SECOND * 2 - Duration::from_nanos(1)), "");
    assert_eq!(client.wait(Duration::from_nanos(1)), "-ERR \\'Authentication Timeout\\'\\r\\n");
    assert!(client.connection.is_over());
    assert_eq!(client.connection.deadline(), None);
    assert_eq!((client.take(b"CONNECT {}\r\n"), client.out()), (String::new(), String::new()));
}

#[test]
fn who_came_in_has_no_deadline_but_pings() {
    let mut client = Client::new(Settings { auth_required: true, ..Settings::default() });
    client.connect("");
    client.now += SECOND * 3;
    assert_eq!(client.wait(Duration::ZERO), "");
    assert_eq!(client.connection.deadline(), Some(SECOND * 100 + SECOND * 120));
}

/// Nothing is taken while the caller makes up its mind.
#[test]
fn a_decision_is_waited_for() {
    let mut client = Client::new(Settings { auth_required: true, ..Settings::default() });
    let mut input = &b"CONNECT {\"user\":\"u\",\"pass\":\"p\",\"verbose\":false}\r\nPING\r\n"[..];
    let Some(Action::Connect(options)) =
        client.connection.next(client.now, &mut input, &mut client.out)
    else {
        panic!("CONNECT is the caller's")
    };
    assert_eq!((&*options.user, &*options.pass), ("u", "p"));
    assert!(!format!("{options:?}").contains("\"p\""), "secrets are not shown");
    assert!(client.connection.next(client.now, &mut input, &mut client.out).is_none());
    assert_eq!((input, &client.out[..]), (&b"PING\r\n"[..], &b""[..]));
    client.connection.accept(Arc::default(), client.now, &mut client.out);
    assert_eq!((client.take(input), client.out()), (String::new(), "PONG\\r\\n".into()));
}

#[test]
fn a_quiet_client_is_pinged_and_then_stale() {
    let mut client = Client::new(Settings::default());
    client.connect("");
    let interval = SECOND * 120;
    assert_eq!(client.wait(interval), "PING\\r\\n");
    assert_eq!(client.take(b"PONG\r\n"), "");
    // Answers count from the start again.
    assert_eq!(client.wait(interval), "PING\\r\\n");
    assert_eq!(client.wait(interval), "PING\\r\\n");
    assert_eq!(client.wait(interval - SECOND), "");
    assert_eq!(client.wait(SECOND), "-ERR \\'Stale Connection\\'\\r\\n");
    assert!(client.connection.is_over());
}

#[test]
fn a_busy_client_is_not_pinged() {
    let busy: [&[u8]; 4] = [b"PUB a 0\r\n\r\n", b"SUB a 1\r\n", b"UNSUB 1\r\n", b"PING\r\n"];
    for bytes in busy {
        let mut client = Client::new(Settings::default());
        client.connect("");
        assert_eq!(client.wait(SECOND * 100), "");
        client.take(bytes);
        client.out();
        assert_eq!(client.wait(SECOND * 20), "", "{}", shown(bytes));
        assert_eq!(client.connection.deadline(), Some(SECOND * 320));
        assert_eq!(client.wait(SECOND * 99), "");
        assert_eq!(client.wait(SECOND), "PING\\r\\n");
    }
}

/// A long message is announced, and its payload given as it comes; what is wrong with it is found in its head.
#[test]
fn long_messages() {
    let mut client = Client::new(limits(8));
    client.connect("\"headers\":true,");
    assert_eq!(client.take(b"PUB a 8\r\n01234567\r\n"), "publish a None [01234567]\n");
    assert_eq!(client.take(b"PUB a 9\r\n"), "begin a None 9 ");
    assert_eq!(client.connection.missing(), 9);
    client.connection.received(4);
    assert_eq!(client.connection.missing(), 5);
    assert_eq!(client.take(b"45678\r\nPING\r\n"), "45678 end\n");
    assert_eq!(client.out(), "PONG\\r\\n");
    let with_id = with_headers("a", "NATS/1.0\r\nNats-Msg-Id: 7\r\n\r\n", "012345678");
    assert_eq!(client.take(with_id.as_bytes()), "begin a Some(\"7\") 9 012345678 end\n");
}

#[test]
fn a_long_message_that_is_refused_is_skipped() {
    let deny = Rules { allow: None, deny: vec!["no".into()] };
    let mut client = Client::new(limits(0));
    client.permissions = Arc::new(Permissions { publish: deny, ..Permissions::default() });
    client.connect("\"headers\":true,");
    assert_eq!(client.take(b"PUB no 9\r\n"), "");
    assert_eq!(client.connection.missing(), 0, "nobody wants it");
    assert_eq!(client.take(b"PUB x 1\r\n\r\nPUB yes 1\r\nx\r\n"), "begin yes None 1 x end\n");
    assert_eq!(client.out(), "-ERR \\'Permissions Violation for Publish to \\\"no\\\"\\'\\r\\n");
    assert_eq!(
        client.take(b"HPUB yes 4 4\r\nNATS\r\nPUB yes 1\r\nx\r\n"),
        "begin yes None 1 x end\n"
    );
    assert_eq!(client.out(), "-ERR \\'Invalid Headers\\'\\r\\n");
}

/// A publisher's repetition is recognised by its id.
#[test]
fn message_id() {
    let mut client = Client::new(Settings::default());
    client.connect("\"headers\":true,");
    let bytes = with_headers("a", "NATS/1.0\r\nX: y\r\nNats-Msg-Id:ab-7\r\n\r\n", "hi");
    assert_eq!(client.take(bytes.as_bytes()), "publish a Some(\"ab-7\") [hi]\n");
}

#[test]
fn deliveries() {
    let mut client = Client::new(Settings::default());
    client.connect("\"headers\":true,\"echo\":false,");
    assert_eq!(
        client.take(b"SUB a.* 1\r\nSUB a.> g 2\r\nUNSUB 2 2\r\n"),
        "subscribe a.* None 1\nsubscribe a.> Some(\"g\") 2\n"
    );
    let [one, two] = client.keys[..] else { panic!() };
    let mut deliver = |key, delivery: &Delivery, own| {
        let mut out = Vec::new();
        let sent = client.connection.deliver(key, delivery, own, &mut out);
        (shown(&out), sent.map(|sent| (sent.headers, sent.ended.map(|old| shown(old.sid())))))
    };
    let mut delivery = Delivery::new(b"a.b", Some(b"r"), 12, 5);
    assert_eq!(
        deliver(one, &delivery, false),
        ("HMSG a.b 1 r 12 17\\r\\n".into(), Some((true, None)))
    );
    assert_eq!(deliver(one, &delivery, true), (String::new(), None), "no echo");
    delivery.encode(b"a.c", None, 0, 0);
    assert_eq!(delivery.subject(), b"a.c");
    assert_eq!(deliver(one, &delivery, false), ("MSG a.c 1 0\\r\\n".into(), Some((false, None))));
    assert_eq!(deliver(two, &delivery, false), ("MSG a.c 2 0\\r\\n".into(), Some((false, None))));
    assert_eq!(
        deliver(two, &delivery, false),
        ("MSG a.c 2 0\\r\\n".into(), Some((false, Some("2".into()))))
    );
    assert_eq!(deliver(two, &delivery, false), (String::new(), None), "it has ended");
    assert_eq!(client.connection.subscriptions().map(|(key, _)| key).collect::<Vec<_>>(), [one]);
    assert_eq!(client.take(b"UNSUB 2\r\nUNSUB 1\r\n"), "unsubscribe 1 after 2\n");
}

/// Who does not know headers gets the payload alone.
#[test]
fn deliveries_without_headers() {
    let mut client = Client::new(Settings::default());
    client.connect("");
    client.take(b"SUB a 1\r\n");
    let delivery = Delivery::new(b"a", None, 12, 1_234_567_890);
    let sent = client.connection.deliver(client.keys[0], &delivery, true, &mut client.out).unwrap();
    assert_eq!((sent.headers, client.out()), (false, "MSG a 1 1234567890\\r\\n".into()));
}

/// The caller could not do it: the subscription is gone, and its key is nobody's.
#[test]
fn a_subscription_is_taken_back() {
    let mut client = Client::new(Settings::default());
    client.connect("");
    client.take(b"SUB a 1\r\n");
    assert!(client.connection.unsubscribe(client.keys[0]).is_some());
    client.connection.error(ServerError::Other("no such queue"), &mut client.out);
    assert_eq!(client.out(), "-ERR \\'no such queue\\'\\r\\n");
    assert!(client.connection.unsubscribe(client.keys[0]).is_none());
    assert_eq!(client.take(b"SUB b 1\r\n"), "subscribe b None 1\n");
}

/// Only clients that take INFO at any time, and are past connecting, are told that the server ends.
#[test]
fn lame_duck() {
    let told = |options: &str, bytes: &[u8]| {
        let mut client = Client::new(Settings::default());
        client.connect(options);
        client.take(bytes);
        client.out();
        client.connection.lame_duck(&mut client.out);
        client.out().contains("\\\"ldm\\\":true")
    };
    assert!(told("\"protocol\":1,", b"PING\r\n"));
    assert!(!told("\"protocol\":1,", b""));
    assert!(!told("", b"PING\r\n"));
}

#[test]
fn a_slow_consumer_is_told_once() {
    let mut client = Client::new(Settings::default());
    client.connect("");
    client.take(b"SUB a 1\r\n");
    client.connection.fail(ServerError::SlowConsumer, &mut client.out);
    client.connection.fail(ServerError::Stale, &mut client.out);
    client.connection.error(ServerError::Subject, &mut client.out);
    assert_eq!(client.out(), "-ERR \\'Slow Consumer\\'\\r\\n");
    let delivery = Delivery::new(b"a", None, 0, 0);
    assert!(client.connection.deliver(client.keys[0], &delivery, false, &mut client.out).is_none());
    assert_eq!(client.connection.subscriptions().count(), 1, "they are still to be forgotten");
}

#[test]
fn limits_hold() {
    let mut client =
        Client::new(Settings { max_subscriptions: 2, max_tokens: 3, ..Settings::default() });
    client.connect("");
    assert_eq!(client.take(b"SUB a.b.c.d 1\r\n"), "");
    assert_eq!(
        client.out(),
        "-ERR \\'Permissions Violation for Subscription to \\\"a.b.c.d\\\", too many tokens\\'\\r\\n"
    );
    client.take(b"SUB a 1\r\nSUB a 2\r\n");
    assert_eq!(client.take(b"SUB a 3\r\n"), "");
    assert_eq!(client.out(), "-ERR \\'maximum subscriptions exceeded\\'\\r\\n");
    assert_eq!(
        client.take(b"UNSUB 1\r\nSUB a 3\r\n"),
        "unsubscribe 1 after 0\nsubscribe a None 3\n"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    /// However the bytes are cut: the same actions, the same answers.
    #[test]
    fn cuts_make_no_difference(
        lines in prop::collection::vec(
            "(PUB a 1\r\nx|PUB a\\.\\* 12\r\n0123456789ab|PUB no 9\r\n012345678|HPUB a 14 15\r\nNATS/1.0\r\n\r\n..x|SUB a [1-3]|SUB a\\.\\. 1|UNSUB [1-3]|PING|PONG|CONNECT \\{\\}|CONNECT \\{\"verbose\":false,\"headers\":true\\}|[A-Z]{1,3})\r\n",
            1..12,
        ),
        stream_above in 0..20_usize,
    ) {
        all_cuts(lines.concat().as_bytes(), |pieces| {
            let mut client = Client::new(limits(stream_above));
            let deny = Rules { allow: None, deny: vec!["no".into()] };
            client.permissions = Arc::new(Permissions { publish: deny, ..Permissions::default() });
            let actions: String = pieces.iter().map(|piece| client.take(piece)).collect();
            actions + &client.out()
        });
    }
}
