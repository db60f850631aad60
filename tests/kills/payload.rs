//! Messages that prove themselves: who sent them, in which order, whole.

use super::child::Random;

/// A message to be made.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    pub sender: u64,
    pub seq: u64,
    /// Bytes behind the head.
    pub len: usize,
}

const HEAD: usize = 32;

impl Spec {
    /// Some messages have an event name, which follows from their number.
    pub fn event(&self) -> Option<String> {
        self.seq.is_multiple_of(3).then(|| format!("event.{}", self.seq))
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.make(self.event().is_some())
    }

    /// The same without an event name.
    pub fn plain_bytes(&self) -> Vec<u8> {
        self.make(false)
    }

    fn make(&self, event: bool) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + self.len);
        bytes.extend(self.sender.to_le_bytes());
        bytes.extend((self.seq << 1 | u64::from(event)).to_le_bytes());
        bytes.extend((self.len as u64).to_le_bytes());
        bytes.extend([0; 8]);
        let mut random = Random(self.sender << 32 ^ self.seq);
        while bytes.len() < HEAD + self.len {
            bytes.extend(random.next().to_le_bytes());
        }
        bytes.truncate(HEAD + self.len);
        let sum = checksum(&bytes);
        bytes[24..HEAD].copy_from_slice(&sum.to_le_bytes());
        bytes
    }
}

/// Over all but its own place.
fn checksum(bytes: &[u8]) -> u64 {
    let parts = bytes[..24].chunks(8).chain(bytes[HEAD..].chunks(8));
    parts.fold(0xcbf2_9ce4_8422_2325, |sum, part| {
        let mut eight = [0; 8];
        eight[..part.len()].copy_from_slice(part);
        (sum ^ u64::from_le_bytes(eight)).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23)
    })
}

/// Sender and number of a message, if all of it is as it was made.
pub fn read(bytes: &[u8], event: Option<&str>) -> Option<(u64, u64)> {
    let word = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    let (sender, number, len, sum) = (word(0)?, word(8)?, word(16)?, word(24)?);
    let spec = Spec { sender, seq: number >> 1, len: usize::try_from(len).ok()? };
    let named = if number & 1 == 1 { spec.event() } else { None };
    let whole = bytes.len() == HEAD + spec.len && checksum(bytes) == sum;
    (whole && named.as_deref() == event).then_some((sender, spec.seq))
}
