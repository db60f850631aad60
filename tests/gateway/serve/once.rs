//! Messages with ids: a client that sends again makes no second message, whenever the gateway is killed.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use slipring::Queue;

use super::common::{self, TempDir};
use super::{Answer, Client, Gateway, LIMIT, Place, websocket::Socket};

fn post(client: &mut Client, id: &str, body: &str) -> Answer {
    client.ask("POST", "/q/q", &[&format!("Idempotency-Key: {id}")], body.as_bytes())
}

#[test]
fn a_second_time_is_no_second_message() {
    let mut place = Place::new(&[]);
    let mut client = place.client();
    let first = post(&mut client, "a-1", "one");
    assert_eq!(first.status, 201);
    let position = first.json()["position"].clone();
    let again = post(&mut client, "a-1", "one");
    assert_eq!(
        (again.status, again.json()),
        (200, json!({ "position": position, "duplicate": true }))
    );
    assert_eq!(post(&mut client, "a-2", "two").status, 201);
    // The same over the other face, and after a kill.
    let mut socket = Socket::open(&place, "/ws/q");
    socket.say(json!({ "send": "one", "id": "a-1" }));
    assert_eq!(socket.hear(), json!({ "sent": position, "duplicate": true }));
    assert_eq!(place.metric("slipring_gateway_duplicates_total"), 2);
    place.restart();
    let again = post(&mut place.client(), "a-1", "one");
    assert_eq!(
        (again.status, again.json()),
        (200, json!({ "position": position, "duplicate": true }))
    );
    assert_eq!(post(&mut place.client(), "a-3", "three").status, 201);
    assert_eq!(place.queue().stats().sent, 3);
    // An id is a text of some bytes.
    let long = "x".repeat(129);
    for id in ["", &long] {
        assert_eq!(post(&mut place.client(), id, "m").status, 400);
    }
    assert_eq!(post(&mut place.client(), &long[1..], "m").status, 201);
    // Messages that were pulled and settled are found as well.
    let consumer = place.queue().consumer("default").unwrap();
    for _ in 0..4 {
        consumer.recv().unwrap().ack().unwrap();
    }
    place.restart();
    assert_eq!(post(&mut place.client(), "a-2", "two").status, 200);
}

/// The answer is lost with the gateway; the message is not.
#[test]
fn killed_before_the_answer() {
    let mut place = Place::new(&[]);
    for round in 0..20 {
        let mut client = place.client();
        let field = format!("Idempotency-Key: round-{round}");
        client.request("POST", "/q/q", &[&field], b"m");
        place.until("it is sent", |place| place.queue().stats().sent == round + 1);
        place.restart();
        let again = post(&mut place.client(), &format!("round-{round}"), "m");
        assert_eq!((again.status, &again.json()["duplicate"]), (200, &json!(true)));
    }
    assert_eq!(place.queue().stats().sent, 20);
}

/// What is remembered is bounded, and another queue's ids are others.
#[test]
fn the_window() {
    let dir = TempDir::new();
    for name in ["q", "other"] {
        common::queue(&dir, name, 1 << 20);
    }
    let gateway = Gateway::start(&dir, &["--set", "ids=3"]);
    let mut client = gateway.client();
    for (id, status) in
        [("1", 201), ("2", 201), ("3", 201), ("1", 200), ("4", 201), ("2", 200), ("1", 201)]
    {
        assert_eq!(post(&mut client, id, "m").status, status, "{id}");
    }
    assert_eq!(client.ask("POST", "/q/other", &["Idempotency-Key: 2"], b"m").status, 201);
}

/// While another producer writes a message that lies before the frontier, nobody can know.
#[test]
fn an_unfinished_message_of_somebody_alive() {
    let mut place = Place::new(&[]);
    assert_eq!(post(&mut place.client(), "a", "m").status, 201);
    let queue = place.queue();
    let (mut slow, mut quick) = (queue.producer().unwrap(), queue.producer().unwrap());
    let reservation = slow.reserve(10).unwrap();
    quick.send(b"behind it").unwrap();
    place.restart();
    let answer = post(&mut place.client(), "a", "m");
    assert_eq!((answer.status, answer.field("Retry-After")), (503, Some("1")), "{}", answer.text());
    reservation.commit(10);
    assert_eq!(post(&mut place.client(), "a", "m").status, 200);
}

const CLIENTS: u32 = 4;
const KILLS: u32 = 25;

/// Clients that send until they are answered, while the gateway is killed again and again: each message is there once.
#[test]
fn kills_at_any_time() {
    let dir = TempDir::new();
    let queue = Queue::options().capacity(1 << 22).create(&dir.path("q")).unwrap();
    let consumer = queue.consumer("default").unwrap();
    let mut gateway = Gateway::start(&dir, &[]);
    let address = Arc::new(Mutex::new(gateway.address));
    let stop = Arc::new(AtomicBool::new(false));
    let duplicates = Arc::new(AtomicU32::new(0));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|name| {
            let (address, stop, duplicates) = (address.clone(), stop.clone(), duplicates.clone());
            thread::spawn(move || send_until(name, &address, &stop, &duplicates))
        })
        .collect();
    for round in 0..KILLS {
        // From no time at all to a few milliseconds, in no order.
        thread::sleep(Duration::from_micros(u64::from(round * 7919 % 25) * 400));
        gateway.signal("KILL");
        gateway.wait();
        gateway = Gateway::start(&dir, &[]);
        *address.lock().unwrap() = gateway.address;
    }
    stop.store(true, Ordering::Relaxed);
    let sent: Vec<u32> = clients.into_iter().map(|client| client.join().unwrap()).collect();
    let mut counts = BTreeMap::new();
    while let Ok(message) = consumer.try_recv() {
        let text = String::from_utf8(message.payload().to_vec()).unwrap();
        *counts.entry(text).or_insert(0) += 1;
        message.ack().unwrap();
    }
    let expected: BTreeMap<String, u32> = (0..CLIENTS)
        .flat_map(|name| {
            (0..sent[name as usize]).map(move |number| (format!("{name}-{number}"), 1))
        })
        .collect();
    assert!(counts == expected, "lost, or twice: {:?}", difference(&counts, &expected));
    let total: u32 = sent.iter().sum();
    println!(
        "{total} messages over {KILLS} kills, {} sent again",
        duplicates.load(Ordering::Relaxed)
    );
    assert!(total > KILLS);
}

fn difference(a: &BTreeMap<String, u32>, b: &BTreeMap<String, u32>) -> Vec<String> {
    let names = a.keys().chain(b.keys()).filter(|name| a.get(*name) != b.get(*name));
    names.take(10).cloned().collect()
}

/// Sends message after message, each until it is answered; returns how many.
fn send_until(
    name: u32,
    address: &Mutex<SocketAddr>,
    stop: &AtomicBool,
    duplicates: &AtomicU32,
) -> u32 {
    let mut client = None;
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            return number;
        }
        let text = format!("{name}-{number}");
        let start = Instant::now();
        let status = loop {
            assert!(start.elapsed() < LIMIT, "{text} is never answered");
            let to = *address.lock().unwrap();
            match client.take().or_else(|| TcpStream::connect(to).ok()) {
                Some(stream) => match try_post(&stream, &text) {
                    Some(503) => client = Some(stream),
                    Some(status) => {
                        client = Some(stream);
                        break status;
                    }
                    None => {}
                },
                None => thread::sleep(Duration::from_millis(1)),
            }
        };
        match status {
            201 => {}
            200 => drop(duplicates.fetch_add(1, Ordering::Relaxed)),
            other => panic!("{other} for {text}"),
        }
    }
    unreachable!()
}

/// The answer's status, if there is a whole answer.
fn try_post(mut stream: &TcpStream, text: &str) -> Option<u16> {
    use std::io::{Read, Write};
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let length = text.len();
    let request = format!(
        "POST /q/q HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: {text}\r\nContent-Length: {length}\r\n\r\n{text}"
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    let mut buffer = [0; 1000];
    while !answer.ends_with('}') {
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        answer += std::str::from_utf8(&buffer[..count]).unwrap();
    }
    answer.split(' ').nth(1)?.parse().ok()
}
