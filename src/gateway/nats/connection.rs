//! One client's connection: what the protocol asks of the server between the bytes and the queues.
//!
//! Bytes go in by [`Connection::next`], one operation at a time, and bytes to be sent are appended to a buffer of the caller's, between the deliveries that
//! the caller puts there itself. What the protocol does not settle alone comes back as an [`Action`].

use std::sync::Arc;
use std::time::Duration;

use super::connect::Connect;
use super::encoder::{self, Delivery, Peer, ServerError};
use super::headers::Headers;
use super::parser::{self, Operation, ParseError, Parser};
use super::permissions::Permissions;
use super::settings::Settings;
use super::subject;
use super::subscriptions::{Key, Subscription, Subscriptions};

/// What the caller is asked to do.
#[derive(Debug)]
pub enum Action<'a> {
    /// Nothing: the operation is answered already.
    Continue,
    /// The client wants in: [`Connection::accept`] or [`Connection::fail`] must be called, and nothing more is taken before.
    Connect(&'a Connect),
    /// A message to be published; then [`Connection::ok`] or [`Connection::error`].
    Publish(Message<'a>, &'a [u8]),
    /// The head of a long message, and the length of its payload, which comes with the next actions.
    Begin(Message<'a>, usize),
    /// The next bytes of the payload. The caller may also receive them itself, see [`Connection::missing`].
    Payload(&'a [u8]),
    /// The long message is whole and to be published; then as with `Publish`. When the connection ends before, the message never was.
    End,
    /// A new subscription; then [`Connection::ok`], or [`Connection::unsubscribe`] and [`Connection::error`].
    Subscribe(Key, &'a Subscription),
    /// A subscription has ended.
    Unsubscribe(Key, Subscription),
    /// The client has answered a PING: it has all that was sent before.
    Pong,
    /// The connection is over: what is to be sent is still sent, then it is closed.
    Close(Reason),
}

/// A message from a client, without its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Where it is published to. Only [a literal subject](subject::is_literal) can reach anybody for certain; the reference does not insist.
    pub subject: &'a [u8],
    /// Where answers are to be published to.
    pub reply: Option<&'a [u8]>,
    /// Its headers, with the [id](Headers::message_id) by which a repetition is recognised.
    pub headers: Headers<'a>,
}

/// Why a connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The client was told by `-ERR`.
    Told,
    /// The client sent arguments that make no sense, or `-ERR`; the reference says nothing to that.
    Protocol,
}

/// A message has been sent to a subscription.
#[derive(Debug, PartialEq, Eq)]
pub struct Sent {
    /// After the head, the headers are to be sent as well.
    pub headers: bool,
    /// It was the last one that the client wanted: the subscription has ended.
    pub ended: Option<Subscription>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Before CONNECT; nothing else is taken if it is required.
    New,
    /// CONNECT is with the caller.
    Deciding,
    Open,
    Closed,
}

/// Why a message goes nowhere.
#[derive(Debug)]
enum Refusal {
    /// To this subject the client may not publish.
    Denied(Box<[u8]>),
    Headers,
}

/// A connection's state.
#[derive(Debug)]
pub struct Connection {
    parser: Parser,
    client: Client,
}

/// All but the parser, from which an operation may still be borrowed.
#[derive(Debug)]
struct Client {
    settings: Arc<Settings>,
    peer: Peer,
    phase: Phase,
    options: Connect,
    permissions: Arc<Permissions>,
    subscriptions: Subscriptions,
    /// The long message that is coming in is thrown away, and at its end the client is told why.
    refused: Option<Refusal>,
    /// When the client last showed that it is alive, by a message, a subscription or a PING.
    active: Duration,
    /// When to look after it again.
    ping_due: Duration,
    pings_out: u32,
    /// The client has sent PING, and so is past its own connecting.
    pinged: bool,
    auth_due: Option<Duration>,
}

impl Connection {
    /// A client has connected. INFO is written.
    pub fn new(settings: Arc<Settings>, peer: Peer, now: Duration, out: &mut Vec<u8>) -> Self {
        encoder::info(&settings.info, &peer, &settings, false, out);
        let client = Client {
            phase: Phase::New,
            options: Connect::default(),
            permissions: Arc::default(),
            subscriptions: Subscriptions::default(),
            refused: None,
            active: now,
            ping_due: now + settings.ping_interval,
            pings_out: 0,
            pinged: false,
            auth_due: settings.auth_required.then(|| now + settings.auth_timeout),
            peer,
            settings,
        };
        Self { parser: Parser::new(client.settings.limits), client }
    }

    /// Takes one operation from the front of `input` and answers it, or says what is to be done. `None` when more input is needed, when an
    /// [`Action::Connect`] is not decided yet, and when the connection is over. Answers are no longer than a few times the operation.
    pub fn next<'a, 'i: 'a>(
        &'a mut self,
        now: Duration,
        input: &mut &'i [u8],
        out: &mut Vec<u8>,
    ) -> Option<Action<'a>> {
        let Self { parser, client } = self;
        let first = *input.first()?;
        match client.phase {
            Phase::Deciding | Phase::Closed => return None,
            Phase::New
                if client.auth_due.is_some()
                    && parser.at_start()
                    && !first.eq_ignore_ascii_case(&b'C') =>
            {
                client.fail(ServerError::Authorization, out);
                return Some(Action::Close(Reason::Told));
            }
            Phase::New | Phase::Open => {}
        }
        match parser.next(input) {
            Ok(operation) => operation.map(|operation| client.handle(operation, now, out)),
            Err(error) => Some(client.give_up(error, out)),
        }
    }

    /// How many bytes of a long message's payload may be received by the caller itself, straight into where they belong.
    pub fn missing(&self) -> usize {
        if self.is_over() || self.client.refused.is_some() { 0 } else { self.parser.missing() }
    }

    /// Says that the caller has received so many of the [missing](Self::missing) bytes.
    ///
    /// # Panics
    /// If they were more than are missing.
    pub fn received(&mut self, len: usize) {
        self.parser.received(len);
    }

    /// Lets the client in that an [`Action::Connect`] was about. It may turn out that what it asked for cannot be: see [`Self::is_over`].
    pub fn accept(&mut self, permissions: Arc<Permissions>, now: Duration, out: &mut Vec<u8>) {
        let Self { parser, client } = self;
        if client.phase != Phase::Deciding {
            return;
        }
        let options = &client.options;
        if !(0..=1).contains(&options.protocol) {
            return client.fail(ServerError::ClientProtocol, out);
        }
        if options.no_responders && !options.headers {
            return client.fail(ServerError::NoRespondersWithoutHeaders, out);
        }
        parser.set_headers(options.headers);
        client.phase = Phase::Open;
        client.permissions = permissions;
        client.active = now;
        client.ping_due = now + client.settings.ping_interval;
        client.ok(out);
    }

    /// `+OK`, if the client wants to be told: what it sent has been done.
    pub fn ok(&self, out: &mut Vec<u8>) {
        self.client.ok(out);
    }

    /// `-ERR`: what the client sent has not been done. Many clients hang up when they read it.
    pub fn error(&self, error: ServerError<'_>, out: &mut Vec<u8>) {
        self.client.error(error, out);
    }

    /// `-ERR`, and the connection is over. So is told a client that is refused, too slow, or one too many.
    pub fn fail(&mut self, error: ServerError<'_>, out: &mut Vec<u8>) {
        self.client.fail(error, out);
    }

    /// Whether the connection is to be closed as soon as what is to be sent is sent.
    pub fn is_over(&self) -> bool {
        self.client.phase == Phase::Closed
    }

    /// When [`Self::tick`] is to be called.
    pub fn deadline(&self) -> Option<Duration> {
        let client = &self.client;
        let due = client.auth_due.map_or(client.ping_due, |auth_due| auth_due.min(client.ping_due));
        (!self.is_over()).then_some(due)
    }

    /// Does what is due: PING to a quiet client, the end of one that does not answer or has not authenticated.
    pub fn tick(&mut self, now: Duration, out: &mut Vec<u8>) {
        self.client.tick(now, out);
    }

    /// Tells the client that the server is about to end and that it should go elsewhere or come back. Only clients that take INFO at any time are told.
    pub fn lame_duck(&self, out: &mut Vec<u8>) {
        let client = &self.client;
        if client.phase == Phase::Open && client.pinged && client.options.protocol > 0 {
            encoder::info(&client.settings.info, &client.peer, &client.settings, true, out);
        }
    }

    /// Writes the head of a message for a subscription, and counts it. `None` if the subscription does not get it: it has ended, the client denied itself its
    /// `own` messages, or may not see this subject. What must follow is said at [`Delivery::parts`].
    pub fn deliver(
        &mut self,
        key: Key,
        delivery: &Delivery,
        own: bool,
        out: &mut Vec<u8>,
    ) -> Option<Sent> {
        let over = self.is_over();
        let client = &mut self.client;
        let hidden = client.permissions.subscribe.deny_delivery(delivery.subject());
        if over || hidden || (own && !client.options.echo) {
            return None;
        }
        let headers = client.options.headers;
        let subscription = client.subscriptions.get_mut(key)?;
        delivery
            .parts(subscription.sid(), headers)
            .iter()
            .for_each(|part| out.extend_from_slice(part));
        let last = subscription.count(1);
        let ended = if last { client.subscriptions.remove(key) } else { None };
        Some(Sent { headers: headers && delivery.has_headers(), ended })
    }

    /// Whether the client understands headers.
    pub fn headers(&self) -> bool {
        self.client.options.headers
    }

    /// Counts messages for a subscription [without an end](Subscription::has_max) that the caller has written itself.
    pub fn delivered(&mut self, key: Key, count: u64) {
        if let Some(subscription) = self.client.subscriptions.get_mut(key) {
            subscription.count(count);
        }
    }

    /// Answers a request that nobody gets with status 503, if the client wants that. `key` is its own subscription, without queue group, to which the
    /// answer would have gone.
    pub fn no_responders(&self, reply: &[u8], key: Key, out: &mut Vec<u8>) {
        let subscription = self.client.subscriptions.get(key);
        if let (true, Some(subscription)) = (self.client.options.no_responders, subscription) {
            encoder::no_responders(reply, subscription.sid(), out);
        }
    }

    /// A subscription, as long as it lasts.
    pub fn subscription(&self, key: Key) -> Option<&Subscription> {
        self.client.subscriptions.get(key)
    }

    /// Whether the client has been let in.
    pub fn is_open(&self) -> bool {
        self.client.phase == Phase::Open
    }

    /// Ends a subscription that could not be done.
    pub fn unsubscribe(&mut self, key: Key) -> Option<Subscription> {
        self.client.subscriptions.remove(key)
    }

    /// All subscriptions, which are to be forgotten when the connection is over.
    pub fn subscriptions(&self) -> impl Iterator<Item = (Key, &Subscription)> {
        self.client.subscriptions.iter()
    }
}

impl Client {
    fn handle<'a>(
        &'a mut self,
        operation: Operation<'a>,
        now: Duration,
        out: &mut Vec<u8>,
    ) -> Action<'a> {
        match operation {
            Operation::Connect(json) => {
                if !self.options.apply(json) {
                    return self.give_up(ParseError::Arguments, out);
                }
                self.auth_due = None;
                self.phase = Phase::Deciding;
                return Action::Connect(&self.options);
            }
            Operation::Publish(head, payload) => {
                self.active = now;
                match self.screen(head, out) {
                    Ok(message) => return Action::Publish(message, payload),
                    Err(refusal) => self.refuse(&refusal, out),
                }
            }
            Operation::Begin(head, missing) => {
                self.active = now;
                match self.screen(head, out) {
                    Ok(message) => return Action::Begin(message, missing),
                    Err(refusal) => self.refused = Some(refusal),
                }
            }
            Operation::Payload(part) if self.refused.is_none() => return Action::Payload(part),
            Operation::Payload(_) | Operation::Ignored => {}
            Operation::End => match self.refused.take() {
                None => return Action::End,
                Some(refusal) => self.refuse(&refusal, out),
            },
            Operation::Subscribe(subject, group, sid) => {
                self.active = now;
                return self.subscribe(subject, group, sid, out);
            }
            Operation::Unsubscribe(sid, max) => {
                self.active = now;
                self.ok(out);
                if let Some((key, subscription)) = self.subscriptions.end(sid, max.unwrap_or(0)) {
                    return Action::Unsubscribe(key, subscription);
                }
            }
            Operation::Ping => {
                self.active = now;
                self.pinged |= self.phase == Phase::Open;
                out.extend_from_slice(encoder::PONG);
            }
            Operation::Pong => {
                self.pings_out = 0;
                return Action::Pong;
            }
            Operation::Error(_) => return self.give_up(ParseError::Arguments, out),
        }
        Action::Continue
    }

    /// Looks at a message before it is published.
    fn screen<'a>(
        &self,
        head: parser::Head<'a>,
        out: &mut Vec<u8>,
    ) -> Result<Message<'a>, Refusal> {
        let parser::Head { subject, reply, headers } = head;
        if self.options.pedantic && !subject::is_literal(subject) {
            self.error(ServerError::PublishSubject, out);
        }
        if !self.permissions.publish.allow_publish(subject) {
            return Err(Refusal::Denied(subject.into()));
        }
        let headers = Headers::parse(headers).ok_or(Refusal::Headers)?;
        Ok(Message { subject, reply, headers })
    }

    fn refuse(&self, refusal: &Refusal, out: &mut Vec<u8>) {
        let error = match refusal {
            Refusal::Denied(subject) => ServerError::Publish(subject),
            Refusal::Headers => ServerError::Headers,
        };
        self.error(error, out);
    }

    fn subscribe(
        &mut self,
        subject: &[u8],
        group: Option<&[u8]>,
        sid: &[u8],
        out: &mut Vec<u8>,
    ) -> Action<'_> {
        let error = if !self.permissions.subscribe.allow_subscribe(subject) {
            Some(ServerError::Subscribe(subject, group))
        } else if subject::tokens(subject).count() > self.settings.max_tokens {
            Some(ServerError::Tokens(subject))
        } else if self.subscriptions.len() >= self.settings.max_subscriptions {
            Some(ServerError::Subscriptions)
        } else if self.subscriptions.contains(sid) {
            // The id is in use: the reference keeps the first subscription and says that all is well.
            self.ok(out);
            return Action::Continue;
        } else {
            (!subject::is_valid(subject)).then_some(ServerError::Subject)
        };
        if let Some(error) = error {
            self.error(error, out);
            return Action::Continue;
        }
        let (key, subscription) = self.subscriptions.insert(subject, group, sid);
        Action::Subscribe(key, subscription)
    }

    fn tick(&mut self, now: Duration, out: &mut Vec<u8>) {
        if self.phase == Phase::Closed {
            return;
        }
        if self.auth_due.is_some_and(|due| due <= now) {
            return self.fail(ServerError::AuthenticationTimeout, out);
        }
        if now < self.ping_due {
            return;
        }
        let quiet = now.saturating_sub(self.active) >= self.settings.ping_interval;
        if !quiet {
            self.ping_due = self.active + self.settings.ping_interval;
            return;
        }
        if self.pings_out >= self.settings.max_pings_out {
            return self.fail(ServerError::Stale, out);
        }
        self.pings_out += 1;
        self.ping_due = now + self.settings.ping_interval;
        out.extend_from_slice(encoder::PING);
    }

    fn ok(&self, out: &mut Vec<u8>) {
        if self.options.verbose && self.phase != Phase::Closed {
            out.extend_from_slice(encoder::OK);
        }
    }

    fn error(&self, error: ServerError<'_>, out: &mut Vec<u8>) {
        if self.phase != Phase::Closed {
            encoder::error(error, out);
        }
    }

    fn fail(&mut self, error: ServerError<'_>, out: &mut Vec<u8>) {
        self.error(error, out);
        self.phase = Phase::Closed;
    }

    fn give_up(&mut self, error: ParseError, out: &mut Vec<u8>) -> Action<'static> {
        let error = match error {
            ParseError::UnknownOperation => ServerError::UnknownOperation,
            ParseError::ControlLine => ServerError::ControlLine,
            ParseError::Payload => ServerError::Payload,
            ParseError::Arguments => {
                self.phase = Phase::Closed;
                return Action::Close(Reason::Protocol);
            }
        };
        self.fail(error, out);
        Action::Close(Reason::Told)
    }
}
