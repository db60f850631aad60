//! Frames: opcodes, the headers of those the server sends, and masks.

use std::ops::Deref;
use std::sync::Arc;

/// The most that a control frame may carry.
pub const MAX_CONTROL: usize = 125;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// Goes on with the message that the frame before it began.
    Continuation = 0,
    /// Begins a message of UTF-8.
    Text = 1,
    /// Begins a message of bytes.
    Binary = 2,
    /// Ends the connection, with a code and a reason or without.
    Close = 8,
    /// Asks for a pong with the same payload.
    Ping = 9,
    /// The answer to a ping, or a heartbeat of its own.
    Pong = 10,
}

impl Opcode {
    pub(super) fn parse(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    pub(super) fn is_control(self) -> bool {
        self as u8 & 8 != 0
    }
}

/// The first bytes of a frame from a server, 2 to 10 of them: final and without a mask. The payload follows them on the wire, so that both can go out
/// with one `writev`.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    bytes: [u8; 10],
    len: u8,
}

impl Deref for Header {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// The header of a frame with so many bytes of payload, in a control frame at most [`MAX_CONTROL`].
pub fn header(opcode: Opcode, payload: usize) -> Header {
    debug_assert!(!opcode.is_control() || payload <= MAX_CONTROL, "{payload} in a control frame");
    let mut bytes = [0; 10];
    bytes[0] = 0x80 | opcode as u8;
    let len = if let Ok(short @ 0..=125) = u8::try_from(payload) {
        bytes[1] = short;
        2
    } else if let Ok(medium) = u16::try_from(payload) {
        bytes[1] = 126;
        bytes[2..4].copy_from_slice(&medium.to_be_bytes());
        4
    } else {
        bytes[1] = 127;
        bytes[2..10].copy_from_slice(&(payload as u64).to_be_bytes());
        10
    };
    Header { bytes, len }
}

/// Appends a whole frame.
pub fn write_frame(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    let header = header(opcode, payload.len());
    out.reserve(header.len() + payload.len());
    out.extend_from_slice(&header);
    out.extend_from_slice(payload);
}

/// A whole frame, in one allocation that any number of connections can send from: frames to clients have no mask, so that all get the same bytes.
pub fn shared_frame(opcode: Opcode, payload: &[u8]) -> Arc<[u8]> {
    let header = header(opcode, payload.len());
    let mut frame: Arc<[u8]> = std::iter::repeat_n(0, header.len() + payload.len()).collect();
    let (front, back) =
        Arc::get_mut(&mut frame).expect("nobody else has it yet").split_at_mut(header.len());
    front.copy_from_slice(&header);
    back.copy_from_slice(payload);
    frame
}

/// Takes the mask off (or puts it on) a part of a payload that begins at `offset` in it. Eight bytes at a time, which compilers widen further.
pub(super) fn unmask(bytes: &mut [u8], mask: [u8; 4], offset: usize) {
    let mut key = mask;
    key.rotate_left(offset % 4);
    let half = u64::from(u32::from_ne_bytes(key));
    let wide = half << 32 | half;
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(wide.to_ne_bytes()) {
        *byte ^= key;
    }
}
