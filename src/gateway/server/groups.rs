//! Memberships: one for each group of a queue that has clients here, shared by them. A message that a client has is held, un-acked, by the membership.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::AsRawFd;

use mio::unix::SourceFd;
use mio::{Interest, Registry};
use self_cell::self_cell;
use slab::Slab;

use super::feed::Client;
use super::problem::Problem;
use super::token;
use crate::{Consumer, Message, Queue, RecvError, Start};

type Held<'c> = BTreeMap<u64, Message<'c>>;

self_cell!(
    /// A member of a group, and the messages that clients have, by position.
    struct Member {
        owner: Consumer,
        #[covariant]
        dependent: Held,
    }
);

struct Group {
    member: Member,
    queue: u128,
    name: String,
    filter: Option<String>,
    /// Who waits for messages, or may want more.
    clients: VecDeque<Client>,
    /// There was no message when somebody last looked.
    empty: bool,
}

/// What becomes of a message.
pub(super) enum Verdict<'a> {
    Ack,
    Retry,
    Reject(&'a str),
}

/// How a client wants to take part.
pub(super) struct Wish<'a> {
    pub(super) group: &'a str,
    pub(super) start: Start,
    pub(super) filter: Option<&'a str>,
}

/// The memberships. A key stays valid while its client has not left, or something is held.
pub(super) struct Groups {
    all: Slab<Group>,
    registry: Registry,
}

impl Groups {
    pub(super) fn new(registry: Registry) -> Self {
        Self { all: Slab::new(), registry }
    }

    /// Lets a client take part in a group.
    pub(super) fn join(
        &mut self,
        queue: &Queue,
        wish: &Wish,
        client: impl Into<Client>,
    ) -> Result<usize, Problem> {
        let id_of_queue = queue.id();
        let found = self
            .all
            .iter()
            .find(|(_, group)| group.queue == id_of_queue && group.name == wish.group);
        let key = match found {
            Some((_, group)) if wish.filter.is_some() && group.filter.as_deref() != wish.filter => {
                return Err(Problem::new(
                    409,
                    "the group's clients here have another event filter",
                ));
            }
            Some((key, _)) => key,
            None => self.enter(queue, wish)?,
        };
        if let Some(group) = self.all.get_mut(key) {
            group.clients.push_back(client.into());
        }
        Ok(key)
    }

    fn enter(&mut self, queue: &Queue, wish: &Wish) -> Result<usize, Problem> {
        let mut options = queue.consumer_options().group(wish.group).start(wish.start);
        if let Some(filter) = wish.filter {
            options = options.filter(filter);
        }
        let consumer = options.open()?;
        let fd = consumer.pollable()?.as_raw_fd();
        let entry = self.all.vacant_entry();
        let key = entry.key();
        self.registry.register(&mut SourceFd(&fd), token::group(key), Interest::READABLE)?;
        entry.insert(Group {
            member: Member::new(consumer, |_| Held::new()),
            queue: queue.id(),
            name: wish.group.into(),
            filter: wish.filter.map(str::to_owned),
            clients: VecDeque::new(),
            empty: true,
        });
        Ok(key)
    }

    /// A client wants no more messages.
    pub(super) fn leave(&mut self, key: usize, client: impl Into<Client>) {
        let client = client.into();
        if let Some(group) = self.all.get_mut(key) {
            group.clients.retain(|other| *other != client);
        }
        self.tidy(key);
    }

    /// Leaves a group for which nobody is here: an idle member would be woken in place of one that works.
    fn tidy(&mut self, key: usize) {
        let idle =
            |group: &Group| group.clients.is_empty() && group.member.borrow_dependent().is_empty();
        if self.all.get(key).is_some_and(idle) {
            // Its descriptor is closed with it, and so forgotten.
            self.all.remove(key);
        }
    }

    /// There may be messages for a group; returns how many clients it has.
    pub(super) fn wake(&mut self, key: usize) -> usize {
        let Some(group) = self.all.get_mut(key) else { return 0 };
        group.empty = false;
        group.clients.len()
    }

    /// Another client of a group each time, while there may be messages: of ten thousand that wait, one is asked for one message.
    pub(super) fn next_client(&mut self, key: usize) -> Option<Client> {
        let group = self.all.get_mut(key).filter(|group| !group.empty)?;
        let client = group.clients.pop_front()?;
        group.clients.push_back(client);
        Some(client)
    }

    /// Takes the next message, which is held from now on. After `Empty` the next one wakes the loop.
    pub(super) fn take(&mut self, key: usize) -> Result<u64, RecvError> {
        let group = self.all.get_mut(key).ok_or(RecvError::Empty)?;
        let taken = group.member.with_dependent_mut(|consumer, held| {
            let message = consumer.try_recv()?;
            let position = message.position();
            held.insert(position, message);
            Ok(position)
        });
        group.empty = matches!(taken, Err(RecvError::Empty));
        taken
    }

    /// A message that is held.
    pub(super) fn message(&self, key: usize, position: u64) -> Option<&Message<'_>> {
        self.all.get(key)?.member.borrow_dependent().get(&position)
    }

    /// Settles a message that is held.
    pub(super) fn settle(
        &mut self,
        key: usize,
        position: u64,
        verdict: Verdict,
    ) -> Result<(), Problem> {
        let group = self.all.get_mut(key);
        let message = group.and_then(|group| {
            group.member.with_dependent_mut(|_, held| {
                held.remove(&position).map(|message| match verdict {
                    Verdict::Ack => message.ack(),
                    Verdict::Retry => message.retry(),
                    Verdict::Reject(reason) => message.reject(reason),
                })
            })
        });
        self.tidy(key);
        match message {
            Some(settled) => Ok(settled?),
            None => Err(Problem::new(410, "the message is not held any more")),
        }
    }
}
