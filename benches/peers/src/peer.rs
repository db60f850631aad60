//! What a contender is to the works: something with links, each of which has a sending and a receiving end.

use std::path::PathBuf;
use std::sync::Mutex;

use crate::message::Message;
use crate::work::{Kind, Task};
use crate::{Error, Result};

/// Messages that a batch holds at most, and a batch's bytes.
const BATCH: usize = 64;
const BATCH_BYTES: usize = 16 << 10;

/// Messages of a size that a batch holds.
pub const fn batch_of(size: usize) -> usize {
    let fit = BATCH_BYTES / size;
    if fit == 0 {
        1
    } else if fit < BATCH {
        fit
    } else {
        BATCH
    }
}

/// What a contender is to make.
pub struct Setup {
    /// A directory of its own, in shared memory.
    pub dir: PathBuf,
    /// A name that nobody else uses, for what does not live in a directory.
    pub name: String,
    /// Messages that a link holds at least, if its contender lets one choose: about 1 MiB of them.
    pub slots: usize,
    /// Links: two if messages go there and back, else one.
    pub links: usize,
    /// Receivers that see every message.
    pub groups: usize,
    /// Whether receivers are to sleep in the kernel rather than to spin.
    pub sleeps: bool,
    pub pause: Pause,
}

impl Setup {
    /// What a task asks for.
    pub fn new(task: &Task) -> Self {
        let work = &task.work;
        Self {
            dir: task.dir.clone(),
            name: task.name.clone(),
            slots: ((1 << 20) / task.size).clamp(64, 1 << 14),
            links: if work.kind == Kind::RoundTrip { 2 } else { 1 },
            groups: work.groups,
            sleeps: work.kind == Kind::Wake,
            pause: Pause { shared: work.producers.max(work.workers) > 1, turns: 0 },
        }
    }

    /// The file, or what takes its place, of a link.
    pub fn link(&self, link: usize) -> PathBuf {
        self.dir.join(format!("link-{link}"))
    }
}

/// How to wait without sleeping: with others on the same core, let them run now and then.
#[derive(Clone, Copy)]
pub struct Pause {
    shared: bool,
    turns: u32,
}

impl Pause {
    /// Pauses until something has come true.
    #[inline(always)]
    pub fn until(mut self, mut done: impl FnMut() -> bool) {
        while !done() {
            self.once();
        }
    }

    #[inline(always)]
    fn once(&mut self) {
        std::hint::spin_loop();
        self.turns += 1;
        if self.shared && self.turns.is_multiple_of(64) {
            std::thread::yield_now();
        }
    }
}

/// A contender with its links in place.
pub trait Peer<M: Message>: Sized + Sync {
    type Tx: Sender<M>;
    type Rx: Receiver;

    /// Makes the links.
    fn create(setup: &Setup) -> Result<Self>;

    /// Finds the links that another process has made.
    fn open(_setup: &Setup) -> Result<Self> {
        Err("lives in one process".into())
    }

    /// An end to send with, for the calling thread. It need not find anybody at the other end yet.
    fn sender(&self, link: usize) -> Result<Self::Tx>;

    /// An end to receive with, for the calling thread; those of different groups see the same messages.
    fn receiver(&self, link: usize, group: usize) -> Result<Self::Rx>;
}

/// An end to send with.
pub trait Sender<M: Message> {
    /// Sends a copy of one message, waiting for room.
    fn send(&mut self, message: &[u8]);

    /// Sends several, at once if the contender can do that.
    #[inline(always)]
    fn send_batch(&mut self, messages: &[M]) {
        for message in messages {
            self.send(message.bytes());
        }
    }

    /// Sends a message that is written where the receiver will read it, if the contender can do that.
    #[inline(always)]
    fn send_in_place(&mut self, write: impl FnOnce(&mut [u8])) {
        let mut message = M::filled();
        write(message.bytes_mut());
        self.send(message.bytes());
    }
}

/// An end to receive with. Messages are read where they lie, if the contender can do that.
pub trait Receiver {
    /// Called when the other end is there, before anything is sent.
    fn connect(&mut self) {}

    /// Reads the next message if there is one (or those that the contender hands over at once), and says whether there was.
    fn poll(&mut self, read: &mut impl FnMut(&[u8])) -> bool;

    /// The same for as many as there are, up to a batch.
    #[inline(always)]
    fn poll_batch(&mut self, read: &mut impl FnMut(&[u8])) -> bool {
        self.poll(read)
    }

    /// Waits for a message and reads it, as the contender's users would.
    #[inline(always)]
    fn wait(&mut self, pause: Pause, read: &mut impl FnMut(&[u8])) {
        pause.until(|| self.poll(read));
    }

    /// The same for as many as there are then, up to a batch.
    #[inline(always)]
    fn wait_batch(&mut self, pause: Pause, read: &mut impl FnMut(&[u8])) {
        pause.until(|| self.poll_batch(read));
    }
}

/// Ends that were made together with their link, for threads to take.
pub struct Ends<T>(Vec<Mutex<Option<T>>>);

impl<T> Ends<T> {
    /// That end, once.
    pub fn take(&self, number: usize) -> Result<T> {
        let end = self.0.get(number).and_then(|end| end.lock().ok()?.take());
        end.ok_or_else(|| Error::from("this end is taken"))
    }
}

impl<T> FromIterator<T> for Ends<T> {
    fn from_iter<I: IntoIterator<Item = T>>(ends: I) -> Self {
        Self(ends.into_iter().map(|end| Mutex::new(Some(end))).collect())
    }
}
