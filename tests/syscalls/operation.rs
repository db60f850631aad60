//! The operations whose system calls fail.

use std::convert::Infallible;
use std::fmt;
use std::fs::File;
use std::time::Duration;

use slipring::{
    Consumer, JoinError, Observer, OpenError, Producer, Queue, QueueOptions, RecvError, SendError,
};

use crate::common::TempDir;
use crate::traced::Victim;

/// Rows of a queue, all of which others must be able to have.
pub const MEMBERS: u32 = 4;

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum What {
    Create,
    /// By a name, in a directory that is not there yet.
    CreateByName,
    CreateMemfd,
    Open,
    OpenOrCreate,
    Observe,
    Producer,
    Group,
    NewGroup,
    Anonymous,
    Lossy,
    /// For a message, in vain.
    Wait,
    WaitShared,
    WaitForRoom,
    MakePollable,
    Poll,
    LeakDescriptor,
    LeakMapping,
    LeakRow,
    LeakFile,
}

pub struct Operation {
    pub what: What,
    /// Has the process used the library before?
    warm: bool,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, {}", self.what, if self.warm { "later" } else { "first" })
    }
}

pub fn all() -> Vec<Operation> {
    use What::*;
    let only = std::env::var("SLIPRING_SYSCALLS").unwrap_or_default();
    let whats = [
        Create,
        CreateByName,
        CreateMemfd,
        Open,
        OpenOrCreate,
        Observe,
        Producer,
        Group,
        NewGroup,
        Anonymous,
        Lossy,
        Wait,
        WaitShared,
        WaitForRoom,
        MakePollable,
        Poll,
    ];
    // What has to open the queue first is never the first use.
    let cold = [Create, CreateByName, CreateMemfd, Open, OpenOrCreate, Observe];
    let variants = whats.into_iter().flat_map(|what| {
        let warms = if cold.contains(&what) { vec![false, true] } else { vec![true] };
        warms.into_iter().map(move |warm| Operation { what, warm })
    });
    variants.filter(|operation| operation.to_string().contains(&only)).collect()
}

/// Operations that leak.
pub fn leaks() -> impl Iterator<Item = Operation> {
    [What::LeakDescriptor, What::LeakMapping, What::LeakRow, What::LeakFile]
        .map(|what| Operation { what, warm: true })
        .into_iter()
}

pub fn options() -> QueueOptions {
    Queue::options().capacity(1024).max_groups(3).max_members(MEMBERS)
}

/// A failed operation, in words, with its status' name.
pub struct Failed(String);

macro_rules! told {
    ($($error:ty),*) => {$(
        impl From<$error> for Failed {
            fn from(error: $error) -> Self {
                Self(format!("{:?}: {error}", error.status()))
            }
        }
    )*};
}
told!(OpenError, JoinError, RecvError, SendError);

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Self {
        Self(format!("Os: {error}"))
    }
}

/// The operation between its marks, and what it made after it.
fn between<T>(victim: &Victim, call: impl FnOnce() -> Result<T, Failed>) {
    victim.start();
    let result = call();
    victim.start();
    match &result {
        Ok(_) => victim.say("done"),
        Err(Failed(text)) => victim.say(text),
    }
}

impl Operation {
    /// Does the queue exist before?
    pub fn needs_queue(&self) -> bool {
        !matches!(self.what, What::Create | What::CreateByName | What::CreateMemfd)
    }

    /// Where the queue is to be, in the end.
    pub fn path(&self, dir: &TempDir) -> String {
        match self.what {
            What::CreateByName => dir.path("queues/q"),
            _ => dir.path("q"),
        }
    }

    /// A process of its own makes the queue.
    pub fn prepare(&self, victim: &Victim, dir: &TempDir) -> Infallible {
        let queue = options().create(&self.path(dir)).unwrap();
        if self.what == What::WaitForRoom {
            let mut tx = queue.producer().unwrap();
            while tx.try_send(b"full").is_ok() {}
        }
        drop(queue);
        victim.end()
    }

    /// The child's part.
    pub fn perform(&self, victim: &Victim, dir: &TempDir) -> Infallible {
        if self.warm {
            rehearse(&dir.path("warm"));
        }
        let path = self.path(dir);
        match self.what {
            What::Observe | What::Open | What::OpenOrCreate => self.open(victim, &path),
            What::Create | What::CreateByName | What::CreateMemfd => self.create(victim, dir),
            _ => {
                let queue = Queue::open(&path).unwrap();
                victim.start();
                self.take_part(victim, &queue, &path);
                // With the queue still open, as it was before.
                return victim.end();
            }
        }
        victim.end()
    }

    fn open(&self, victim: &Victim, path: &str) {
        victim.start();
        match self.what {
            What::Observe => between(victim, || Ok(Observer::open(path)?)),
            What::Open => between(victim, || Ok(Queue::open(path)?)),
            _ => between(victim, || Ok(options().open_or_create(path)?)),
        }
    }

    fn create(&self, victim: &Victim, dir: &TempDir) {
        // SAFETY: this process has one thread.
        unsafe { std::env::set_var("SLIPRING_DIR", dir.path("queues")) };
        victim.start();
        match self.what {
            What::Create => between(victim, || Ok(options().create(&dir.path("q"))?)),
            What::CreateByName => between(victim, || Ok(options().create("q")?)),
            _ => between(victim, || Ok(options().create_memfd("q")?)),
        }
    }

    fn take_part(&self, victim: &Victim, queue: &Queue, path: &str) {
        let reader = || queue.consumer("default").unwrap();
        match self.what {
            What::Producer => between(victim, || Ok(queue.producer()?)),
            What::Group => between(victim, || Ok(queue.consumer("default")?)),
            What::NewGroup => between(victim, || Ok(queue.consumer("new")?)),
            What::Anonymous => between(victim, || Ok(queue.consumer_options().open()?)),
            What::Lossy => between(victim, || Ok(queue.consumer_options().lossy(true).open()?)),
            What::Wait => wait(victim, &reader()),
            What::WaitShared => {
                let readers = (reader(), reader());
                wait(victim, &readers.0);
            }
            What::WaitForRoom => wait_for_room(victim, &mut queue.producer().unwrap()),
            What::MakePollable => {
                let rx = reader();
                between(victim, || Ok(rx.pollable()?));
            }
            What::Poll => {
                let rx = reader();
                rx.pollable().unwrap();
                between(victim, || match rx.try_recv() {
                    Err(RecvError::Empty) => Ok(()),
                    other => Ok(other.map(drop)?),
                });
            }
            _ => self.leak(victim, queue, path),
        }
    }
}

impl Operation {
    fn leak(&self, victim: &Victim, queue: &Queue, path: &str) {
        between(victim, || {
            match self.what {
                What::LeakRow => std::mem::forget(queue.producer()?),
                What::LeakMapping => std::mem::forget(Queue::open(path)?),
                What::LeakFile => drop(File::create(format!("{path}.tmp"))?),
                _ => std::mem::forget(File::open(path)?),
            }
            Ok(())
        });
    }
}

const SHORT: Duration = Duration::from_millis(3);

fn wait(victim: &Victim, rx: &Consumer) {
    between(victim, || match rx.recv_timeout(SHORT) {
        Err(RecvError::Timeout) => Ok(()),
        other => Ok(other.map(drop)?),
    });
}

fn wait_for_room(victim: &Victim, tx: &mut Producer) {
    between(victim, || match tx.send_timeout(b"more", SHORT) {
        Err(SendError::Timeout) => Ok(()),
        other => Ok(other.map(|_| ())?),
    });
}

/// All of it once, so that what is made once in a process is there.
fn rehearse(path: &str) {
    let queue = options().create(path).unwrap();
    let rx = queue.consumer("default").unwrap();
    rx.pollable().unwrap();
    drop(rx);
    let rx = queue.consumer("default").unwrap();
    queue.producer().unwrap().send(b"").unwrap();
    rx.recv().unwrap().ack().unwrap();
    drop((rx, queue));
    Queue::unlink(path).unwrap();
}
