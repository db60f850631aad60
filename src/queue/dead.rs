//! Dead letters: messages that were rejected or delivered too often, kept in a queue of their own with where they came from.

use std::path::Path;

use super::Queue;
use super::options::QueueOptions;
use super::producer::Producer;
use super::shared::{Patience, Shared};
use crate::layout::MAX_NAME;

/// Where a message of a dead-letter queue comes from, and why it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetter {
    /// Id of the queue it was sent to.
    pub queue_id: u128,
    /// Its position there. Together they tell whether two dead letters are one message: a worker killed between dead-lettering and
    /// acking makes a second one.
    pub position: u64,
    /// How often it was claimed, the claim at which it was given up included: one more than `max_deliveries` if that was the reason.
    pub deliveries: u32,
    /// The group that gave it up.
    pub group: String,
    /// What the application said, or "too many deliveries".
    pub reason: String,
}

const MAX_REASON: usize = 1024;

impl DeadLetter {
    /// `version:1 | id:16 | position:8 | deliveries:4 | group length:1 | group | reason`.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let cut = |text: &str, most: usize| {
            let mut end = text.len().min(most);
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.get(..end).unwrap_or("").as_bytes().to_vec()
        };
        let group = cut(&self.group, MAX_NAME);
        let mut bytes = vec![1];
        bytes.extend(self.queue_id.to_le_bytes());
        bytes.extend(self.position.to_le_bytes());
        bytes.extend(self.deliveries.to_le_bytes());
        bytes.push(group.len() as u8);
        bytes.extend(group);
        bytes.extend(cut(&self.reason, MAX_REASON));
        bytes
    }

    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first()?;
        let (id, rest) = rest.split_first_chunk::<16>()?;
        let (position, rest) = rest.split_first_chunk::<8>()?;
        let (deliveries, rest) = rest.split_first_chunk::<4>()?;
        let (group, rest) = rest.split_first()?;
        let (group, reason) = rest.split_at_checked(usize::from(*group))?;
        (*version == 1).then(|| Self {
            queue_id: u128::from_le_bytes(*id),
            position: u64::from_le_bytes(*position),
            deliveries: u32::from_le_bytes(*deliveries),
            group: String::from_utf8_lossy(group).into_owned(),
            reason: String::from_utf8_lossy(reason).into_owned(),
        })
    }
}

/// Opens a dead-letter queue beside the queue it serves, or makes it with the same geometry and rights.
pub(crate) fn open(of: &Shared, name: &str) -> Result<Producer, String> {
    let target = match of.path.as_deref().and_then(Path::parent) {
        Some(dir) if !name.contains('/') => dir.join(name).to_string_lossy().into_owned(),
        _ => name.to_owned(),
    };
    let geometry = &of.ring().geometry;
    let mut options = QueueOptions::default()
        .capacity(geometry.ring() << geometry.block_shift)
        .block_size(1 << geometry.block_shift)
        .fenced(geometry.fenced);
    if let Ok(meta) = of.file.metadata() {
        options = options.mode(std::os::unix::fs::MetadataExt::mode(&meta) & 0o777);
    }
    let queue: Queue = options.open_or_create(&target).map_err(|error| error.to_string())?;
    queue.producer().map_err(|error| error.to_string())
}

/// Sends one dead letter. A full dead-letter queue is an error: the message stays where it is.
pub(crate) fn send(
    to: &mut Producer,
    letter: &DeadLetter,
    event: &[u8],
    payload: &[u8],
) -> Result<(), String> {
    to.send_parts(event, payload, &letter.to_bytes(), Patience::None)
        .map(drop)
        .map_err(|error| error.to_string())
}
