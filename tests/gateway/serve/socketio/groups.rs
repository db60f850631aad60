//! Clients of a group: each message goes to one, with a function to call when it is done with it.

use serde_json::{Value, json};

use super::{Clients, Place};

impl Clients {
    /// The next message, and the number of its ack.
    fn message(&mut self, name: &str) -> (Vec<Value>, Value) {
        let heard = self.hear(name);
        let ack = heard["ack"].clone();
        assert!(ack.is_u64(), "{heard}");
        (heard["args"].as_array().unwrap().clone(), ack)
    }

    fn ack(&mut self, number: Value, args: Value) {
        self.tell(json!({ "do": "ack", "number": number, "args": args }));
    }
}

#[test]
fn each_message_goes_to_one_that_acks_it() {
    let place = Place::new(&["--set", "window=2"]);
    let mut clients = Clients::new();
    clients.connect("a", &place, "/q", json!({ "group": "g" }));
    clients.open(
        "b",
        &place,
        "/q",
        json!({ "transports": ["polling"], "query": { "group": "g" } }),
    );
    clients.hear("b");
    let mut producer = place.queue().producer().unwrap();
    for number in 0..5 {
        producer.send_event("job", number.to_string().as_bytes()).unwrap();
    }
    let mut held: Vec<(&str, String, Value)> = Vec::new();
    for name in ["a", "a", "b", "b"] {
        let (args, ack) = clients.message(name);
        assert_eq!(args.len(), 1, "no offset");
        held.push((name, args[0].as_str().unwrap().to_owned(), ack));
    }
    let mut numbers: Vec<&str> = held.iter().map(|(_, number, _)| number.as_str()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, ["0", "1", "2", "3"]);
    // Who acks gets another one.
    let (name, _, ack) = held.remove(0);
    clients.ack(ack, json!([]));
    assert_eq!(clients.message(name).0, [json!("4")]);
    assert_eq!(place.metric("slipring_gateway_settled_total"), 1);
}

#[test]
fn retry_reject_and_time_out() {
    let place = Place::new(&["--set", "ack_seconds=1"]);
    let mut clients = Clients::new();
    let mut producer = place.queue().producer().unwrap();
    producer.send(b"x").unwrap();
    clients.connect("a", &place, "/q", json!({ "group": "g" }));
    let (first, ack) = clients.message("a");
    clients.ack(ack, json!([{ "retry": true }]));
    let (second, late) = clients.message("a");
    assert_eq!(first, second);
    // Not acked in time, so it comes again; the ack that is late counts for nothing.
    let (third, ack) = clients.message("a");
    assert_eq!(first, third);
    clients.ack(late, json!([]));
    clients.ack(ack, json!([{ "reject": "no good" }]));
    place.until("it is dropped", |place| place.queue().stats().dropped == 1);
    assert_eq!(place.metric("slipring_gateway_ack_timeouts_total"), 1);
}

/// A tab that dies gives back what it had.
#[test]
fn what_was_not_acked_comes_again() {
    let mut place = Place::new(&[]);
    let mut clients = Clients::new();
    clients.connect("a", &place, "/q", json!({ "group": "g" }));
    let mut producer = place.queue().producer().unwrap();
    producer.send(b"x").unwrap();
    clients.message("a");
    clients.connect("b", &place, "/q", json!({ "group": "g" }));
    clients.cut("a");
    let (args, ack) = clients.message("b");
    assert_eq!(args, [json!("x")]);
    // To the one that comes back, too: it is recovered, and what it had not acked comes again.
    clients.act("b", "cut");
    clients.hear("b");
    clients.act("b", "back");
    assert_eq!(clients.hear("b")["recovered"], true);
    assert_eq!(clients.message("b").0, [json!("x")]);
    // An ack from before is none.
    clients.ack(ack, json!([]));
    // Nor does a kill of the gateway lose it.
    let address = place.gateway.address;
    clients.cut("b");
    place.restart_at(address);
    clients.act("b", "back");
    assert_eq!(clients.hear("b")["recovered"], true);
    let (args, ack) = clients.message("b");
    assert_eq!(args, [json!("x")]);
    clients.ack(ack, json!([]));
    place.until("it is acked", |place| {
        place.queue().stats().groups.iter().any(|group| group.name == "g" && group.lag == 0)
    });
}
