//! `slipring rm`.

use crate::failure::{About, Done};
use slipring::Queue;

/// Remove queues; who has one open goes on with it until it closes it
#[derive(clap::Args)]
pub struct Rm {
    /// The queues
    #[arg(required = true)]
    names: Vec<String>,
}

pub fn run(args: Rm) -> Done {
    // All of them are tried; the first failure is the one reported last.
    let mut done = Ok(());
    for name in &args.names {
        let removed = Queue::unlink(name).about(name);
        if done.is_ok() {
            done = removed;
        } else {
            let _ = crate::failure::exit_code(removed);
        }
    }
    done
}
