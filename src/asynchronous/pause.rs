//! Waiting without anybody who wakes.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

/// Looks again so often after other tasks had their turn.
const TURNS: u32 = 8;
/// Then sleeps, first so long; tokio's timer knows no shorter time.
const FIRST_NAP: Duration = Duration::from_millis(1);
/// Each nap is twice as long as the one before, up to here.
const LONGEST_NAP: Duration = Duration::from_millis(8);

/// What to do between one look and the next.
#[derive(Debug, Default)]
pub(super) struct Pause {
    looks: u32,
    /// Others are having their turn.
    yielded: bool,
    nap: Option<Pin<Box<Sleep>>>,
}

impl Pause {
    /// Ready when it is time for the next look.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.looks < TURNS {
            self.yielded = !self.yielded;
            if self.yielded {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        } else {
            let doublings = (self.looks - TURNS).min(8);
            let time = (FIRST_NAP * (1 << doublings)).min(LONGEST_NAP);
            let nap = self.nap.get_or_insert_with(|| Box::pin(sleep(time)));
            ready!(nap.as_mut().poll(cx));
            self.nap = None;
        }
        self.looks = self.looks.saturating_add(1);
        Poll::Ready(())
    }
}
