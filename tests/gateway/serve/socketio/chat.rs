//! Clients as those of `examples/chat`: what is written while the gateway is down comes to all, and what others wrote comes, too.

use std::collections::BTreeSet;

use serde_json::json;

use super::super::Gateway;
use super::{Clients, Place};

/// What the page connects with is what is used here.
#[test]
fn nothing_is_lost_while_the_gateway_is_down() {
    let page = include_str!("../../../../examples/chat/index.html");
    for setting in ["rooms: rooms.map", "from: \"earliest\"", "retries: 1000", "ackTimeout: 3000"] {
        assert!(page.contains(setting), "{setting}");
    }
    let mut place = Place::new(&[]);
    let mut clients = Clients::new();
    let auth = json!({ "rooms": ["room.lobby"], "from": "earliest" });
    let options = json!({ "auth": auth, "retries": 1000, "ackTimeout": 3000 });
    for name in ["a", "b"] {
        clients.open(name, &place, "/q", options.clone());
        assert!(clients.hear(name)["connect"].is_string());
    }
    let mut expected = BTreeSet::new();
    let mut seen = [BTreeSet::new(), BTreeSet::new()];
    for round in 0..3 {
        let address = place.gateway.address;
        place.gateway.signal("KILL");
        place.gateway.wait();
        for name in ["a", "b"] {
            clients.hear_only(name, "disconnect");
            let id = format!("{round} {name}");
            clients.emit(name, json!(["room.lobby", { "id": id, "from": name, "text": "hello" }]));
            clients.emit(name, json!(["room.other", { "id": "other" }]));
            expected.insert(id);
        }
        place.gateway = Gateway::start_at(&place.dir, address, &[]);
        for (name, seen) in ["a", "b"].into_iter().zip(&mut seen) {
            while *seen != expected {
                let heard = clients.hear(name);
                if heard["event"].is_string() {
                    assert_eq!(heard["event"], "room.lobby");
                    seen.insert(heard["args"][0]["id"].as_str().unwrap().to_owned());
                    assert!(seen.is_subset(&expected), "{seen:?}");
                }
            }
        }
    }
    // One that comes later reads it all.
    clients.open("c", &place, "/q", options);
    let mut read = BTreeSet::new();
    while read != expected {
        let heard = clients.hear("c");
        if let Some(id) = heard["args"][0]["id"].as_str() {
            read.insert(id.to_owned());
        }
    }
}
