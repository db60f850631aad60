//! A body in chunks, taken apart as its bytes come.

use super::{Error, Limits, take, too_large};

/// The most that a line with a chunk's size and extensions may have.
const MAX_SIZE_LINE: usize = 256;

/// What came.
pub(super) enum Piece<'i> {
    /// Bytes of the body.
    Data(&'i [u8]),
    /// The end, trailers included.
    End,
}

/// Where in the coding the next byte is.
#[derive(Clone, Copy, Debug)]
enum At {
    /// In a chunk's size, after so many digits.
    Size(usize),
    /// In the extensions that follow the size, which mean nothing here.
    Extension,
    /// Before the LF of a size's line.
    SizeEnd,
    /// In a chunk with so many bytes due.
    Data(u64),
    /// Before the CR and the LF that end a chunk.
    DataCr,
    DataLf,
    /// In a line of the trailers, after so many bytes; they are not passed on.
    Trailer(usize),
    /// Before the LF of such a line, and whether it is the empty one.
    TrailerEnd(bool),
    /// Behind it all.
    End,
}

/// The state of a body in chunks.
#[derive(Debug)]
pub(super) struct Chunks {
    at: At,
    /// The present chunk's size, as far as its digits have come.
    size: u64,
    /// Bytes that the body may still have.
    room: u64,
    /// Bytes that may still come until the next chunk, or in the trailers.
    line: usize,
    /// Bytes of trailers.
    trailers: usize,
}

impl Chunks {
    pub(super) fn new(limits: Limits) -> Self {
        let (room, trailers) = (limits.body, limits.head);
        Self { at: At::Size(0), size: 0, room, line: MAX_SIZE_LINE, trailers }
    }

    /// Takes the next piece from the front of `input`; `None` when that is used up.
    pub(super) fn next<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Piece<'i>>, Error> {
        while !input.is_empty() {
            if let At::Data(due) = self.at {
                let n = usize::try_from(due).unwrap_or(usize::MAX).min(input.len());
                let left = due - n as u64;
                self.at = if left == 0 { At::DataCr } else { At::Data(left) };
                return Ok(Some(Piece::Data(take(input, n))));
            }
            let byte = take(input, 1)[0];
            self.at = self.step(byte)?;
            if matches!(self.at, At::End) {
                return Ok(Some(Piece::End));
            }
        }
        Ok(None)
    }

    /// Takes a byte that is none of the body's.
    fn step(&mut self, byte: u8) -> Result<At, Error> {
        self.line = self.line.checked_sub(1).ok_or(match self.at {
            At::Trailer(_) | At::TrailerEnd(_) => {
                Error { status: 431, reason: "the trailers are over the limit" }
            }
            _ => Error::bad("a chunk's size with too much behind it"),
        })?;
        match (self.at, byte) {
            (At::Size(1..), b'\r') | (At::Extension, b'\r') => Ok(At::SizeEnd),
            (At::Size(1..), b';') => Ok(At::Extension),
            (At::Size(digits @ 0..16), _) => {
                let digit = (byte as char).to_digit(16);
                let digit = digit.ok_or(Error::bad("a chunk's size that is no number"))?;
                self.size = self.size << 4 | u64::from(digit);
                Ok(At::Size(digits + 1))
            }
            (At::Extension, b'\t' | b' '..=b'~' | 0x80..) => Ok(At::Extension),
            (At::SizeEnd, b'\n') => self.begin(),
            (At::DataCr, b'\r') => Ok(At::DataLf),
            (At::DataLf, b'\n') => Ok(At::Size(0)),
            (At::Trailer(len), b'\r') => Ok(At::TrailerEnd(len == 0)),
            // A line that begins with a space would go on with the one before.
            (At::Trailer(0), b'!'..=b'~') => Ok(At::Trailer(1)),
            (At::Trailer(len @ 1..), b'\t' | b' '..=b'~' | 0x80..) => Ok(At::Trailer(len + 1)),
            (At::TrailerEnd(empty), b'\n') => Ok(if empty { At::End } else { At::Trailer(0) }),
            _ => Err(Error::bad("chunks that don't follow the rules")),
        }
    }

    /// After the line with its size: the chunk, or the trailers.
    fn begin(&mut self) -> Result<At, Error> {
        let size = std::mem::take(&mut self.size);
        if size == 0 {
            self.line = self.trailers;
            return Ok(At::Trailer(0));
        }
        self.room = self.room.checked_sub(size).ok_or(too_large())?;
        // What ends the chunk, and the next size.
        self.line = 2 + MAX_SIZE_LINE;
        Ok(At::Data(size))
    }
}
