//! A control line's arguments.

use super::parser::{Head, ParseError, Result};

/// Where a line's arguments are, at most four.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fields {
    spans: [(usize, usize); 4],
    pub(super) len: usize,
}

impl Fields {
    /// Splits at spaces and tabs. A CR within a line is nothing that a client sends, and would break the lines that are sent to others.
    pub(super) fn of(line: &[u8]) -> Result<Self> {
        let mut fields = Self::default();
        let mut at = 0;
        while at < line.len() {
            let end = memchr::memchr2(b' ', b'\t', &line[at..]).map_or(line.len(), |len| at + len);
            if end > at {
                *fields.spans.get_mut(fields.len).ok_or(ParseError::Arguments)? = (at, end);
                fields.len += 1;
            }
            at = end + 1;
        }
        if memchr::memchr(b'\r', line).is_some() { Err(ParseError::Arguments) } else { Ok(fields) }
    }

    pub(super) fn get<'a>(&self, line: &'a [u8], which: usize) -> &'a [u8] {
        let (start, end) = self.spans[which];
        &line[start..end]
    }
}

/// A message whose control line has been read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MessageLine {
    fields: Fields,
    reply: bool,
    /// The length of the arguments, of the headers, and of headers and payload.
    pub(super) line: usize,
    pub(super) headers: usize,
    pub(super) total: usize,
}

impl MessageLine {
    /// `subject [reply] [headers] total`.
    pub(super) fn of(line: &[u8], with_headers: bool) -> Result<Self> {
        let fields = Fields::of(line)?;
        let sizes = 1 + usize::from(with_headers);
        if fields.len <= sizes || fields.len > sizes + 2 {
            return Err(ParseError::Arguments);
        }
        let size = |which| number(fields.get(line, which)).ok_or(ParseError::Arguments);
        let total = size(fields.len - 1)?;
        let headers = if with_headers { size(fields.len - 2)? } else { 0 };
        if headers > total {
            return Err(ParseError::Arguments);
        }
        Ok(Self { fields, reply: fields.len == sizes + 2, line: line.len(), headers, total })
    }

    pub(super) fn head<'a>(&self, line: &'a [u8], headers: &'a [u8]) -> Head<'a> {
        let reply = self.reply.then(|| self.fields.get(line, 1));
        Head { subject: self.fields.get(line, 0), reply, headers }
    }
}

/// At most nine digits, as with the reference.
pub(super) fn number(digits: &[u8]) -> Option<usize> {
    let plain = (1..=9).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    plain.then(|| digits.iter().fold(0, |number, digit| number * 10 + usize::from(digit - b'0')))
}
