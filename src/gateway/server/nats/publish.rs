//! From a client to a queue, or to who is here now.

use std::io;
use std::time::{Duration, Instant};

use super::super::access::Grant;
use super::super::problem::Problem;
use super::super::wire::Wire;
use super::super::world::World;
use super::hub::Live;
use super::subjects;
use crate::gateway::nats::{Headers, Message, Stored};

/// So long a message waits for room in its queue, and the client with it, before it is given up.
const PATIENCE: Duration = Duration::from_secs(2);

/// Nothing tells when there is room.
const LOOK: Duration = Duration::from_millis(2);

/// What becomes of a message that a client has published.
pub(super) enum Fate {
    /// It is in its queue.
    Sent,
    /// There is no queue for it.
    Live(Live),
    /// The subject, and why not.
    Refused(Vec<u8>, String),
    /// Its queue is full.
    Waits(Waiting),
}

/// A message that waits for room in its queue.
pub(super) struct Waiting {
    pub(super) subject: Vec<u8>,
    id: Option<Vec<u8>>,
    head: Vec<u8>,
    payload: Vec<u8>,
    until: Instant,
    /// When to look again.
    pub(super) next: Instant,
}

/// A long message that is coming in.
pub(super) struct Long {
    subject: Vec<u8>,
    reply: Option<Vec<u8>>,
    headers: Vec<u8>,
    pub(super) payload: Vec<u8>,
}

/// A client as it publishes.
#[derive(Default)]
pub(super) struct Sender {
    /// A queue was full for too long: the next message does not wait, nor those behind it, until one has gone in.
    has_given_up: bool,
    /// The last subject of a queue, to which most times the next message goes as well: it is allowed.
    subject: Vec<u8>,
    queue: String,
    event: String,
}

impl Sender {
    /// A queue was full for too long.
    pub(super) fn give_up(&mut self) {
        self.has_given_up = true;
    }

    /// Whether the subject is that of a queue to which the client may publish; it is remembered then.
    fn look_up(&mut self, subject: &[u8], grant: Option<&Grant>) -> Result<bool, Problem> {
        if self.subject == subject {
            return Ok(true);
        }
        let Some((queue, event)) = subjects::place(subject) else { return Ok(false) };
        grant.ok_or_else(|| Problem::new(401, "a token is needed"))?.publish(queue)?;
        self.subject = subject.to_vec();
        (self.queue, self.event) = (queue.into(), event.into());
        Ok(true)
    }

    /// Publishes a message: into a queue if there is one of that name.
    pub(super) fn publish(
        &mut self,
        message: &Message,
        payload: &[u8],
        grant: Option<&Grant>,
        world: &mut World,
    ) -> Fate {
        let Message { subject, reply, headers } = *message;
        match self.look_up(subject, grant) {
            Ok(true) => {}
            Ok(false) => return Fate::Live(Live::new(message, payload)),
            Err(problem) => return Fate::Refused(subject.to_vec(), problem.reason),
        }
        let (queue, event) = (self.queue.as_str(), self.event.as_str());
        if world.nats.absent.contains(queue) {
            return Fate::Live(Live::new(message, payload));
        }
        let mut head = Vec::new();
        Stored::write_head(reply, &headers, payload, &mut head);
        let id = headers.message_id();
        match send((queue, event), id, &head, payload, world) {
            Ok(()) => {
                self.has_given_up = false;
                Fate::Sent
            }
            Err(problem) if problem.status == 404 => {
                world.nats.absent.insert(queue.into());
                Fate::Live(Live::new(message, payload))
            }
            Err(problem) if problem.is_passing() && !self.has_given_up => Fate::Waits(Waiting {
                subject: subject.to_vec(),
                id: id.map(<[u8]>::to_vec),
                head,
                payload: payload.to_vec(),
                until: Instant::now() + PATIENCE,
                next: Instant::now() + LOOK,
            }),
            Err(problem) => Fate::Refused(subject.to_vec(), problem.reason),
        }
    }
}

/// Sends a message; once, if it has an id.
fn send(
    (queue, event): (&str, &str),
    id: Option<&[u8]>,
    head: &[u8],
    payload: &[u8],
    world: &mut World,
) -> Result<(), Problem> {
    if let Some(id) = id {
        let id = std::str::from_utf8(id).map_err(|_| Problem::new(400, "the id is not UTF-8"))?;
        world.publish(queue, Some(id), event, &[head, payload].concat())?;
    } else {
        world.queues.publish_parts(queue, event, head, payload)?;
        world.counters.published += 1;
    }
    Ok(())
}

impl Waiting {
    /// Sends it if there is room now; `None` if it goes on to wait.
    pub(super) fn try_again(&mut self, world: &mut World) -> Option<Result<(), String>> {
        let now = Instant::now();
        let (queue, event) = subjects::place(&self.subject)?;
        let (id, head) = (self.id.as_deref(), &self.head);
        match send((queue, event), id, head, &self.payload, world) {
            Ok(()) => Some(Ok(())),
            Err(problem) if problem.is_passing() && now < self.until => {
                self.next = now + LOOK;
                None
            }
            Err(problem) => Some(Err(problem.reason)),
        }
    }
}

impl Long {
    pub(super) fn new(message: &Message) -> Self {
        Self {
            subject: message.subject.to_vec(),
            reply: message.reply.map(<[u8]>::to_vec),
            headers: message.headers.as_bytes().to_vec(),
            payload: Vec::new(),
        }
    }

    pub(super) fn message(&self) -> Message<'_> {
        Message {
            subject: &self.subject,
            reply: self.reply.as_deref(),
            headers: Headers::parse(&self.headers).unwrap_or_default(),
        }
    }

    /// Receives at most so many bytes more.
    pub(super) fn receive(&mut self, most: usize, wire: &mut Wire) -> io::Result<Option<usize>> {
        let have = self.payload.len();
        self.payload.resize(have + most, 0);
        let received = wire.read(&mut self.payload[have..]);
        let count = received.as_ref().ok().copied().flatten().unwrap_or(0);
        self.payload.truncate(have + count);
        received
    }
}
