//! Server-sent events: nothing is missed that is not told.

use std::io::Read;
use std::time::Instant;

use super::{Client, LIMIT, Place};

/// A client that reads a stream of events, and comes back to it.
struct Source {
    client: Client,
    /// What has come of the present chunk.
    text: String,
}

#[derive(Debug, PartialEq, Eq)]
struct Event {
    name: String,
    data: String,
    id: String,
}

impl Source {
    fn open(place: &Place, target: &str, last: Option<&str>) -> Self {
        let mut client = place.client();
        let field = last.map(|last| format!("Last-Event-ID: {last}"));
        let fields: Vec<&str> = field.iter().map(String::as_str).collect();
        client.request("GET", target, &fields, b"");
        let head = client.head();
        assert_eq!(head.status, 200);
        assert_eq!(head.field("Content-Type"), Some("text/event-stream"));
        Self { client, text: String::new() }
    }

    /// The next event; those without data only carry an id. `None` at the end of the stream.
    fn next(&mut self) -> Option<Event> {
        while !self.text.contains("\n\n") {
            let size = usize::from_str_radix(&self.client.line(), 16).ok()?;
            if size == 0 {
                return None;
            }
            let mut chunk = vec![0; size + 2];
            self.client.stream.read_exact(&mut chunk).ok()?;
            self.text += std::str::from_utf8(&chunk[..size]).unwrap();
        }
        let (event, rest) = self.text.split_once("\n\n").unwrap();
        let field = |name: &str| {
            let prefix = format!("{name}: ");
            let lines: Vec<&str> =
                event.lines().filter_map(|line| line.strip_prefix(&prefix)).collect();
            lines.join("\n")
        };
        let event = Event { name: field("event"), data: field("data"), id: field("id") };
        self.text = rest.to_owned();
        Some(event)
    }

    /// The next event with data, comments left out. (These keep coming, also if it does not.)
    fn event(&mut self) -> Event {
        let start = Instant::now();
        loop {
            assert!(start.elapsed() < LIMIT, "no event comes");
            let event = self.next().expect("an event");
            if !event.data.is_empty() {
                return event;
            }
        }
    }
}

#[test]
fn events_with_names_and_filters() {
    let place = Place::new(&[]);
    let mut all = Source::open(&place, "/q/q/events", None);
    let begin = all.next().unwrap();
    assert_eq!((begin.data.as_str(), begin.id.is_empty()), ("", false));
    let mut orders = Source::open(&place, "/q/q/events?event=order.*", None);
    orders.next().unwrap();
    place.ask("POST", "/q/q?event=user.new", b"u");
    let sent = place.ask("POST", "/q/q?event=order.new", b"two\nlines");
    place.ask("POST", "/q/q", b"\xFF\xFE");
    assert_eq!((all.event().name.as_str(), all.event().data.as_str()), ("user.new", "two\nlines"));
    let order = orders.event();
    assert_eq!((order.name.as_str(), order.data.as_str()), ("order.new", "two\nlines"));
    let id = format!("{:032x}-{}", place.queue().id(), sent.json()["position"]);
    assert_eq!(order.id, id);
    let binary = all.event();
    assert_eq!(binary.name, "binary");
    let data: serde_json::Value = serde_json::from_str(&binary.data).unwrap();
    assert_eq!(
        (data["payload"].as_str(), data["encoding"].as_str()),
        (Some("//4="), Some("base64"))
    );
}

#[test]
fn where_a_stream_begins() {
    let place = Place::new(&[]);
    let position = |answer: super::Answer| answer.json()["position"].as_u64().unwrap();
    place.ask("POST", "/q/q", b"0");
    let second = position(place.ask("POST", "/q/q", b"1"));
    let mut earliest = Source::open(&place, "/q/q/events?from=earliest", None);
    let mut at = Source::open(&place, &format!("/q/q/events?from={second}"), None);
    let mut latest = Source::open(&place, "/q/q/events?from=latest", None);
    latest.next().unwrap();
    place.ask("POST", "/q/q", b"2");
    assert_eq!([earliest.event().data, earliest.event().data], ["0", "1"]);
    assert_eq!([at.event().data, at.event().data], ["1", "2"]);
    assert_eq!(latest.event().data, "2");
    let answer = place.client().ask("GET", "/q/q/events", &["Last-Event-ID: 7"], b"");
    assert_eq!(answer.status, 400);
}

/// Also before the first event, and any number of times.
#[test]
fn resumed_across_kills_of_the_gateway() {
    let mut place = Place::new(&[]);
    let mut source = Source::open(&place, "/q/q/events", None);
    let mut last = source.next().unwrap().id;
    let mut next = 0;
    let mut producer = place.queue().producer().unwrap();
    for round in 0..5 {
        place.restart();
        for number in 0..20 {
            producer.send((round * 20 + number).to_string().as_bytes()).unwrap();
        }
        let mut source = Source::open(&place, "/q/q/events", Some(&last));
        // Not all of them, so that the next one has more to catch up with.
        while next < round * 20 + 10 {
            let event = source.event();
            assert_eq!(event.data, next.to_string());
            (last, next) = (event.id, next + 1);
        }
    }
}

#[test]
fn what_was_overwritten_is_told() {
    let place = Place::new(&[]);
    let sent = place.ask("POST", "/q/q", b"first").json()["position"].as_u64().unwrap();
    let queue = place.queue();
    let (mut producer, consumer) = (queue.producer().unwrap(), queue.consumer("default").unwrap());
    let mut send = |payload: &[u8]| {
        producer.send(payload).unwrap();
        while let Ok(message) = consumer.try_recv() {
            message.ack().unwrap();
        }
    };
    for _ in 0..64 {
        send(&[b'x'; 50_000]);
    }
    send(b"last");
    let id = format!("{:032x}-{sent}", queue.id());
    let mut source = Source::open(&place, "/q/q/events", Some(&id));
    let missed = source.event();
    assert_eq!(missed.name, "missed");
    let range: serde_json::Value = serde_json::from_str(&missed.data).unwrap();
    assert_eq!(range["from"].as_u64(), Some(sent + 1));
    let to = range["to"].as_u64().unwrap();
    assert!(to > sent + 1 && to <= queue.stats().latest);
    // What is left comes, to the end; and the id of the gap is one to resume from.
    assert_eq!(missed.id, format!("{:032x}-{}", queue.id(), to - 1));
    let rest = |mut source: Source| {
        let mut count = 0;
        while source.event().data != "last" {
            count += 1;
        }
        count
    };
    let left = rest(source);
    assert!(left < 64);
    assert_eq!(rest(Source::open(&place, "/q/q/events", Some(&missed.id))), left);
    assert!(place.metric("slipring_gateway_overruns_total") >= 1);
}

#[test]
fn another_queue_of_that_name() {
    let place = Place::new(&[]);
    place.ask("POST", "/q/q", b"m");
    let id = format!("{:032x}-5", !place.queue().id());
    let mut source = Source::open(&place, "/q/q/events", Some(&id));
    assert_eq!(source.event().name, "missed");
    assert_eq!(source.event().data, "m");
}

#[test]
fn a_closed_queue_ends_the_stream() {
    let place = Place::new(&[]);
    let mut source = Source::open(&place, "/q/q/events?from=earliest", None);
    place.ask("POST", "/q/q", b"m");
    place.queue().close().unwrap();
    assert_eq!(source.event().data, "m");
    assert_eq!(source.event().name, "closed");
    assert_eq!(source.next(), None);
}
