//! The queues that clients have named, open.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::ids::{self, Ids};
use super::problem::Problem;
use crate::{Producer, Queue};

/// For so long a queue's name is taken to mean the file it meant before.
const FRESH: Duration = Duration::from_millis(500);

struct Open {
    queue: Queue,
    producer: Option<Producer>,
    /// Once a message with an id was sent.
    ids: Option<Ids>,
    checked: Instant,
}

/// Open queues by name.
pub(super) struct Queues {
    all: BTreeMap<String, Open>,
    /// The time, as of this turn of the loop.
    now: Instant,
    /// Ids that are remembered of each.
    ids: usize,
}

/// What has become of a message with an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) position: u64,
    /// It had been sent before; nothing was sent now.
    pub(super) duplicate: bool,
}

impl Queues {
    pub(super) fn new(ids: usize) -> Self {
        Self { all: BTreeMap::new(), now: Instant::now(), ids }
    }

    /// Takes note of the time.
    pub(super) fn begin_turn(&mut self, now: Instant) {
        self.now = now;
    }

    /// The queue of a name. Paths are names to the library, and not to clients.
    pub(super) fn get(&mut self, name: &str) -> Result<Queue, Problem> {
        self.open(name).map(|open| open.queue.clone())
    }

    /// Sends a message if there is room; returns its position.
    pub(super) fn publish(
        &mut self,
        name: &str,
        event: &str,
        payload: &[u8],
    ) -> Result<u64, Problem> {
        let producer = self.producer(name)?;
        let sent = if event.is_empty() {
            producer.try_send(payload)
        } else {
            producer.try_send_event(event, payload)
        };
        Ok(sent?)
    }

    /// The same with two parts that follow each other.
    pub(super) fn publish_parts(
        &mut self,
        name: &str,
        event: &str,
        head: &[u8],
        payload: &[u8],
    ) -> Result<u64, Problem> {
        if head.is_empty() {
            return self.publish(name, event, payload);
        }
        let len = head.len() + payload.len();
        let mut message = self.producer(name)?.try_reserve_event(event, len)?;
        let (first, second) = message.split_at_mut(head.len());
        first.copy_from_slice(head);
        second.copy_from_slice(payload);
        Ok(message.commit(len))
    }

    /// The queues that there are, with the ids of those that have been opened.
    pub(super) fn list(&mut self) -> Vec<(String, u128)> {
        let with_id = |name: String| {
            let open = if self.all.contains_key(&name) { self.get(&name).ok() } else { None };
            (name, open.map_or(0, |queue| queue.id()))
        };
        Queue::list().unwrap_or_default().into_iter().map(with_id).collect()
    }

    /// Sends a message unless one with its id was sent before.
    pub(super) fn publish_once(
        &mut self,
        name: &str,
        id: &str,
        event: &str,
        payload: &[u8],
    ) -> Result<Sent, Problem> {
        ids::check(id)?;
        let limit = self.ids;
        let Open { queue, producer, ids, .. } = self.open(name)?;
        // First, since that repairs what a gateway that was killed has left.
        let producer = join(queue, producer)?;
        let ids = match ids {
            Some(ids) => ids,
            none => none.insert(Ids::read(queue, limit)?),
        };
        if let Some(position) = ids.position(id) {
            return Ok(Sent { position, duplicate: true });
        }
        let position = producer.try_send_with_id(id.as_bytes(), event, payload)?;
        ids.add(id, position);
        Ok(Sent { position, duplicate: false })
    }

    /// What sends to the queue of a name.
    pub(super) fn producer(&mut self, name: &str) -> Result<&mut Producer, Problem> {
        let Open { queue, producer, .. } = self.open(name)?;
        join(queue, producer)
    }

    fn open(&mut self, name: &str) -> Result<&mut Open, Problem> {
        if name.contains('/') {
            return Err(Problem::new(404, "a queue's name has no slash here"));
        }
        let fresh = self.all.get(name).is_some_and(|open| self.now < open.checked + FRESH);
        if !fresh {
            self.look_again(name)?;
        }
        self.all.get_mut(name).ok_or_else(|| Problem::new(404, "no such queue"))
    }

    /// The name may stand for another queue by now, or for none.
    fn look_again(&mut self, name: &str) -> Result<(), Problem> {
        let queue = match Queue::open(name) {
            Ok(queue) => queue,
            Err(error) => {
                self.all.remove(name);
                return Err(error.into());
            }
        };
        let checked = self.now;
        match self.all.get_mut(name).filter(|open| open.queue.id() == queue.id()) {
            Some(open) => open.checked = checked,
            None => drop(
                self.all.insert(name.into(), Open { queue, producer: None, ids: None, checked }),
            ),
        }
        Ok(())
    }
}

fn join<'p>(
    queue: &Queue,
    producer: &'p mut Option<Producer>,
) -> Result<&'p mut Producer, Problem> {
    match producer {
        Some(producer) => Ok(producer),
        none => Ok(none.insert(queue.producer()?)),
    }
}
