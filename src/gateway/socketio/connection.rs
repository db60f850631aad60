//! What one Engine.IO session carries: the namespaces a client is in, and the answers that either side waits for.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::Settings;
use super::event::{Accept, AcceptError, Event, ExpectError, Resume, Violation};
use super::packet::{Kind, Packet};
use crate::gateway::engineio::Data;

/// A client's connection. `A` is what the caller wants to be given back with an ack that it waits for.
///
/// Times are readings of one clock that never goes back. [`Connection::tick`] and [`Connection::expired`] are due at [`Connection::next_deadline`]. After a
/// [`Violation`], the Engine.IO session is to be closed, and [`Connection::into_unacked`] says which acks will not come.
#[derive(Debug)]
pub struct Connection<A> {
    settings: Arc<Settings>,
    /// Until a namespace is joined.
    connect_by: Option<Duration>,
    namespaces: BTreeMap<String, Namespace<A>>,
    partial: Option<Partial>,
}

#[derive(Debug)]
struct Namespace<A> {
    state: State,
    expected: BTreeMap<u64, (Duration, A)>,
    deadlines: BTreeSet<(Duration, u64)>,
    unanswered: BTreeSet<u64>,
}

#[derive(Debug)]
enum State {
    /// The CONNECT, with this `pid`, has not been answered.
    Connecting(Option<String>),
    Joined,
    /// The server left. What the client sends before it knows is ignored.
    Left,
}

/// A packet whose attachments have not all come.
#[derive(Debug)]
struct Partial {
    text: String,
    attachments: Vec<Vec<u8>>,
    due: usize,
    ends: Duration,
}

impl<A> Namespace<A> {
    fn new(pid: Option<String>) -> Self {
        Self {
            state: State::Connecting(pid),
            expected: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            unanswered: BTreeSet::new(),
        }
    }

    /// No longer waits for the ack with this id.
    fn settle(&mut self, id: u64) -> Option<A> {
        let (deadline, tag) = self.expected.remove(&id)?;
        self.deadlines.remove(&(deadline, id));
        Some(tag)
    }

    /// The acks that will not come any more.
    fn unacked(self) -> Vec<(u64, A)> {
        self.expected.into_iter().map(|(id, (_, tag))| (id, tag)).collect()
    }
}

/// What the client sends.
impl<A> Connection<A> {
    /// A connection that begins now.
    pub fn new(settings: Arc<Settings>, now: Duration) -> Self {
        let connect_by = Some(now + settings.connect_timeout);
        Self { settings, connect_by, namespaces: BTreeMap::new(), partial: None }
    }

    /// A message of the Engine.IO session.
    ///
    /// # Errors
    /// What the client did against the protocol; the connection is to be closed.
    pub fn receive<'a>(
        &mut self,
        data: Data<'a>,
        now: Duration,
    ) -> Result<Option<Event<'a, A>>, Violation> {
        match data {
            Data::Text(_) if self.partial.is_some() => Err(Violation::Text),
            Data::Text(text) => self.text(text, now),
            Data::Binary(bytes) => self.attachment(bytes),
        }
    }

    fn text<'a>(
        &mut self,
        text: &'a str,
        now: Duration,
    ) -> Result<Option<Event<'a, A>>, Violation> {
        let packet = Packet::parse(text, &self.settings)?;
        let due = packet.attachments.unwrap_or(0);
        if due == 0 {
            return self.packet(packet, vec![]);
        }
        self.namespace(packet.namespace)?;
        let ends = now + self.settings.attachment_timeout;
        let (text, attachments) = (text.to_owned(), Vec::with_capacity(due));
        self.partial = Some(Partial { text, attachments, due, ends });
        Ok(None)
    }

    fn attachment<'a>(&mut self, bytes: Cow<[u8]>) -> Result<Option<Event<'a, A>>, Violation> {
        let partial = self.partial.as_mut().ok_or(Violation::Binary)?;
        let so_far: usize = partial.attachments.iter().map(Vec::len).sum();
        if so_far + bytes.len() > self.settings.max_attachment_bytes {
            return Err(Violation::AttachmentBytes);
        }
        partial.attachments.push(bytes.into_owned());
        let Some(whole) = self.partial.take_if(|one| one.attachments.len() == one.due) else {
            return Ok(None);
        };
        let packet = Packet::split(&whole.text)?;
        Ok(self.packet(packet, whole.attachments)?.map(Event::into_owned))
    }

    /// A whole packet.
    fn packet<'a>(
        &mut self,
        packet: Packet<'a>,
        attachments: Vec<Vec<u8>>,
    ) -> Result<Option<Event<'a, A>>, Violation> {
        let max_unanswered = self.settings.max_unanswered;
        let name = packet.namespace;
        match packet.kind {
            Kind::Connect => return self.connect(name, packet.payload).map(Some),
            Kind::ConnectError => return Err(Violation::ConnectError),
            Kind::Disconnect | Kind::Event | Kind::Ack => {}
        }
        let namespace = self.namespace(name)?;
        if matches!(namespace.state, State::Left) {
            return Ok(None);
        }
        let (namespace, name) = (namespace, name.into());
        Ok(match packet.kind {
            Kind::Event => {
                if let Some(id) = packet.id {
                    namespace.unanswered.insert(id);
                }
                if namespace.unanswered.len() > max_unanswered {
                    return Err(Violation::Unanswered);
                }
                let event = packet.name().expect("an event that was found valid");
                let (arguments, id) = (packet.arguments().into(), packet.id);
                Some(Event::Event { namespace: name, name: event, arguments, id, attachments })
            }
            Kind::Ack => {
                packet.id.and_then(|id| Some((id, namespace.settle(id)?))).map(|(id, tag)| {
                    let arguments = packet.arguments().into();
                    Event::Ack { namespace: name, id, tag, arguments, attachments }
                })
            }
            _ => {
                let left = self.namespaces.remove(packet.namespace);
                let unacked = left.map(Namespace::unacked).unwrap_or_default();
                Some(Event::Disconnect { namespace: name, unacked })
            }
        })
    }

    fn connect<'a>(&mut self, name: &'a str, auth: &'a str) -> Result<Event<'a, A>, Violation> {
        let known = self.namespaces.get(name);
        if known.is_some_and(|known| !matches!(known.state, State::Left)) {
            return Err(Violation::Joined);
        }
        if known.is_none() && self.namespaces.len() >= self.settings.max_namespaces {
            return Err(Violation::Namespaces);
        }
        let resume = Resume::from_auth(auth);
        let pid = resume.as_ref().map(|resume| resume.pid.clone());
        self.namespaces.insert(name.to_owned(), Namespace::new(pid));
        Ok(Event::Connect { namespace: name.into(), auth: auth.into(), resume })
    }

    /// The namespace of a packet that is no CONNECT.
    fn namespace(&mut self, name: &str) -> Result<&mut Namespace<A>, Violation> {
        let known = self.namespaces.get_mut(name);
        known
            .filter(|known| !matches!(known.state, State::Connecting(_)))
            .ok_or(Violation::NotJoined)
    }
}

/// What the server answers. The packets are appended to `out`.
impl<A> Connection<A> {
    /// Takes a client in that is new, or could not be recovered.
    ///
    /// # Errors
    /// [`AcceptError`]: the client is not asking to be let in, or is let in with a `pid` that it must not have.
    pub fn accept(
        &mut self,
        namespace: &str,
        accept: Accept,
        out: &mut Vec<u8>,
    ) -> Result<(), AcceptError> {
        let pid = self.connecting(namespace)?;
        if pid.is_some() && pid.as_deref() == accept.pid {
            return Err(AcceptError::SamePid);
        }
        self.join(namespace, accept, out);
        Ok(())
    }

    /// Takes a client in that has been sent all that it missed. It keeps its `pid`.
    ///
    /// # Errors
    /// [`AcceptError`]: the client is not asking to be let in, or has no `pid`.
    pub fn recovered(
        &mut self,
        namespace: &str,
        sid: &str,
        out: &mut Vec<u8>,
    ) -> Result<(), AcceptError> {
        let pid = self.connecting(namespace)?.clone().ok_or(AcceptError::NoPid)?;
        self.join(namespace, Accept { sid, pid: Some(&pid), missed: None }, out);
        Ok(())
    }

    /// Does not let a client in, and says why; `data` is JSON. Returns the acks that will not come.
    ///
    /// # Errors
    /// [`AcceptError`]: the client is not asking to be let in.
    pub fn refuse(
        &mut self,
        namespace: &str,
        message: &str,
        data: Option<&str>,
        out: &mut Vec<u8>,
    ) -> Result<Vec<(u64, A)>, AcceptError> {
        self.connecting(namespace)?;
        let refused = self.namespaces.remove(namespace);
        let data = data.map(|data| format!(r#","data":{data}"#)).unwrap_or_default();
        let payload = format!(r#"{{"message":{}{data}}}"#, Value::from(message));
        write(Kind::ConnectError, namespace, &payload, out);
        Ok(refused.map(Namespace::unacked).unwrap_or_default())
    }

    /// Puts a client out of a namespace. Returns the acks that will not come.
    pub fn disconnect(&mut self, namespace: &str, out: &mut Vec<u8>) -> Vec<(u64, A)> {
        if !self.is_joined(namespace) {
            return vec![];
        }
        write(Kind::Disconnect, namespace, "", out);
        let left = Namespace { state: State::Left, ..Namespace::new(None) };
        let joined = self.namespaces.insert(namespace.to_owned(), left);
        joined.map(Namespace::unacked).unwrap_or_default()
    }

    /// Whether the client is in a namespace.
    pub fn is_joined(&self, namespace: &str) -> bool {
        self.namespaces.get(namespace).is_some_and(|one| matches!(one.state, State::Joined))
    }

    /// The event with this id is going to be answered: whether the client still waits for that. True once.
    pub fn answer(&mut self, namespace: &str, id: u64) -> bool {
        self.namespaces.get_mut(namespace).is_some_and(|one| one.unanswered.remove(&id))
    }

    /// An event with this id is going to be sent, and its ack waited for until then. Ids are the caller's to count, for each namespace, so that one event
    /// can have the same for all its receivers; one that is waited for already is waited for anew, and what was to be given back with it is. A client that is
    /// being recovered may be sent events, too.
    ///
    /// # Errors
    /// [`ExpectError`]: the client is not in that namespace, or too many acks are waited for.
    pub fn expect(
        &mut self,
        namespace: &str,
        id: u64,
        tag: A,
        until: Duration,
    ) -> Result<Option<A>, ExpectError> {
        let namespace = self.namespaces.get_mut(namespace);
        let namespace = namespace.filter(|one| !matches!(one.state, State::Left));
        let namespace = namespace.ok_or(ExpectError::NotJoined)?;
        let before = namespace.settle(id);
        if before.is_none() && namespace.expected.len() >= self.settings.max_expected {
            return Err(ExpectError::Full);
        }
        namespace.deadlines.insert((until, id));
        namespace.expected.insert(id, (until, tag));
        Ok(before)
    }

    /// An ack that has not come in time: of which namespace, with which id, and what was said to be given back.
    pub fn expired(&mut self, now: Duration) -> Option<(&str, u64, A)> {
        self.namespaces.iter_mut().find_map(|(name, namespace)| {
            let (_, id) = *namespace.deadlines.first().filter(|(until, _)| now >= *until)?;
            namespace.settle(id).map(|tag| (name.as_str(), id, tag))
        })
    }

    /// The end of the connection: the acks that will not come, by namespace and id.
    pub fn into_unacked(self) -> impl Iterator<Item = (String, u64, A)> {
        self.namespaces.into_iter().flat_map(|(name, namespace)| {
            namespace.unacked().into_iter().map(move |(id, tag)| (name.clone(), id, tag))
        })
    }

    /// When [`Connection::tick`] or [`Connection::expired`] is due.
    pub fn next_deadline(&self) -> Option<Duration> {
        let acks = self.namespaces.values().filter_map(|one| one.deadlines.first());
        let attachments = self.partial.as_ref().map(|partial| partial.ends);
        acks.map(|(until, _)| *until).chain(attachments).chain(self.connect_deadline()).min()
    }

    /// Whether the client has kept the server waiting for too long.
    ///
    /// # Errors
    /// For what it has kept the server waiting.
    pub fn tick(&mut self, now: Duration) -> Result<(), Violation> {
        let due = |deadline: Duration| now >= deadline;
        if self.partial.as_ref().is_some_and(|partial| due(partial.ends)) {
            return Err(Violation::AttachmentTimeout);
        }
        if self.connect_deadline().is_some_and(due) {
            return Err(Violation::ConnectTimeout);
        }
        Ok(())
    }

    /// While a CONNECT waits for its answer, it is not the client that is late.
    fn connect_deadline(&self) -> Option<Duration> {
        let connecting = |one: &Namespace<A>| matches!(one.state, State::Connecting(_));
        self.connect_by.filter(|_| !self.namespaces.values().any(connecting))
    }

    /// The `pid` of the CONNECT that is to be answered.
    fn connecting(&self, namespace: &str) -> Result<&Option<String>, AcceptError> {
        match self.namespaces.get(namespace).map(|one| &one.state) {
            Some(State::Connecting(pid)) => Ok(pid),
            _ => Err(AcceptError::NotConnecting),
        }
    }

    fn join(&mut self, namespace: &str, accept: Accept, out: &mut Vec<u8>) {
        self.connect_by = None;
        if let Some(one) = self.namespaces.get_mut(namespace) {
            one.state = State::Joined;
        }
        write(Kind::Connect, namespace, &accept.to_json(), out);
    }
}

/// Writes a packet with no more than a payload.
fn write(kind: Kind, namespace: &str, payload: &str, out: &mut Vec<u8>) {
    Packet { kind, attachments: None, namespace, id: None, payload }.encode(out);
}
