//! Plays a transcript on a session: each line is something that happens, and after `=>` what comes of it, in any order.
//!
//! | what happens | |
//! |---|---|
//! | `open A`, `connect A` | the client opens a session by GET, or by WebSocket |
//! | `get A`, `post A BODY`, `ws A` | requests for the session; `|` in a body is the separator |
//! | `tell A TEXT`, `bytes A TEXT` | a text or binary message by WebSocket |
//! | `drop A` | the client's connection breaks |
//! | `send TEXT`, `send-bytes TEXT` | the application sends |
//! | `close` | the server closes the session |
//! | `wait MS` | time goes by |
//!
//! What comes of it: `A 200 BODY` (an answer), `A< TEXT` (a message by WebSocket), `A closed`, `> TEXT` (a message for the application), `over`.
//! `TEXT` of bytes is written `#` and hexadecimal digits. A line with `=!` is one where the reference does otherwise.

use std::sync::Arc;
use std::time::Duration;

use slipring::gateway::engineio::{
    Admission, Data, Handshake, Message, Method, Output, Session, Settings, Transport, admit,
    session_id,
};

/// As all transcripts have it, unless they begin with `ping INTERVAL TIMEOUT`.
pub fn settings() -> Settings {
    let upgrade_timeout = Duration::from_millis(400);
    Settings { upgrade_timeout, max_payload: 1000, ..Settings::default() }
}

/// A session and its clock.
pub struct Play<'t> {
    settings: Arc<Settings>,
    session: Option<Session<&'t str>>,
    pub now: Duration,
    seen: Vec<String>,
}

impl<'t> Play<'t> {
    pub fn new(settings: Settings) -> Self {
        let now = Duration::from_secs(1000);
        Self { settings: settings.into(), session: None, now, seen: vec![] }
    }

    pub fn session(&mut self) -> &mut Session<&'t str> {
        self.session.as_mut().expect("an open session")
    }

    /// What came of the last step.
    pub fn seen(&mut self) -> Vec<String> {
        self.collect();
        let mut seen = std::mem::take(&mut self.seen);
        seen.sort();
        seen
    }

    /// Does one step.
    pub fn step(&mut self, step: &'t str) -> Vec<String> {
        let mut words = step.splitn(3, ' ');
        let verb = words.next().unwrap_or_default();
        let (name, text) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        match verb {
            "open" | "connect" | "get" | "post" | "ws" => self.request(verb, name, text),
            "tell" => self.message(name, Data::Text(text)),
            "bytes" => self.message(name, Data::Binary(text.as_bytes().into())),
            "drop" => self.session().lost(name),
            "send" => self.send(&Message::text(&format!("4{}", rest(step)))),
            "send-bytes" => self.send(&Message::binary(rest(step).as_bytes())),
            "close" => {
                let now = self.now;
                self.session().close(now);
            }
            "wait" => self.wait(Duration::from_millis(name.parse().unwrap())),
            _ => panic!("{step}: no such step"),
        }
        self.seen()
    }

    fn send(&mut self, message: &Message) {
        self.session().send(std::slice::from_ref(message)).unwrap();
    }

    fn message(&mut self, name: &'t str, data: Data) {
        let now = self.now;
        let message = self.session().message(name, data, now);
        self.seen.extend(message.map(|message| format!("> {}", shown(&message))));
    }

    /// A request as it comes: first to be admitted.
    fn request(&mut self, verb: &str, name: &'t str, text: &str) {
        let upgrade = matches!(verb, "connect" | "ws");
        let sid = session_id([7; 15]);
        let mut query = vec![("EIO", "4")];
        query.push(("transport", if upgrade { "websocket" } else { "polling" }));
        query.extend(matches!(verb, "get" | "post" | "ws").then_some(("sid", sid.as_str())));
        let method = if verb == "post" { "POST" } else { "GET" };
        let request = Handshake::new(method, query, upgrade);
        let current = self.session.as_ref().map(Session::transport);
        let admission = admit(&request, &self.settings, |_| current, || Ok(()));
        let now = self.now;
        match admission {
            Err(refusal) => {
                let reply = refusal.reply(upgrade);
                self.seen.push(format!("{name} {} {}", reply.status, line(&reply.body)));
                self.seen.extend(upgrade.then(|| format!("{name} closed")));
            }
            Ok(Admission::Open(transport)) => {
                let settings = self.settings.clone();
                self.session = Some(Session::open(transport, name, [7; 15], settings, now));
            }
            Ok(Admission::Session(_, Method::Get)) => self.session().get(name, now),
            Ok(Admission::Session(_, Method::Upgrade)) => self.session().probe(name, now),
            Ok(Admission::Session(_, Method::Post)) => self.post(name, &text.replace('|', "\x1e")),
        }
    }

    fn post(&mut self, name: &'t str, body: &str) {
        let now = self.now;
        let (media, body) = match body.strip_prefix("octets ") {
            Some(body) => ("application/octet-stream", body),
            None => ("text/plain;charset=UTF-8", body),
        };
        if !self.session().post(name, media, Some(body.len())) {
            return;
        }
        let Some(mut posted) = self.session().body(name, body.as_bytes()) else { return };
        while let Some(message) = self.session().next_message(&mut posted, now) {
            self.seen.push(format!("> {}", shown(&message)));
        }
    }

    /// Lets time go by, from one deadline to the next.
    fn wait(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(session) = &mut self.session
            && let Some(at) = session.next_deadline().filter(|at| *at <= end)
        {
            self.now = at;
            session.tick(at);
            assert!(session.next_deadline().is_none_or(|next| next > at), "it is due again");
            self.collect();
        }
        self.now = end;
    }

    fn collect(&mut self) {
        loop {
            let before = self.seen.len();
            while let Some(output) = self.session.as_mut().and_then(|one| one.next_output()) {
                self.seen.extend(match output {
                    Output::Reply(to, reply) => {
                        Some(format!("{to} {} {}", reply.status, line(&reply.body)))
                    }
                    Output::Send(to, message) => Some(sent(to, &message)),
                    Output::Close(name) => Some(format!("{name} closed")),
                    Output::Room => Some("room".into()),
                    Output::Closed(_) => Some("over".into()),
                    _ => None,
                });
                if self.seen.last().is_some_and(|seen| seen == "over") {
                    self.session = None;
                }
            }
            while let Some(session) = &mut self.session
                && let Some(to) = session.socket()
                && let Some(message) = session.pull()
            {
                self.seen.push(sent(to, &message));
            }
            if self.seen.len() == before {
                return;
            }
        }
    }
}

fn rest(step: &str) -> &str {
    step.split_once(' ').map_or("", |(_, rest)| rest)
}

fn sent(to: &str, message: &Message) -> String {
    let bytes = message.content();
    let text = if message.is_binary() { hex(bytes) } else { line(bytes) };
    format!("{to}< {text}")
}

fn shown(data: &Data) -> String {
    match data {
        Data::Text(text) => (*text).to_owned(),
        Data::Binary(bytes) => hex(bytes),
    }
}

pub fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    format!("#{}", digits.collect::<String>())
}

/// A body on one line, without what chance has made.
fn line(body: &[u8]) -> String {
    let text = String::from_utf8(body.to_vec()).unwrap().replace('\x1e', "|");
    text.replace(&session_id([7; 15]), "SID")
}

/// A step, what comes of it, and whether the reference says the same.
pub type Line<'t> = (&'t str, Vec<String>, bool);

/// A transcript's settings and its lines.
pub fn read(transcript: &str) -> (Settings, Vec<Line<'_>>) {
    let mut settings = settings();
    let mut lines = vec![];
    for line in transcript.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(times) = line.strip_prefix("ping ") {
            let mut times = times.split(' ').map(|ms| Duration::from_millis(ms.parse().unwrap()));
            settings.ping_interval = times.next().unwrap();
            settings.ping_timeout = times.next().unwrap();
            continue;
        }
        let same = !line.contains("=!");
        let (step, comes) = line.split_once(if same { "=>" } else { "=!" }).unwrap_or((line, ""));
        let comes = comes.split(" ; ").map(|one| one.trim().to_owned());
        let mut comes: Vec<_> = comes.filter(|one| !one.is_empty()).collect();
        comes.sort();
        lines.push((step.trim(), comes, same));
    }
    (settings, lines)
}

/// Plays a transcript and compares.
pub fn check(transcript: &str) {
    let (settings, lines) = read(transcript);
    let mut play = Play::new(settings);
    for (step, comes, _) in lines {
        let seen: Vec<_> = play.step(step).iter().map(|one| one.trim().to_owned()).collect();
        assert_eq!(seen, comes, "after: {step}\nin:{transcript}");
    }
}

/// A session on this transport, whose first packet has been taken.
pub fn opened<'t>(transport: Transport, settings: Settings) -> Play<'t> {
    let mut play = Play::new(settings);
    play.step(if transport == Transport::Polling { "open p" } else { "connect w" });
    play
}
