//! What a client sends, well or badly, and a server of the codec that echoes messages.

use slipring::gateway::websocket::{Connection, Event, Kind, Limits, Opcode, write_frame};

pub const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
pub const FIN: u8 = 0x80;
pub const CONTINUATION: u8 = 0;
pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

/// A frame with its mask, whatever its first byte says.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let form = match payload.len() {
        0..=125 => payload.len() as u8,
        126..=0xFFFF => 126,
        _ => 127,
    };
    frame_as(first, form, payload.len() as u64, payload)
}

/// A frame that gives its length in a form of its own: 126 for two bytes, 127 for eight, or the length itself.
pub fn frame_as(first: u8, form: u8, len: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first, 0x80 | form];
    match form {
        126 => bytes.extend_from_slice(&(len as u16).to_be_bytes()),
        127 => bytes.extend_from_slice(&len.to_be_bytes()),
        _ => {}
    }
    bytes.extend_from_slice(&MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// A final frame.
pub fn whole(opcode: u8, payload: &[u8]) -> Vec<u8> {
    frame(FIN | opcode, payload)
}

/// A message in one frame for each payload.
pub fn fragments<T: AsRef<[u8]>>(opcode: u8, payloads: &[T]) -> Vec<Vec<u8>> {
    let mut frames: Vec<_> =
        payloads.iter().map(|payload| frame(CONTINUATION, payload.as_ref())).collect();
    frames[0][0] |= opcode;
    frames[payloads.len() - 1][0] |= FIN;
    frames
}

/// A Close with a code and a reason.
pub fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    whole(CLOSE, &[&code.to_be_bytes(), reason].concat())
}

/// What a server noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
    Error(u16),
}

/// A server that echoes messages, puts those together that come in parts, and remembers everything.
pub struct Echo {
    pub connection: Connection,
    pub seen: Vec<Seen>,
    pub sent: Vec<u8>,
    parts: Vec<u8>,
}

impl Echo {
    pub fn new(limits: Limits) -> Self {
        let (seen, sent, parts) = (Vec::new(), Vec::new(), Vec::new());
        Self { connection: Connection::new(limits), seen, sent, parts }
    }

    pub fn receive(&mut self, bytes: &[u8]) {
        let mut bytes = bytes.to_vec();
        let mut input = &mut bytes[..];
        while let Some(event) = self.connection.next(&mut input) {
            let seen = match event {
                Event::Text(text) => Seen::Text(text.to_owned()),
                Event::Binary(bytes) => Seen::Binary(bytes.to_vec()),
                Event::Part(part) => {
                    assert_eq!(part.first, self.parts.is_empty(), "only the first part is first");
                    self.parts.extend_from_slice(part.bytes);
                    if part.rest > 0 {
                        continue;
                    }
                    let bytes = std::mem::take(&mut self.parts);
                    match part.kind {
                        Kind::Text => Seen::Text(String::from_utf8(bytes).unwrap()),
                        Kind::Binary => Seen::Binary(bytes),
                    }
                }
                Event::Ping(payload) => Seen::Ping(payload.to_vec()),
                Event::Pong(payload) => Seen::Pong(payload.to_vec()),
                Event::Close { code, reason } => Seen::Close(code, reason.to_owned()),
                Event::Error(error) => Seen::Error(error.code),
            };
            match &seen {
                Seen::Text(text) => write_frame(&mut self.sent, Opcode::Text, text.as_bytes()),
                Seen::Binary(bytes) => write_frame(&mut self.sent, Opcode::Binary, bytes),
                _ => {}
            }
            self.connection.take_output(&mut self.sent);
            self.seen.push(seen);
        }
        assert!(input.is_empty(), "all is taken");
    }
}

/// What a client has to receive for what the server saw: opcodes, and payloads without a Close's reason.
pub fn answers(seen: &[Seen]) -> Vec<(u8, Vec<u8>)> {
    let answer = |seen: &Seen| {
        Some(match seen {
            Seen::Text(text) => (TEXT, text.clone().into_bytes()),
            Seen::Binary(bytes) => (BINARY, bytes.clone()),
            Seen::Ping(payload) => (PONG, payload.clone()),
            Seen::Pong(_) => return None,
            Seen::Close(code, _) => {
                (CLOSE, code.map_or(vec![], |code| code.to_be_bytes().to_vec()))
            }
            Seen::Error(code) => (CLOSE, code.to_be_bytes().to_vec()),
        })
    };
    seen.iter().filter_map(answer).collect()
}

/// Takes a server's frames apart: all final, without a mask, lengths in the shortest form.
pub fn frames(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while let [first, second, rest @ ..] = bytes {
        let (len, rest) = match second {
            126 => (u16::from_be_bytes([rest[0], rest[1]]) as usize, &rest[2..]),
            127 => (u64::from_be_bytes(rest[..8].try_into().unwrap()) as usize, &rest[8..]),
            short => (usize::from(*short), rest),
        };
        assert!(first & 0xF0 == FIN && second & 0x80 == 0, "{first:x} {second:x}");
        assert!(match second {
            126 => (126..=0xFFFF).contains(&len),
            127 => len > 0xFFFF,
            _ => true,
        });
        let mut payload = rest[..len].to_vec();
        if first & 15 == CLOSE {
            payload.truncate(2);
        }
        frames.push((first & 15, payload));
        bytes = &rest[len..];
    }
    assert!(bytes.is_empty(), "half a frame: {bytes:?}");
    frames
}
