//! What a client sends, byte by byte or in pieces of any size: control lines, and messages after PUB and HPUB.
//!
//! A control line is taken from the input where it is whole there, else from what was kept of earlier input. The same holds for a message, unless it is
//! longer than [`Limits::stream_above`]: then its head comes first, and the payload in the pieces in which it arrives, so that it need not be kept here.
//! What is kept is never more than was sent, and never more than the limits.

use super::line::{Fields, MessageLine, number};

/// What a client may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest arguments of a verb, in bytes; 4096 as with the reference.
    pub max_control_line: usize,
    /// The longest message, headers included; 1 MiB as with the reference.
    pub max_payload: usize,
    /// The longest block of headers, which is always kept until it is whole; the reference has no limit of its own for it.
    pub max_headers: usize,
    /// A longer message is handed over in pieces. A shorter one is kept until it is whole, so this bounds a connection's memory.
    pub stream_above: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_control_line: 4096,
            max_payload: 1 << 20,
            max_headers: 64 << 10,
            stream_above: 64 << 10,
        }
    }
}

/// Something that the client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation<'a> {
    /// The text that should be JSON.
    Connect(&'a [u8]),
    /// A message, whole.
    Publish(Head<'a>, &'a [u8]),
    /// The head of a long message, and how many bytes of payload follow.
    Begin(Head<'a>, usize),
    /// The next bytes of the long message's payload.
    Payload(&'a [u8]),
    /// The end of the long message: it came whole, and is to be published.
    End,
    /// A subscription: subject, queue group, and the client's id for it.
    Subscribe(&'a [u8], Option<&'a [u8]>, &'a [u8]),
    /// The end of a subscription, at once or after so many messages in all.
    Unsubscribe(&'a [u8], Option<u64>),
    /// A question whether the server is there.
    Ping,
    /// The answer to a PING.
    Pong,
    /// `+OK` or INFO, of which a server makes nothing.
    Ignored,
    /// The client reports an error; what it says.
    Error(&'a [u8]),
}

/// What a message has besides the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// Where it is published to.
    pub subject: &'a [u8],
    /// Where answers are to be published to.
    pub reply: Option<&'a [u8]>,
    /// The block of headers, not checked yet; empty if there is none.
    pub headers: &'a [u8],
}

/// Why the client is not understood any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// No verb, or no end of line where a payload ends.
    UnknownOperation,
    /// Arguments that the verb does not have.
    Arguments,
    /// A longer control line than the limit.
    ControlLine,
    /// A longer message, or longer headers, than the limit.
    Payload,
}

pub(super) type Result<T> = std::result::Result<T, ParseError>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Publish,
    PublishHeaders,
    Ping,
    Pong,
    Subscribe,
    Unsubscribe,
    Connect,
    Info,
    Ok,
    Error,
}

/// None is the beginning of another.
const VERBS: [(&[u8], Verb); 10] = [
    (b"PUB", Verb::Publish),
    (b"HPUB", Verb::PublishHeaders),
    (b"PING", Verb::Ping),
    (b"PONG", Verb::Pong),
    (b"SUB", Verb::Subscribe),
    (b"UNSUB", Verb::Unsubscribe),
    (b"CONNECT", Verb::Connect),
    (b"INFO", Verb::Info),
    (b"+OK", Verb::Ok),
    (b"-ERR", Verb::Error),
];
const LONGEST_VERB: usize = 7;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// So many letters of a verb.
    Verb(usize),
    /// White space; whether there was any yet.
    Space(Verb, bool),
    /// The rest of a line that has no arguments, whatever it says.
    Rest(Verb),
    Arguments(Verb),
    /// A message, or the head of a long one, is kept until it is whole.
    Message,
    /// A long message's payload: so many bytes are missing.
    Stream(usize),
    /// CR and LF after the payload: whether the message is kept, and whether CR was there.
    Tail(bool, bool),
    Failed(ParseError),
}

/// Something is whole. What is not in the input is what was kept.
enum Whole<'a> {
    Word(Verb),
    Line(Verb, Fields, Option<&'a [u8]>),
    /// Arguments, then headers and payload.
    Message(Option<(&'a [u8], &'a [u8])>),
    Begin,
    Payload(&'a [u8]),
    End,
}

/// A longer buffer is given back when it is not needed, so that a connection that is quiet costs little.
const KEPT_CAPACITY: usize = 1024;

/// Takes a client's bytes apart.
#[derive(Debug)]
pub struct Parser {
    limits: Limits,
    headers: bool,
    state: State,
    verb: [u8; LONGEST_VERB],
    /// The message that is coming in.
    message: MessageLine,
    kept: Vec<u8>,
}

impl Parser {
    /// A parser for a new connection.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            headers: false,
            state: State::Verb(0),
            verb: [0; LONGEST_VERB],
            message: MessageLine::default(),
            kept: Vec::new(),
        }
    }

    /// Whether HPUB is understood: only from clients that have said so.
    pub fn set_headers(&mut self, headers: bool) {
        self.headers = headers;
    }

    /// Whether the next byte begins an operation.
    pub fn at_start(&self) -> bool {
        matches!(self.state, State::Verb(0))
    }

    /// How many bytes of a long message's payload are missing. The caller may receive up to that many straight into where they belong.
    pub fn missing(&self) -> usize {
        if let State::Stream(missing) = self.state { missing } else { 0 }
    }

    /// Says that the caller has received so many bytes of the [missing](Self::missing) payload itself.
    ///
    /// # Panics
    /// If they were more than are missing.
    pub fn received(&mut self, len: usize) {
        let missing = self.missing();
        assert!(len <= missing, "{len} bytes received, {missing} missing");
        if let State::Stream(missing) = &mut self.state {
            *missing -= len;
        }
    }

    /// The next operation; what it needs is taken from the front of `input`. `None` when all of it is taken and the next operation is not whole. After an
    /// error there is nothing but that error.
    ///
    /// # Errors
    /// What the client did against the protocol or the limits, in the protocol's own words.
    pub fn next<'a, 'i: 'a>(&'a mut self, input: &mut &'i [u8]) -> Result<Option<Operation<'a>>> {
        if !matches!(self.state, State::Arguments(_) | State::Message | State::Tail(true, _)) {
            self.forget();
        }
        while !input.is_empty() || matches!(self.state, State::Failed(_)) {
            let state = std::mem::replace(&mut self.state, State::Verb(0));
            match self.step(state, input) {
                Ok(None) => {}
                Ok(Some(whole)) => return Ok(Some(self.operation(whole))),
                Err(error) => {
                    self.state = State::Failed(error);
                    return Err(error);
                }
            }
        }
        Ok(None)
    }

    /// One step from a state to the next, which takes a part of the input.
    fn step<'a>(&mut self, state: State, input: &mut &'a [u8]) -> Result<Option<Whole<'a>>> {
        match state {
            State::Verb(letters) => self.verb(letters, input)?,
            State::Space(verb, any) => self.space(verb, any, input)?,
            State::Rest(verb) => match memchr::memchr(b'\n', input) {
                Some(end) => {
                    take(input, end + 1);
                    return Ok(Some(Whole::Word(verb)));
                }
                None => {
                    *input = &[];
                    self.state = state;
                }
            },
            State::Arguments(verb) => return self.arguments(verb, input),
            State::Message => return Ok(self.message(input)),
            State::Stream(0) => self.state = State::Tail(false, false),
            State::Stream(missing) => {
                let part = take(input, missing.min(input.len()));
                self.state = State::Stream(missing - part.len());
                return Ok(Some(Whole::Payload(part)));
            }
            State::Tail(kept, false) if input[0] == b'\r' => {
                take(input, 1);
                self.state = State::Tail(kept, true);
            }
            State::Tail(kept, true) if input[0] == b'\n' => {
                take(input, 1);
                return Ok(Some(if kept { Whole::Message(None) } else { Whole::End }));
            }
            State::Tail(..) => return Err(ParseError::UnknownOperation),
            State::Failed(error) => return Err(error),
        }
        Ok(None)
    }

    /// Letters of a verb, large or small.
    fn verb(&mut self, letters: usize, input: &mut &[u8]) -> Result<()> {
        let whole = |name: &[u8]| {
            input.get(..name.len()).is_some_and(|word| word.eq_ignore_ascii_case(name))
        };
        if let Some((name, verb)) = VERBS.iter().find(|(name, _)| letters == 0 && whole(name)) {
            take(input, name.len());
            self.state = State::after(*verb);
            return Ok(());
        }
        self.verb[letters] = take(input, 1)[0].to_ascii_uppercase();
        let word = &self.verb[..=letters];
        let (name, verb) = VERBS
            .iter()
            .find(|(name, _)| name.starts_with(word))
            .ok_or(ParseError::UnknownOperation)?;
        self.state = if *name == word { State::after(*verb) } else { State::Verb(letters + 1) };
        Ok(())
    }

    /// Between a verb and its arguments.
    fn space(&mut self, verb: Verb, any: bool, input: &mut &[u8]) -> Result<()> {
        let blanks = input.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let any = any || blanks > 0 || matches!(verb, Verb::Connect | Verb::Info);
        take(input, blanks);
        self.state = match (input.is_empty(), any) {
            (true, _) => State::Space(verb, any),
            (false, true) => State::Arguments(verb),
            (false, false) => return Err(ParseError::UnknownOperation),
        };
        Ok(())
    }

    /// A verb's arguments up to the end of the line.
    fn arguments<'a>(&mut self, verb: Verb, input: &mut &'a [u8]) -> Result<Option<Whole<'a>>> {
        let end = memchr::memchr(b'\n', input);
        let part = take(input, end.unwrap_or(input.len()));
        // CR does not count.
        if self.kept.len() + part.len() > self.limits.max_control_line + 1 {
            return Err(ParseError::ControlLine);
        }
        if !self.kept.is_empty() || end.is_none() {
            self.kept.extend_from_slice(part);
        }
        if end.is_none() {
            self.state = State::Arguments(verb);
            return Ok(None);
        }
        take(input, 1);
        if self.kept.is_empty() {
            return self.line(verb, Some(part.strip_suffix(b"\r").unwrap_or(part)), input);
        }
        self.kept.pop_if(|byte| *byte == b'\r');
        self.line(verb, None, input)
    }

    /// A line is whole, in the input or kept.
    fn line<'a>(
        &mut self,
        verb: Verb,
        line: Option<&'a [u8]>,
        input: &mut &'a [u8],
    ) -> Result<Option<Whole<'a>>> {
        let text = line.unwrap_or(&self.kept);
        if text.len() > self.limits.max_control_line {
            return Err(ParseError::ControlLine);
        }
        let fields = match verb {
            Verb::PublishHeaders if !self.headers => return Err(ParseError::Arguments),
            Verb::Publish | Verb::PublishHeaders => {
                self.message = MessageLine::of(text, verb == Verb::PublishHeaders)?;
                let MessageLine { total, headers, .. } = self.message;
                if total > self.limits.max_payload || headers > self.limits.max_headers {
                    return Err(ParseError::Payload);
                }
                return self.begin(line, input);
            }
            Verb::Subscribe | Verb::Unsubscribe => {
                let fields = Fields::of(text)?;
                let most = if verb == Verb::Subscribe { 3 } else { 2 };
                if fields.len > most || fields.len < most - 1 {
                    return Err(ParseError::Arguments);
                }
                fields
            }
            _ => Fields::default(),
        };
        Ok(Some(Whole::Line(verb, fields, line)))
    }

    /// A message begins. It is borrowed if it is all there.
    fn begin<'a>(
        &mut self,
        line: Option<&'a [u8]>,
        input: &mut &'a [u8],
    ) -> Result<Option<Whole<'a>>> {
        let total = self.message.total;
        if let (false, Some(line), Some(end)) = (self.streamed(), line, input.get(total..total + 2))
        {
            if end != b"\r\n" {
                return Err(ParseError::UnknownOperation);
            }
            let body = take(input, total);
            take(input, 2);
            return Ok(Some(Whole::Message(Some((line, body)))));
        }
        self.kept.extend_from_slice(line.unwrap_or_default());
        // Of a long message without headers the head is whole already.
        Ok(self.message(input))
    }

    /// More of a message that is kept: all of it, or its head if it is long.
    fn message<'a>(&mut self, input: &mut &[u8]) -> Option<Whole<'a>> {
        let MessageLine { line, headers, total, .. } = self.message;
        let wanted = line + if self.streamed() { headers } else { total };
        let part = take(input, (wanted - self.kept.len()).min(input.len()));
        self.kept.extend_from_slice(part);
        if self.kept.len() < wanted {
            self.state = State::Message;
        } else if self.streamed() {
            self.state = State::Stream(total - headers);
            return Some(Whole::Begin);
        } else {
            self.state = State::Tail(true, false);
        }
        None
    }

    fn streamed(&self) -> bool {
        self.message.total > self.limits.stream_above
    }

    fn operation<'a>(&'a self, whole: Whole<'a>) -> Operation<'a> {
        match whole {
            Whole::Word(Verb::Ping) => Operation::Ping,
            Whole::Word(Verb::Pong) => Operation::Pong,
            Whole::Word(_) => Operation::Ignored,
            Whole::Line(verb, fields, line) => {
                let line = line.unwrap_or(&self.kept);
                let field = |which| fields.get(line, which);
                match verb {
                    Verb::Connect => Operation::Connect(line),
                    Verb::Error => Operation::Error(line),
                    Verb::Subscribe if fields.len == 2 => {
                        Operation::Subscribe(field(0), None, field(1))
                    }
                    Verb::Subscribe => Operation::Subscribe(field(0), Some(field(1)), field(2)),
                    Verb::Unsubscribe if fields.len == 1 => Operation::Unsubscribe(field(0), None),
                    Verb::Unsubscribe => {
                        Operation::Unsubscribe(field(0), number(field(1)).map(|max| max as u64))
                    }
                    _ => Operation::Ignored,
                }
            }
            Whole::Message(body) => {
                let (line, body) = body.unwrap_or_else(|| self.kept.split_at(self.message.line));
                let (headers, payload) = body.split_at(self.message.headers);
                Operation::Publish(self.message.head(line, headers), payload)
            }
            Whole::Begin => {
                let MessageLine { line, headers, total, .. } = self.message;
                let (line, block) = self.kept.split_at(line);
                Operation::Begin(self.message.head(line, block), total - headers)
            }
            Whole::Payload(part) => Operation::Payload(part),
            Whole::End => Operation::End,
        }
    }

    /// What was kept has been handed out.
    fn forget(&mut self) {
        self.kept.clear();
        if self.kept.capacity() > KEPT_CAPACITY {
            self.kept = Vec::new();
        }
    }
}

impl State {
    fn after(verb: Verb) -> Self {
        match verb {
            Verb::Ping | Verb::Pong | Verb::Ok => Self::Rest(verb),
            _ => Self::Space(verb, false),
        }
    }
}

/// Takes bytes from the front.
fn take<'a>(input: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (front, rest) = input.split_at(len);
    *input = rest;
    front
}
