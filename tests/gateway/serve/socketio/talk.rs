//! What clients and queues say to each other.

use serde_json::{Value, json};

use super::{Clients, Place};

#[test]
fn every_transport() {
    let place = Place::new(&[]);
    let mut clients = Clients::new();
    let ways = [
        ("polling", json!(["polling"])),
        ("websocket", json!(["websocket"])),
        ("upgrade", json!(["polling", "websocket"])),
    ];
    for (name, transports) in &ways {
        clients.open(name, &place, "/q", json!({ "transports": transports }));
        if *name == "upgrade" {
            clients.act(name, "upgraded");
            clients.hear_only(name, "upgraded");
        }
        assert!(clients.hear(name)["connect"].is_string());
        clients.act(name, "transport");
        let expected = if *name == "polling" { "polling" } else { "websocket" };
        assert_eq!(clients.hear(name)["transport"], expected);
    }
    let mut producer = place.queue().producer().unwrap();
    for number in 0..100 {
        producer.send_event("local", number.to_string().as_bytes()).unwrap();
    }
    for (name, _) in &ways {
        for number in 0..100 {
            clients.events(name, &[("local", json!(number.to_string()))]);
        }
    }
    // Events of clients reach all, and the queue.
    for (name, _) in &ways {
        clients.emit(name, json!(["said", { "by": name }]));
        for (other, _) in &ways {
            clients.events(other, &[("said", json!({ "by": name }))]);
        }
    }
    let consumer = place.queue().consumer("default").unwrap();
    let bodies: Vec<Vec<u8>> = (0..103)
        .map(|_| {
            let message = consumer.try_recv().unwrap();
            let body = message.payload().to_vec();
            message.ack().unwrap();
            body
        })
        .collect();
    assert_eq!(bodies[102], br#"{"by":"upgrade"}"#);
}

/// Whatever a client sends another one gets; what is plain is plain in the queue.
#[test]
fn arguments_of_any_kind() {
    let place = Place::new(&[]);
    let consumer = place.queue().consumer("default").unwrap();
    let mut clients = Clients::new();
    clients.connect("a", &place, "/q", json!({}));
    clients.open("b", &place, "/q", json!({ "transports": ["polling"] }));
    clients.hear("b");
    let bytes = |hex: &str| json!({ "#": hex });
    let cases: [(Value, &[u8]); 12] = [
        (json!([]), b""),
        (json!(["text"]), b"text"),
        (json!(["[1]"]), br#"["[1]"]"#),
        (json!([""]), br#"[""]"#),
        (json!([{ "a": [1, null] }]), br#"{"a":[1,null]}"#),
        (json!([[1, 2]]), b"[[1,2]]"),
        (json!([1, "two", { "three": 3 }]), br#"[1,"two",{"three":3}]"#),
        (json!([5]), b"[5]"),
        (json!([bytes("00ff")]), b"\x00\xff"),
        (json!([bytes("6869")]), br#"[{"$binary":"aGk="}]"#),
        (json!([bytes("")]), br#"[{"$binary":""}]"#),
        (
            json!([{ "x": [bytes("01"), bytes("02")] }, bytes("03")]),
            br#"[{"x":[{"$binary":"AQ=="},{"$binary":"Ag=="}]},{"$binary":"Aw=="}]"#,
        ),
    ];
    for (args, payload) in cases {
        let event = [vec![json!("event")], args.as_array().unwrap().clone()].concat();
        clients.emit("a", Value::Array(event));
        for name in ["a", "b"] {
            assert_eq!(clients.event(name), ("event".to_owned(), args.as_array().unwrap().clone()));
        }
        let message = consumer.recv().unwrap();
        assert_eq!((message.event(), message.payload()), (Some("event"), payload));
        message.ack().unwrap();
    }
    // And what local programs send.
    let mut producer = place.queue().producer().unwrap();
    producer.send(b"no name").unwrap();
    producer.send_event("connect", b"can't be sent").unwrap();
    producer.send_event("e", b"\xff\xfe").unwrap();
    for name in ["a", "b"] {
        clients.events(name, &[("message", json!("no name")), ("e", bytes("fffe"))]);
    }
}

#[test]
fn acks_and_failures() {
    let place = Place::new(&["--set", "payload=10000"]);
    let mut clients = Clients::new();
    clients.connect("a", &place, "/q", json!({}));
    let answer = clients.ask("a", json!(["event", 1]));
    let position = answer[0]["position"].as_u64().unwrap();
    assert_eq!(position, place.queue().bounds().end - 1);
    clients.event("a");
    // Volatile or not, it is the same to the gateway.
    clients.tell(json!({ "do": "emit", "name": "a", "args": ["v", 1], "volatile": true }));
    clients.events("a", &[("v", json!(1))]);
    place.queue().close().unwrap();
    assert_eq!(clients.hear("a")["event"], "closed");
    assert_eq!(clients.hear("a")["disconnect"], "io server disconnect");
}

#[test]
fn a_full_queue_is_told() {
    let place = Place::new(&[]);
    let mut clients = Clients::new();
    clients.connect("a", &place, "/q", json!({ "rooms": [] }));
    let mut producer = place.queue().producer().unwrap();
    while producer.try_send(&[0; 1000]).is_ok() {}
    let long = "x".repeat(2000);
    assert_eq!(clients.ask("a", json!(["event", long]))[0]["status"], 503);
    clients.emit("a", json!(["event", long]));
    let failed = clients.hear("a");
    assert_eq!((&failed["event"], &failed["args"][0]["status"]), (&json!("failed"), &json!(503)));
    assert_eq!(failed["args"][0]["event"], "event");
    let name = "n".repeat(300);
    assert_eq!(clients.ask("a", json!([name]))[0]["status"], 400);
}

#[test]
fn namespaces_are_queues() {
    let place = Place::new(&["--set", "default_queue=other"]);
    super::super::common::queue(&place.dir, "other", 1 << 16);
    let mut clients = Clients::new();
    clients.connect("q", &place, "/q", json!({}));
    clients.connect("other", &place, "/other", json!({}));
    clients.connect("root", &place, "/", json!({}));
    clients.open("none", &place, "/none", json!({ "transports": ["websocket"] }));
    let refused = clients.hear("none");
    assert_eq!(
        (&refused["refused"], &refused["data"]["status"]),
        (&json!("Invalid namespace"), &json!(404))
    );
    clients.emit("root", json!(["e", "r"]));
    clients.events("root", &[("e", json!("r"))]);
    clients.events("other", &[("e", json!("r"))]);
    clients.emit("q", json!(["e", "q"]));
    clients.events("q", &[("e", json!("q"))]);
    clients.silent("root");
    clients.silent("other");
}

#[test]
fn rooms_are_filters() {
    let place = Place::new(&[]);
    let mut clients = Clients::new();
    clients.connect("all", &place, "/q", json!({}));
    clients.connect("some", &place, "/q", json!({}));
    clients.connect("auth", &place, "/q", json!({ "rooms": ["c.*"] }));
    assert_eq!(clients.ask("some", json!(["join", "a.*"])), json!([{ "rooms": ["a.*"] }]));
    let rooms = json!([{ "rooms": ["b.x", "a.*"] }]);
    assert_eq!(clients.ask("some", json!(["join", "a.*", "b.x", "a.*"])), rooms);
    for event in ["a.1", "b.x", "b.y", "c.1"] {
        clients.emit("all", json!([event, event]));
        clients.events("all", &[(event, json!(event))]);
    }
    clients.events("some", &[("a.1", json!("a.1")), ("b.x", json!("b.x"))]);
    clients.events("auth", &[("c.1", json!("c.1"))]);
    assert_eq!(clients.ask("some", json!(["leave", "a.*"])), json!([{ "rooms": ["b.x"] }]));
    for event in ["a.2", "b.x"] {
        clients.emit("all", json!([event, event]));
    }
    clients.events("some", &[("b.x", json!("b.x"))]);
    clients.silent("auth");
    // No rooms are none.
    assert_eq!(clients.ask("some", json!(["leave", "b.x"])), json!([{ "rooms": [] }]));
    clients.emit("auth", json!(["b.x", 1]));
    clients.silent("some");
    for nonsense in [json!(["join", 1]), json!(["join", ""]), json!(["join", "x".repeat(256)])] {
        assert_eq!(clients.ask("some", nonsense)[0]["status"], 400);
    }
    for number in 0..64 {
        assert!(clients.ask("some", json!(["join", format!("r{number}")]))[0]["rooms"].is_array());
    }
    assert_eq!(clients.ask("some", json!(["join", "one more"]))[0]["status"], 409);
}

#[test]
fn who_shows_no_token_is_refused() {
    let place = Place::new(&["--set", "token=secret"]);
    let mut clients = Clients::new();
    for (name, auth) in [("none", json!({})), ("wrong", json!({ "token": "secreT" }))] {
        clients.open(name, &place, "/q", json!({ "transports": ["websocket"], "auth": auth }));
        assert_eq!(clients.hear(name)["data"]["status"], 401);
    }
    clients.connect("auth", &place, "/q", json!({ "token": "secret" }));
    let query = json!({ "transports": ["polling"], "query": { "access_token": "secret" } });
    clients.open("query", &place, "/q", query);
    assert!(clients.hear("query")["connect"].is_string());
    let headers =
        json!({ "transports": ["polling"], "extraHeaders": { "Authorization": "Bearer secret" } });
    clients.open("header", &place, "/q", headers);
    assert!(clients.hear("header")["connect"].is_string());
}

/// A client that is slow gets what is left, and is told what is not; a volatile one gets what there is room for.
#[test]
fn slow_clients() {
    let place = Place::new(&["--set", "out_queue=4096"]);
    let mut clients = Clients::new();
    clients.connect("slow", &place, "/q", json!({}));
    clients.connect("volatile", &place, "/q", json!({ "volatile": true }));
    let queue = place.queue();
    let consumer = queue.consumer("default").unwrap();
    let mut producer = queue.producer().unwrap();
    for number in 0..2000_u64 {
        producer.send(&[number.to_string().as_bytes(), &[b' '; 20_000]].concat()).unwrap();
        consumer.recv().unwrap().ack().unwrap();
    }
    // One of them finds room.
    for _ in 0..20 {
        producer.send_event("end", b"").unwrap();
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    for name in ["slow", "volatile"] {
        let (mut next, mut seen, mut missed) = (0, 0, false);
        loop {
            let heard = clients.hear(name);
            match heard["event"].as_str().unwrap() {
                "end" => break,
                "missed" => missed = true,
                _ => {
                    let number: u64 = heard["args"][0].as_str().unwrap().trim().parse().unwrap();
                    let skips = missed || name == "volatile";
                    assert!(
                        number == next || number > next && skips,
                        "{name}: {number}, not {next}"
                    );
                    (next, seen, missed) = (number + 1, seen + 1, false);
                }
            }
        }
        assert!(seen > 0, "{name}");
        assert!(!missed || name == "slow");
    }
}
