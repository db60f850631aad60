//! What a stock client does, from its side: `nats-client URL TOKEN [CA]`. Says `ok <what>` of each thing that works.

use std::time::Duration;

use async_nats::{
    Client, ConnectErrorKind, ConnectOptions, Event, HeaderMap, Message, RequestErrorKind,
    ServerError, Subscriber,
};
use futures::StreamExt;
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::sync::mpsc;

const TIME: Duration = Duration::from_secs(30);

struct Place {
    url: String,
    token: String,
    ca: Option<String>,
}

impl Place {
    fn options(&self) -> ConnectOptions {
        self.secured(ConnectOptions::with_token(self.token.clone())).request_timeout(Some(TIME))
    }

    fn secured(&self, options: ConnectOptions) -> ConnectOptions {
        match &self.ca {
            Some(ca) => options.add_root_certificates(ca.into()).require_tls(true),
            None => options,
        }
    }

    async fn open(&self) -> Client {
        self.options().connect(&self.url).await.unwrap()
    }
}

async fn take(subscriber: &mut Subscriber, count: usize) -> Vec<Message> {
    let mut taken = Vec::new();
    while taken.len() < count {
        let next = tokio::time::timeout(TIME, subscriber.next()).await;
        taken.push(next.expect("it comes in time").expect("the subscription goes on"));
    }
    taken
}

fn texts(messages: &[Message]) -> Vec<String> {
    messages.iter().map(|message| String::from_utf8(message.payload.to_vec()).unwrap()).collect()
}

fn subjects(messages: &[Message]) -> Vec<String> {
    let mut subjects: Vec<String> =
        messages.iter().map(|message| message.subject.to_string()).collect();
    subjects.sort();
    subjects
}

async fn publish_and_subscribe(nc: &Client) {
    let mut subscriber = nc.subscribe("q.number.>").await.unwrap();
    nc.flush().await.unwrap();
    for n in 0..100 {
        nc.publish(format!("q.number.{n}"), n.to_string().into()).await.unwrap();
    }
    nc.publish("live.number", "not this one".into()).await.unwrap();
    let got = take(&mut subscriber, 100).await;
    assert_eq!(texts(&got), (0..100).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(got[7].subject.as_str(), "q.number.7");
}

async fn wildcards(nc: &Client) {
    let mut any = nc.subscribe("*.wild.*").await.unwrap();
    let mut rest = nc.subscribe("live.wild.>").await.unwrap();
    nc.flush().await.unwrap();
    for subject in ["q.wild.a", "q.wild.a.b", "live.wild.b", "live.wild.b.c"] {
        nc.publish(subject, "".into()).await.unwrap();
    }
    assert_eq!(subjects(&take(&mut any, 2).await), ["live.wild.b", "q.wild.a"]);
    assert_eq!(subjects(&take(&mut rest, 2).await), ["live.wild.b", "live.wild.b.c"]);
}

async fn queue_groups(nc: &Client, place: &Place) {
    let other = place.open().await;
    let (sender, mut receiver) = mpsc::unbounded_channel();
    for member in [nc, &other] {
        for subject in ["q.job", "live.job"] {
            let mut jobs = member.queue_subscribe(subject, "workers-rs".into()).await.unwrap();
            let sender = sender.clone();
            tokio::spawn(async move {
                while let Some(job) = jobs.next().await {
                    let number: u32 = texts(&[job])[0].parse().unwrap();
                    let _ = sender.send(number);
                }
            });
        }
        member.flush().await.unwrap();
    }
    for n in 0..100 {
        nc.publish("q.job", n.to_string().into()).await.unwrap();
        nc.publish("live.job", (100 + n).to_string().into()).await.unwrap();
    }
    let mut got = Vec::new();
    while got.len() < 200 {
        got.push(tokio::time::timeout(TIME, receiver.recv()).await.unwrap().unwrap());
    }
    nc.flush().await.unwrap();
    got.extend(std::iter::from_fn(|| receiver.try_recv().ok()));
    got.sort_unstable();
    assert_eq!(got, (0..200).collect::<Vec<_>>());
    other.drain().await.unwrap();
}

async fn request_and_reply(nc: &Client) {
    let live = nc.subscribe("live.ask").await.unwrap();
    let queued = nc.queue_subscribe("q.ask", "answers-rs".into()).await.unwrap();
    for mut asked in [live, queued] {
        let nc = nc.clone();
        tokio::spawn(async move {
            while let Some(message) = asked.next().await {
                let answer = format!("re: {}", texts(&[message.clone()])[0]);
                nc.publish(message.reply.unwrap(), answer.into()).await.unwrap();
            }
        });
    }
    for subject in ["live.ask", "q.ask"] {
        assert_eq!(texts(&[nc.request(subject, "how".into()).await.unwrap()]), ["re: how"]);
    }
}

async fn headers(nc: &Client) {
    for subject in ["q.headers", "live.headers"] {
        let mut subscriber = nc.subscribe(subject).await.unwrap();
        nc.flush().await.unwrap();
        let mut own = HeaderMap::new();
        own.append("Trace", "1");
        own.append("Trace", "2");
        nc.publish_with_headers(subject, own, "x".into()).await.unwrap();
        let message = take(&mut subscriber, 1).await.remove(0);
        let headers = message.headers.unwrap();
        let values: Vec<&str> = headers.get_all("Trace").map(|value| value.as_str()).collect();
        assert_eq!((&message.payload[..], values), (&b"x"[..], vec!["1", "2"]));
    }
}

async fn no_responders(nc: &Client) {
    let error = nc.request("live.nobody", "".into()).await.unwrap_err();
    assert_eq!(error.kind(), RequestErrorKind::NoResponders);
}

async fn from_a_position(nc: &Client) {
    let mut all = nc.subscribe("$SLIPRING.FROM.earliest.q.number.>").await.unwrap();
    let got = take(&mut all, 2).await;
    assert_eq!(texts(&got), ["0", "1"]);
    let place = got[0].headers.as_ref().unwrap().get("Slipring-Position").unwrap().to_string();
    let mut behind = nc.subscribe(format!("$SLIPRING.FROM.{place}.q.number.>")).await.unwrap();
    assert_eq!(texts(&take(&mut behind, 1).await), ["1"]);
}

async fn errors_that_are_told(place: &Place) {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let tell = move |event| {
        let _ = sender.send(event);
        async {}
    };
    let nc = place.options().event_callback(tell).connect(&place.url).await.unwrap();
    nc.queue_subscribe("q.something.else", "workers-rs".into()).await.unwrap();
    loop {
        let event = tokio::time::timeout(TIME, receiver.recv()).await.unwrap().unwrap();
        if let Event::ServerError(ServerError::Other(text)) = event {
            assert!(
                text.to_lowercase().contains("violation for subscription to \"q.something.else\""),
                "{text}"
            );
            break;
        }
    }
    assert_eq!(nc.connection_state(), async_nats::connection::State::Connected);
}

async fn maximum_payload(nc: &Client) {
    let most = nc.server_info().max_payload;
    nc.publish("q.big", vec![0; most + 1].into()).await.unwrap_err();
    let mut subscriber = nc.subscribe("q.big").await.unwrap();
    nc.flush().await.unwrap();
    nc.publish("q.big", vec![7; most].into()).await.unwrap();
    assert!(take(&mut subscriber, 1).await[0].payload == vec![7; most]);
}

async fn bad_auth(place: &Place) {
    for options in [ConnectOptions::with_token("wrong".into()), ConnectOptions::new()] {
        let error = place.secured(options).connect(&place.url).await.err().expect("not let in");
        assert_eq!(error.kind(), ConnectErrorKind::AuthorizationViolation, "{error}");
    }
}

async fn drain(place: &Place) {
    let nc = place.open().await;
    let mut subscriber = nc.subscribe("q.drain").await.unwrap();
    nc.flush().await.unwrap();
    for n in 0..50 {
        nc.publish("q.drain", n.to_string().into()).await.unwrap();
    }
    assert_eq!(take(&mut subscriber, 50).await.len(), 50);
    nc.drain().await.unwrap();
    assert!(tokio::time::timeout(TIME, subscriber.next()).await.unwrap().is_none());
}

async fn reconnect(place: &Place) {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let tell = move |event| {
        let _ = sender.send(event);
        async {}
    };
    let delay = |_| Duration::from_millis(50);
    let options = place.options().event_callback(tell).reconnect_delay_callback(delay);
    let nc = options.connect(&place.url).await.unwrap();
    let mut subscriber = nc.subscribe("q.back").await.unwrap();
    nc.flush().await.unwrap();
    println!("restart");
    BufReader::new(stdin()).lines().next_line().await.unwrap();
    let mut was_gone = false;
    loop {
        let event = tokio::time::timeout(TIME, receiver.recv()).await.unwrap().unwrap();
        was_gone |= matches!(event, Event::Disconnected);
        if was_gone && matches!(event, Event::Connected) {
            break;
        }
    }
    nc.flush().await.unwrap();
    nc.publish("q.back", "again".into()).await.unwrap();
    assert_eq!(texts(&take(&mut subscriber, 1).await), ["again"]);
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let (url, token) = (arguments.next().expect("URL"), arguments.next().expect("TOKEN"));
    let place = Place { url, token, ca: arguments.next() };
    let nc = &place.open().await;
    let ok = |scene: &str| println!("ok {scene}");
    publish_and_subscribe(nc).await;
    ok("publish and subscribe");
    wildcards(nc).await;
    ok("wildcards");
    queue_groups(nc, &place).await;
    ok("queue groups");
    request_and_reply(nc).await;
    ok("request and reply");
    headers(nc).await;
    ok("headers");
    no_responders(nc).await;
    ok("no responders");
    from_a_position(nc).await;
    ok("from a position");
    errors_that_are_told(&place).await;
    ok("errors that are told");
    maximum_payload(nc).await;
    ok("maximum payload");
    bad_auth(&place).await;
    ok("bad auth");
    drain(&place).await;
    ok("drain");
    reconnect(&place).await;
    ok("reconnect");
    // A task of the client's may wait for its connection for ever.
    std::process::exit(0);
}
