//! The contenders, each with the works it takes part in. A new one is a file, a line in `ALL`, and its name in the README.

#[cfg(feature = "aeron")]
mod aeron;
mod array_queue;
#[cfg(boost)]
mod boost;
mod channel;
mod disruptor;
mod eventfd;
mod fd;
mod futex;
mod iceoryx2;
mod kanal;
mod line;
mod mailbox;
mod mq;
mod nng;
mod pipe;
mod rtrb;
mod slipring;
mod slots;
mod unix;
mod zmq;

use crate::Result;
use crate::cell::{
    Between::{self, Processes, Threads},
    Share, enter,
};
use crate::message::{M8, M64, M256, M1024, M65536};
use crate::work::{Kind, Mode, Part, Task, Work};

pub use mq::remove as remove_message_queues;

/// What runs against the others.
pub struct Contender {
    pub name: &'static str,
    pub between: Between,
    works: &'static [Takes],
    /// Does a share of a task, or says why that cannot be here.
    run: Run,
}

type Run = std::result::Result<fn(&Task, Between, Share) -> Result<Part>, &'static str>;

/// The kinds of work that a contender can take part in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    RoundTrip,
    /// A stamp there and back, and no more.
    BareRoundTrip,
    OneWay,
    Batch,
    InPlace,
    /// Several producers and workers.
    Pool,
    PoolBatch,
    /// Several groups.
    FanOut,
    FanOutBatch,
    Wake,
}

use Takes::{
    BareRoundTrip, Batch, FanOut, FanOutBatch, InPlace, OneWay, Pool, PoolBatch, RoundTrip, Wake,
};

/// Runs a contender's type with the message's type that the task's size asks for.
macro_rules! by_size {
    ($peer:ty) => {
        by_size!($peer, $peer, $peer, $peer, $peer)
    };
    ($m8:ty, $m64:ty, $m256:ty, $m1024:ty, $m65536:ty) => {
        Ok(|task, between, share| match task.size {
            8 => enter::<$m8, M8>(task, between, share),
            64 => enter::<$m64, M64>(task, between, share),
            256 => enter::<$m256, M256>(task, between, share),
            1024 => enter::<$m1024, M1024>(task, between, share),
            65536 => enter::<$m65536, M65536>(task, between, share),
            size => Err(format!("no messages of {size} bytes here").into()),
        })
    };
}

/// The same for a type that has the message as its parameter.
macro_rules! generic {
    ($($peer:ident)::+) => {
        by_size!(
            $($peer)::+<M8>, $($peer)::+<M64>, $($peer)::+<M256>, $($peer)::+<M1024>, $($peer)::+<M65536>
        )
    };
}

const SLIPRING: &[Takes] =
    &[RoundTrip, OneWay, Batch, InPlace, Pool, PoolBatch, FanOut, FanOutBatch, Wake];
const KERNEL: &[Takes] = &[RoundTrip, OneWay, Wake];

/// Everybody, slipring first.
pub const ALL: &[Contender] = &[
    Contender {
        name: "slipring",
        between: Processes,
        works: SLIPRING,
        run: by_size!(slipring::Slipring),
    },
    Contender {
        name: "slipring",
        between: Threads,
        works: SLIPRING,
        run: by_size!(slipring::Slipring),
    },
    Contender {
        name: "cache line",
        between: Processes,
        works: &[BareRoundTrip],
        run: by_size!(line::Line),
    },
    Contender {
        name: "mailbox",
        between: Processes,
        works: &[RoundTrip],
        run: by_size!(mailbox::Mailbox),
    },
    Contender {
        name: "slot ring",
        between: Processes,
        works: &[RoundTrip, OneWay, InPlace],
        run: by_size!(slots::Slots),
    },
    Contender {
        name: "rtrb",
        between: Threads,
        works: &[RoundTrip, OneWay, Batch],
        run: generic!(rtrb::Rtrb),
    },
    Contender {
        name: "crossbeam ArrayQueue",
        between: Threads,
        works: &[RoundTrip, OneWay, Pool],
        run: generic!(array_queue::Queues),
    },
    Contender {
        name: "crossbeam channel",
        between: Threads,
        works: &[RoundTrip, OneWay, Pool],
        run: generic!(channel::Channels),
    },
    Contender {
        name: "disruptor",
        between: Threads,
        works: &[RoundTrip, OneWay, Batch, FanOut, FanOutBatch],
        run: generic!(disruptor::Disruptor),
    },
    Contender {
        name: "kanal",
        between: Threads,
        works: &[RoundTrip, OneWay, Batch, Pool, PoolBatch],
        run: generic!(kanal::Channels),
    },
    Contender {
        name: "iceoryx2",
        between: Processes,
        works: &[RoundTrip, OneWay, InPlace, FanOut],
        run: by_size!(iceoryx2::Iceoryx),
    },
    Contender {
        name: "Aeron IPC",
        between: Processes,
        works: &[RoundTrip, OneWay, InPlace, FanOut],
        run: AERON,
    },
    Contender { name: "boost message_queue", between: Processes, works: KERNEL, run: BOOST },
    Contender {
        name: "ZeroMQ ipc",
        between: Processes,
        works: &[RoundTrip, OneWay],
        run: by_size!(zmq::Zmq),
    },
    Contender {
        name: "nng ipc",
        between: Processes,
        works: &[RoundTrip, OneWay],
        run: by_size!(nng::Nng),
    },
    Contender { name: "POSIX mq", between: Processes, works: KERNEL, run: by_size!(mq::Queues) },
    Contender {
        name: "Unix socket",
        between: Processes,
        works: KERNEL,
        run: by_size!(unix::Sockets),
    },
    Contender { name: "pipe", between: Processes, works: KERNEL, run: by_size!(pipe::Pipes) },
    Contender { name: "futex", between: Processes, works: &[Wake], run: by_size!(futex::Futex) },
    Contender {
        name: "eventfd",
        between: Processes,
        works: &[Wake],
        run: by_size!(eventfd::Eventfd),
    },
];

#[cfg(feature = "aeron")]
const AERON: Run = by_size!(aeron::Aeron);
#[cfg(not(feature = "aeron"))]
const AERON: Run = Err("built without the feature `aeron`, which needs CMake 3.30 or later");

#[cfg(boost)]
const BOOST: Run = by_size!(boost::Boost);
#[cfg(not(boost))]
const BOOST: Run = Err("no Boost headers when this was built: install libboost-dev");

/// The version of Boost that this was built with.
pub fn boost_version() -> Option<String> {
    #[cfg(boost)]
    return Some(boost::version());
    #[cfg(not(boost))]
    None
}

impl Contender {
    /// As tasks and rows name it: slipring is there twice.
    pub fn id(&self) -> String {
        let threads =
            if self.name == "slipring" && self.between == Threads { ", threads" } else { "" };
        format!("{}{threads}", self.name)
    }

    /// Whether all its sides can live in one thread, none of them waiting in the kernel.
    pub fn is_alone(&self) -> bool {
        self.between == Threads || self.name == "slot ring"
    }

    /// The contender that a task or a row names.
    pub fn find(id: &str) -> Option<&'static Contender> {
        ALL.iter().find(|contender| contender.id() == id)
    }

    /// Whether it does this work with messages of this size.
    pub fn takes_part_in(&self, work: &Work, size: usize) -> bool {
        let takes = match (work.kind, work.mode) {
            (Kind::Wake, _) => Wake,
            (Kind::RoundTrip, _) if size == 8 && self.works.contains(&BareRoundTrip) => {
                BareRoundTrip
            }
            (Kind::RoundTrip, _) => RoundTrip,
            (Kind::Flow, Mode::InPlace) => InPlace,
            (Kind::Flow, Mode::Single) if work.groups > 1 => FanOut,
            (Kind::Flow, Mode::Batch) if work.groups > 1 => FanOutBatch,
            (Kind::Flow, Mode::Single) if work.roles() > 2 => Pool,
            (Kind::Flow, Mode::Batch) if work.roles() > 2 => PoolBatch,
            (Kind::Flow, Mode::Single) => OneWay,
            (Kind::Flow, Mode::Batch) => Batch,
        };
        self.works.contains(&takes) && (self.between == Processes || work.kind != Kind::Wake)
    }

    /// Does a share of a task in this process.
    pub fn run(&self, task: &Task, share: Share) -> Result<Part> {
        (self.run?)(task, self.between, share)
    }

    /// Why it cannot run here.
    pub fn missing(&self) -> Option<&'static str> {
        self.run.err()
    }
}
