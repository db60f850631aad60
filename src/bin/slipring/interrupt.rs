//! SIGINT and SIGTERM: the first one asks a command to finish what it is at, the second one ends it at once.

use crate::failure::{Done, Failure};
use crate::output;
use indicatif::ProgressBar;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use std::cell::Cell;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

/// Who waits for something else than us looks here this often.
pub const GLANCE: Duration = Duration::from_millis(100);

/// Was the command interrupted? It asks where it can stop.
pub struct Interrupt {
    signals: Receiver<()>,
    come: Cell<bool>,
}

impl Interrupt {
    /// Takes the signals from now on.
    pub fn new() -> Result<Self, Failure> {
        let (sender, signals) = mpsc::channel();
        let mut first = true;
        on_signals(move |signal| {
            // Nobody listens any more, or does not get around to it.
            if sender.send(()).is_err() || !std::mem::replace(&mut first, false) {
                let _ = emulate_default_handler(signal);
            }
        })?;
        Ok(Self { signals, come: Cell::new(false) })
    }

    pub fn has_come(&self) -> bool {
        self.come.get() || self.wait(Duration::ZERO)
    }

    /// Waits that long, or until interrupted. Says whether it is.
    pub fn wait(&self, time: Duration) -> bool {
        if !self.come.get() {
            self.come.set(self.signals.recv_timeout(time).is_ok());
        }
        self.come.get()
    }
}

/// For a command that cannot stop where it waits: clears its bar, says what `words` makes of the bar's position, and ends as the signal would
/// have ended it.
pub fn last_words(bar: &ProgressBar, words: impl Fn(u64) -> String + Send + 'static) -> Done {
    let bar = bar.clone();
    on_signals(move |signal| {
        bar.finish_and_clear();
        output::say(format_args!("{}", words(bar.position())));
        let _ = emulate_default_handler(signal);
    })
}

fn on_signals(mut act: impl FnMut(i32) + Send + 'static) -> Done {
    let signals = Signals::new([SIGINT, SIGTERM]);
    let mut signals = signals.map_err(|error| Failure::io(&error, "signals"))?;
    std::thread::spawn(move || signals.forever().for_each(&mut act));
    Ok(())
}
