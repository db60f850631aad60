//! The demo's processes: started, killed, replaced, awaited.

use super::Place;
use super::part::{Role, arguments};
use crate::failure::{Done, FAILURE, Failure};
use std::io::Write;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// All processes that were started. Those that live are killed with it.
pub struct Crew<'p> {
    program: PathBuf,
    place: &'p Place,
    children: Vec<(Role, Option<Child>)>,
}

/// Index of a process in the crew.
pub type Hand = usize;

impl<'p> Crew<'p> {
    pub fn new(place: &'p Place) -> Result<Self, Failure> {
        let program = std::env::current_exe();
        let program = program.map_err(|error| Failure::io(&error, "this program's own path"))?;
        Ok(Self { program, place, children: Vec::new() })
    }

    pub fn producer(&mut self, number: usize, first: usize, end: usize) -> Result<Hand, Failure> {
        self.start(Role::Producer, number, first, end)
    }

    pub fn worker(&mut self, number: usize) -> Result<Hand, Failure> {
        self.start(Role::Worker, number, 0, 0)
    }

    pub fn archive(&mut self) -> Result<Hand, Failure> {
        self.start(Role::Archive, 0, 0, 0)
    }

    fn start(
        &mut self,
        role: Role,
        number: usize,
        first: usize,
        end: usize,
    ) -> Result<Hand, Failure> {
        let mut command = Command::new(&self.program);
        command.args(arguments(role, &self.place.0, number, first, end));
        // A group of its own: ^C is for us, and the part learns of it when our end of its standard input goes.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).process_group(0);
        let child = command.spawn().map_err(|error| Failure::io(&error, role.name()))?;
        self.children.push((role, Some(child)));
        Ok(self.children.len() - 1)
    }

    /// Lets a producer send its last lines.
    pub fn go(&mut self, hand: Hand) -> Done {
        let child = self.children.get_mut(hand).and_then(|(_, child)| child.as_mut());
        let Some(stdin) = child.and_then(|child| child.stdin.as_mut()) else { return Ok(()) };
        stdin.write_all(b"!").map_err(|error| Failure::io(&error, "a producer has ended early"))
    }

    /// SIGKILL. Returns the process id.
    pub fn kill(&mut self, hand: Hand, what: &str) -> Result<u32, Failure> {
        let early =
            || Failure::new(FAILURE, format_args!("the {what} ended before it could be killed"));
        let mut child = self.take(hand).ok_or_else(early)?;
        let id = child.id();
        let _ = child.kill();
        let status = child.wait().map_err(|error| Failure::io(&error, what))?;
        if status.signal().is_some() { Ok(id) } else { Err(early()) }
    }

    /// Waits for a process that is to end well.
    pub fn join(&mut self, hand: Hand, deadline: Instant, mut tick: impl FnMut()) -> Done {
        let role = self.children.get(hand).map_or("process", |(role, _)| role.name());
        let Some(mut child) = self.take(hand) else { return Ok(()) };
        let mut status = None;
        let ended = until(deadline, role, || {
            tick();
            status = child.try_wait().map_err(|error| Failure::io(&error, role))?;
            Ok(status.is_some())
        });
        if ended.is_err() {
            let _ = child.kill();
            let _ = child.wait();
        }
        ended?;
        match status {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(Failure::new(FAILURE, format_args!("a {role} failed: {status}"))),
            None => Ok(()),
        }
    }

    pub fn join_all(&mut self, deadline: Instant, mut tick: impl FnMut()) -> Done {
        (0..self.children.len()).try_for_each(|hand| self.join(hand, deadline, &mut tick))
    }

    fn take(&mut self, hand: Hand) -> Option<Child> {
        self.children.get_mut(hand)?.1.take()
    }
}

impl Drop for Crew<'_> {
    fn drop(&mut self) {
        for child in self.children.iter_mut().filter_map(|(_, child)| child.as_mut()) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Looks again every millisecond until it is so.
pub fn until(deadline: Instant, what: &str, mut so: impl FnMut() -> Result<bool, Failure>) -> Done {
    while !so()? {
        if Instant::now() > deadline {
            return Err(Failure::new(FAILURE, format_args!("waited too long for {what}")));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
