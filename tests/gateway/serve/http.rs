//! Publishing, pulling and settling over HTTP.

use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::thread;
use std::time::Duration;

use slipring::Queue;

use super::{Answer, Place};

/// A message that was pulled: its payload and token.
fn message(answer: &Answer) -> (String, String) {
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    (answer.text(), answer.field("Slipring-Ack").unwrap().to_owned())
}

#[test]
fn push_pull_ack() {
    let place = Place::new(&[]);
    let mut client = place.client();
    let sent = client.ask("POST", "/q/q?event=order.created", &[], b"hello");
    assert_eq!(sent.status, 201);
    let position = sent.json()["position"].as_u64().unwrap();
    let pulled = client.ask("GET", "/q/q?group=billing", &[], b"");
    let (payload, token) = message(&pulled);
    assert_eq!(payload, "hello");
    assert_eq!(pulled.field("Slipring-Position"), Some(position.to_string().as_str()));
    assert_eq!(pulled.field("Slipring-Event"), Some("order.created"));
    assert_eq!(pulled.field("Slipring-Deliveries"), Some("1"));
    // Held: nobody else gets it.
    assert_eq!(client.ask("GET", "/q/q?group=billing", &[], b"").status, 204);
    let ack = format!("/q/q/ack?token={token}");
    assert_eq!(client.ask("POST", &ack, &[], b"").status, 204);
    assert_eq!(client.ask("POST", &ack, &[], b"").status, 410);
    assert_eq!(client.ask("GET", "/q/q?group=billing", &[], b"").status, 204);
    // Another group sees it as well.
    assert_eq!(message(&client.ask("GET", "/q/q", &[], b"")).0, "hello");
    assert_eq!(place.metric("slipring_gateway_published_total"), 1);
    assert_eq!(place.metric("slipring_gateway_delivered_total"), 2);
    assert_eq!(place.metric("slipring_group_lag{queue=\"q\",group=\"billing\"}"), 0);
}

#[test]
fn retry_and_reject() {
    let place = Place::new(&[]);
    let mut client = place.client();
    client.ask("POST", "/q/q", &[], b"m");
    let (_, token) = message(&client.ask("GET", "/q/q", &[], b""));
    assert_eq!(client.ask("POST", &format!("/q/q/retry?token={token}"), &[], b"").status, 204);
    let again = client.ask("GET", "/q/q?wait=30s", &[], b"");
    assert_eq!(again.field("Slipring-Deliveries"), Some("2"));
    let (_, token) = message(&again);
    let rejected = client.ask("POST", &format!("/q/q/reject?token={token}"), &[], b"bad");
    assert_eq!(rejected.status, 204);
    assert_eq!(client.ask("GET", "/q/q", &[], b"").status, 204);
    assert_eq!(place.queue().stats().dropped, 1);
}

#[test]
fn a_pull_waits_for_its_message() {
    let place = Place::new(&[]);
    let mut waiting = place.client();
    waiting.request("GET", "/q/q?wait=60s", &[], b"");
    place.until("it is a member", |place| {
        place.queue().stats().groups.iter().any(|group| group.members == 1)
    });
    // From a process that knows nothing of the gateway.
    place.queue().producer().unwrap().send(b"now").unwrap();
    assert_eq!(message(&waiting.answer()).0, "now");
    // And one that waits in vain.
    let nothing = place.ask("GET", "/q/q?wait=100ms", b"");
    assert_eq!((nothing.status, nothing.body.len()), (204, 0));
}

#[test]
fn what_is_not_settled_goes_back() {
    let place = Place::new(&["--set", "ack_seconds=1"]);
    place.ask("POST", "/q/q", b"m");
    // This client dies with the message.
    let (_, token) = message(&place.ask("GET", "/q/q", b""));
    let again = place.ask("GET", "/q/q?wait=30s", b"");
    assert_eq!(message(&again).0, "m");
    assert_eq!(again.field("Slipring-Deliveries"), Some("2"));
    assert_eq!(place.ask("POST", &format!("/q/q/ack?token={token}"), b"").status, 410);
    assert_eq!(place.metric("slipring_gateway_ack_timeouts_total"), 1);
}

#[test]
fn what_is_held_survives_the_gateway() {
    let mut place = Place::new(&[]);
    place.ask("POST", "/q/q", b"m");
    let (_, token) = message(&place.ask("GET", "/q/q", b""));
    place.restart();
    let again = place.ask("GET", "/q/q?wait=30s", b"");
    assert_eq!(message(&again).0, "m");
    assert_eq!(again.field("Slipring-Deliveries"), Some("2"));
    assert_eq!(place.ask("POST", &format!("/q/q/ack?token={token}"), b"").status, 410);
}

#[test]
fn workers_share_a_group() {
    let place = Place::new(&[]);
    const MESSAGES: usize = 200;
    let mut got: Vec<usize> = thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let (mut client, mut got) = (place.client(), Vec::new());
                    loop {
                        let (payload, token) =
                            message(&client.ask("GET", "/q/q?group=w&wait=60s", &[], b""));
                        client.ask("POST", &format!("/q/q/ack?token={token}"), &[], b"");
                        match payload.parse() {
                            Ok(number) => got.push(number),
                            Err(_) => return got,
                        }
                    }
                })
            })
            .collect();
        let mut client = place.client();
        for number in 0..MESSAGES {
            let body = number.to_string();
            assert_eq!(client.ask("POST", "/q/q", &[], body.as_bytes()).status, 201);
        }
        for _ in 0..4 {
            client.ask("POST", "/q/q", &[], b"end");
        }
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    got.sort();
    assert_eq!(got, (0..MESSAGES).collect::<Vec<_>>());
}

#[test]
fn bodies_of_any_size() {
    let place = Place::new(&[]);
    let mut client = place.client();
    for size in [0, 1, 63, 64, 65_535, 65_536, 400_000] {
        let body: Vec<u8> = (0..size).map(|at| (at * 7) as u8).collect();
        assert_eq!(client.ask("POST", "/q/q", &[], &body).status, 201, "{size}");
        let pulled = client.ask("GET", "/q/q?wait=10s", &[], b"");
        assert_eq!((pulled.status, pulled.body == body), (200, true), "{size}");
        let (_, token) = (0, pulled.field("Slipring-Ack").unwrap());
        assert_eq!(client.ask("POST", &format!("/q/q/ack?token={token}"), &[], b"").status, 204);
    }
    // In chunks, and in pieces.
    client.send(
        b"POST /q/q HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    );
    thread::sleep(Duration::from_millis(20));
    client.send(b"2\r\nde\r\n0\r\n\r\n");
    assert_eq!(client.answer().status, 201);
    assert_eq!(client.ask("GET", "/q/q?wait=10s", &[], b"").text(), "abcde");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let place = Place::new(&[]);
    let mut client = place.client();
    client.request("GET", "/q/q?wait=60s", &[], b"");
    client.request("GET", "/healthz", &[], b"");
    client.request("POST", "/q/q", &[], b"second");
    place.until("it waits", |place| {
        place.queue().stats().groups.iter().any(|group| group.members == 1)
    });
    place.queue().producer().unwrap().send(b"first").unwrap();
    assert_eq!(client.answer().text(), "first");
    assert_eq!(client.answer().text(), "ok\n");
    assert_eq!(client.answer().status, 201);
}

#[test]
fn errors_say_what_is_wrong() {
    let place = Place::new(&[]);
    for (method, target, status) in [
        ("GET", "/nothing", 404),
        ("GET", "/q", 404),
        ("GET", "/q/none", 404),
        ("POST", "/q/none", 404),
        ("GET", "/q/none/events", 404),
        ("GET", "/q/..%2Fq", 404),
        ("GET", "/q/.q", 400),
        ("DELETE", "/q/q", 405),
        ("POST", "/metrics", 405),
        ("GET", "/q/q?wait=soon", 400),
        ("GET", "/q/q?from=yesterday", 400),
        ("GET", "/q/q?group=a/b", 400),
        ("POST", "/q/q/ack?token=1-0", 410),
        ("GET", "/ws/q", 426),
    ] {
        let answer = place.ask(method, target, b"");
        assert_eq!(answer.status, status, "{method} {target}");
        assert!(answer.json()["error"].as_str().is_some_and(|text| text.len() > 5), "{target}");
        assert_eq!(answer.field("Allow").is_some(), status == 405);
    }
    let event = "e".repeat(256);
    assert_eq!(place.ask("POST", &format!("/q/q?event={event}"), b"").status, 400);
}

#[test]
fn a_full_queue_and_a_closed_one() {
    let place = Place::new(&[]);
    let mut client = place.client();
    let body = vec![b'x'; 100_000];
    let mut sent = 0;
    let full = loop {
        let answer = client.ask("POST", "/q/q", &[], &body);
        if answer.status != 201 {
            break answer;
        }
        sent += 1;
    };
    assert_eq!((full.status, full.field("Retry-After")), (503, Some("1")));
    assert!((5..=10).contains(&sent), "{sent}");
    // The connection goes on.
    assert_eq!(client.ask("GET", "/healthz", &[], b"").status, 200);
    place.queue().close().unwrap();
    assert_eq!(client.ask("POST", "/q/q", &[], b"m").status, 410);
    for _ in 0..sent {
        let (_, token) = message(&client.ask("GET", "/q/q", &[], b""));
        client.ask("POST", &format!("/q/q/ack?token={token}"), &[], b"");
    }
    assert_eq!(client.ask("GET", "/q/q?wait=30s", &[], b"").status, 410);
}

#[test]
fn a_queue_that_was_made_anew() {
    let place = Place::new(&[]);
    let mut client = place.client();
    assert_eq!(client.ask("POST", "/q/q", &[], b"old").status, 201);
    slipring::Queue::unlink(&place.dir.path("q")).unwrap();
    place.until("it is missed", |place| place.ask("POST", "/q/q", b"lost").status == 404);
    let queue = super::common::queue(&place.dir, "q", 1 << 20);
    assert_eq!(place.ask("POST", "/q/q", b"new").status, 201);
    assert_eq!(queue.stats().sent, 1);
    assert_eq!(message(&place.ask("GET", "/q/q", b"")).0, "new");
}

#[test]
fn curl_as_the_client() {
    let place = Place::new(&[]);
    let url = format!("http://{}/q/q", place.gateway.address);
    let curl = |args: &[&str]| {
        let out =
            Command::new("curl").args(["-sS", "--max-time", "60"]).args(args).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    };
    // Large enough that curl asks first, with Expect.
    let file = place.dir.path("body");
    std::fs::write(&file, vec![b'y'; 500_000]).unwrap();
    let expect = ["-H", "Expect: 100-continue", "--data-binary"];
    let sent = curl(&[&expect[..], &[&format!("@{file}"), &url]].concat());
    assert!(sent.starts_with("{\"position\":"), "{sent}");
    let pulled = curl(&["-i", &format!("{url}?wait=10s")]);
    let (head, body) = pulled.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("Slipring-Ack: ") && body.len() == 500_000, "{head}");
    let token = head.lines().find_map(|line| line.strip_prefix("Slipring-Ack: ")).unwrap();
    assert_eq!(curl(&["-X", "POST", &format!("{url}/ack?token={token}")]), "");
}

/// Queues are kept open between two looks; one that is made anew with a name is another one.
#[test]
fn figures_are_of_the_queues_that_there_are_now() {
    let place = Place::new(&[]);
    const SENT: &str = "slipring_queue_sent_total{queue=\"q\"}";
    place.ask("POST", "/q/q", b"one");
    let inode = std::fs::metadata(place.dir.path("q")).unwrap().ino();
    let maps = format!("/proc/{}/maps", place.gateway.child.id());
    let mapped = || std::fs::read_to_string(&maps).unwrap().matches(&format!(" {inode} ")).count();
    let by_clients = mapped();
    assert_eq!(place.metric(SENT), 1);
    let open = mapped();
    assert!(open > by_clients, "it stays open");
    assert_eq!(place.metric(SENT), 1);
    assert_eq!(mapped(), open, "it was open already");
    Queue::unlink(&place.dir.path("q")).unwrap();
    super::common::queue(&place.dir, "q", 1 << 20);
    assert_eq!(place.metric(SENT), 0);
    assert_eq!(mapped(), by_clients, "nobody looks at the other one any more");
    // Moved away, so that it is still there, but by another name.
    std::fs::rename(place.dir.path("q"), place.dir.path("other")).unwrap();
    super::common::queue(&place.dir, "q", 1 << 20).producer().unwrap().send(b"two").unwrap();
    assert_eq!(place.metric(SENT), 1);
    assert_eq!(place.metric("slipring_queue_sent_total{queue=\"other\"}"), 0);
    Queue::unlink(&place.dir.path("q")).unwrap();
    let text = place.ask("GET", "/metrics", b"").text();
    assert!(!text.contains(SENT), "{text}");
}
