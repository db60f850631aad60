//! A NATS client's bytes, whole and cut into pieces: no panic, the same actions and answers, and answers no longer than a few times the bytes.
//!
//! The first two bytes choose the settings and the cuts; the client hears its own messages.
#![no_main]

use std::sync::Arc;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use slipring::gateway::nats::{
    Action, Connection, Delivery, Index, Key, Limits, Message, Peer, Permissions, Rules, Settings,
};

fuzz_target!(|data: &[u8]| {
    let [flags, cut, bytes @ ..] = data else { return };
    let whole = run(*flags, std::iter::once(bytes));
    let cut = run(*flags, bytes.chunks(1 + usize::from(*cut % 16)));
    assert_eq!(whole, cut);
});

struct Client {
    connection: Connection,
    index: Index<Key>,
    out: Vec<u8>,
    /// A long message that is coming in.
    long: Option<Published>,
    published: usize,
    permissions: Arc<Permissions>,
}

struct Published {
    subject: Vec<u8>,
    reply: Option<Vec<u8>>,
    headers: Vec<u8>,
    payload: Vec<u8>,
}

fn published(message: Message<'_>, payload: &[u8]) -> Published {
    let Message { subject, reply, headers } = message;
    assert!(headers.iter().all(|(name, _)| !name.is_empty()));
    let headers = headers.as_bytes().to_vec();
    Published {
        subject: subject.into(),
        reply: reply.map(Into::into),
        headers,
        payload: payload.into(),
    }
}

/// What the client is told in the end, and how many messages were published.
fn run<'a>(flags: u8, pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<u8>, usize) {
    let limits = Limits {
        max_control_line: [30, 4096][usize::from(flags & 1)],
        max_payload: [50, 1 << 20][usize::from(flags >> 1 & 1)],
        max_headers: 40,
        stream_above: [0, 10, 64 << 10][usize::from(flags >> 2 & 3) % 3],
    };
    let auth_required = flags & 16 > 0;
    let settings = Settings {
        limits,
        auth_required,
        max_subscriptions: 9,
        max_tokens: 5,
        ..Settings::default()
    };
    let rules = Rules { allow: Some(vec![">".into()]), deny: vec!["no.>".into(), "*.x".into()] };
    let permissions = Permissions { publish: rules.clone(), subscribe: rules };
    let mut out = Vec::new();
    let connection = Connection::new(Arc::new(settings), Peer::default(), Duration::ZERO, &mut out);
    let mut client = Client {
        connection,
        index: Index::default(),
        out,
        long: None,
        published: 0,
        permissions: Arc::new(if flags & 32 > 0 { permissions } else { Permissions::default() }),
    };
    let mut len = 0;
    for mut piece in pieces {
        len += piece.len();
        while client.step(&mut piece) {}
    }
    assert!(client.out.len() <= 1000 + 60 * len, "{} bytes for {len}", client.out.len());
    // What is subscribed to is in the index, and nothing else.
    for (key, old) in client.connection.subscriptions() {
        assert!(client.index.remove(old.subject(), old.group(), key));
    }
    assert_eq!((client.index.len(), client.index.nodes()), (0, 1));
    (client.out, client.published)
}

impl Client {
    /// One operation, as in a server that lets everybody in and has this client alone. `false` when no more is to be done.
    fn step(&mut self, input: &mut &[u8]) -> bool {
        let Self { connection, out, long, .. } = self;
        // Some of a long payload is received without the machine.
        let direct = connection.missing().min(input.len()) / 2;
        if let Some(long) = long.as_mut().filter(|_| direct > 0) {
            long.payload.extend_from_slice(&input[..direct]);
            connection.received(direct);
            *input = &input[direct..];
        }
        let Some(action) = connection.next(Duration::ZERO, input, out) else { return false };
        let done = match action {
            Action::Continue | Action::Pong => None,
            Action::Connect(_) => {
                connection.accept(self.permissions.clone(), Duration::ZERO, out);
                None
            }
            Action::Publish(message, payload) => Some(published(message, payload)),
            Action::Begin(message, _) => {
                *long = Some(published(message, b""));
                None
            }
            Action::Payload(part) => {
                long.as_mut().expect("begun").payload.extend_from_slice(part);
                None
            }
            Action::End => long.take(),
            Action::Subscribe(key, new) => {
                assert!(self.index.insert(new.subject(), new.group(), key));
                connection.ok(out);
                None
            }
            Action::Unsubscribe(key, old) => {
                assert!(self.index.remove(old.subject(), old.group(), key));
                None
            }
            Action::Close(_) => {
                assert!(connection.is_over());
                return false;
            }
        };
        done.into_iter().for_each(|message| self.route(&message));
        true
    }

    fn route(&mut self, message: &Published) {
        let Self { connection, index, out, .. } = self;
        let Published { subject, reply, headers, payload } = message;
        self.published += 1;
        connection.ok(out);
        let delivery = Delivery::new(subject, reply.as_deref(), headers.len(), payload.len());
        let found = index.matches(subject);
        let plain: Vec<Key> = found.plain().collect();
        let groups: Vec<Key> = found.groups().into_values().map(|members| members[0]).collect();
        let mut delivered = false;
        for key in plain.into_iter().chain(groups) {
            let Some(sent) = connection.deliver(key, &delivery, true, out) else { continue };
            delivered = true;
            if sent.headers {
                out.extend_from_slice(headers);
            }
            out.extend_from_slice(payload);
            out.extend_from_slice(b"\r\n");
            if let Some(old) = sent.ended {
                assert!(index.remove(old.subject(), old.group(), key));
            }
        }
        let Some(reply) = reply.as_ref().filter(|_| !delivered) else { return };
        if let Some(key) = index.matches(reply).plain().next() {
            connection.no_responders(reply, key, out);
        }
    }
}
