//! Who may do what, and how that changes while the gateway runs.

use serde_json::json;
use slipring::gateway::config::Settings;

use super::common::{self, TempDir};
use super::{Answer, Gateway, Place, websocket::Socket};

const CLIENTS: &str = r#"
[[clients]]
name = "shop"
token = "of-the-shop"
publish = ["orders*"]
subscribe = ["prices"]

[[clients]]
name = "office"
token = "of-the-office"
subscribe = ["*"]
"#;

/// A gateway with a file of settings, and queues `orders`, `orders.old` and `prices`.
fn place(dir: &TempDir, text: &str) -> (Gateway, String) {
    for name in ["orders", "orders.old", "prices"] {
        common::queue(dir, name, 1 << 20);
    }
    let file = dir.path(".settings");
    std::fs::write(&file, text).unwrap();
    (Gateway::start(dir, &["--config", &file]), file)
}

fn ask(gateway: &Gateway, token: &str, method: &str, target: &str) -> Answer {
    let field = format!("Authorization: Bearer {token}");
    gateway.client().ask(method, target, &[&field], if method == "POST" { b"m" } else { b"" })
}

#[test]
fn each_client_may_do_its_own() {
    let dir = TempDir::new();
    let (gateway, _) = place(&dir, CLIENTS);
    for (token, method, target, status) in [
        ("of-the-shop", "POST", "/q/orders", 201),
        ("of-the-shop", "POST", "/q/orders.old", 201),
        ("of-the-shop", "POST", "/q/prices", 403),
        ("of-the-shop", "POST", "/q/no.such.queue", 403),
        ("of-the-shop", "GET", "/q/orders", 403),
        ("of-the-shop", "GET", "/q/orders/events", 403),
        ("of-the-shop", "POST", "/q/orders/ack?token=0-0", 403),
        ("of-the-shop", "GET", "/q/prices", 204),
        ("of-the-shop", "GET", "/metrics", 403),
        ("of-the-office", "GET", "/metrics", 200),
        ("of-the-office", "GET", "/q/orders", 200),
        ("of-the-office", "POST", "/q/orders", 403),
        ("of-the-office!", "GET", "/q/orders", 401),
        ("of-the-offic", "GET", "/q/orders", 401),
        ("office", "GET", "/q/orders", 401),
        ("", "GET", "/q/orders", 401),
    ] {
        let answer = ask(&gateway, token, method, target);
        assert_eq!(answer.status, status, "{token} {method} {target}: {}", answer.text());
        assert!(token.is_empty() || !answer.text().contains(token), "a token is told");
    }
    assert_eq!(gateway.client().ask("GET", "/q/orders", &[], b"").status, 401);
    // Over WebSocket, which needs to receive.
    let mut socket = Socket::of(&gateway, "/ws/prices?access_token=of-the-shop");
    socket.say(json!({ "send": "m" }));
    assert_eq!(socket.hear()["status"], 403);
    let upgrade = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"];
    let fields = [&upgrade[..], &["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="]].concat();
    let target = "/ws/orders?access_token=of-the-shop";
    assert_eq!(gateway.client().ask("GET", target, &fields, b"").status, 403);
}

#[test]
fn permissions_are_read_anew() {
    let dir = TempDir::new();
    let (mut gateway, file) = place(&dir, CLIENTS);
    let mut office = Socket::of(&gateway, "/ws/orders?access_token=of-the-office");
    let mut shop = Socket::of(&gateway, "/ws/prices?access_token=of-the-shop");
    let mut events = gateway.client();
    events.request("GET", "/q/prices/events?access_token=of-the-shop", &[], b"");
    assert_eq!(events.head().status, 200);
    // What is wrong changes nothing, and its error tells no token.
    for wrong in [
        "token = 'only-half",
        "[[clients]]\nname = 'a'\ntoken = 3377",
        "clients = ['only-half']",
        "[[clients]]\nname = 'a'\ntoken = 'only-half'\nsubscribes = ['x']",
        "[[clients]]\nname = 'a'\ntoken = 'only-half'\n[[clients]]\nname = 'b'\ntoken = 'only-half'",
        "[[clients]]\ntoken = 'only-half'",
    ] {
        std::fs::write(&file, wrong).unwrap();
        gateway.signal("HUP");
        let said = gateway.says();
        assert!(said.contains("nothing was reloaded"), "{said}");
        assert!(!said.contains("half") && !said.contains("3377"), "{wrong}: {said}");
    }
    assert_eq!(ask(&gateway, "of-the-shop", "POST", "/q/orders").status, 201);
    assert_eq!(office.hear()["payload"], "m");
    // The shop may do something else now; the office is as it was, and does not notice.
    std::fs::write(&file, CLIENTS.replace("orders*", "prices")).unwrap();
    gateway.signal("HUP");
    assert_eq!(u16::from(shop.closing()), 1001);
    let mut last = String::new();
    while last != "0" {
        last = events.line();
    }
    assert_eq!(ask(&gateway, "of-the-shop", "POST", "/q/orders").status, 403);
    assert_eq!(ask(&gateway, "of-the-shop", "POST", "/q/prices").status, 201);
    let queue = slipring::Queue::open(&dir.path("orders")).unwrap();
    queue.producer().unwrap().send(b"still").unwrap();
    assert_eq!(office.hear()["payload"], "still");
    let metrics = ask(&gateway, "of-the-office", "GET", "/metrics").text();
    assert!(metrics.contains("slipring_gateway_reloads_total 1\n"), "{metrics}");
    assert!(metrics.contains("slipring_gateway_reload_failures_total 6\n"), "{metrics}");
    // Revoked.
    std::fs::write(&file, "token = 'another'").unwrap();
    gateway.signal("HUP");
    assert_eq!(u16::from(office.closing()), 1001);
    assert_eq!(ask(&gateway, "of-the-office", "GET", "/q/orders").status, 401);
    assert_eq!(ask(&gateway, "another", "GET", "/q/orders").status, 200);
}

#[test]
fn a_token_beside_clients_may_do_everything() {
    let dir = TempDir::new();
    let (gateway, _) = place(&dir, &format!("token = 'master'\n{CLIENTS}"));
    assert_eq!(ask(&gateway, "master", "POST", "/q/prices").status, 201);
    assert_eq!(ask(&gateway, "master", "GET", "/metrics").status, 200);
    assert_eq!(ask(&gateway, "of-the-shop", "POST", "/q/prices").status, 403);
}

#[test]
fn a_signal_without_a_change_disturbs_nobody() {
    let place = Place::new(&[]);
    let mut socket = Socket::open(&place, "/ws/q");
    place.gateway.signal("HUP");
    place.until("it was read", |place| place.metric("slipring_gateway_reloads_total") == 1);
    socket.say(json!({ "send": "m" }));
    let (a, b) = (socket.hear(), socket.hear());
    assert!(a["sent"].is_u64() || b["sent"].is_u64());
}

#[test]
fn settings_of_clients() {
    assert!(Settings::default().set("clients", "x").unwrap_err().contains("file"));
    let mut settings = Settings::default();
    settings.file(CLIENTS).unwrap();
    let config = settings.finish().unwrap();
    let shop = &config.clients[0];
    assert_eq!((shop.name.as_str(), shop.token.as_str()), ("shop", "of-the-shop"));
    assert_eq!(
        (&shop.publish[..], &shop.subscribe[..]),
        (&["orders*".into()][..], &["prices".into()][..])
    );
    let mut settings = Settings::default();
    settings.set("certificate", "x").unwrap();
    assert!(settings.finish().err().unwrap().contains("set both"));
}
