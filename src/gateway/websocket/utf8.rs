//! UTF-8 that comes in pieces: refused at the first byte that can't be right, and validated once.

use std::str::from_utf8;

/// Text that is not UTF-8.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Invalid;

/// A character whose bytes have not all come yet; at most three of them.
#[derive(Debug, Default)]
pub(super) struct Utf8 {
    bytes: [u8; 4],
    len: usize,
}

impl Utf8 {
    /// Between characters.
    pub(super) fn is_complete(&self) -> bool {
        self.len == 0
    }

    /// Takes the next piece and passes on, in order, the text that it completes. A character that it leaves incomplete is kept for the next one.
    pub(super) fn push(&mut self, piece: &[u8], mut text: impl FnMut(&str)) -> Result<(), Invalid> {
        let mut rest = piece;
        while self.len > 0
            && let Some((&byte, after)) = rest.split_first()
        {
            self.push_byte(byte, &mut text)?;
            rest = after;
        }
        let (whole, cut) = rest.split_at(rest.len() - incomplete(rest));
        text(simdutf8::basic::from_utf8(whole).map_err(|_| Invalid)?);
        cut.iter().try_for_each(|&byte| self.push_byte(byte, &mut text))
    }

    fn push_byte(&mut self, byte: u8, text: &mut impl FnMut(&str)) -> Result<(), Invalid> {
        self.bytes[self.len] = byte;
        self.len += 1;
        match from_utf8(&self.bytes[..self.len]) {
            Ok(character) => {
                text(character);
                self.len = 0;
            }
            // No further byte can make it right.
            Err(error) if error.error_len().is_some() => return Err(Invalid),
            Err(_) => {}
        }
        Ok(())
    }
}

/// How many bytes at the end begin a character without ending it.
fn incomplete(bytes: &[u8]) -> usize {
    let continues = |byte: u8| byte & 0xC0 == 0x80;
    let behind = bytes.iter().rev().take(3).take_while(|byte| continues(**byte)).count();
    let width = match bytes.iter().rev().nth(behind) {
        Some(0xF0..) => 4,
        Some(0xE0..) => 3,
        Some(0xC0..) => 2,
        _ => 1,
    };
    if behind + 1 < width { behind + 1 } else { 0 }
}
