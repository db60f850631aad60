//! How long survivors take to get on after a kill, and how much of that the machine takes.

use super::child::Times;
use std::time::Duration;

/// What the issue allows.
pub const BOUND: Duration = Duration::from_millis(100);

/// The work of all goes through one ring, so that a process without a processor holds up the others. The time for which some process
/// of the test was runnable and had none is the machine's (the longest such time of one process, as the kernel counts it): what is
/// beyond it is ours.
#[derive(Default)]
pub struct Progress {
    all: Times,
    /// Those above the bound, less the machine's part.
    late: Times,
}

impl Progress {
    /// `starved` is asked only if it matters.
    pub fn add(&mut self, time: Duration, starved: impl Fn() -> Duration) {
        self.all.add(time);
        if time > BOUND {
            let starved = starved();
            println!("a survivor took {time:.1?}; one was without a processor for {starved:.1?}");
            self.late.add(time.saturating_sub(starved));
        }
    }

    pub fn count(&self) -> usize {
        self.all.count()
    }

    /// The longest time that the machine does not explain.
    pub fn unexplained(&mut self) -> Duration {
        self.late.percentile(100)
    }

    pub fn report(&mut self) {
        self.all.report("kill to a survivor's next progress");
        println!(
            "{} of {} took longer than {BOUND:?}; at most {:.1?} without what the machine took",
            self.late.count(),
            self.all.count(),
            self.unexplained()
        );
    }
}
