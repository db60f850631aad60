//! What waits to be sent.

use std::collections::VecDeque;
use std::fmt;

use super::Settings;
use super::message::Message;

/// A message that was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// There is no room: keep the message, or where it can be had again, until [`Output::Room`](super::Output::Room).
    Full,
    /// The session is over, or about to be.
    Closed,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "too much waits to be sent; go on when there is room",
            Self::Closed => "the session is over",
        })
    }
}

impl std::error::Error for SendError {}

/// Messages in the order they go out, bounded in bytes and count. The protocol's own packets are not counted, being few.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    queue: VecDeque<(Message, bool)>,
    bytes: usize,
    messages: usize,
    /// Somebody was told that there is no room.
    refused: bool,
}

impl Outgoing {
    /// Takes all, or none.
    pub(super) fn push(
        &mut self,
        messages: &[Message],
        settings: &Settings,
    ) -> Result<(), SendError> {
        let more: usize = messages.iter().map(|message| message.content().len()).sum();
        let fits = self.bytes + more <= settings.max_outgoing_bytes
            && self.messages + messages.len() <= settings.max_outgoing_messages;
        if !fits && self.messages > 0 {
            self.refused = true;
            return Err(SendError::Full);
        }
        self.bytes += more;
        self.messages += messages.len();
        self.queue.extend(messages.iter().map(|message| (message.clone(), true)));
        Ok(())
    }

    /// A packet of the protocol's own, in its turn.
    pub(super) fn push_control(&mut self, message: Message) {
        self.queue.push_back((message, false));
    }

    pub(super) fn pop(&mut self) -> Option<Message> {
        let (message, counted) = self.queue.pop_front()?;
        if counted {
            self.bytes -= message.content().len();
            self.messages -= 1;
        }
        Some(message)
    }

    /// Everything, in order.
    pub(super) fn take(&mut self) -> Vec<Message> {
        std::iter::from_fn(|| self.pop()).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether somebody was refused, and half of the room is free again. True once.
    pub(super) fn has_room_again(&mut self, settings: &Settings) -> bool {
        let free = self.bytes <= settings.max_outgoing_bytes / 2
            && self.messages <= settings.max_outgoing_messages / 2;
        free && std::mem::take(&mut self.refused)
    }
}
