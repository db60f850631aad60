//! Several messages at once.

use super::Producer;
use crate::error::SendError;
use crate::layout::Extent;
use crate::queue::shared::{Patience, Shared};
use crate::ring::Claim;

impl Producer {
    /// Sends messages with few claims and one wake: all of them become visible together, unless they are more than half the ring.
    /// Waits for room. Returns how many were sent; after an error in the middle the earlier ones are.
    ///
    /// # Errors
    /// [`Closed`](SendError::Closed), [`TooLarge`](SendError::TooLarge).
    /// [`Corrupt`](SendError::Corrupt) and [`Forked`](SendError::Forked): this handle is of no use any more.
    ///
    /// ```
    /// use slipring::Queue;
    ///
    /// let queue = Queue::options().capacity(1 << 16).create_memfd("example")?;
    /// let mut tx = queue.producer()?;
    /// assert_eq!(tx.send_batch(["one", "two", "three"])?, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn send_batch<I>(&mut self, messages: I) -> Result<usize, SendError>
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        let messages: Vec<I::Item> = messages.into_iter().collect();
        let mut rest = messages.as_slice();
        while !rest.is_empty() {
            let sent = self.send_some(rest)?;
            rest = rest.get(sent..).unwrap_or(&[]);
        }
        Ok(messages.len())
    }

    /// Sends as many as fit into half the ring, at least one.
    fn send_some<T: AsRef<[u8]>>(&mut self, messages: &[T]) -> Result<usize, SendError> {
        let (mut total, mut count) = (0, 0);
        for message in messages {
            let (_, blocks) = self.measure(message.as_ref().len(), 0, 0)?;
            if total + blocks > self.max_blocks {
                break;
            }
            total += blocks;
            count += 1;
        }
        let claim = self.claim(total, Patience::Forever)?;
        let ring = &self.member.ring_copy();
        // A message that panics or changes its mind while we write leaves padding, not a hole.
        let mut unfinished = Unfinished { shared: &self.member.shared, claim, armed: true };
        // One for all: a claim lies in one lap from `first` on.
        let word = ring.ready_word(claim.first);
        let mut end = claim.first;
        let mut head = None;
        for message in messages.iter().take(count) {
            let (bytes, at) = (message.as_ref(), end);
            end = at.wrapping_add(ring.geometry.blocks(bytes.len() as u64));
            if end > claim.end {
                end = at;
                break;
            }
            // SAFETY: as many blocks of the claim as the message takes, and a claim lies inside the ring.
            unsafe { ring.blocks.write_claimed(ring.index(at), bytes) };
            let extent = Extent::new(bytes.len(), 0, 0);
            match head {
                None => head = Some((extent, end)),
                Some(_) => ring.ready_with(at, word, extent),
            }
        }
        if end != claim.end {
            ring.pad(end, claim.end.wrapping_sub(end));
        }
        if let Some((extent, end)) = head {
            unfinished.armed = false;
            ring.publish(&Claim { end, ..claim }, extent);
        }
        drop(unfinished);
        self.sent(count as u64, ring.geometry.fenced);
        Ok(count)
    }
}

/// A claim that is being written: padded if the writer goes away.
struct Unfinished<'s> {
    shared: &'s Shared,
    claim: Claim,
    armed: bool,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if self.armed && !self.shared.forked() {
            self.shared.ring().pad(self.claim.start, self.claim.end.wrapping_sub(self.claim.start));
        }
    }
}
