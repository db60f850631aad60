//! Queues as many clients follow them: a new message is read once for all, and encoded once for all who get it in the same form.
//!
//! A feed has one row in its queue, a lossy reader whose descriptor wakes the loop. Its clients have none: one that has been sent all there is is *live*, and gets
//! what the feed reads, by reference; one that has not, since it begins in the past or its socket takes no more, reads for itself (see
//! [`Follower`](super::follower::Follower)). What it costs then is a place in the queue.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::sync::Arc;

use mio::unix::SourceFd;
use mio::{Interest, Registry};
use slab::Slab;

use super::connection::Id;
use super::nats;
use super::problem::Problem;
use super::token;
use crate::gateway::engineio::Message as Packet;
use crate::gateway::http::Stream;
use crate::{Consumer, Message, Observed, Observer, Queue, RecvError};

/// Messages, and bytes of payload, that are read at a time.
const BATCH: usize = 1024;
const BATCH_BYTES: usize = 64 << 10;

/// Who is sent messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Client {
    Connection(Id),
    /// A place in an Engine.IO session.
    Session {
        session: u64,
        slot: u64,
    },
    /// One of the queues that a connection follows.
    Source {
        connection: Id,
        source: u64,
    },
}

impl From<Id> for Client {
    fn from(id: Id) -> Self {
        Self::Connection(id)
    }
}

/// A message that was read.
pub(super) struct Fresh {
    pub(super) position: u64,
    pub(super) event: Option<String>,
    pub(super) payload: Vec<u8>,
}

impl From<&Message<'_>> for Fresh {
    fn from(message: &Message) -> Self {
        Self {
            position: message.position(),
            event: message.event().map(str::to_owned),
            payload: message.payload().to_vec(),
        }
    }
}

impl From<Observed> for Fresh {
    fn from(message: Observed) -> Self {
        Self { position: message.position, event: message.event, payload: message.payload }
    }
}

/// A form in which clients are sent messages: those of the same form get the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Format {
    Events(Stream),
    Json,
    Raw,
    /// Of this namespace.
    SocketIo(Arc<str>),
    Nats(Rc<nats::Form>),
}

/// A batch in one form.
pub(super) struct Encoded {
    pub(super) bytes: Arc<[u8]>,
    /// Where each message ends.
    ends: Vec<usize>,
}

impl Encoded {
    /// The bytes of the message with this index in its batch.
    pub(super) fn range(&self, index: usize) -> Range<usize> {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        start..self.ends[index]
    }
}

/// What a feed has read at a time.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) messages: Vec<Fresh>,
    /// Behind these there is something else than a message: who follows sees for himself.
    pub(super) broken: bool,
    /// There may be more.
    pub(super) more: bool,
    /// So many are live now.
    pub(super) clients: usize,
    encoded: HashMap<Format, Rc<Encoded>>,
    packets: Vec<(Format, Packets)>,
}

/// Each message as packets of Engine.IO.
type Packets = Rc<[Vec<Packet>]>;

impl Batch {
    /// The batch in a form; `encode` appends one message, and is called once for each.
    pub(super) fn encoded(
        &mut self,
        format: &Format,
        mut encode: impl FnMut(&Fresh, &mut Vec<u8>),
    ) -> Rc<Encoded> {
        if let Some(encoded) = self.encoded.get(format) {
            return Rc::clone(encoded);
        }
        let mut bytes = Vec::new();
        let append = |message| {
            encode(message, &mut bytes);
            bytes.len()
        };
        let ends = self.messages.iter().map(append).collect();
        let encoded = Rc::new(Encoded { bytes: bytes.into(), ends });
        self.encoded.insert(format.clone(), Rc::clone(&encoded));
        encoded
    }
}

impl Batch {
    /// The batch in a form, for clients that have no WebSocket.
    pub(super) fn packets(
        &mut self,
        format: &Format,
        encode: impl Fn(&Fresh) -> Vec<Packet>,
    ) -> Packets {
        if let Some((_, packets)) = self.packets.iter().find(|(have, _)| have == format) {
            return Rc::clone(packets);
        }
        let packets: Packets = self.messages.iter().map(encode).collect();
        self.packets.push((format.clone(), Rc::clone(&packets)));
        packets
    }
}

struct Feed {
    queue: u128,
    bell: Consumer,
    /// For those who read for themselves, a copy each.
    observer: Observer,
    live: BTreeSet<Client>,
    followers: usize,
    /// It found nothing when it last looked.
    empty: bool,
}

/// The feeds. A key stays valid while it is followed.
pub(super) struct Feeds {
    all: Slab<Feed>,
    registry: Registry,
}

impl Feeds {
    pub(super) fn new(registry: Registry) -> Self {
        Self { all: Slab::new(), registry }
    }

    /// The feed of a queue, for another follower, who is not live yet.
    pub(super) fn follow(&mut self, queue: &Queue) -> Result<usize, Problem> {
        let id = queue.id();
        let found = self.all.iter().find(|(_, feed)| feed.queue == id);
        let key = match found.map(|(key, _)| key) {
            Some(key) => key,
            None => self.open(queue)?,
        };
        self.all[key].followers += 1;
        Ok(key)
    }

    fn open(&mut self, queue: &Queue) -> Result<usize, Problem> {
        let bell = queue.consumer_options().lossy(true).start(crate::Start::Latest).open()?;
        let observer = queue.observe()?;
        let fd = bell.pollable()?.as_raw_fd();
        let entry = self.all.vacant_entry();
        let key = entry.key();
        self.registry.register(&mut SourceFd(&fd), token::feed(key), Interest::READABLE)?;
        let (queue, live) = (queue.id(), BTreeSet::new());
        entry.insert(Feed { queue, bell, observer, live, followers: 0, empty: true });
        Ok(key)
    }

    /// A follower goes.
    pub(super) fn leave(&mut self, key: usize, client: Client) {
        let Some(feed) = self.all.get_mut(key) else { return };
        feed.live.remove(&client);
        feed.followers -= 1;
        if feed.followers == 0 {
            // Its descriptor is closed with it, and so forgotten.
            self.all.remove(key);
        }
    }

    /// A follower has been sent all there is: from now on it gets what is new.
    pub(super) fn set_live(&mut self, key: usize, client: Client) {
        if let Some(feed) = self.all.get_mut(key) {
            feed.live.insert(client);
        }
    }

    /// A follower gets nothing from now on, and may read for itself.
    pub(super) fn set_behind(&mut self, key: usize, client: Client) -> Observer {
        let feed = &mut self.all[key];
        feed.live.remove(&client);
        feed.observer.clone()
    }

    /// Who gets what is new.
    pub(super) fn live(&self, key: usize) -> Vec<Client> {
        self.all.get(key).map(|feed| feed.live.iter().copied().collect()).unwrap_or_default()
    }

    /// Reads what is new. After a batch without `more`, what comes wakes the loop.
    ///
    /// What wakes it is read alone, so that it goes out before the feed looks again: to wait takes a fence across all cores, which is longer than to send.
    pub(super) fn read(&mut self, key: usize) -> Batch {
        let mut batch = Batch::default();
        let Some(feed) = self.all.get_mut(key) else { return batch };
        let most = if std::mem::take(&mut feed.empty) { 1 } else { BATCH };
        let mut bytes = 0;
        loop {
            batch.more = batch.messages.len() >= most || bytes >= BATCH_BYTES;
            if batch.more {
                return batch;
            }
            match feed.bell.try_recv() {
                Ok(message) => {
                    bytes += message.payload().len();
                    batch.messages.push(Fresh::from(&message));
                }
                Err(RecvError::Empty) => {
                    feed.empty = true;
                    return batch;
                }
                Err(error) => {
                    batch.broken = true;
                    batch.more = matches!(error, RecvError::Lagged { .. });
                    return batch;
                }
            }
        }
    }
}
