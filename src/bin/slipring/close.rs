//! `slipring close`.

use crate::failure::{About, Done};
use slipring::Queue;

/// Close a queue for good: senders are refused, receivers drain it and then stop
#[derive(clap::Args)]
pub struct Close {
    /// The queue
    name: String,
}

pub fn run(args: Close) -> Done {
    let queue = Queue::open(&args.name).about(&args.name)?;
    queue.close().about(&args.name)
}
