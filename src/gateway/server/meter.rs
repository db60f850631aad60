//! How much a client may send in a second.

use std::time::Instant;

use crate::gateway::config::Config;

/// What one client has left, of bytes and of messages.
pub(super) struct Meter {
    bytes: Bucket,
    messages: Bucket,
}

impl Meter {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            bytes: Bucket::new(config.bytes_per_second),
            messages: Bucket::new(config.messages_per_second),
        }
    }

    /// So many bytes came; `false`: they are too many.
    pub(super) fn bytes(&mut self, count: usize) -> bool {
        self.bytes.take(count)
    }

    /// A message came, or a request; `false`: it is one too many.
    pub(super) fn message(&mut self) -> bool {
        self.messages.take(1)
    }
}

/// It holds what comes in a second, and is full at the beginning.
struct Bucket {
    /// 0 for no limit.
    rate: usize,
    left: f64,
    filled: Instant,
}

impl Bucket {
    fn new(rate: usize) -> Self {
        Self { rate, left: rate as f64, filled: Instant::now() }
    }

    fn take(&mut self, count: usize) -> bool {
        if self.rate == 0 {
            return true;
        }
        let (now, rate) = (Instant::now(), self.rate as f64);
        let came = (now - self.filled).as_secs_f64() * rate;
        self.filled = now;
        self.left = (self.left + came).min(rate) - count as f64;
        self.left >= 0.0
    }
}
