//! Whatever a client does and an application wants, in the order that some bytes say: what must hold of a session then.

use std::collections::BTreeSet;
use std::time::Duration;

use slipring::gateway::engineio::{
    Data, Message, Output, Payload, SendError, Session, Settings, Transport, encode_payload,
};

const MAX_MESSAGES: usize = 4;
const MAX_BYTES: usize = 64;

/// The bytes, taken from the front; zeros when there are no more.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn u8(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    fn take(&mut self) -> &'a [u8] {
        let len = usize::from(self.u8()).min(self.0.len());
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        taken
    }
}

/// A session with what its client and its application know of it.
struct World {
    session: Session<u32>,
    now: Duration,
    connections: u32,
    /// GETs and POSTs that have not been answered.
    asked: BTreeSet<u32>,
    /// POSTs whose body has not come.
    posts: BTreeSet<u32>,
    sockets: BTreeSet<u32>,
    /// Sizes of the application's messages that have not gone out, in order.
    waiting: Vec<usize>,
    room_due: bool,
    over: bool,
}

/// Does what the bytes say.
pub fn drive(data: &[u8]) {
    whole_and_in_pieces(data);
    let mut bytes = Bytes(data);
    let transport = [Transport::Polling, Transport::WebSocket][usize::from(bytes.u8() % 2)];
    let ms = Duration::from_millis;
    let settings = Settings {
        ping_interval: ms(50),
        ping_timeout: ms(30),
        upgrade_timeout: ms(70),
        noop_interval: ms(20),
        close_timeout: ms(60),
        max_payload: 100,
        max_outgoing_bytes: MAX_BYTES,
        max_outgoing_messages: MAX_MESSAGES,
        ..Settings::default()
    };
    let now = ms(1);
    let session = Session::open(transport, 0, [0; 15], settings.into(), now);
    let (polling, socket) = match transport {
        Transport::Polling => (Some(0), None),
        Transport::WebSocket => (None, Some(0)),
    };
    let mut world = World {
        session,
        now,
        connections: 0,
        asked: polling.into_iter().collect(),
        posts: BTreeSet::new(),
        sockets: socket.into_iter().collect(),
        waiting: vec![],
        room_due: false,
        over: false,
    };
    world.settle();
    while !bytes.0.is_empty() {
        world.act(&mut bytes);
        world.settle();
    }
    world.end();
}

/// A payload is what its parts are, wherever it is cut.
fn whole_and_in_pieces(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let whole: Vec<_> = Payload::new(text).map(Result::ok).collect();
    let parts: Vec<_> = text.split('\x1e').flat_map(Payload::new).map(Result::ok).collect();
    let good = parts.iter().position(Option::is_none).map_or(parts.len(), |at| at + 1);
    assert_eq!(whole, parts[..good]);
    let messages: Vec<Message> = whole.iter().flatten().map(|packet| packet.to_message()).collect();
    let body = encode_payload(&messages);
    assert!(body.len() <= data.len() + 3 * messages.len(), "Base64 with its padding at most");
    let again = Payload::new(std::str::from_utf8(&body).unwrap()).map(Result::ok);
    assert!(messages.is_empty() || again.eq(whole.into_iter().filter(Option::is_some)));
}

impl World {
    fn act(&mut self, bytes: &mut Bytes) {
        let (act, which) = (bytes.u8(), u32::from(bytes.u8()));
        let pick = |set: &BTreeSet<u32>| set.iter().nth(which as usize % set.len().max(1)).copied();
        let (asked, socket, post) = (pick(&self.asked), pick(&self.sockets), pick(&self.posts));
        match act % 12 {
            0 | 1 => {
                let connection = self.connect();
                self.asked.insert(connection);
                self.session.get(connection, self.now);
            }
            2 => {
                let connection = self.connect();
                self.asked.insert(connection);
                if self.session.post(connection, "", None) {
                    self.posts.insert(connection);
                }
            }
            3 => {
                let Some(post) = post else { return };
                self.posts.remove(&post);
                self.read(post, bytes.take());
            }
            4 => {
                let connection = self.connect();
                self.sockets.insert(connection);
                self.session.probe(connection, self.now);
            }
            5 | 6 => {
                let (Some(socket), text) = (socket, bytes.take()) else { return };
                let words = ["2probe", "5", "3", "4hi", "1", "2", "6"];
                let text = std::str::from_utf8(text).ok().filter(|text| !text.is_empty());
                let text = text.unwrap_or(words[which as usize / 8 % words.len()]);
                self.session.message(socket, Data::Text(text), self.now);
            }
            7 => {
                let lost = if which >= 128 { asked } else { socket };
                let Some(lost) = lost else { return };
                self.asked.remove(&lost);
                self.posts.remove(&lost);
                self.sockets.remove(&lost);
                self.session.lost(lost);
            }
            8 | 9 => self.send(which as usize),
            10 if which > 230 => self.session.close(self.now),
            10 if which > 220 => self.session.abort(),
            10 => {
                let Some(socket) = socket else { return };
                self.session.message(socket, Data::Binary(bytes.take().into()), self.now);
            }
            _ => {
                self.now += Duration::from_millis(u64::from(which) / 4);
                self.session.tick(self.now);
            }
        }
    }

    fn connect(&mut self) -> u32 {
        self.connections += 1;
        self.connections
    }

    fn read(&mut self, post: u32, body: &[u8]) {
        let Some(mut posted) = self.session.body(post, body) else { return };
        let mut left = body.len() + 1;
        while self.session.next_message(&mut posted, self.now).is_some() {
            left -= 1;
        }
        assert!(left > 0);
    }

    fn send(&mut self, which: usize) {
        let (count, len) = (which % 6, which / 6);
        let message = Message::text(&format!("4{}", "x".repeat(len)));
        let size = message.content().len();
        let bytes = self.waiting.iter().sum::<usize>() + count * size;
        let fits = bytes <= MAX_BYTES && self.waiting.len() + count <= MAX_MESSAGES;
        match self.session.send(&vec![message; count]) {
            Ok(()) => {
                assert!(fits || self.waiting.is_empty());
                self.waiting.extend(vec![size; count]);
            }
            Err(SendError::Full) => {
                assert!(!fits && !self.waiting.is_empty());
                self.room_due = true;
            }
            Err(_) => {}
        }
    }

    /// Takes what the session has to say, and sees that all of it is true.
    fn settle(&mut self) {
        loop {
            let mut quiet = true;
            while let Some(output) = self.session.next_output() {
                quiet = false;
                self.take(output);
            }
            while let Some(message) = self.session.pull() {
                quiet = false;
                assert!(self.session.socket().is_some_and(|socket| self.sockets.contains(&socket)));
                self.gone(&message.content()[..1], message.content().len());
            }
            if quiet {
                break;
            }
        }
        // What is due has been done: time alone does not bring anything up again and again.
        for _ in 0..2 {
            if let Some(at) = self.session.next_deadline().filter(|at| *at <= self.now) {
                self.session.tick(self.now);
                assert!(self.session.next_deadline().is_none_or(|next| next > at));
            }
        }
    }

    fn take(&mut self, output: Output<u32>) {
        match output {
            Output::Reply(to, reply) => {
                assert!(self.asked.remove(&to), "an answer to nobody");
                self.posts.remove(&to);
                let body = String::from_utf8(reply.body).unwrap();
                if reply.status == 200 && body != "ok" {
                    body.split('\x1e').for_each(|part| self.gone(part.as_bytes(), part.len()));
                }
            }
            Output::Send(to, _) => assert!(self.sockets.contains(&to)),
            Output::Close(socket) => {
                // A socket that broke off may be closed all the same.
                self.sockets.remove(&socket);
            }
            Output::Room => assert!(std::mem::take(&mut self.room_due)),
            Output::Closed(_) => assert!(!std::mem::replace(&mut self.over, true)),
            _ => {}
        }
    }

    /// A message of the application goes out only once, and in its turn.
    fn gone(&mut self, first: &[u8], len: usize) {
        if first.starts_with(b"4") {
            assert_eq!(self.waiting.remove(0), len);
        }
    }

    /// In the end nobody waits for an answer.
    fn end(&mut self) {
        self.session.abort();
        self.settle();
        assert!(self.over);
        assert!(self.asked.is_empty() && self.sockets.is_empty(), "somebody was forgotten");
        assert_eq!(self.session.next_deadline(), None);
    }
}
