//! What applications exchange: text or bytes.

use std::borrow::Cow;
use std::sync::Arc;

/// A message from a client, borrowed from what it came in, where that is possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data<'a> {
    /// Text.
    Text(&'a str),
    /// Bytes. Those that came by polling had to be decoded.
    Binary(Cow<'a, [u8]>),
}

/// A message to clients as a WebSocket carries it: text with its packet type before it, or plain bytes. Made once, and shared by all who are sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    bytes: Arc<[u8]>,
    header: usize,
    binary: bool,
}

impl Message {
    /// A text packet, its type included, such as `4hello`.
    pub fn text(packet: &str) -> Self {
        Self::framed(&[], packet.as_bytes(), false)
    }

    /// Bytes.
    pub fn binary(bytes: &[u8]) -> Self {
        Self::framed(&[], bytes, true)
    }

    /// A message with the header of its WebSocket frame before it, so that [`Message::frame`] can be sent as it is. Polling leaves the header out. A text
    /// must be UTF-8.
    pub fn framed(header: &[u8], content: &[u8], binary: bool) -> Self {
        debug_assert!(binary || std::str::from_utf8(content).is_ok(), "a text that is no UTF-8");
        let bytes = [header, content].concat().into();
        Self { bytes, header: header.len(), binary }
    }

    /// The content of the WebSocket message.
    pub fn content(&self) -> &[u8] {
        &self.bytes[self.header..]
    }

    /// The whole WebSocket frame, if the message was made with a header.
    pub fn frame(&self) -> Option<&[u8]> {
        (self.header > 0).then_some(&self.bytes)
    }

    /// Whether it is a binary WebSocket message.
    pub fn is_binary(&self) -> bool {
        self.binary
    }
}
