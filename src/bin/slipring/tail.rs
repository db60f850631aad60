//! `slipring tail`.

use crate::failure::{About, Done};
use crate::interrupt::{GLANCE, Interrupt};
use crate::message::Form;
use crate::output;
use crate::peek::lagged;
use slipring::{Observer, RecvError, Start};
use std::collections::VecDeque;

/// Show the last messages sent, and with -f those to come, without taking them
#[derive(clap::Args)]
pub struct Tail {
    /// The queue
    name: String,
    /// Go on with what comes, until interrupted or until the queue is closed
    #[arg(short, long)]
    follow: bool,
    /// Messages to begin with
    #[arg(short = 'n', long = "count", value_name = "N", default_value_t = 10)]
    count: usize,
    #[command(flatten)]
    form: Form,
}

pub fn run(args: Tail) -> Done {
    let mut observer = Observer::open(&args.name).about(&args.name)?;
    let mut out = output::stdout()?;
    let mut buffer = Vec::new();
    if args.count == 0 {
        observer.seek(Start::Latest).about(&args.name)?;
    }
    for seen in last(&mut observer, &args)? {
        args.form.observed(&seen, &mut buffer);
    }
    output::write_counted(&mut out, &buffer).1?;
    if !args.follow {
        return Ok(());
    }
    let interrupt = Interrupt::new()?;
    let mut followed = 0;
    while !interrupt.has_come() {
        buffer.clear();
        match observer.recv_timeout(GLANCE) {
            Ok(seen) => {
                args.form.observed(&seen, &mut buffer);
                followed += 1;
            }
            Err(RecvError::Timeout) => continue,
            Err(RecvError::Lagged { missed }) => lagged(&args.name, missed),
            Err(RecvError::Closed) => return Ok(()),
            Err(error) => return Err(error).about(&args.name),
        }
        output::write_counted(&mut out, &buffer).1?;
    }
    let count = output::counted(followed, "message");
    output::say(format_args!("{}: interrupted; {count} came since", args.name));
    Ok(())
}

/// The last messages there are now; the observer then stands behind them.
fn last(
    observer: &mut Observer,
    args: &Tail,
) -> Result<VecDeque<slipring::Observed>, crate::failure::Failure> {
    let end = observer.stats().latest;
    let mut last = VecDeque::new();
    if args.count == 0 {
        return Ok(last);
    }
    loop {
        match observer.try_recv() {
            Ok(seen) => {
                let there = seen.position;
                if last.len() == args.count {
                    last.pop_front();
                }
                last.push_back(seen);
                if there >= end {
                    break;
                }
            }
            // Older ones than we want.
            Err(RecvError::Lagged { .. }) => {}
            Err(RecvError::Empty | RecvError::Closed) => break,
            Err(error) => return Err(error).about(&args.name),
        }
    }
    Ok(last)
}
