//! What the test suites of Engine.IO and Socket.IO want of a server: it gives back what it is given. (That of WebSocket wants no more than
//! `websocket::Source::Echo`.)

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::connection::Id;
use super::world::World;
use crate::gateway::engineio::{Data, Message, Packet, Session};
use crate::gateway::socketio::{
    Accept, Connection, Emit, Event, INVALID_NAMESPACE, Kind, Packet as Answer, Settings,
};

/// Gives back each message.
pub(super) struct Echo;

impl Echo {
    pub(super) fn on_message(&self, data: Data, session: &mut Session<Id>) {
        let _ = session.send(&[Packet::from(data).to_message()]);
    }
}

/// Has the namespaces `/` and `/custom`, tells a client what it came with, gives back `message`s and acks `message-with-ack`s.
pub(super) struct EchoSocket {
    codec: Connection<()>,
    /// What clients are told of what they came with, a little later: the suites listen for one message at a time, and miss another one that comes with it.
    greetings: VecDeque<(Duration, Vec<u8>)>,
}

const LATER: Duration = Duration::from_millis(20);

impl EchoSocket {
    pub(super) fn new(world: &World) -> Self {
        let connect_timeout = Duration::from_millis(world.config.connect_timeout_ms);
        let settings = Settings { connect_timeout, ..Settings::default() };
        let codec = Connection::new(Arc::new(settings), world.clock());
        Self { codec, greetings: VecDeque::new() }
    }

    pub(super) fn next_deadline(&self) -> Option<Duration> {
        let greeting = self.greetings.front().map(|(at, _)| *at);
        self.codec.next_deadline().into_iter().chain(greeting).min()
    }

    pub(super) fn tick(&mut self, session: &mut Session<Id>, now: Duration) {
        if self.codec.tick(now).is_err() {
            session.close(now);
        }
        while let Some((_, text)) = self.greetings.front().filter(|(at, _)| now >= *at) {
            send(session, text, &[]);
            self.greetings.pop_front();
        }
    }

    pub(super) fn on_message(&mut self, data: Data, session: &mut Session<Id>, now: Duration) {
        match self.codec.receive(data, now) {
            Ok(Some(event)) => self.on_event(event, session, now),
            Ok(None) => {}
            Err(_) => session.close(now),
        }
    }

    fn on_event(&mut self, event: Event<()>, session: &mut Session<Id>, now: Duration) {
        let (mut text, mut attached) = (Vec::new(), Vec::new());
        match event {
            Event::Connect { namespace, auth, .. } if matches!(&*namespace, "/" | "/custom") => {
                let sid = format!("{}{namespace}", session.id());
                let accept = Accept { sid: &sid, ..Accept::default() };
                let _ = self.codec.accept(&namespace, accept, &mut text);
                let arguments = if auth.is_empty() { "{}" } else { &*auth };
                let (namespace, name) = (&*namespace, "auth");
                let auth = Emit { namespace, name, arguments, ..Emit::default() };
                let mut greeting = Vec::new();
                let _ = auth.encode(&mut greeting);
                self.greetings.push_back((now + LATER, greeting));
            }
            Event::Connect { namespace, .. } => {
                let _ = self.codec.refuse(&namespace, INVALID_NAMESPACE, None, &mut text);
            }
            Event::Event { namespace, name, arguments, id: None, attachments }
                if name == "message" =>
            {
                let emit = Emit {
                    namespace: &namespace,
                    name: "message-back",
                    arguments: &arguments,
                    attachments: attachments.len(),
                    ..Emit::default()
                };
                let _ = emit.encode(&mut text);
                attached = attachments;
            }
            Event::Event { namespace, arguments, id: Some(id), attachments, .. } => {
                if self.codec.answer(&namespace, id) {
                    let count = Some(attachments.len()).filter(|count| *count > 0);
                    let payload = format!("[{arguments}]");
                    let (kind, payload) = (Kind::Ack, payload.as_str());
                    let (namespace, id) = (&*namespace, Some(id));
                    Answer { kind, attachments: count, namespace, id, payload }.encode(&mut text);
                    attached = attachments;
                }
            }
            _ => return,
        }
        send(session, &text, &attached);
    }
}

fn send(session: &mut Session<Id>, text: &[u8], attachments: &[Vec<u8>]) {
    let text = Message::framed(&[], text, false);
    let attachments = attachments.iter().map(|bytes| Message::binary(bytes));
    let messages: Vec<Message> = [text].into_iter().chain(attachments).collect();
    let _ = session.send(&messages);
}
