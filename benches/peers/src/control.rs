//! A page that the participants of a work share to begin and to end together.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Release},
};
use std::thread::yield_now;
use std::time::Duration;

use crate::{Result, sys};

/// What participants say when another one has failed, who says why.
pub const OTHER_SIDE: &str = "the other side failed";

/// The words of the page.
#[derive(Clone, Copy)]
enum Word {
    /// Producers that have their ends.
    Opened,
    /// Who is in place.
    Ready,
    /// When to end; 0 before the beginning.
    Until,
    /// Producers that are done.
    Produced,
    /// Workers that have seen the end.
    Stopped,
    /// Participants that have failed.
    Failed,
}

#[derive(Clone)]
pub struct Control(Arc<memmap2::MmapRaw>);

impl Control {
    /// Maps the page of a piece of work; whoever is first makes it.
    pub fn open(dir: &Path) -> Result<Self> {
        Ok(Self(Arc::new(sys::map(&dir.join("control"), 4096)?)))
    }

    fn word(&self, word: Word) -> &AtomicU64 {
        let at = self.0.as_mut_ptr().wrapping_add(word as usize * 64).cast::<AtomicU64>();
        // SAFETY: inside the page, aligned, mapped as long as `self`; everybody uses atomics only.
        unsafe { &*at }
    }

    /// Says that the caller, a producer, has its ends.
    pub fn opened(&self) {
        self.word(Word::Opened).fetch_add(1, Release);
    }

    /// Waits until that many have.
    pub fn wait_until_opened(&self, producers: usize) -> Result<()> {
        while self.word(Word::Opened).load(Acquire) < producers as u64 {
            self.go_on()?;
            yield_now();
        }
        Ok(())
    }

    /// An error once somebody has failed.
    fn go_on(&self) -> Result<()> {
        let failed = self.word(Word::Failed).load(Acquire) > 0;
        if failed { Err(OTHER_SIDE.into()) } else { Ok(()) }
    }

    /// Says that the caller is in place.
    pub fn ready(&self) {
        self.word(Word::Ready).fetch_add(1, Release);
    }

    /// Waits for the beginning. When to end.
    pub fn wait_for_start(&self) -> u64 {
        loop {
            match self.word(Word::Until).load(Acquire) {
                0 => yield_now(),
                until => return until,
            }
        }
    }

    /// Waits for the others, and lets everybody begin. When to end.
    pub fn start(&self, others: usize, time: Duration) -> Result<u64> {
        while self.word(Word::Ready).load(Acquire) < others as u64 {
            self.go_on()?;
            std::thread::sleep(Duration::from_micros(50));
        }
        let until = sys::now() + time.as_nanos() as u64;
        self.word(Word::Until).store(until, Release);
        Ok(until)
    }

    /// Says that the caller will not get into place.
    pub fn fail(&self) {
        self.word(Word::Failed).fetch_add(1, Release);
    }

    /// Says that the caller has sent everything.
    pub fn produced(&self) {
        self.word(Word::Produced).fetch_add(1, Release);
    }

    /// Waits until that many have.
    pub fn wait_until_produced(&self, producers: usize) {
        while self.word(Word::Produced).load(Acquire) < producers as u64 {
            yield_now();
        }
    }

    /// Says that the caller has seen the end.
    pub fn stopped(&self) {
        self.word(Word::Stopped).fetch_add(1, Release);
    }

    /// Waits until that many have.
    pub fn wait_until_stopped(&self, workers: usize) {
        while self.word(Word::Stopped).load(Acquire) < workers as u64 {
            yield_now();
        }
    }
}
