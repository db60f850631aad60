//! Clients that come back miss nothing, or are told what.

use serde_json::{Value, json};

use super::{Clients, Place};

/// A client, and what is sent meanwhile.
struct Scene {
    place: Place,
    clients: Clients,
}

impl Scene {
    fn new(auth: Value) -> Self {
        let place = Place::new(&[]);
        let mut clients = Clients::new();
        let connected = clients.connect("c", &place, "/q", auth);
        assert_eq!(connected["recovered"], false);
        Self { place, clients }
    }

    fn send(&self, event: &str, payload: &str) {
        let mut producer = self.place.queue().producer().unwrap();
        producer.send_event(event, payload.as_bytes()).unwrap();
    }

    fn kill_and_restart(&mut self) {
        let address = self.place.gateway.address;
        self.place.restart_at(address);
    }

    /// The client comes back, and is recovered with the events that it missed.
    fn back(&mut self, expected: &[(&str, Value)]) {
        self.clients.act("c", "back");
        // Which the client says after what it missed.
        assert_eq!(self.clients.hear_only("c", "recovered"), true);
        self.clients.events("c", expected);
    }
}

#[test]
fn any_number_of_times_also_before_a_first_event() {
    let mut scene = Scene::new(json!({}));
    for round in 0..4 {
        scene.clients.cut("c");
        // Also with nothing missed.
        if round != 1 {
            scene.send("e", &format!("{round}"));
            scene.send("e", "more");
            scene.back(&[("e", json!(round.to_string())), ("e", json!("more"))]);
        } else {
            scene.back(&[]);
        }
    }
    scene.send("e", "live");
    scene.clients.events("c", &[("e", json!("live"))]);
}

#[test]
fn across_kills_of_the_gateway() {
    let mut scene = Scene::new(json!({}));
    for round in 0..3 {
        scene.clients.cut("c");
        scene.send("e", "before");
        scene.kill_and_restart();
        scene.send("e", "after");
        scene.back(&[("e", json!("before")), ("e", json!("after"))]);
        if round == 1 {
            scene.send("e", "live");
            scene.clients.events("c", &[("e", json!("live"))]);
        }
    }
}

/// As a browser does it: nobody tells it to come back.
#[test]
fn by_itself_when_the_gateway_was_killed() {
    let mut scene = Scene::new(json!({}));
    let address = scene.place.gateway.address;
    scene.place.gateway.signal("KILL");
    scene.place.gateway.wait();
    scene.send("e", "meanwhile");
    scene.place.gateway = super::super::Gateway::start_at(&scene.place.dir, address, &[]);
    assert!(scene.clients.hear("c")["disconnect"].is_string());
    assert_eq!(scene.clients.hear_only("c", "recovered"), true);
    while scene.clients.waiting["c"].front().is_some_and(|heard| heard["refused"].is_string()) {
        scene.clients.hear("c");
    }
    scene.clients.events("c", &[("e", json!("meanwhile"))]);
}

/// Its last event's text is none of our offsets, and its own events asked for acks: neither confuses anybody.
#[test]
fn events_of_any_kind() {
    let mut scene = Scene::new(json!({}));
    scene.send("e", "7-8");
    scene.clients.events("c", &[("e", json!("7-8"))]);
    scene
        .clients
        .tell(json!({ "do": "emit", "name": "c", "args": ["v", "text"], "volatile": true }));
    scene.clients.events("c", &[("v", json!("text"))]);
    assert!(scene.clients.ask("c", json!(["asked", "text"]))[0]["position"].is_u64());
    scene.clients.events("c", &[("asked", json!("text"))]);
    scene.clients.cut("c");
    let mut producer = scene.place.queue().producer().unwrap();
    producer.send_event("bytes", b"\xff\x00").unwrap();
    scene.send("e", "last");
    scene.back(&[("bytes", json!({ "#": "ff00" })), ("e", json!("last"))]);
}

#[test]
fn rooms_are_restored() {
    let mut scene = Scene::new(json!({}));
    scene.clients.ask("c", json!(["join", "a.*"]));
    let sid = scene.clients.ask("c", json!(["join", "b"]));
    assert_eq!(sid[0]["rooms"], json!(["a.*", "b"]));
    scene.clients.cut("c");
    for event in ["a.1", "x", "b"] {
        scene.send(event, event);
    }
    scene.back(&[("a.1", json!("a.1")), ("b", json!("b"))]);
    scene.send("x", "x");
    scene.clients.silent("c");
}

/// What `auth` says is said again each time, so that it survives the gateway.
#[test]
fn rooms_across_kills_of_the_gateway() {
    let mut scene = Scene::new(json!({ "rooms": ["a.*"] }));
    scene.clients.cut("c");
    for event in ["x", "a.1"] {
        scene.send(event, event);
    }
    scene.kill_and_restart();
    scene.back(&[("a.1", json!("a.1"))]);
    scene.send("x", "x");
    scene.clients.silent("c");
}

/// The gateway has not noticed that the connection is gone: whoever comes back takes its place.
#[test]
fn one_that_still_looks_connected_is_taken_over() {
    let mut scene = Scene::new(json!({}));
    scene.send("e", "first");
    scene.clients.events("c", &[("e", json!("first"))]);
    // This is not the client's to say again: it goes from the one place to the other.
    scene.clients.ask("c", json!(["join", "e"]));
    let before = scene.place.metric("slipring_gateway_connections");
    for round in 0..2 {
        scene.clients.act("c", "deafen");
        assert!(scene.clients.hear("c")["disconnect"].is_string());
        scene.send("x", "not in the room");
        scene.send("e", &format!("{round}"));
        scene.back(&[("e", json!(round.to_string()))]);
    }
    scene.place.until("the old connections are closed", |place| {
        place.metric("slipring_gateway_connections") == before
    });
}

#[test]
fn what_was_overwritten_is_told() {
    let mut scene = Scene::new(json!({}));
    scene.send("e", "first");
    scene.clients.events("c", &[("e", json!("first"))]);
    let seen = scene.place.queue().bounds().end - 1;
    scene.clients.cut("c");
    let queue = scene.place.queue();
    let (mut producer, consumer) = (queue.producer().unwrap(), queue.consumer("default").unwrap());
    for _ in 0..100 {
        producer.send(&[b'x'; 50_000]).unwrap();
        while let Ok(message) = consumer.try_recv() {
            message.ack().unwrap();
        }
    }
    scene.clients.act("c", "back");
    assert_eq!(scene.clients.hear("c")["recovered"], false);
    let missed = scene.clients.hear("c");
    let range = json!({ "from": seen + 1, "to": queue.bounds().end });
    assert_eq!((&missed["event"], &missed["args"]), (&json!("missed"), &json!([range])));
    // No part of it; what comes now comes, and from here on nothing is missed again.
    scene.send("e", "live");
    scene.clients.events("c", &[("e", json!("live"))]);
    scene.clients.cut("c");
    scene.send("e", "again");
    scene.back(&[("e", json!("again"))]);
}

#[test]
fn another_queue_of_that_name() {
    let mut scene = Scene::new(json!({}));
    scene.send("e", "old");
    scene.clients.events("c", &[("e", json!("old"))]);
    scene.clients.cut("c");
    let path = scene.place.dir.path("q");
    slipring::Queue::unlink(&path).unwrap();
    super::super::common::queue(&scene.place.dir, "q", 1 << 20);
    scene.kill_and_restart();
    scene.clients.act("c", "back");
    assert_eq!(scene.clients.hear("c")["recovered"], false);
    scene.send("e", "new");
    scene.clients.events("c", &[("e", json!("new"))]);
}

/// More than goes into a client's queue, by polling, too.
#[test]
fn a_long_absence() {
    for transport in ["websocket", "polling"] {
        let place = Place::new(&["--set", "out_queue=4096"]);
        let queue = super::super::common::queue(&place.dir, "large", 16 << 20);
        let mut clients = Clients::new();
        clients.open("c", &place, "/large", json!({ "transports": [transport] }));
        clients.hear("c");
        clients.cut("c");
        let mut producer = queue.producer().unwrap();
        for number in 0..5000 {
            producer.send_event("e", format!("{number} {}", "x".repeat(500)).as_bytes()).unwrap();
        }
        clients.act("c", "back");
        assert_eq!(clients.hear_only("c", "recovered"), true);
        for number in 0..5000 {
            let (_, args) = clients.event("c");
            let text = args[0].as_str().unwrap();
            assert_eq!(text.split(' ').next().unwrap(), number.to_string());
        }
    }
}
