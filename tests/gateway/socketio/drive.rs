//! Whatever a client sends and an application does, in the order that some bytes say: what must hold of a connection then.

use std::collections::BTreeSet;
use std::time::Duration;

use slipring::gateway::engineio::Data;
use slipring::gateway::socketio::{
    Accept, Connection, Emit, Event, Packet, Settings, Violation, is_reserved,
};

const NAMESPACES: [&str; 3] = ["/", "/a", "/b"];

fn settings() -> Settings {
    Settings {
        connect_timeout: Duration::from_millis(40),
        max_attachments: 3,
        max_attachment_bytes: 64,
        attachment_timeout: Duration::from_millis(30),
        max_namespaces: 2,
        max_namespace_len: 16,
        max_unanswered: 4,
        max_expected: 4,
    }
}

/// A connection with what its application knows of it.
struct World {
    connection: Connection<u64>,
    now: Duration,
    /// Acks that are waited for: each comes, or not, once.
    tags: BTreeSet<u64>,
    next_tag: u64,
}

/// Does what the bytes say: lines of texts, and of acts that begin with a letter.
pub fn drive(data: &[u8]) {
    let now = Duration::from_millis(1);
    let connection = Connection::new(settings().into(), now);
    let mut world = World { connection, now, tags: BTreeSet::new(), next_tag: 0 };
    for line in data.split(|byte| *byte == b'\n') {
        let went_well = match std::str::from_utf8(line) {
            Ok(text) => world.line(text),
            Err(_) => world.receive(Data::Binary(line.into())),
        };
        if went_well.is_err() {
            break;
        }
        world.look();
    }
    for (_, _, tag) in world.connection.into_unacked() {
        assert!(world.tags.remove(&tag));
    }
    assert!(world.tags.is_empty(), "an ack that is neither had nor given up");
}

impl World {
    fn line(&mut self, text: &str) -> Result<(), Violation> {
        let namespace = NAMESPACES[text.len() % 3];
        let mut out = vec![];
        match text.as_bytes().first() {
            Some(b'A') => {
                let accept = Accept { sid: text, pid: Some(text), missed: None };
                let _ = self.connection.accept(namespace, accept, &mut out);
            }
            Some(b'R') => drop(self.connection.recovered(namespace, "sid", &mut out)),
            Some(b'X') => {
                let refused = self.connection.refuse(namespace, text, None, &mut out);
                self.give_up(refused.unwrap_or_default());
            }
            Some(b'K') => {
                let unacked = self.connection.disconnect(namespace, &mut out);
                self.give_up(unacked);
            }
            Some(b'E') => self.expect(namespace, text.len() as u64 % 7),
            Some(b'T') => {
                self.now += Duration::from_millis(text.len() as u64);
                self.connection.tick(self.now)?;
            }
            Some(b'B') => return self.receive(Data::Binary(text.as_bytes().into())),
            _ => return self.receive(Data::Text(text)),
        }
        assert!(
            out.is_empty()
                || Packet::parse(std::str::from_utf8(&out[1..]).unwrap(), &Settings::default())
                    .is_ok()
        );
        Ok(())
    }

    fn expect(&mut self, namespace: &str, id: u64) {
        let until = self.now + Duration::from_millis(id * 3 + 1);
        self.next_tag += 1;
        if let Ok(before) = self.connection.expect(namespace, id, self.next_tag, until) {
            assert!(before.is_none_or(|before| self.tags.remove(&before)));
            self.tags.insert(self.next_tag);
            assert!(self.tags.len() <= settings().max_namespaces * settings().max_expected);
        }
    }

    fn give_up(&mut self, unacked: Vec<(u64, u64)>) {
        for (_, tag) in unacked {
            assert!(self.tags.remove(&tag));
        }
    }

    fn receive(&mut self, data: Data) -> Result<(), Violation> {
        if let Data::Text(text) = data {
            reads_what_it_writes(text);
        }
        match self.connection.receive(data, self.now)? {
            Some(Event::Event { namespace, name, arguments, id, attachments }) => {
                assert!(self.connection.is_joined(&namespace) && !is_reserved(&name));
                assert!(attachments.len() <= settings().max_attachments);
                let bytes: usize = attachments.iter().map(Vec::len).sum();
                assert!(bytes <= settings().max_attachment_bytes);
                let emit = Emit {
                    namespace: &namespace,
                    name: &name,
                    arguments: &arguments,
                    attachments: attachments.len(),
                    id,
                    offset: None,
                };
                let mut out = vec![];
                emit.encode(&mut out).unwrap();
                let text = std::str::from_utf8(&out[1..]).unwrap();
                let again = Packet::parse(text, &settings()).unwrap();
                assert_eq!((again.arguments(), again.name()), (&*arguments, Some(name)));
                assert!(id.is_none_or(|id| self.connection.answer(&namespace, id)));
            }
            Some(Event::Ack { tag, .. }) => assert!(self.tags.remove(&tag)),
            Some(Event::Disconnect { unacked, .. }) => self.give_up(unacked),
            _ => {}
        }
        Ok(())
    }

    /// What is due has been done: nothing comes up again and again.
    fn look(&mut self) {
        while let Some((_, _, tag)) = self.connection.expired(self.now) {
            assert!(self.tags.remove(&tag));
        }
        let due = self.connection.next_deadline().is_some_and(|at| at <= self.now);
        assert_eq!(due, self.connection.tick(self.now).is_err());
    }
}

fn reads_what_it_writes(text: &str) {
    if let Ok(packet) = Packet::parse(text, &settings()) {
        let mut out = vec![];
        packet.encode(&mut out);
        assert!(out.len() <= text.len() + 2, "a four, and the comma after a namespace");
        let again = std::str::from_utf8(&out[1..]).unwrap();
        assert_eq!(Packet::parse(again, &settings()), Ok(packet));
    }
}
