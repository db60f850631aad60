//! Frames from a client, taken apart as their bytes come.

use std::mem;

use super::close::Error;
use super::frame::{MAX_CONTROL, Opcode, unmask};
use super::{Kind, Limits};

/// The next bytes of a message, without their mask.
pub(super) struct Piece<'i> {
    pub(super) kind: Kind,
    pub(super) bytes: &'i mut [u8],
    /// It begins the message.
    pub(super) first: bool,
    /// How many bytes of the message come after it, once the last frame has begun.
    pub(super) rest: Option<usize>,
}

/// What came.
pub(super) enum Frame<'i> {
    Piece(Piece<'i>),
    /// A whole control frame; its payload is in [`Decoder::control`].
    Control(Opcode),
}

/// A message of which frames are still to come.
#[derive(Debug)]
struct Message {
    kind: Kind,
    /// Bytes in its frames so far, the present one's included.
    len: usize,
    fragments: usize,
    /// Nothing of it has been passed on.
    fresh: bool,
}

/// A frame whose payload is coming.
#[derive(Debug)]
struct Payload {
    opcode: Opcode,
    fin: bool,
    mask: [u8; 4],
    len: usize,
    done: usize,
}

/// From bytes to pieces of messages and control frames. It keeps headers and control frames that are cut in the middle, and nothing else.
#[derive(Debug)]
pub(super) struct Decoder {
    limits: Limits,
    header: [u8; 14],
    header_len: usize,
    payload: Option<Payload>,
    message: Option<Message>,
    control: [u8; MAX_CONTROL],
    control_len: usize,
}

impl Decoder {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            header: [0; 14],
            header_len: 0,
            payload: None,
            message: None,
            control: [0; MAX_CONTROL],
            control_len: 0,
        }
    }

    /// Bytes of the present frame that are still to come, if it belongs to a message.
    pub(super) fn payload_due(&self) -> usize {
        match &self.payload {
            Some(payload) if !payload.opcode.is_control() => payload.len - payload.done,
            _ => 0,
        }
    }

    /// The payload of the control frame that came last.
    pub(super) fn control(&self) -> &[u8] {
        &self.control[..self.control_len]
    }

    /// Takes the next thing from the front of `input`; `None` when that is used up.
    pub(super) fn next<'i>(
        &mut self,
        input: &mut &'i mut [u8],
    ) -> Result<Option<Frame<'i>>, Error> {
        loop {
            let mut payload = match self.payload.take() {
                Some(payload) => payload,
                None => match self.next_header(input)? {
                    Some(payload) => payload,
                    None => return Ok(None),
                },
            };
            let n = input.len().min(payload.len - payload.done);
            let (bytes, rest) = mem::take(input).split_at_mut(n);
            *input = rest;
            unmask(bytes, payload.mask, payload.done);
            let (opcode, at) = (payload.opcode, payload.done);
            payload.done += n;
            let ended = payload.done == payload.len;
            let frame = if opcode.is_control() {
                self.control[at..payload.done].copy_from_slice(bytes);
                self.control_len = payload.done;
                ended.then_some(Frame::Control(opcode))
            } else {
                self.piece(bytes, &payload).map(Frame::Piece)
            };
            if !ended {
                self.payload = Some(payload);
            }
            // A fragment without payload is nothing to tell of.
            if frame.is_some() || !ended {
                return Ok(frame);
            }
        }
    }

    /// What is to be told of these bytes, the latest of a payload.
    fn piece<'i>(&mut self, bytes: &'i mut [u8], payload: &Payload) -> Option<Piece<'i>> {
        let message = self.message.as_mut().expect("a data frame belongs to a message");
        let rest = payload.fin.then_some(payload.len - payload.done);
        if bytes.is_empty() && rest != Some(0) {
            return None;
        }
        let piece = Piece { kind: message.kind, bytes, first: message.fresh, rest };
        message.fresh = false;
        if rest == Some(0) {
            self.message = None;
        }
        Some(piece)
    }

    /// Takes a header's bytes until it is complete. What is wrong with its first two bytes is said before the others come.
    fn next_header(&mut self, input: &mut &mut [u8]) -> Result<Option<Payload>, Error> {
        loop {
            let need = match self.header_len {
                0 | 1 => 2,
                _ => header_len(self.header[1]),
            };
            let n = input.len().min(need - self.header_len);
            let (bytes, rest) = mem::take(input).split_at_mut(n);
            *input = rest;
            self.header[self.header_len..self.header_len + n].copy_from_slice(bytes);
            self.header_len += n;
            if self.header_len < need {
                return Ok(None);
            }
            if need > 2 {
                self.header_len = 0;
                return self.begin().map(Some);
            }
            self.check_start()?;
        }
    }

    /// The rules for the first two bytes.
    fn check_start(&self) -> Result<Opcode, Error> {
        let [first, second, ..] = self.header;
        if first & 0x70 != 0 {
            return Err(Error::protocol("a reserved bit is set, and no extension was agreed on"));
        }
        let opcode =
            Opcode::parse(first & 15).ok_or(Error::protocol("an opcode without a meaning"))?;
        if second & 0x80 == 0 {
            return Err(Error::protocol("a client's frame without a mask"));
        }
        if opcode.is_control() {
            if first & 0x80 == 0 {
                return Err(Error::protocol("a control frame in fragments"));
            }
            if usize::from(second & 0x7F) > MAX_CONTROL {
                return Err(Error::protocol("a control frame of more than 125 bytes"));
            }
        } else if (opcode == Opcode::Continuation) != self.message.is_some() {
            return Err(Error::protocol(match opcode {
                Opcode::Continuation => "a continuation of nothing",
                _ => "a new message inside of another",
            }));
        }
        Ok(opcode)
    }

    /// Begins the frame of a complete header.
    fn begin(&mut self) -> Result<Payload, Error> {
        let opcode = self.check_start()?;
        let [first, second, long @ ..] = self.header;
        let (len, least) = match second & 0x7F {
            126 => (u64::from(u16::from_be_bytes([long[0], long[1]])), 126),
            127 => (u64::from_be_bytes(long[..8].try_into().expect("eight bytes")), 1 << 16),
            short => (u64::from(short), 0),
        };
        if len < least {
            return Err(Error::protocol("a length in more bytes than it needs"));
        }
        if len >> 63 != 0 {
            return Err(Error::protocol("a length with its highest bit set"));
        }
        let end = header_len(second);
        let mask = self.header[end - 4..end].try_into().expect("four bytes");
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        if !opcode.is_control() {
            self.count(opcode, len)?;
        }
        Ok(Payload { opcode, fin: first & 0x80 != 0, mask, len, done: 0 })
    }

    /// Adds a frame to its message, within the limits.
    fn count(&mut self, opcode: Opcode, len: usize) -> Result<(), Error> {
        let kind = if opcode == Opcode::Text { Kind::Text } else { Kind::Binary };
        let new = Message { kind, len: 0, fragments: 0, fresh: true };
        let message = self.message.get_or_insert(new);
        message.len = message.len.saturating_add(len);
        message.fragments += 1;
        if message.len > self.limits.message {
            return Err(Error::too_big("a message over the limit"));
        }
        if message.fragments > self.limits.fragments {
            return Err(Error::too_big("a message in too many fragments"));
        }
        Ok(())
    }
}

/// The length of a client's header, by its second byte.
fn header_len(second: u8) -> usize {
    let long = match second & 0x7F {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    2 + long + 4
}
