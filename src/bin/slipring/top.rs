//! `slipring top`: all queues at a glance, again and again.
//!
//! `sample.rs` reads the figures, in a thread of its own; `state.rs` is what the keys have chosen; `view.rs` draws both, and knows nothing else;
//! `screen.rs` takes the terminal and gives it back.

mod sample;
mod screen;
mod state;
#[cfg(test)]
mod tests;
mod view;

use crate::failure::{Done, FAILURE, Failure};
use crate::interrupt::{GLANCE, Interrupt};
use crate::{output, units};
use ratatui::crossterm::event::{self, Event};
use sample::{Sampler, Snapshot};
use screen::Screen;
use state::State;
use std::io::{self, IsTerminal};
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::time::{Duration, Instant};

/// Watch all queues: rates, fill, lag, members, dead letters
///
/// Keys: up and down select a queue, Enter shows its groups and members; n, s, r, f, l, m and d sort by a column, once more the other way
/// round; q quits.
#[derive(clap::Args)]
pub struct Top {
    /// Only these queues
    names: Vec<String>,
    /// Look again every so often; less often if that would take more than a tenth of a core
    #[arg(short, long, value_name = "TIME", default_value = "1s", value_parser = units::interval)]
    interval: Duration,
}

pub fn run(args: Top) -> Done {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        let text = "top needs a terminal; `slipring stat NAME --interval 1s` prints rates";
        return Err(Failure::new(FAILURE, text));
    }
    let interrupt = Interrupt::new()?;
    let mut state = State::new(output::coloured());
    let mut screen = Screen::enter().map_err(terminal)?;
    // Dropped at the end, which ends the thread.
    let (_more, snapshots) = sampling(args);
    let (mut snapshot, mut changed) = (Snapshot::default(), true);
    loop {
        if std::mem::take(&mut changed) {
            screen.draw(&snapshot, &state).map_err(terminal)?;
        }
        if interrupt.has_come() {
            return Ok(());
        }
        if event::poll(GLANCE).map_err(terminal)? {
            // A key, or a new size.
            changed = true;
            if let Event::Key(key) = event::read().map_err(terminal)?
                && state.press(&key, &snapshot)
            {
                return Ok(());
            }
        }
        match snapshots.try_recv() {
            Ok(new) => {
                state.follow(&new);
                (snapshot, changed) = (new, true);
            }
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => {
                return Err(Failure::new(FAILURE, "nobody reads the figures any more"));
            }
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "what map_err gives")]
fn terminal(error: io::Error) -> Failure {
    Failure::io(&error, "the terminal")
}

/// Looking takes this share of the time at most.
const SHARE: u32 = 10;

/// Reads the figures in a thread, so that keys are answered while many or large queues are looked at.
fn sampling(args: Top) -> (Sender<()>, Receiver<Snapshot>) {
    let (sender, snapshots) = mpsc::sync_channel(1);
    let (more, wait) = mpsc::channel();
    std::thread::spawn(move || {
        let mut sampler = Sampler::new(args.names);
        loop {
            let start = Instant::now();
            let snapshot = sampler.take();
            let pause = (start.elapsed() * SHARE).max(args.interval);
            let over = sender.send(snapshot).is_err();
            if over || wait.recv_timeout(pause) == Err(mpsc::RecvTimeoutError::Disconnected) {
                return;
            }
        }
    });
    (more, snapshots)
}
