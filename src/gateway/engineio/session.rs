//! One session: what came in for it goes in, what is to be sent comes out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::Settings;
use super::handshake::{Refusal, Reply, Transport, open_packet, session_id};
use super::message::{Data, Message};
use super::outgoing::{Outgoing, SendError};
use super::output::{Output, Reason};
use super::packet::{Invalid, Packet, Payload, Type, encode_payload};

/// A session with one client. `T` is what the caller knows its connections by.
///
/// Times are readings of one clock that never goes back. [`Session::tick`] is due at [`Session::next_deadline`]. After any other call, ask
/// [`Session::next_output`] until there is none; where there is a WebSocket with room, ask [`Session::pull`] until there is none, and then for outputs again.
#[derive(Debug)]
pub struct Session<T> {
    id: String,
    settings: Arc<Settings>,
    link: Link<T>,
    probe: Option<Probe<T>>,
    phase: Phase,
    heartbeat: Heartbeat,
    outgoing: Outgoing,
    outputs: VecDeque<Output<T>>,
    /// Why the session is over, to be said after all else.
    ended: Option<Reason>,
}

/// The transport in use.
#[derive(Debug)]
enum Link<T> {
    Polling { parked: Option<T>, posting: Option<T> },
    Socket(T),
}

/// A WebSocket that tries whether it gets through.
#[derive(Debug)]
struct Probe<T> {
    socket: T,
    ends: Duration,
    /// From its first packet on.
    noop_at: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// Until all is sent, or until then.
    Closing(Duration),
    Closed,
}

#[derive(Debug)]
enum Heartbeat {
    PingAt(Duration),
    PongBy(Duration),
}

/// The body of a POST, to be read with [`Session::next_message`].
#[derive(Debug)]
pub struct Posted<'a> {
    payload: Payload<'a>,
}

impl<T: Copy + PartialEq> Session<T> {
    /// A new session, on the GET that opens it or on a WebSocket. Its id, made of random bytes, is the client's only credential.
    pub fn open(
        transport: Transport,
        connection: T,
        random: [u8; 15],
        settings: Arc<Settings>,
        now: Duration,
    ) -> Self {
        let id = session_id(random);
        let mut outgoing = Outgoing::default();
        outgoing.push_control(Message::text(&open_packet(&id, transport, &settings)));
        let link = match transport {
            Transport::Polling => Link::Polling { parked: Some(connection), posting: None },
            Transport::WebSocket => Link::Socket(connection),
        };
        let heartbeat = Heartbeat::PingAt(now + settings.ping_interval);
        let (probe, phase, outputs, ended) = (None, Phase::Open, VecDeque::new(), None);
        Self { id, settings, link, probe, phase, heartbeat, outgoing, outputs, ended }
    }

    /// The session's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether it takes messages: it is neither over nor about to be.
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// The transport in use.
    pub fn transport(&self) -> Transport {
        match self.link {
            Link::Polling { .. } => Transport::Polling,
            Link::Socket(_) => Transport::WebSocket,
        }
    }

    /// The WebSocket that [`Session::pull`] is for, once there is one.
    pub fn socket(&self) -> Option<T> {
        match self.link {
            Link::Socket(socket) if self.phase != Phase::Closed => Some(socket),
            _ => None,
        }
    }

    /// A GET: answered when there is something to send, and parked until then.
    pub fn get(&mut self, connection: T, now: Duration) {
        // A client that comes too late must not find a session because its time-out is being looked at later than its request.
        self.tick(now);
        match &mut self.link {
            _ if self.phase == Phase::Closed => self.reply(connection, unknown()),
            Link::Polling { parked: Some(_), .. } => {
                self.end(Reason::Overlap);
                self.reply(connection, Reply::bad());
            }
            Link::Polling { parked, .. } => *parked = Some(connection),
            Link::Socket(_) => self.reply(connection, Refusal::BadRequest.reply(false)),
        }
    }

    /// The head of a POST, with its `Content-Type` and, if it states one, its length. Whether its body is wanted; if not, it has been answered.
    pub fn post(&mut self, connection: T, content_type: &str, length: Option<usize>) -> bool {
        let media = content_type.split(';').next().unwrap_or_default().trim();
        let binary = media.eq_ignore_ascii_case("application/octet-stream");
        match &mut self.link {
            _ if self.phase == Phase::Closed => self.reply(connection, unknown()),
            Link::Socket(_) => self.reply(connection, Refusal::BadRequest.reply(false)),
            Link::Polling { posting, .. } if binary || posting.is_some() => {
                self.end(if binary { Reason::BinaryPost } else { Reason::Overlap });
                self.reply(connection, Reply::bad());
            }
            Link::Polling { .. } if length.is_some_and(|len| len > self.settings.max_payload) => {
                self.reply(connection, Reply::too_large());
            }
            Link::Polling { posting, .. } => {
                *posting = Some(connection);
                return true;
            }
        }
        false
    }

    /// The POST whose body was wanted turns out longer than allowed. The session goes on.
    pub fn too_large(&mut self, connection: T) {
        if let Link::Polling { posting, .. } = &mut self.link
            && posting.take_if(|posting| *posting == connection).is_some()
        {
            self.reply(connection, Reply::too_large());
        }
    }

    /// The body of the POST: its messages are read with [`Session::next_message`] until there is none, which answers it.
    pub fn body<'a>(&mut self, connection: T, body: &'a [u8]) -> Option<Posted<'a>> {
        match self.link {
            Link::Polling { posting: Some(posting), .. } if posting == connection => {}
            _ => return None,
        }
        if body.len() > self.settings.max_payload {
            self.too_large(connection);
            return None;
        }
        let Ok(text) = simdutf8::basic::from_utf8(body) else {
            self.end(Reason::NotUtf8);
            return None;
        };
        Some(Posted { payload: Payload::new(text) })
    }

    /// The next message of a POST's body.
    pub fn next_message<'a>(&mut self, posted: &mut Posted<'a>, now: Duration) -> Option<Data<'a>> {
        while self.phase != Phase::Closed {
            let Some(packet) = posted.payload.next() else {
                self.answer_post();
                break;
            };
            let message = self.packet(packet, now);
            if message.is_some() {
                return message;
            }
        }
        None
    }

    /// A WebSocket that came with this session's id, and is to be probed.
    pub fn probe(&mut self, socket: T, now: Duration) {
        let polling = matches!(self.link, Link::Polling { .. });
        if self.phase == Phase::Closed || !polling || self.probe.is_some() {
            self.outputs.push_back(Output::Close(socket));
        } else {
            let ends = now + self.settings.upgrade_timeout;
            self.probe = Some(Probe { socket, ends, noop_at: None });
        }
    }

    /// A message from a WebSocket: the application's, if it is not the protocol's.
    pub fn message<'a>(&mut self, socket: T, data: Data<'a>, now: Duration) -> Option<Data<'a>> {
        if self.probe.as_ref().is_some_and(|probe| probe.socket == socket) {
            self.probed(data, now);
            return None;
        }
        if self.socket() != Some(socket) {
            return None;
        }
        let packet = match data {
            Data::Text(text) => Packet::parse(text),
            Data::Binary(bytes) => Ok(Packet::Binary(bytes)),
        };
        self.packet(packet, now)
    }

    /// The connection of a WebSocket, a parked GET or a POST broke, or ended before its time.
    pub fn lost(&mut self, connection: T) {
        if self.probe.take_if(|probe| probe.socket == connection).is_some() {
            return;
        }
        let is = |other: &mut T| *other == connection;
        let lost = match &mut self.link {
            Link::Polling { parked, posting } => parked.take_if(is).or(posting.take_if(is)),
            Link::Socket(socket) => Some(*socket).filter(|socket| *socket == connection),
        };
        if lost.is_some() {
            self.end(Reason::Lost);
        }
    }

    /// Takes messages to be sent, if there is room for all of them: a packet and its attachments must not come apart. If nothing waits, there is room.
    ///
    /// # Errors
    /// [`SendError::Closed`] once the session has ended, and otherwise that there is no room.
    pub fn send(&mut self, messages: &[Message]) -> Result<(), SendError> {
        if self.phase != Phase::Open {
            return Err(SendError::Closed);
        }
        self.outgoing.push(messages, &self.settings)
    }

    /// Ends the session when all that waits is sent, or after the close time-out.
    pub fn close(&mut self, now: Duration) {
        if self.phase == Phase::Open {
            self.phase = Phase::Closing(now + self.settings.close_timeout);
        }
    }

    /// Ends the session at once.
    pub fn abort(&mut self) {
        self.end(Reason::Closed);
    }

    /// The next message for the WebSocket, [`Session::socket`].
    pub fn pull(&mut self) -> Option<Message> {
        self.socket().and_then(|_| self.outgoing.pop())
    }

    /// The next thing to do. What was sent since the last time answers a parked GET all together.
    pub fn next_output(&mut self) -> Option<Output<T>> {
        if self.outputs.is_empty() {
            self.flush();
        }
        self.outputs.pop_front().or_else(|| self.ended.take().map(Output::Closed))
    }

    /// When [`Session::tick`] is due, unless something comes in before.
    pub fn next_deadline(&self) -> Option<Duration> {
        let own = match (self.phase, &self.heartbeat) {
            (Phase::Closed, _) => return None,
            (Phase::Closing(ends), _) => ends,
            (Phase::Open, Heartbeat::PingAt(at) | Heartbeat::PongBy(at)) => *at,
        };
        let probe =
            self.probe.iter().flat_map(|probe| probe.noop_at.into_iter().chain([probe.ends]));
        probe.chain([own]).min()
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Duration) {
        match (self.phase, &self.heartbeat) {
            (Phase::Closed, _) => return,
            (Phase::Closing(ends), _) if now >= ends => return self.end(Reason::Closed),
            (Phase::Open, Heartbeat::PongBy(by)) if now >= *by => {
                return self.end(Reason::PingTimeout);
            }
            (Phase::Open, Heartbeat::PingAt(at)) if now >= *at => {
                self.outgoing.push_control(Packet::Text(Type::Ping, "").to_message());
                self.heartbeat = Heartbeat::PongBy(now + self.settings.ping_timeout);
            }
            _ => {}
        }
        if let Some(probe) = self.probe.take_if(|probe| now >= probe.ends) {
            self.outputs.push_back(Output::Close(probe.socket));
        }
        if let Some(probe) = &mut self.probe
            && probe.noop_at.is_some_and(|at| now >= at)
        {
            probe.noop_at = Some(now + self.settings.noop_interval);
            self.flush();
            self.release(Type::Noop);
        }
    }
}

/// What the calls above are made of.
impl<T: Copy + PartialEq> Session<T> {
    fn reply(&mut self, connection: T, reply: Reply) {
        self.outputs.push_back(Output::Reply(connection, reply));
    }

    /// Answers the parked GET, if there is one, with a packet of the protocol's own.
    fn release(&mut self, kind: Type) {
        if let Link::Polling { parked, .. } = &mut self.link
            && let Some(parked) = parked.take()
        {
            self.reply(parked, Reply::payload(vec![kind as u8]));
        }
    }

    /// Answers the POST that has been read.
    fn answer_post(&mut self) {
        if let Link::Polling { posting, .. } = &mut self.link
            && let Some(posting) = posting.take()
        {
            self.reply(posting, Reply::taken());
        }
    }

    /// A packet by the transport in use.
    fn packet<'a>(
        &mut self,
        packet: Result<Packet<'a>, Invalid>,
        now: Duration,
    ) -> Option<Data<'a>> {
        let open = self.phase == Phase::Open;
        match packet {
            Ok(Packet::Text(Type::Close, _)) => self.closed_by_client(),
            _ if !open => {}
            Err(invalid) => self.end(Reason::Invalid(invalid)),
            Ok(Packet::Binary(bytes)) => return Some(Data::Binary(bytes)),
            Ok(Packet::Text(Type::Message, text)) => return Some(Data::Text(text)),
            Ok(Packet::Text(Type::Ping, _)) => self.end(Reason::PingFromClient),
            Ok(Packet::Text(Type::Pong, _)) => {
                self.heartbeat = Heartbeat::PingAt(now + self.settings.ping_interval);
            }
            Ok(Packet::Text(Type::Open | Type::Upgrade | Type::Noop, _)) => {}
        }
        None
    }

    fn closed_by_client(&mut self) {
        self.release(Type::Noop);
        self.answer_post();
        self.end(Reason::ClientClosed);
    }

    /// A message by the probing WebSocket.
    fn probed(&mut self, data: Data, now: Duration) {
        let Some(probe) = &mut self.probe else { return };
        let socket = probe.socket;
        match data {
            Data::Text("2probe") => {
                probe.noop_at = Some(now + self.settings.noop_interval);
                let pong = Packet::Text(Type::Pong, "probe").to_message();
                self.outputs.push_back(Output::Send(socket, pong));
            }
            Data::Text(text) if text.starts_with('5') => self.upgrade(socket, now),
            _ => {
                self.probe = None;
                self.outputs.push_back(Output::Close(socket));
            }
        }
    }

    /// Goes over to the WebSocket, which is sent what polling was not.
    fn upgrade(&mut self, socket: T, now: Duration) {
        self.probe = None;
        self.release(Type::Noop);
        if let Link::Polling { posting: Some(posting), .. } = self.link {
            self.reply(posting, Reply::bad());
        }
        self.link = Link::Socket(socket);
        // The pong that is due may have gone under with polling's last request.
        if let Heartbeat::PongBy(by) = &mut self.heartbeat {
            *by = now + self.settings.ping_timeout;
        }
    }

    /// Gives the parked GET what there is, and ends the session that was only waiting for that.
    fn flush(&mut self) {
        let closing = matches!(self.phase, Phase::Closing(_));
        match &mut self.link {
            Link::Polling { parked: slot @ Some(_), .. } => {
                if (self.outgoing.is_empty() && !closing) || self.phase == Phase::Closed {
                    return;
                }
                let parked = slot.take();
                let mut messages = self.outgoing.take();
                if closing {
                    messages.push(Packet::Text(Type::Close, "").to_message());
                }
                let payload = Reply::payload(encode_payload(&messages));
                self.outputs.extend(parked.map(|parked| Output::Reply(parked, payload)));
                if closing {
                    self.end(Reason::Closed);
                }
            }
            Link::Socket(_) if closing && self.outgoing.is_empty() => self.end(Reason::Closed),
            _ => {}
        }
        if self.phase == Phase::Open && self.outgoing.has_room_again(&self.settings) {
            self.outputs.push_back(Output::Room);
        }
    }

    /// Ends the session: nobody waits for an answer any longer.
    fn end(&mut self, reason: Reason) {
        if self.phase == Phase::Closed {
            return;
        }
        self.phase = Phase::Closed;
        self.outgoing = Outgoing::default();
        self.release(Type::Close);
        match &mut self.link {
            Link::Polling { posting, .. } => {
                if let Some(posting) = posting.take() {
                    self.reply(posting, Reply::bad());
                }
            }
            Link::Socket(socket) => {
                let close = Output::Close(*socket);
                self.outputs.push_back(close);
            }
        }
        if let Some(probe) = self.probe.take() {
            self.outputs.push_back(Output::Close(probe.socket));
        }
        self.ended = Some(reason);
    }
}

/// The answer to those who come after the end.
fn unknown() -> Reply {
    Refusal::UnknownSession.reply(false)
}
