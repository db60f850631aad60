//! `slipring rm`.

use crate::failure::{About, Coded, Done, Failure};
use slipring::{Observer, OpenError, Queue};

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
        let removed = match check(name).and_then(|()| Queue::unlink(name)) {
            Err(error @ OpenError::Permission(_)) => {
                let text = format!("{name}: not yours to remove; ask the owner of its file");
                Err(Failure::new(error.code(), text))
            }
            removed => removed.about(name),
        };
        if done.is_ok() {
            done = removed;
        } else {
            let _ = crate::failure::exit_code(removed);
        }
    }
    done
}

/// A path may be mistyped: what it leads to must be a queue, if only a damaged one or one of another version.
fn check(name: &str) -> Result<(), OpenError> {
    match Observer::open(name) {
        Err(OpenError::Incompatible(why))
            if name.contains('/') && why.contains("not a Slipring queue") =>
        {
            Err(OpenError::Incompatible(format!("{why}; it was left alone")))
        }
        _ => Ok(()),
    }
}
