//! The limit of a round trip: one cache line written here and seen there. It carries a stamp and nothing else.

use std::sync::Arc;
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Release},
};

use crate::message::{Message, first};
use crate::peer::{Peer, Receiver, Sender, Setup};
use crate::{Result, sys};

/// A word for each link.
pub struct Line(Vec<Word>);

/// A word on a line of its own; its stamps differ from one message to the next.
#[derive(Clone)]
pub struct Word {
    map: Arc<memmap2::MmapRaw>,
    last: u64,
}

/// No stamp: nothing was sent yet.
const NOTHING: u64 = u64::MAX;

impl Word {
    #[inline(always)]
    fn word(&self) -> &AtomicU64 {
        // SAFETY: the page is mapped as long as `self`, and everybody uses atomics only.
        unsafe { &*self.map.as_mut_ptr().cast::<AtomicU64>() }
    }
}

impl<M: Message> Peer<M> for Line {
    type Tx = Word;
    type Rx = Word;

    fn create(setup: &Setup) -> Result<Self> {
        let line = <Self as Peer<M>>::open(setup)?;
        line.0.iter().for_each(|word| word.word().store(NOTHING, Release));
        Ok(line)
    }
    fn open(setup: &Setup) -> Result<Self> {
        let word =
            |link| Ok(Word { map: Arc::new(sys::map(&setup.link(link), 4096)?), last: NOTHING });
        Ok(Self((0..setup.links).map(word).collect::<Result<_>>()?))
    }
    fn sender(&self, link: usize) -> Result<Word> {
        Ok(self.0[link].clone())
    }
    fn receiver(&self, link: usize, _: usize) -> Result<Word> {
        Ok(self.0[link].clone())
    }
}

impl<M: Message> Sender<M> for Word {
    #[inline(always)]
    fn send(&mut self, message: &[u8]) {
        self.word().store(first(message), Release);
    }
}

impl Receiver for Word {
    #[inline(always)]
    fn poll(&mut self, read: &mut impl FnMut(&[u8])) -> bool {
        let stamp = self.word().load(Acquire);
        let new = stamp != self.last;
        if new {
            self.last = stamp;
            read(&stamp.to_ne_bytes());
        }
        new
    }
}
