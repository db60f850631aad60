//! Which messages clients have sent already: the ids of a queue's newest messages. They lie in the messages themselves, so that a gateway that starts finds
//! them there (docs/decisions/0010-ids-in-messages.md).

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use super::problem::Problem;
use crate::{Queue, RecvError};

/// Bytes of a client's id.
const MAX_ID: usize = 128;

/// The newest ids, and where their messages are.
pub(super) struct Ids {
    positions: HashMap<Rc<str>, u64>,
    /// The oldest first.
    order: VecDeque<Rc<str>>,
    limit: usize,
}

impl Ids {
    /// Reads them from a queue. Whatever dead producers have left there must be repaired by then, as whoever becomes a producer does.
    pub(super) fn read(queue: &Queue, limit: usize) -> Result<Self, Problem> {
        let mut ids = Self { positions: HashMap::new(), order: VecDeque::new(), limit };
        let mut observer = queue.observe()?;
        let end = queue.bounds().end;
        while observer.position() < end {
            match observer.try_recv() {
                Ok(message) => {
                    let id = message.id.and_then(|id| String::from_utf8(id).ok());
                    if let Some(id) = id {
                        ids.add(&id, message.position);
                    }
                }
                Err(RecvError::Lagged { .. }) => {}
                Err(RecvError::Empty | RecvError::Closed) if observer.position() < end => {
                    return Err(Problem::new(503, "a message before yours is being written"));
                }
                Err(RecvError::Empty | RecvError::Closed) => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(ids)
    }

    /// Where the message of an id is, or was.
    pub(super) fn position(&self, id: &str) -> Option<u64> {
        self.positions.get(id).copied()
    }

    /// Remembers a message, and forgets the oldest one if they are too many.
    pub(super) fn add(&mut self, id: &str, position: u64) {
        let id: Rc<str> = id.into();
        if self.positions.insert(Rc::clone(&id), position).is_none() {
            self.order.push_back(id);
        }
        if self.order.len() > self.limit
            && let Some(oldest) = self.order.pop_front()
        {
            self.positions.remove(&oldest);
        }
    }
}

/// Whether a text may be an id.
pub(super) fn check(id: &str) -> Result<(), Problem> {
    match id.len() {
        1..=MAX_ID => Ok(()),
        _ => Err(Problem::new(400, format_args!("an id has 1 to {MAX_ID} bytes"))),
    }
}
