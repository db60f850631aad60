//! What clients of NATS have in common is found, and encoded, once: each gets its own all the same.

use super::common;
use super::nats::{Nats, lines, sync};
use crate::nats::wire::Wire;

/// A client that does not understand headers.
fn without_headers(nats: &Nats, subscription: &str) -> Wire {
    let mut client = Wire::open(nats.address);
    assert!(client.line().unwrap().starts_with("INFO "));
    client.send(b"CONNECT {\"verbose\":false,\"headers\":false}\r\n");
    client.send(subscription.as_bytes());
    assert_eq!(sync(&mut client), [""; 0]);
    client
}

#[test]
fn each_gets_what_it_has_subscribed_to() {
    let nats = Nats::new(&[]);
    let mut clients = [
        "SUB q.a 1\r\n",
        "SUB q.a 1\r\n",
        "SUB q.a 7\r\n",
        "SUB q.* 1\r\n",
        "SUB q.a 1\r\nSUB q.b 2\r\n",
    ]
    .map(|subscriptions| nats.subscribed(subscriptions));
    let mut plain = without_headers(&nats, "SUB q.a 1\r\n");
    let mut sender = nats.client();
    sender.send(
        b"PUB q.a 1\r\n1\r\nPUB q.b 1\r\n2\r\nHPUB q.a 18 19\r\nNATS/1.0\r\nA: b\r\n\r\n3\r\n",
    );
    sync(&mut sender);
    let with = |sid: u32| {
        let head = format!("HMSG q.a {sid} 18 19");
        [
            format!("MSG q.a {sid} 1"),
            "1".into(),
            head,
            "NATS/1.0".into(),
            "A: b".into(),
            String::new(),
            "3".into(),
        ]
    };
    let b = |sid: u32| [format!("MSG q.b {sid} 1"), "2".into()];
    let [first, second, seventh, any, two] = &mut clients;
    assert_eq!(lines(first, 7), with(1));
    assert_eq!(lines(second, 7), with(1));
    assert_eq!(lines(seventh, 7), with(7));
    for (client, sid) in [(any, 1), (two, 2)] {
        assert_eq!(lines(client, 9), [&with(1)[..2], &b(sid), &with(1)[2..]].concat());
    }
    assert_eq!(lines(&mut plain, 4), ["MSG q.a 1 1", "1", "MSG q.a 1 1", "3"]);
    // They were counted: two more, or one more, and it is the end.
    first.send(b"UNSUB 1 3\r\n");
    second.send(b"UNSUB 1 2\r\n");
    sync(first);
    sync(second);
    sender.send(b"PUB q.a 1\r\n4\r\nPUB q.a 1\r\n5\r\n");
    sync(&mut sender);
    assert_eq!(lines(seventh, 4), ["MSG q.a 7 1", "4", "MSG q.a 7 1", "5"]);
    assert_eq!(sync(first), ["MSG q.a 1 1", "4"]);
    assert_eq!(sync(second), [""; 0]);
    // Six had the first and the third, two the second; then came one, and two for each of four.
    assert_eq!(nats.place.metric("slipring_gateway_delivered_total"), 6 + 6 + 2 + 1 + 2 * 4);
}

/// One that comes when others have read on begins with what is next.
#[test]
fn a_second_subscription_begins_with_the_next_message() {
    let nats = Nats::new(&[]);
    let mut client = nats.subscribed("SUB q.a 1\r\n");
    let mut sender = nats.client();
    sender.send(b"PUB q.a 1\r\n1\r\n");
    assert_eq!(lines(&mut client, 2), ["MSG q.a 1 1", "1"]);
    // In one piece, so that the message is there and has not been read.
    client.send(b"PUB q.a 1\r\n2\r\nSUB q.a 2\r\nPUB q.a 1\r\n3\r\n");
    let mut got = lines(&mut client, 6);
    got.sort_unstable();
    assert_eq!(got, ["2", "3", "3", "MSG q.a 1 1", "MSG q.a 1 1", "MSG q.a 2 1"]);
    // Also if it takes the place of the first, and somebody else is sent all of them.
    let mut other = nats.subscribed("SUB q.a 3\r\n");
    client.send(b"PUB q.a 1\r\n4\r\nSUB q.a 3\r\nUNSUB 1\r\nUNSUB 2\r\nPUB q.a 1\r\n5\r\n");
    assert_eq!(lines(&mut other, 4), ["MSG q.a 3 1", "4", "MSG q.a 3 1", "5"]);
    assert_eq!(lines(&mut client, 2), ["MSG q.a 3 1", "5"]);
}

/// Who publishes to a subject is not asked again, and who gets it is not looked up again, but for what has changed.
#[test]
fn what_is_remembered_is_not_older_than_what_it_is_for() {
    let nats = Nats::new(&[]);
    let mut sender = nats.client();
    let mut here = nats.subscribed("SUB later.> 1\r\n");
    sender.send(b"PUB later.a 1\r\n1\r\n");
    assert_eq!(lines(&mut here, 2), ["MSG later.a 1 1", "1"]);
    // Others come, and go.
    let mut other = nats.subscribed("SUB later.a 1\r\n");
    sender.send(b"PUB later.a 1\r\n2\r\n");
    assert_eq!(lines(&mut other, 2), ["MSG later.a 1 1", "2"]);
    other.send(b"UNSUB 1\r\n");
    assert_eq!(sync(&mut other), [""; 0]);
    sender.send(b"PUB later.a 1\r\n3\r\n");
    assert_eq!(lines(&mut here, 4), ["MSG later.a 1 1", "2", "MSG later.a 1 1", "3"]);
    assert_eq!(sync(&mut other), [""; 0]);
    // Without anybody a request is answered so.
    here.send(b"UNSUB 1\r\n");
    sync(&mut here);
    sender.send(b"SUB _INBOX.x 9\r\nPUB later.a _INBOX.x 0\r\n\r\n");
    assert_eq!(lines(&mut sender, 4)[0], "HMSG _INBOX.x 9 16 16");
    here.send(b"SUB later.> 1\r\n");
    sync(&mut here);
    sender.send(b"PUB later.a _INBOX.x 0\r\n\r\n");
    assert_eq!(lines(&mut here, 2)[0], "MSG later.a 1 _INBOX.x 0");
    here.send(b"UNSUB 1\r\n");
    sync(&mut here);
    sender.send(b"PUB later.a _INBOX.x 0\r\n\r\n");
    assert_eq!(lines(&mut sender, 4)[0], "HMSG _INBOX.x 9 16 16");
    here.send(b"SUB later.> 1\r\n");
    sync(&mut here);
    // A queue has the name now.
    let queue = common::queue(&nats.place.dir, "later", 1 << 20);
    sender.send(b"PUB later.a 1\r\n4\r\n");
    sync(&mut sender);
    assert_eq!(queue.stats().sent, 1);
    assert_eq!(lines(&mut here, 2), ["MSG later.a 1 1", "4"]);
}
