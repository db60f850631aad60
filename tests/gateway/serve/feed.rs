//! Many readers of one queue: one row, whatever their number; each gets all it wants, however slow it is.

use serde_json::json;

use super::websocket::Socket;
use super::{Place, common};

/// More than a queue has rows. Some begin in the past, some want only some events.
#[test]
fn more_readers_than_rows() {
    const READERS: usize = 330;
    let place = Place::new(&["--set", "connections_per_address=1000"]);
    let mut producer = place.queue().producer().unwrap();
    let first = producer.send_event("a", b"0").unwrap();
    let mut readers: Vec<Socket> = (0..READERS)
        .map(|number| match number % 3 {
            0 => Socket::open(&place, "/ws/q"),
            1 => Socket::open(&place, "/ws/q?event=b"),
            _ => Socket::open(&place, "/ws/q?from=earliest"),
        })
        .collect();
    // A reader is there once it is answered.
    for reader in &mut readers {
        reader.say(json!({ "ack": 0 }));
        while reader.hear()["status"] != 410 {}
    }
    let members = place.queue().stats().members.len();
    assert_eq!(members, 2, "the producer, and one for all readers");
    for (event, payload) in [("b", "1"), ("a", "2"), ("b", "3")] {
        producer.send_event(event, payload.as_bytes()).unwrap();
    }
    for (number, reader) in readers.iter_mut().enumerate() {
        let expected: &[&str] = if number % 3 == 1 { &["1", "3"] } else { &["1", "2", "3"] };
        for payload in expected {
            assert_eq!(reader.hear()["payload"], *payload, "reader {number} after {first}");
        }
    }
    drop(readers);
    place.until("the feed is left", |place| place.queue().stats().members.len() == 1);
}

/// Who comes in and reads what is new at once is not sent it again when the feed has read it as well.
#[test]
fn what_both_have_read_comes_once() {
    let place = Place::new(&[]);
    let queue = place.queue();
    let mut producer = queue.producer().unwrap();
    let mut first = Socket::open(&place, "/ws/q?from=earliest");
    for round in 0..5 {
        // All of it has come when the gateway looks again.
        place.gateway.signal("STOP");
        let mut client = place.client();
        let fields = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
        let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
        client.request("GET", "/ws/q?from=earliest", &[&fields[..], &[key]].concat(), b"");
        for part in ["a", "b", "c"] {
            producer.send(format!("{round}{part}").as_bytes()).unwrap();
        }
        place.gateway.signal("CONT");
        assert_eq!(client.head().status, 101);
        let mut second = Socket::over(&client);
        producer.send(format!("{round}d").as_bytes()).unwrap();
        for part in ["a", "b", "c", "d"] {
            assert_eq!(first.hear()["payload"], format!("{round}{part}"));
        }
        for number in 0..(round + 1) * 4 {
            let expected = format!("{}{}", number / 4, ["a", "b", "c", "d"][number % 4]);
            assert_eq!(second.hear()["payload"], expected);
        }
    }
}

/// Readers fall behind, each for itself, and catch up, again and again; nothing is missing, nothing comes twice.
#[test]
fn slow_readers_catch_up() {
    const MESSAGES: usize = 6000;
    let place = Place::new(&["--set", "out_queue=4096"]);
    let queue = common::queue(&place.dir, "large", 32 << 20);
    let mut producer = queue.producer().unwrap();
    std::thread::scope(|scope| {
        let mut readers = Vec::new();
        for pause in [0, 100, 700] {
            let mut socket = Socket::open(&place, "/ws/large?from=earliest&format=raw");
            readers.push(scope.spawn(move || {
                for number in 0..MESSAGES {
                    let message = socket.next().into_data();
                    assert_eq!(message[..8], number.to_le_bytes());
                    if pause > 0 && number % pause == 0 {
                        std::thread::sleep(std::time::Duration::from_millis(5));
                    }
                }
            }));
        }
        for number in 0..MESSAGES {
            let payload = [&number.to_le_bytes()[..], &[b'x'; 2000][number % 1500..]].concat();
            producer.send(&payload).unwrap();
        }
        for reader in readers {
            reader.join().unwrap();
        }
    });
}
