//! A recording as a stream of bytes; docs/recording.md describes it.

use std::io::{self, ErrorKind, Read};

const MAGIC: &[u8; 8] = b"SLIPREC\n";
pub const VERSION: u32 = 1;
const HEADER: usize = 40;

const MESSAGE: u8 = 1;
const GAP: u8 = 2;
const END: u8 = 3;

/// What a recording begins with.
#[derive(Debug, PartialEq, Eq)]
pub struct Header {
    pub queue_id: u128,
    pub started_unix_ns: u64,
}

/// What it goes on with.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<B> {
    Message {
        position: u64,
        time_unix_ns: u64,
        event: B,
        payload: B,
    },
    /// The recorder was overrun: so many positions at most are missing here.
    Gap {
        missed: u64,
    },
    /// Nothing follows. So many messages were recorded.
    End {
        messages: u64,
    },
}

impl Header {
    pub fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend(MAGIC);
        out.extend(VERSION.to_le_bytes());
        out.extend(self.queue_id.to_le_bytes());
        out.extend(self.started_unix_ns.to_le_bytes());
        let sum = crc32(&[out.get(start..).unwrap_or(&[])]);
        out.extend(sum.to_le_bytes());
    }
}

impl Frame<&[u8]> {
    /// False if the message is too large to be recorded: then nothing was written.
    #[must_use]
    pub fn write(&self, out: &mut Vec<u8>) -> bool {
        let mut head = Vec::with_capacity(18 + 255);
        let mut rest: &[u8] = &[];
        match *self {
            Self::Message { position, time_unix_ns, event, payload } => {
                head.push(MESSAGE);
                head.extend(position.to_le_bytes());
                head.extend(time_unix_ns.to_le_bytes());
                // Events have 255 bytes at most.
                head.push(event.len() as u8);
                head.extend(event);
                rest = payload;
            }
            Self::Gap { missed } => {
                head.push(GAP);
                head.extend(missed.to_le_bytes());
            }
            Self::End { messages } => {
                head.push(END);
                head.extend(messages.to_le_bytes());
            }
        }
        let Ok(len) = u32::try_from(head.len() + rest.len()) else { return false };
        let len = len.to_le_bytes();
        out.extend(len);
        out.extend(crc32(&[&len, &head, rest]).to_le_bytes());
        out.extend(head);
        out.extend(rest);
        true
    }
}

/// Why a recording cannot be read on.
#[derive(Debug)]
pub enum Broken {
    /// It does not begin as a recording does.
    NoRecording,
    /// Of a version that came later.
    Version(u32),
    /// It ends before its end: the recorder was killed, or a part was copied.
    Cut,
    /// A checksum is wrong, or what it covers makes no sense.
    Damaged,
    Io(io::Error),
}

pub struct Reader<R> {
    input: R,
    body: Vec<u8>,
    /// Messages that were whole.
    pub messages: u64,
}

impl<R: Read> Reader<R> {
    pub fn new(mut input: R) -> Result<(Header, Self), Broken> {
        let mut bytes = Vec::with_capacity(HEADER);
        input.by_ref().take(HEADER as u64).read_to_end(&mut bytes).map_err(Broken::Io)?;
        if !bytes.starts_with(MAGIC) {
            return Err(Broken::NoRecording);
        }
        let mut fields = Fields(bytes.get(MAGIC.len()..).unwrap_or(&[]));
        let version = fields.u32().ok_or(Broken::Cut)?;
        if version != VERSION {
            return Err(Broken::Version(version));
        }
        let (id, time) = (fields.u128().ok_or(Broken::Cut)?, fields.u64().ok_or(Broken::Cut)?);
        let sum = fields.u32().ok_or(Broken::Cut)?;
        if sum != crc32(&[bytes.get(..HEADER - 4).unwrap_or(&[])]) {
            return Err(Broken::Damaged);
        }
        let header = Header { queue_id: id, started_unix_ns: time };
        Ok((header, Self { input, body: Vec::new(), messages: 0 }))
    }

    /// The next frame. Nothing is to be asked for after the end.
    pub fn next(&mut self) -> Result<Frame<&[u8]>, Broken> {
        let mut head = [0; 8];
        self.input.read_exact(&mut head).map_err(cut)?;
        let [a, b, c, d, sum @ ..] = head;
        let len = [a, b, c, d];
        self.body.clear();
        let wanted = u64::from(u32::from_le_bytes(len));
        // As much as there is: a damaged length reserves no memory.
        let got = self.input.by_ref().take(wanted).read_to_end(&mut self.body);
        if got.map_err(Broken::Io)? as u64 != wanted {
            return Err(Broken::Cut);
        }
        if crc32(&[&len, &self.body]) != u32::from_le_bytes(sum) {
            return Err(Broken::Damaged);
        }
        let frame = parse(&self.body).ok_or(Broken::Damaged)?;
        match frame {
            Frame::Message { .. } => self.messages += 1,
            Frame::End { messages } => {
                let more = self.input.read(&mut [0]).map_err(Broken::Io)?;
                if messages != self.messages || more > 0 {
                    return Err(Broken::Damaged);
                }
            }
            Frame::Gap { .. } => {}
        }
        Ok(frame)
    }
}

fn cut(error: io::Error) -> Broken {
    if error.kind() == ErrorKind::UnexpectedEof { Broken::Cut } else { Broken::Io(error) }
}

fn parse(body: &[u8]) -> Option<Frame<&[u8]>> {
    let mut fields = Fields(body);
    let frame = match fields.take::<1>()? {
        [MESSAGE] => {
            let (position, time_unix_ns) = (fields.u64()?, fields.u64()?);
            let [event] = fields.take::<1>()?;
            let (event, payload) = fields.0.split_at_checked(event.into())?;
            return Some(Frame::Message { position, time_unix_ns, event, payload });
        }
        [GAP] => Frame::Gap { missed: fields.u64()? },
        [END] => Frame::End { messages: fields.u64()? },
        _ => return None,
    };
    fields.0.is_empty().then_some(frame)
}

/// Numbers, one after the other, little-endian.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }
    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }
    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
    fn u128(&mut self) -> Option<u128> {
        self.take().map(u128::from_le_bytes)
    }
}

/// CRC-32 as in gzip and Ethernet: polynomial 0x04c11db7, reflected.
fn crc32(parts: &[&[u8]]) -> u32 {
    let bytes = parts.iter().flat_map(|part| part.iter());
    !bytes.fold(!0, |sum: u32, byte| sum >> 8 ^ TABLE[usize::from(sum as u8 ^ byte)])
}

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let mut sum = at as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 };
            bit += 1;
        }
        table[at] = sum;
        at += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_usual_one() {
        assert_eq!(crc32(&[b"123456789"]), 0xcbf4_3926);
        assert_eq!(crc32(&[b"1234", b"", b"56789"]), 0xcbf4_3926);
        assert_eq!(crc32(&[]), 0);
    }

    fn recording() -> (Vec<u8>, Vec<usize>) {
        let mut bytes = Vec::new();
        Header { queue_id: 7, started_unix_ns: 9 }.write(&mut bytes);
        let mut ends = vec![bytes.len()];
        let message = |position, payload| Frame::Message {
            position,
            time_unix_ns: 10,
            event: b"event".as_slice(),
            payload,
        };
        for frame in [
            message(0, b"first".as_slice()),
            message(1, b""),
            Frame::Gap { missed: 3 },
            Frame::End { messages: 2 },
        ] {
            assert!(frame.write(&mut bytes));
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    /// How many frames can be read, and why not more.
    fn read(bytes: &[u8]) -> (u64, usize, Option<Broken>) {
        let (header, mut reader) = match Reader::new(bytes) {
            Ok(opened) => opened,
            Err(broken) => return (0, 0, Some(broken)),
        };
        assert_eq!(header, Header { queue_id: 7, started_unix_ns: 9 });
        for frames in 0.. {
            match reader.next() {
                Ok(Frame::End { .. }) => return (reader.messages, frames + 1, None),
                Ok(_) => {}
                Err(broken) => return (reader.messages, frames, Some(broken)),
            }
        }
        unreachable!("the loop has no end of its own")
    }

    #[test]
    fn cut_anywhere() {
        let (bytes, ends) = recording();
        assert!(matches!(read(&bytes), (2, 4, None)));
        for len in 0..bytes.len() {
            let (messages, frames, broken) = read(&bytes[..len]);
            let whole = ends.iter().filter(|end| **end <= len).count();
            assert_eq!(
                (messages, frames),
                (whole.saturating_sub(1).min(2) as u64, whole.saturating_sub(1)),
                "cut at {len}"
            );
            let expected = if len < MAGIC.len() {
                matches!(broken, Some(Broken::NoRecording))
            } else {
                matches!(broken, Some(Broken::Cut))
            };
            assert!(expected, "cut at {len}: {broken:?}");
        }
    }

    #[test]
    fn any_bit_flipped() {
        let (bytes, ends) = recording();
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let (messages, _, broken) = read(&bytes);
            let whole = ends.iter().filter(|end| **end <= bit / 8).count();
            assert!(broken.is_some(), "bit {bit}");
            assert_eq!(messages, whole.saturating_sub(1).min(2) as u64, "bit {bit}");
        }
        let more = [&bytes[..], b"x"].concat();
        assert!(matches!(read(&more), (2, 3, Some(Broken::Damaged))));
    }

    #[test]
    fn later_versions_are_named() {
        let (mut bytes, _) = recording();
        bytes[8] = 2;
        assert!(matches!(read(&bytes), (0, 0, Some(Broken::Version(2)))));
    }
}
