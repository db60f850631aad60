//! The processes that measure, and the queue between them.

use super::part::{Order, Part};
use crate::failure::{Done, FAILURE, Failure};
use crate::place;
use serde_json::Value;
use slipring::Queue;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Longer than the longest order by far, not counting the time that it says itself.
const PATIENCE: Duration = Duration::from_secs(60);

/// A queue there and a queue back, removed with it.
pub struct Place(String);

impl Place {
    /// A name of its own, also where several process namespaces share the directory.
    pub fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(format!("bench-{}-{}", std::process::id(), now.subsec_nanos()))
    }

    pub fn name(&self) -> &str {
        &self.0
    }

    pub fn create(&self, size: u64) -> Done {
        let capacity = (size.next_power_of_two() * 16).max(1 << 20);
        for name in names(&self.0) {
            place::create(&Queue::options().capacity(capacity).topic(true), &name)?;
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

/// The queue there and the queue back.
pub fn names(name: &str) -> [String; 2] {
    [name.to_owned(), format!("{name}-back")]
}

/// What is there of them.
pub fn remove(name: &str) {
    for name in names(name) {
        let _ = Queue::unlink(&name);
    }
}

/// What a process answers, by its number; nothing when it has ended.
type Said = (usize, Option<Value>);

/// The processes. They are killed with it.
pub struct Crew {
    program: PathBuf,
    hands: Vec<Child>,
    said: (Sender<Said>, Receiver<Said>),
}

impl Crew {
    pub fn new() -> Result<Self, Failure> {
        let program = std::env::current_exe();
        let program = program.map_err(|error| Failure::io(&error, "this program's own path"))?;
        Ok(Self { program, hands: Vec::new(), said: channel() })
    }

    /// Starts a process, which then waits to be told that the queue is there.
    pub fn start(&mut self, part: &Part) -> Result<usize, Failure> {
        let mut command = Command::new(&self.program);
        command.args(part.arguments()).stdin(Stdio::piped()).stdout(Stdio::piped());
        // A group of its own: ^C is for us, and the part learns of it when our end of its standard input goes.
        let child = command.process_group(0).spawn();
        let mut child = child.map_err(|error| Failure::io(&error, "this program again"))?;
        let (hand, answers, said) = (self.hands.len(), child.stdout.take(), self.said.0.clone());
        std::thread::spawn(move || {
            for line in answers.into_iter().flat_map(|pipe| BufReader::new(pipe).lines()) {
                let value = line.ok().and_then(|line| serde_json::from_str(&line).ok());
                let _ = said.send((hand, value));
            }
            let _ = said.send((hand, None));
        });
        self.hands.push(child);
        Ok(hand)
    }

    /// Lets all of them open the queue. Does each stay on its core?
    pub fn open(&mut self) -> Result<bool, Failure> {
        let mut pinned = true;
        for hand in 0..self.hands.len() {
            pinned &= self.order(hand, Order::Open)? == Value::Bool(true);
        }
        Ok(pinned)
    }

    /// Gives an order, and waits for the answer.
    pub fn order(&mut self, hand: usize, order: Order) -> Result<Value, Failure> {
        let limit = PATIENCE + if let Order::For(time) = order { time } else { Duration::ZERO };
        if let Some(stdin) = self.hands.get_mut(hand).and_then(|child| child.stdin.as_mut()) {
            // Whoever has ended is seen below.
            let _ = writeln!(stdin, "{}", order.text());
        }
        match self.said.1.recv_timeout(limit) {
            Ok((_, Some(value))) => Ok(value),
            Ok((ended, None)) => Err(self.ended(ended)),
            Err(_) => Err(Failure::new(FAILURE, "waited too long for one of the sides")),
        }
    }

    /// It has said on standard error why.
    fn ended(&mut self, hand: usize) -> Failure {
        let status = self.hands.get_mut(hand).and_then(|child| child.wait().ok());
        let code = status.and_then(|status| u8::try_from(status.code()?).ok());
        let code = code.filter(|code| *code != 0).unwrap_or(FAILURE);
        let how = status.map_or(String::new(), |status| format!(": {status}"));
        Failure::new(code, format_args!("one of the sides has ended early{how}"))
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        for child in &mut self.hands {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
