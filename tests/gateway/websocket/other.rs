//! tungstenite as the other side: its client against this server's codec, over buffers in memory.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::rc::Rc;

use proptest::prelude::*;
use slipring::gateway::http::{self, Origins, Parser};
use slipring::gateway::websocket::{Handshake, Limits, Opcode, shared_frame, write_frame};
use tungstenite::handshake::HandshakeError;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame};
use tungstenite::{Error, Message, WebSocket};

use super::client::{Echo, Seen};
use crate::http::cuts::Random;

#[derive(Default)]
struct Buffers {
    to_server: Vec<u8>,
    to_client: VecDeque<u8>,
    /// The server has closed the stream.
    ended: bool,
}

/// The client's end of a wire.
#[derive(Clone, Default)]
struct Wire(Rc<RefCell<Buffers>>);

impl Read for Wire {
    fn read(&mut self, place: &mut [u8]) -> io::Result<usize> {
        let mut buffers = self.0.borrow_mut();
        match buffers.to_client.read(place)? {
            0 if !buffers.ended => Err(io::ErrorKind::WouldBlock.into()),
            n => Ok(n),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().to_server.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Both ends, and what each has got.
struct Pair {
    wire: Wire,
    client: WebSocket<Wire>,
    client_seen: Vec<Message>,
    server: Echo,
    random: Random,
}

impl Pair {
    fn connect(limits: Limits, seed: u64) -> Self {
        let wire = Wire::default();
        let asked = tungstenite::client("ws://localhost/chat", wire.clone());
        let Err(HandshakeError::Interrupted(asked)) = asked else { panic!("no answer yet") };
        let request = std::mem::take(&mut wire.0.borrow_mut().to_server);
        let mut parser = Parser::new(http::Limits::default());
        let Ok(Some(http::Event::Request(request))) = parser.next(&mut &request[..]) else {
            panic!("{}", request.escape_ascii());
        };
        let mut answer = Vec::new();
        let handshake = Handshake::parse(&request, &Origins::default()).unwrap();
        handshake.accept(None, &mut answer);
        wire.0.borrow_mut().to_client.extend(answer);
        let Ok((client, _)) = asked.handshake() else { panic!("the client refuses the answer") };
        let (server, random) = (Echo::new(limits), Random(seed | 1));
        Self { wire, client, client_seen: Vec::new(), server, random }
    }

    /// Carries everything over, cut at random, until nobody has anything more to say.
    fn settle(&mut self) {
        loop {
            let _ = self.client.flush();
            let sent = std::mem::take(&mut self.wire.0.borrow_mut().to_server);
            let mut rest = &sent[..];
            while !rest.is_empty() {
                let most = rest.len().min([1, 5, 100, 1 << 20][self.random.below(4)]);
                let (piece, after) = rest.split_at(1 + self.random.below(most));
                self.server.receive(piece);
                rest = after;
            }
            self.server.connection.take_output(&mut self.server.sent);
            let answers = std::mem::take(&mut self.server.sent);
            if sent.is_empty() && answers.is_empty() {
                return;
            }
            {
                let mut buffers = self.wire.0.borrow_mut();
                buffers.to_client.extend(answers);
                buffers.ended = self.server.connection.is_closed();
            }
            self.read();
        }
    }

    fn read(&mut self) {
        loop {
            match self.client.read() {
                Ok(message) => self.client_seen.push(message),
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(Error::ConnectionClosed | Error::AlreadyClosed) => return,
                Err(error) => panic!("the client refuses what it gets: {error}"),
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Action {
    Text(String),
    Binary(Vec<u8>),
    Fragments(bool, Vec<String>),
    Ping(Vec<u8>),
    ServerText(String),
    ServerBinary(Vec<u8>),
    ServerPing(Vec<u8>),
    Settle,
}

fn action() -> impl Strategy<Value = Action> {
    let len = || prop_oneof![4 => 0..20_usize, 2 => 120..130_usize, 1 => 65_530..65_540_usize];
    let bytes = move || {
        let byte = any::<u8>();
        (len(), byte).prop_map(|(len, first)| (0..len).map(|at| first ^ at as u8).collect())
    };
    let text = move || {
        (len(), "\\PC{1,8}").prop_map(|(len, part)| part.chars().cycle().take(len).collect())
    };
    let control = || prop::collection::vec(any::<u8>(), 0..=125);
    prop_oneof![
        text().prop_map(Action::Text),
        bytes().prop_map(Action::Binary),
        (any::<bool>(), prop::collection::vec("\\PC{0,20}", 1..5))
            .prop_map(|(text, parts)| Action::Fragments(text, parts)),
        control().prop_map(Action::Ping),
        text().prop_map(Action::ServerText),
        bytes().prop_map(Action::ServerBinary),
        control().prop_map(Action::ServerPing),
        Just(Action::Settle),
    ]
}

/// Does it, and says what the server has to see and the client to get. (The client's own pongs are what the server sees of pings.)
fn run(pair: &mut Pair, action: Action, server: &mut Vec<Seen>, client: &mut Vec<Message>) {
    let echoed = |seen: Seen, client: &mut Vec<Message>, server: &mut Vec<Seen>| {
        client.push(match &seen {
            Seen::Text(text) => Message::text(text.clone()),
            Seen::Binary(bytes) => Message::binary(bytes.clone()),
            Seen::Ping(payload) => Message::Pong(payload.clone().into()),
            other => panic!("{other:?} has no echo"),
        });
        server.push(seen);
    };
    match action {
        Action::Text(text) => {
            pair.client.write(Message::text(text.clone())).unwrap();
            echoed(Seen::Text(text), client, server);
        }
        Action::Binary(bytes) => {
            pair.client.write(Message::binary(bytes.clone())).unwrap();
            echoed(Seen::Binary(bytes), client, server);
        }
        Action::Fragments(text, parts) => {
            for (at, part) in parts.iter().enumerate() {
                let data = match (at, text) {
                    (0, true) => Data::Text,
                    (0, false) => Data::Binary,
                    _ => Data::Continue,
                };
                let last = at + 1 == parts.len();
                let frame = Frame::message(part.clone(), OpCode::Data(data), last);
                pair.client.write(Message::Frame(frame)).unwrap();
            }
            let all = parts.concat();
            let seen = if text { Seen::Text(all) } else { Seen::Binary(all.into()) };
            echoed(seen, client, server);
        }
        Action::Ping(payload) => {
            pair.client.write(Message::Ping(payload.clone().into())).unwrap();
            echoed(Seen::Ping(payload), client, server);
        }
        Action::ServerText(text) => {
            pair.settle();
            pair.server.sent.extend_from_slice(&shared_frame(Opcode::Text, text.as_bytes()));
            client.push(Message::text(text));
        }
        Action::ServerBinary(bytes) => {
            pair.settle();
            write_frame(&mut pair.server.sent, Opcode::Binary, &bytes);
            client.push(Message::binary(bytes));
        }
        Action::ServerPing(payload) => {
            pair.settle();
            write_frame(&mut pair.server.sent, Opcode::Ping, &payload);
            pair.settle();
            client.push(Message::Ping(payload.clone().into()));
            server.push(Seen::Pong(payload));
        }
        Action::Settle => pair.settle(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_get_what_the_other_sent(
        actions in prop::collection::vec(action(), 0..12),
        seed in any::<u64>(),
        streams in any::<bool>(),
        client_closes in any::<bool>(),
        code in prop_oneof![Just(1000_u16), Just(1001), 3000..5000_u16],
        reason in "\\PC{0,30}",
    ) {
        let stream_from = if streams { 100 } else { usize::MAX };
        let mut pair = Pair::connect(Limits { stream_from, ..Limits::default() }, seed);
        let (mut server, mut client) = (Vec::new(), Vec::new());
        for action in actions {
            run(&mut pair, action, &mut server, &mut client);
        }
        pair.settle();
        let goodbye = CloseFrame { code: code.into(), reason: reason.clone().into() };
        if client_closes {
            pair.client.close(Some(goodbye.clone())).unwrap();
            server.push(Seen::Close(Some(code), reason));
            // The echo has the code alone.
            client.push(Message::Close(Some(CloseFrame { reason: "".into(), ..goodbye })));
        } else {
            pair.server.connection.close(code, &reason);
            server.push(Seen::Close(Some(code), reason));
            client.push(Message::Close(Some(goodbye)));
        }
        pair.settle();
        prop_assert_eq!(&pair.server.seen, &server);
        prop_assert_eq!(&pair.client_seen, &client);
        prop_assert!(pair.server.connection.is_closed());
        prop_assert!(matches!(pair.client.read(), Err(Error::ConnectionClosed | Error::AlreadyClosed)));
    }
}

/// The client is told what it did wrong.
#[test]
fn the_client_understands_errors() {
    let mut pair = Pair::connect(Limits { message: 10, ..Limits::default() }, 3);
    pair.client.write(Message::text("eleven byte")).unwrap();
    pair.settle();
    let [Message::Close(Some(close))] = &pair.client_seen[..] else {
        panic!("{:?}", pair.client_seen);
    };
    assert_eq!((u16::from(close.code), close.reason.as_str()), (1009, "a message over the limit"));
}
