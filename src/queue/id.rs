//! Messages with ids, by which whoever sends again finds that it has sent already.

use super::message::Message;
use super::producer::Producer;
use super::shared::Patience;
use crate::error::SendError;

/// Bytes of an id.
const MAX_ID: usize = 255;

/// A trailer that begins with it is an id. (Dead letters begin with 1.)
const MARK: u8 = 2;

impl Producer {
    /// Sends a message with an id of 1 to 255 bytes, waiting for room. Message and id become visible at once, or neither does; nobody but the
    /// application looks at ids. `event` may be empty.
    ///
    /// # Errors
    /// [`InvalidId`](SendError::InvalidId), and those of [`Producer::send_event`].
    ///
    /// ```
    /// # let dir = std::env::temp_dir().join(format!("slipring-id-{}", std::process::id()));
    /// # std::fs::create_dir_all(&dir)?;
    /// # let name = dir.join("orders"); let name = name.to_str().unwrap();
    /// let queue = slipring::Queue::options().capacity(1 << 20).create(name)?;
    /// let position = queue.producer()?.send_with_id(b"shop-17", "order.created", b"42")?;
    /// // Whoever comes later finds what was sent.
    /// let mut observer = queue.observe()?;
    /// let seen = observer.try_recv()?;
    /// assert_eq!((seen.id.as_deref(), seen.position), (Some(&b"shop-17"[..]), position));
    /// # std::fs::remove_dir_all(&dir)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn send_with_id(
        &mut self,
        id: &[u8],
        event: &str,
        payload: &[u8],
    ) -> Result<u64, SendError> {
        self.send_parts(event.as_bytes(), payload, &trailer(id)?, Patience::Forever)
    }

    /// Sends a message with an id if there is room now, else says [`SendError::Full`].
    ///
    /// # Errors
    /// As [`Producer::send_with_id`].
    pub fn try_send_with_id(
        &mut self,
        id: &[u8],
        event: &str,
        payload: &[u8],
    ) -> Result<u64, SendError> {
        self.send_parts(event.as_bytes(), payload, &trailer(id)?, Patience::None)
    }
}

impl Message<'_> {
    /// The id that it was sent with.
    pub fn id(&self) -> Option<&[u8]> {
        parse(self.trailer())
    }
}

fn trailer(id: &[u8]) -> Result<Vec<u8>, SendError> {
    if id.is_empty() || id.len() > MAX_ID {
        return Err(SendError::InvalidId);
    }
    Ok([&[MARK], id].concat())
}

/// The id in a trailer, if that is what it is.
pub(super) fn parse(trailer: &[u8]) -> Option<&[u8]> {
    trailer.split_first().filter(|(mark, id)| **mark == MARK && !id.is_empty()).map(|(_, id)| id)
}
