//! The queues that clients have named, open.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::problem::Problem;
use crate::{Producer, Queue};

/// For so long a queue's name is taken to mean the file it meant before.
const FRESH: Duration = Duration::from_millis(500);

struct Open {
    queue: Queue,
    producer: Option<Producer>,
    checked: Instant,
}

/// Open queues by name.
#[derive(Default)]
pub(super) struct Queues(HashMap<String, Open>);

impl Queues {
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
        let open = self.open(name)?;
        let producer = match &mut open.producer {
            Some(producer) => producer,
            none => none.insert(open.queue.producer()?),
        };
        let sent = if event.is_empty() {
            producer.try_send(payload)
        } else {
            producer.try_send_event(event, payload)
        };
        Ok(sent?)
    }

    fn open(&mut self, name: &str) -> Result<&mut Open, Problem> {
        if name.contains('/') {
            return Err(Problem::new(404, "a queue's name has no slash here"));
        }
        let fresh = self.0.get(name).is_some_and(|open| open.checked.elapsed() < FRESH);
        if !fresh {
            self.look_again(name)?;
        }
        self.0.get_mut(name).ok_or_else(|| Problem::new(404, "no such queue"))
    }

    /// The name may stand for another queue by now, or for none.
    fn look_again(&mut self, name: &str) -> Result<(), Problem> {
        let queue = match Queue::open(name) {
            Ok(queue) => queue,
            Err(error) => {
                self.0.remove(name);
                return Err(error.into());
            }
        };
        let checked = Instant::now();
        match self.0.get_mut(name).filter(|open| open.queue.id() == queue.id()) {
            Some(open) => open.checked = checked,
            None => drop(self.0.insert(name.into(), Open { queue, producer: None, checked })),
        }
        Ok(())
    }
}
