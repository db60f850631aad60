//! Queues behind the subjects of NATS.

use std::time::{Duration, Instant};

use slipring::Queue;
use slipring::gateway::nats::Stored;

use super::LIMIT;
use super::common;
use super::nats::{Nats, lines, sync};

/// Lines of messages without their heads' sizes, for those that have one.
fn message(subject: &str, sid: u32, payload: &str) -> [String; 2] {
    [format!("MSG {subject} {sid} {}", payload.len()), payload.into()]
}

#[test]
fn a_subject_is_a_queue_and_an_event() {
    let nats = Nats::new(&[]);
    let mut all = nats.subscribed("SUB q.> 1\r\n");
    let mut bare = nats.subscribed("SUB q 2\r\n");
    let mut client = nats.client();
    client.send(b"PUB q.order.created 5\r\nhello\r\nPUB q 4\r\nbare\r\n");
    assert_eq!(sync(&mut client), [""; 0]);
    // Other faces send to the same queue, and see what was sent.
    nats.place.ask("POST", "/q/q?event=over.http", b"http");
    nats.place.ask("POST", "/q/q?event=a%20b..c", b"odd");
    let expected = [
        message("q.order.created", 1, "hello"),
        message("q.over.http", 1, "http"),
        message("q.a%20b.%2Ec", 1, "odd"),
    ];
    assert_eq!(lines(&mut all, 6), expected.concat());
    assert_eq!(lines(&mut bare, 2), message("q", 2, "bare"));
    let queue = nats.place.queue();
    let consumer = queue.consumer("default").unwrap();
    let first = consumer.recv().unwrap();
    assert_eq!((first.event(), first.payload()), (Some("order.created"), &b"hello"[..]));
    let second = consumer.recv().unwrap();
    assert_eq!((second.event(), second.payload()), (None, &b"bare"[..]));
}

#[test]
fn headers_and_reply_subjects_lie_before_the_payload() {
    let nats = Nats::new(&[]);
    let mut reader = nats.subscribed("SUB q.> 1\r\n");
    let mut client = nats.client();
    client.send(b"HPUB q.h 20 25\r\nNATS/1.0\r\nA: bcd\r\n\r\nhello\r\n");
    client.send(b"HPUB q.h back.1 20 25\r\nNATS/1.0\r\nA: bcd\r\n\r\nhello\r\n");
    client.send(b"PUB q.r back.2 2\r\nhi\r\n");
    // What only looks like headers.
    client.send(b"PUB q.p 14\r\nNATS/1.0\r\n\r\nhi\r\n");
    assert_eq!(sync(&mut client), [""; 0]);
    let expected = [
        "HMSG q.h 1 20 25",
        "NATS/1.0",
        "A: bcd",
        "",
        "hello",
        "HMSG q.h 1 back.1 20 25",
        "NATS/1.0",
        "A: bcd",
        "",
        "hello",
        "MSG q.r 1 back.2 2",
        "hi",
        "MSG q.p 1 14",
        "NATS/1.0",
        "",
        "hi",
    ];
    assert_eq!(lines(&mut reader, expected.len()), expected);
    let queue = nats.place.queue();
    let consumer = queue.consumer("default").unwrap();
    let stored = [
        "NATS/1.0\r\nA: bcd\r\n\r\nhello",
        "NATS/1.0\r\nSlipring-Reply: back.1\r\nA: bcd\r\n\r\nhello",
        "NATS/1.0\r\nSlipring-Reply: back.2\r\n\r\nhi",
        "NATS/1.0\r\n\r\nNATS/1.0\r\n\r\nhi",
    ];
    for expected in stored {
        let message = consumer.recv().unwrap();
        assert_eq!(String::from_utf8_lossy(message.payload()), expected);
        message.ack().unwrap();
    }
    let parsed = Stored::parse(stored[1].as_bytes());
    assert_eq!((parsed.reply, parsed.payload), (Some(&b"back.1"[..]), &b"hello"[..]));
}

#[test]
fn wildcards_go_across_queues_also_later_ones() {
    let nats = Nats::new(&[]);
    let mut client = nats.subscribed("SUB *.a 1\r\nSUB late.> 2\r\nSUB > 3\r\n");
    let mut sender = nats.client();
    sender.send(b"PUB q.a 1\r\nx\r\n");
    let mut got = lines(&mut client, 4);
    got.sort_unstable();
    assert_eq!(got, ["MSG q.a 1 1", "MSG q.a 3 1", "x", "x"]);
    let queue = common::queue(&nats.place.dir, "late", 1 << 20);
    let mut producer = queue.producer().unwrap();
    producer.send_event("a", b"y").unwrap();
    let mut got = lines(&mut client, 6);
    got.sort_unstable();
    assert_eq!(got, ["MSG late.a 1 1", "MSG late.a 2 1", "MSG late.a 3 1", "y", "y", "y"]);
    // Another queue with the name.
    Queue::unlink(&nats.place.dir.path("late")).unwrap();
    let queue = common::queue(&nats.place.dir, "late", 1 << 20);
    queue.producer().unwrap().send_event("b", b"z").unwrap();
    let mut got = lines(&mut client, 4);
    got.sort_unstable();
    assert_eq!(got, ["MSG late.b 2 1", "MSG late.b 3 1", "z", "z"]);
}

#[test]
fn a_queue_group_is_a_group_of_the_queue() {
    let nats = Nats::new(&[]);
    let mut workers = [0, 1].map(|_| nats.subscribed("SUB q.job.* workers 1\r\n"));
    let mut client = nats.client();
    for job in 0..100 {
        client.send(format!("PUB q.job.{job} 1\r\nx\r\nPUB q.job.{job}.not 0\r\n\r\n").as_bytes());
    }
    assert_eq!(sync(&mut client), [""; 0]);
    let [first, second] = &mut workers;
    let (mut jobs, begun) = (Vec::new(), Instant::now());
    // They get as many as they may hold each, then more as they confirm.
    while jobs.len() < 100 {
        assert!(begun.elapsed() < LIMIT, "some are missing: {jobs:?}");
        for worker in [&mut *first, &mut *second] {
            worker.send(b"PONG\r\n");
            let lines = sync(worker);
            jobs.extend(
                lines
                    .iter()
                    .filter_map(|line| line.strip_prefix("MSG q.job."))
                    .map(|rest| rest.split(' ').next().unwrap().parse::<u32>().unwrap()),
            );
        }
    }
    jobs.sort_unstable();
    assert_eq!(jobs, (0..100).collect::<Vec<_>>());
    // Who says something else of the group is told.
    client.send(b"SUB q.other workers 7\r\n");
    let told = sync(&mut client);
    assert!(
        told.len() == 1
            && told[0].contains("Subscription to \\\"q.other\\\" using queue \\\"workers\\\""),
        "{told:?}"
    );
    // When they have confirmed all, the group stays without them, and with it what comes.
    let lag = |name: &str| {
        let stats = nats.place.queue().stats();
        stats.groups.iter().find(|group| group.name == name).map(|group| group.lag)
    };
    while lag("workers") != Some(0) {
        assert!(begun.elapsed() < LIMIT, "they are not settled");
        for worker in &mut workers {
            worker.send(b"PONG\r\n");
            sync(worker);
        }
    }
    drop(workers);
    client.send(b"PUB q.job.later 5\r\nlater\r\n");
    sync(&mut client);
    let mut worker = nats.subscribing("SUB q.job.* workers 1\r\n");
    assert_eq!(lines(&mut worker, 2), message("q.job.later", 1, "later"));
}

/// A group without a filter takes all of the queue, whoever is in it.
#[test]
fn a_group_of_others_can_be_joined() {
    let nats = Nats::new(&[]);
    drop(nats.place.queue().consumer("billing").unwrap());
    let mut client = nats.client();
    client.send(b"PUB q.a 1\r\na\r\nPUB q 1\r\nb\r\nSUB q.a billing 1\r\n");
    let told = sync(&mut client);
    assert!(told.len() == 1 && told[0].starts_with("-ERR "), "{told:?}");
    client.send(b"SUB q billing 1\r\n");
    let mut got = lines(&mut client, 4);
    got.sort_unstable();
    assert_eq!(got, ["MSG q 1 1", "MSG q.a 1 1", "a", "b"]);
}

#[test]
fn what_a_client_did_not_confirm_goes_to_another() {
    let nats = Nats::new(&[]);
    let mut silent = nats.subscribed("SUB q.> workers 1\r\n");
    let mut client = nats.client();
    client.send(b"PUB q.a 1\r\nx\r\nPUB q.b 1\r\ny\r\n");
    sync(&mut client);
    let expected = [message("q.a", 1, "x"), message("q.b", 1, "y")].concat();
    let mut got: Vec<String> = (0..5).map(|_| silent.line().unwrap()).collect();
    got.retain(|line| line != "PING");
    assert_eq!(got, expected[..got.len()]);
    // It had them, and dies before it says so.
    drop(silent);
    let mut other = nats.subscribing("SUB q.> workers 1\r\n");
    assert_eq!(lines(&mut other, 4), expected);
    other.send(b"PONG\r\n");
    nats.place.until("they are settled", |place| {
        let stats = place.queue().stats();
        stats.groups.iter().any(|group| group.name == "workers" && group.lag == 0)
    });
    assert_eq!(nats.place.metric("slipring_gateway_settled_total"), 2);
}

/// What was sent behind a PING is not confirmed by the PONG that answers it.
#[test]
fn a_pong_confirms_what_came_before_its_ping() {
    let nats = Nats::new(&[]);
    let mut member = nats.subscribed("SUB q.> workers 1\r\n");
    let mut client = nats.client();
    client.send(b"PUB q.a 1\r\nx\r\n");
    let got: Vec<String> = (0..3).map(|_| member.line().unwrap()).collect();
    assert_eq!(got, [&message("q.a", 1, "x")[..], &["PING".into()]].concat());
    client.send(b"PUB q.b 1\r\ny\r\n");
    let got: Vec<String> = (0..2).map(|_| member.line().unwrap()).collect();
    assert_eq!(got, message("q.b", 1, "y"));
    member.send(b"PONG\r\n");
    // The next question shows that the answer was taken.
    assert_eq!(member.line().unwrap(), "PING");
    drop(member);
    let mut other = nats.subscribing("SUB q.> workers 1\r\n");
    assert_eq!(lines(&mut other, 2), message("q.b", 1, "y"));
}

#[test]
fn a_subscription_ends_after_its_last_message() {
    let nats = Nats::new(&[]);
    let mut client = nats.subscribed("SUB q.> 1\r\nUNSUB 1 2\r\nSUB q.> g 2\r\nUNSUB 2 1\r\n");
    let mut sender = nats.client();
    sender.send(b"PUB q.a 1\r\n1\r\nPUB q.b 1\r\n2\r\nPUB q.c 1\r\n3\r\n");
    sync(&mut sender);
    let mut got = lines(&mut client, 6);
    got.sort_unstable();
    assert_eq!(got, ["1", "1", "2", "MSG q.a 1 1", "MSG q.a 2 1", "MSG q.b 1 1"]);
    client.send(b"PONG\r\nSUB q.> g 3\r\n");
    assert_eq!(lines(&mut client, 2), message("q.b", 3, "2"));
}

#[test]
fn requests_go_through_a_queue_and_answers_come_back() {
    let nats = Nats::new(&[]);
    let mut worker = nats.subscribed("SUB q.ask workers 1\r\n");
    let mut client = nats.subscribed("SUB _INBOX.c.* 9\r\n");
    client.send(b"PUB q.ask _INBOX.c.1 3\r\nhow\r\nPUB nobody _INBOX.c.2 0\r\n\r\n");
    assert_eq!(lines(&mut client, 4), ["HMSG _INBOX.c.2 9 16 16", "NATS/1.0 503", "", ""]);
    assert_eq!(lines(&mut worker, 2), ["MSG q.ask 1 _INBOX.c.1 3", "how"]);
    worker.send(b"PUB _INBOX.c.1 2\r\nso\r\n");
    assert_eq!(lines(&mut client, 2), message("_INBOX.c.1", 9, "so"));
}

#[test]
fn reading_on_from_a_position() {
    let nats = Nats::new(&[]);
    let mut sender = nats.client();
    sender.send(b"PUB q.a 1\r\n0\r\nPUB q.b 1\r\n1\r\nPUB q.a 1\r\n2\r\n");
    sync(&mut sender);
    let id = nats.place.queue().id();
    let reading = |from: &str| nats.subscribing(&format!("SUB $SLIPRING.FROM.{from} 1\r\n"));
    let mut client = reading("earliest.q.a");
    let got = lines(&mut client, 10);
    assert_eq!(got[..1], ["HMSG q.a 1 67 68"]);
    let (first, third) = (format!("Slipring-Position: {id:032x}-0"), got[7].clone());
    assert_eq!((&got[2], got[4].as_str(), got[9].as_str()), (&first, "0", "2"));
    assert!(third.starts_with("Slipring-Position: "), "{third}");
    let place = |line: &str| line.strip_prefix("Slipring-Position: ").unwrap().to_owned();
    for (from, expected) in [(place(&first), "1"), ("0".into(), "0"), (place(&third), "3")] {
        let mut client = reading(&format!("{from}.q.>"));
        if expected == "3" {
            sender.send(b"PUB q.c 1\r\n3\r\n");
        }
        assert_eq!(lines(&mut client, 5)[4], expected, "from {from}");
    }
    // Another queue of the name.
    let mut client = reading(&format!("{:032x}-5.q.>", !id));
    let got = lines(&mut client, 10);
    assert_eq!(
        (got[2].as_str(), got[9].as_str()),
        ("Slipring-Missed: another queue has the name now", "0")
    );
    for nonsense in ["x.q", "earliest.*", "earliest", "earliest.none"] {
        let mut client = reading(nonsense);
        let told = sync(&mut client);
        assert!(told.len() == 1 && told[0].starts_with("-ERR "), "{nonsense}: {told:?}");
    }
}

#[test]
fn who_is_overrun_is_told() {
    let nats = Nats::new(&["--set", "out_queue=1000"]);
    let mut plain = nats.subscribed("SUB q.> 1\r\n");
    let mut from = nats.subscribed("SUB $SLIPRING.FROM.latest.q.> 1\r\n");
    let queue = nats.place.queue();
    let (mut producer, consumer) = (queue.producer().unwrap(), queue.consumer("default").unwrap());
    // More than sockets hold.
    for _ in 0..200 {
        producer.send_event("x", &[b'x'; 100_000]).unwrap();
        consumer.recv().unwrap().ack().unwrap();
    }
    producer.send_event("last", b"").unwrap();
    let told = |client: &mut crate::nats::wire::Wire, what: &str| {
        let mut count = 0;
        loop {
            let line = lines(client, 1).remove(0);
            count += usize::from(line.contains(what));
            if line.contains("q.last") {
                return count;
            }
        }
    };
    assert!(told(&mut plain, "Slow Consumer of q, positions ") >= 1);
    assert!(told(&mut from, "Slipring-Missed: ") >= 1);
    assert!(nats.place.metric("slipring_gateway_overruns_total") >= 2);
}

#[test]
fn a_full_queue_holds_its_publishers_up_and_then_refuses() {
    let nats = Nats::new(&[]);
    let mut client = nats.client();
    let big = format!("PUB q.x 400000\r\n{}\r\n", "x".repeat(400_000));
    client.send(big.as_bytes());
    client.send(big.as_bytes());
    // There is no room for this one until somebody makes it.
    client.send(big.as_bytes());
    client.send(b"PING\r\n");
    let queue = nats.place.queue();
    nats.place.until("two are there", |_| queue.stats().sent == 2);
    let consumer = queue.consumer("default").unwrap();
    consumer.recv().unwrap().ack().unwrap();
    consumer.recv().unwrap().ack().unwrap();
    assert_eq!(client.lines_until("PONG", 0), [""; 0]);
    assert_eq!(queue.stats().sent, 3);
    client.send(big.as_bytes());
    // Nobody makes any.
    client.send(big.as_bytes());
    client.send(big.as_bytes());
    let told = sync(&mut client);
    assert_eq!(told.len() as u64 + queue.stats().sent, 6, "{told:?}");
    assert!(!told.is_empty(), "the ring holds no three");
    assert!(
        told.iter().all(|line| line.contains("Violation for Publish to \\\"q.x\\\": ")),
        "{told:?}"
    );
    // What does not fit at all is refused at once, and other queues are no worse for it.
    client.send(format!("PUB q.{} 0\r\n\r\n", "e".repeat(300)).as_bytes());
    assert_eq!(sync(&mut client).len(), 1);
}

#[test]
fn long_messages_pass_whole() {
    let nats = Nats::new(&["--set", "window=2"]);
    let wide = Queue::options().capacity(16 << 20).create(&nats.place.dir.path("wide")).unwrap();
    let mut reader = nats.subscribed("SUB wide.> 1\r\n");
    let mut client = nats.client();
    for (number, len) in [65_536, 65_537, 500_000, 1 << 20].into_iter().enumerate() {
        let payload: String =
            (0..len).map(|at| char::from(b'a' + (at * 7 + number) as u8 % 26)).collect();
        let message = format!("PUB wide.l {len}\r\n{payload}\r\n");
        // In pieces, with pauses, so that it does not come at once.
        for piece in message.as_bytes().chunks(300_001) {
            client.send(piece);
            std::thread::sleep(Duration::from_millis(2));
        }
        assert_eq!(sync(&mut client), [""; 0]);
        let got = lines(&mut reader, 2);
        assert_eq!(got[0], format!("MSG wide.l 1 {len}"));
        assert!(got[1] == payload, "{len} bytes");
    }
    assert_eq!(wide.stats().sent, 4);
    // Half a message is none.
    client.send(b"PUB wide.half 100000\r\nabc");
    drop(client);
    let mut other = nats.client();
    other.send(b"PUB wide.end 0\r\n\r\n");
    assert_eq!(lines(&mut reader, 2)[0], "MSG wide.end 1 0");
}

/// No queue holds a live message, so that what waits for a client is bounded.
#[test]
fn who_does_not_read_live_messages_is_cut_off() {
    let nats = Nats::new(&["--set", "live_queue=200000"]);
    let slow = nats.subscribed("SUB live.> 1\r\n");
    let mut client = nats.client();
    let message = format!("PUB live.x 50000\r\n{}\r\n", "x".repeat(50_000));
    for _ in 0..400 {
        client.send(message.as_bytes());
    }
    assert_eq!(sync(&mut client), [""; 0]);
    assert!(nats.place.metric("slipring_gateway_overruns_total") >= 1);
    drop(slow);
    nats.place.until("it is gone", |place| place.metric("slipring_gateway_connections") <= 2);
}

/// Also after a kill: what is remembered is in the queue.
#[test]
fn a_message_with_an_id_is_sent_once() {
    let mut nats = Nats::new(&[]);
    let publish = |nats: &Nats, id: &str| {
        let mut client = nats.client();
        let headers = format!("NATS/1.0\r\nNats-Msg-Id: {id}\r\n\r\n");
        let (head, all) = (headers.len(), headers.len() + 1);
        client.send(format!("HPUB q.once {head} {all}\r\n{headers}x\r\n").as_bytes());
        assert_eq!(sync(&mut client), [""; 0]);
    };
    publish(&nats, "a");
    publish(&nats, "a");
    nats.place.gateway.signal("KILL");
    nats.place.gateway.wait();
    (nats.place.gateway, nats.address) = super::nats::start(&nats.place.dir, super::nats::NATS);
    publish(&nats, "a");
    publish(&nats, "b");
    assert_eq!(nats.place.metric("slipring_gateway_duplicates_total"), 1);
    let queue = nats.place.queue();
    let consumer = queue.consumer("default").unwrap();
    for id in ["a", "b"] {
        let message = consumer.try_recv().unwrap();
        let text = format!("NATS/1.0\r\nNats-Msg-Id: {id}\r\n\r\nx");
        assert_eq!(String::from_utf8_lossy(message.payload()), text);
        message.ack().unwrap();
    }
    assert!(consumer.try_recv().is_err());
}

#[test]
fn clients_may_do_what_they_may() {
    const CLIENTS: &str = "[[clients]]\nname = 'shop'\ntoken = 'shop'\npublish = ['q', 'live']\nsubscribe = ['other']\n\
                           [[clients]]\nname = 'all'\ntoken = 'all'\npublish = ['*']\nsubscribe = ['*']\n";
    let dir = common::TempDir::new();
    for name in ["q", "other"] {
        common::queue(&dir, name, 1 << 20);
    }
    let file = dir.path(".settings");
    std::fs::write(&file, CLIENTS).unwrap();
    let (_gateway, address) =
        super::nats::start(&dir, &["--nats", "127.0.0.1:0", "--config", &file]);
    let client = |token: &str| {
        let mut client = crate::nats::wire::Wire::open(address);
        client.line().unwrap();
        client.send(
            format!("CONNECT {{\"verbose\":false,\"auth_token\":\"{token}\"}}\r\n").as_bytes(),
        );
        assert_eq!(sync(&mut client), [""; 0]);
        client
    };
    let (mut shop, mut all) = (client("shop"), client("all"));
    shop.send(b"PUB q.a 0\r\n\r\nPUB other.a 0\r\n\r\nSUB q.> 1\r\nSUB q.> g 2\r\nSUB $SLIPRING.FROM.earliest.q.> 3\r\n");
    let told = sync(&mut shop);
    let refused = [
        "Publish to \\\"other.a\\\"",
        "Subscription to \\\"q.>\\\"",
        "using queue \\\"g\\\"",
        "FROM.earliest",
    ];
    assert_eq!(told.len(), refused.len(), "{told:?}");
    for (told, part) in told.iter().zip(refused) {
        assert!(told.contains(part) && told.contains("the client shop may not"), "{told}");
    }
    // Of a wildcard it gets what it may, live subjects too.
    shop.send(b"SUB > 4\r\n");
    assert_eq!(sync(&mut shop), [""; 0]);
    all.send(
        b"PUB q.a 1\r\n1\r\nPUB hidden.a 1\r\n2\r\nPUB _INBOX.a 1\r\n3\r\nPUB other.a 1\r\n4\r\n",
    );
    sync(&mut all);
    let expected = [message("_INBOX.a", 4, "3"), message("other.a", 4, "4")];
    assert_eq!(lines(&mut shop, 4), expected.concat());
    // Who says that it is somebody else may do no more than that one.
    all.send(b"CONNECT {\"verbose\":false,\"auth_token\":\"shop\"}\r\nPUB other.a 0\r\n\r\n");
    let told = sync(&mut all);
    assert!(told.len() == 1 && told[0].contains("the client shop may not"), "{told:?}");
}
