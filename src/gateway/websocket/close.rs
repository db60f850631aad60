//! The end of a connection: codes, reasons, errors.

use super::frame::{MAX_CONTROL, Opcode, write_frame};

/// Codes of closing that servers use; a connection takes any number that [`is_valid`].
pub mod code {
    /// The purpose is fulfilled.
    pub const NORMAL: u16 = 1000;
    /// The server goes down, or the page was left.
    pub const GOING_AWAY: u16 = 1001;
    /// The other side broke the protocol.
    pub const PROTOCOL: u16 = 1002;
    /// Data of a kind that this side doesn't take, such as binary messages.
    pub const UNSUPPORTED: u16 = 1003;
    /// Text that is not UTF-8.
    pub const INVALID_TEXT: u16 = 1007;
    /// A rule of the application was broken.
    pub const POLICY: u16 = 1008;
    /// A message over the limits.
    pub const TOO_BIG: u16 = 1009;
    /// The server can't go on.
    pub const INTERNAL: u16 = 1011;
    /// The server restarts: come back.
    pub const RESTART: u16 = 1012;
    /// The server has too much to do: come back later.
    pub const TRY_LATER: u16 = 1013;
}

/// Whether a code may be sent: those that the RFC and its registry name, and those for libraries (3000) and applications (4000). Not 1004 (reserved), nor
/// 1005, 1006 and 1015, which stand for what did not come over the wire.
pub fn is_valid(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// The other side broke a rule; the connection can't go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// The code of closing: 1002, 1007 or 1009.
    pub code: u16,
    /// Which rule.
    pub reason: &'static str,
}

impl Error {
    pub(super) fn protocol(reason: &'static str) -> Self {
        Self { code: code::PROTOCOL, reason }
    }

    pub(super) fn too_big(reason: &'static str) -> Self {
        Self { code: code::TOO_BIG, reason }
    }

    pub(super) fn invalid_text() -> Self {
        Self { code: code::INVALID_TEXT, reason: "text is not UTF-8" }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.reason, self.code)
    }
}

impl std::error::Error for Error {}

/// What a Close frame says.
pub(super) fn parse(payload: &[u8]) -> Result<(Option<u16>, &str), Error> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return match payload {
            [] => Ok((None, "")),
            _ => Err(Error::protocol("half a code of closing")),
        };
    };
    let code = u16::from_be_bytes(*code);
    if !is_valid(code) {
        return Err(Error::protocol("a code of closing that may not be sent"));
    }
    let reason = std::str::from_utf8(reason).map_err(|_| Error::invalid_text())?;
    Ok((Some(code), reason))
}

/// Appends a Close frame; a long reason is cut at a character.
pub(super) fn write(out: &mut Vec<u8>, code: Option<u16>, reason: &str) {
    let mut payload = Vec::with_capacity(MAX_CONTROL);
    if let Some(code) = code {
        payload.extend_from_slice(&code.to_be_bytes());
        let room = reason.len().min(MAX_CONTROL - payload.len());
        let end = (0..=room).rev().find(|&at| reason.is_char_boundary(at)).unwrap_or(0);
        payload.extend_from_slice(&reason.as_bytes()[..end]);
    }
    write_frame(out, Opcode::Close, &payload);
}
