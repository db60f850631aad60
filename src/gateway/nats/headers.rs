//! The headers of a message: `NATS/1.0`, a status if any, and lines `Name: value`, ended by an empty line.

use memchr::memmem;

const VERSION: &[u8] = b"NATS/1.0";
/// The header by which a publisher marks repetitions of one message.
const MESSAGE_ID: &[u8] = b"Nats-Msg-Id";

/// A checked block of headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Headers<'a> {
    block: &'a [u8],
    /// Where the first line `Name: value` begins.
    lines: usize,
}

impl<'a> Headers<'a> {
    /// Checks a block: the version, then lines with a name and a value, then an empty line at the very end. No block at all is an empty one.
    pub fn parse(block: &'a [u8]) -> Option<Self> {
        if block.is_empty() {
            return Some(Self { block, lines: 0 });
        }
        let status = block.strip_prefix(VERSION)?;
        let end = memmem::find(status, b"\r\n")?;
        if !matches!(status[..end], [] | [b' ', ..]) || !is_text(&status[..end]) {
            return None;
        }
        let headers = Self { block, lines: VERSION.len() + end + 2 };
        let mut rest = &block[headers.lines..];
        while rest != b"\r\n" {
            let end = memmem::find(rest, b"\r\n")?;
            split(&rest[..end])?;
            rest = &rest[end + 2..];
        }
        Some(headers)
    }

    /// The block as it came, to be sent on as it is.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.block
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut rest = &self.block[self.lines..];
        std::iter::from_fn(move || {
            let end = memmem::find(rest, b"\r\n")?;
            let line = &rest[..end];
            rest = &rest[end + 2..];
            split(line)
        })
    }

    /// The first value of this name; capital letters count, as in the reference.
    pub fn get(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.iter().find(|header| header.0 == name).map(|header| header.1)
    }

    /// The id by which a repetition of the same message is recognised: `Nats-Msg-Id`.
    pub fn message_id(&self) -> Option<&'a [u8]> {
        self.get(MESSAGE_ID).filter(|id| !id.is_empty())
    }
}

/// A line's name and its value without white space around it.
fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', line)?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let named = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    (named && is_text(value)).then(|| (name, value.trim_ascii()))
}

/// No CR and no LF of its own, which would be a header that somebody smuggled in.
fn is_text(bytes: &[u8]) -> bool {
    memchr::memchr2(b'\r', b'\n', bytes).is_none()
}
