//! How a message with headers or a reply subject lies in a queue: they stand before its payload, as the text that HPUB has.
//!
//! ```text
//! NATS/1.0\r\n
//! Slipring-Reply: _INBOX.x.1\r\n      only if there is a reply subject
//! Name: value\r\n                     the headers, as they came
//! \r\n
//! payload
//! ```
//!
//! A message with neither is its payload alone, as other faces send and expect it. Should such a payload look like the above, an empty block is put before it.

use memchr::memmem;

use super::headers::Headers;

const VERSION: &[u8] = b"NATS/1.0\r\n";
const REPLY: &[u8] = b"Slipring-Reply: ";

/// A message as it lies in a queue, taken apart.
///
/// ```
/// use slipring::gateway::nats::Stored;
///
/// let stored = Stored::parse(b"NATS/1.0\r\nSlipring-Reply: back\r\nA: b\r\n\r\nhello");
/// assert_eq!((stored.reply, stored.payload), (Some(&b"back"[..]), &b"hello"[..]));
/// assert_eq!(stored.headers.concat(), b"NATS/1.0\r\nA: b\r\n\r\n");
/// assert_eq!(Stored::parse(b"hello").payload, b"hello");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored<'a> {
    /// Where answers are to be published to.
    pub reply: Option<&'a [u8]>,
    /// The block of headers, without the reply subject: the version's line, and the others. Both are empty if there are none.
    pub headers: [&'a [u8]; 2],
    /// The payload.
    pub payload: &'a [u8],
}

impl<'a> Stored<'a> {
    /// Takes a message apart. What has no well-formed block of headers is all payload.
    pub fn parse(bytes: &'a [u8]) -> Self {
        Self::with_block(bytes).unwrap_or(Self { reply: None, headers: [b"", b""], payload: bytes })
    }

    fn with_block(bytes: &'a [u8]) -> Option<Self> {
        if !bytes.starts_with(&VERSION[..8]) {
            return None;
        }
        let (block, payload) = bytes.split_at(memmem::find(bytes, b"\r\n\r\n")? + 4);
        Headers::parse(block)?;
        let (version, mut lines) = block.split_at(memmem::find(block, b"\r\n")? + 2);
        let mut reply = None;
        if let Some(rest) = lines.strip_prefix(REPLY) {
            let end = memmem::find(rest, b"\r\n")?;
            let subject = &rest[..end];
            if !subject.is_empty() && !subject.iter().any(u8::is_ascii_whitespace) {
                (reply, lines) = (Some(subject), &rest[end + 2..]);
            }
        }
        let headers =
            if version == VERSION && lines == b"\r\n" { [&b""[..]; 2] } else { [version, lines] };
        Some(Self { reply, headers, payload })
    }

    /// Writes what comes before a payload in a queue. The headers are a checked block, or empty.
    pub fn write_head(reply: Option<&[u8]>, headers: &Headers, payload: &[u8], out: &mut Vec<u8>) {
        let block = headers.as_bytes();
        if block.is_empty() && reply.is_none() && Stored::with_block(payload).is_none() {
            return;
        }
        let end = memmem::find(block, b"\r\n").map_or(0, |end| end + 2);
        let (version, lines) =
            if block.is_empty() { (VERSION, &b"\r\n"[..]) } else { block.split_at(end) };
        out.extend_from_slice(version);
        if let Some(reply) = reply {
            out.extend_from_slice(&[REPLY, reply, b"\r\n"].concat());
        }
        out.extend_from_slice(lines);
    }

    /// Writes the block of headers with one more of them.
    pub fn write_headers(&self, name: &str, value: &str, out: &mut Vec<u8>) {
        let [version, lines] = self.headers;
        let (version, lines) =
            if version.is_empty() { (VERSION, &b"\r\n"[..]) } else { (version, lines) };
        out.extend_from_slice(version);
        out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        out.extend_from_slice(lines);
    }
}
