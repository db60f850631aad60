//! What the processes do. Each is this program, started again; orders come on standard input, and each is answered by a line of JSON.

use super::crew::{names, remove};
use super::figures::Spread;
use super::{cores, limits};
use crate::failure::{About, Done, Failure};
use crate::output;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use slipring::{Consumer, Producer, Queue, RecvError};
use std::hint::black_box;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// One process of a measurement
#[derive(clap::Args)]
pub struct Part {
    #[arg(value_enum)]
    pub role: Role,
    /// The queue there; the queue back has a longer name
    pub name: String,
    /// Bytes of a message
    pub size: u64,
    pub groups: usize,
    /// Members of each group
    pub members: usize,
    /// Which group to join
    pub group: usize,
    #[arg(long)]
    pub core: Option<usize>,
    /// For who needs two
    #[arg(long)]
    pub other_core: Option<usize>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub enum Role {
    /// Measures trips there and back.
    Ping,
    /// The same with pauses, in which the other side falls asleep.
    Poke,
    /// Sends every message back.
    Echo,
    /// Measures how fast all others receive what it sends.
    Pour,
    /// Receives, and says so when an empty message comes.
    Drain,
    /// Measures the machine without a queue.
    Limits,
}

#[derive(Clone, Copy)]
pub enum Order {
    /// The queue is there now.
    Open,
    /// Measure for that long.
    For(Duration),
    Line,
    Futex,
}

impl Order {
    pub fn text(self) -> String {
        match self {
            Self::Open => "open".into(),
            Self::For(time) => time.as_nanos().to_string(),
            Self::Line => "line".into(),
            Self::Futex => "futex".into(),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "open" => Some(Self::Open),
            "line" => Some(Self::Line),
            "futex" => Some(Self::Futex),
            _ => text.parse().ok().map(Duration::from_nanos).map(Self::For),
        }
    }
}

impl Part {
    /// The arguments that start it.
    pub fn arguments(&self) -> Vec<String> {
        let role = clap::ValueEnum::to_possible_value(&self.role);
        let role = role.map_or(String::new(), |role| role.get_name().into());
        let mut all = vec!["bench-part".into(), role, self.name.clone(), self.size.to_string()];
        all.extend([self.groups, self.members, self.group].map(|number| number.to_string()));
        for (name, core) in [("--core", self.core), ("--other-core", self.other_core)] {
            all.extend(core.into_iter().flat_map(|core| [name.into(), core.to_string()]));
        }
        all
    }
}

pub fn run(part: Part) -> Done {
    let orders = follow_the_parent(part.name.clone());
    let pinned = part.core.is_some_and(cores::pin);
    let _ = orders.recv();
    let [there, back] = names(&part.name);
    let open = |name: &str| {
        let queue = Queue::open(name).about(name)?;
        queue.prefault();
        Ok(queue)
    };
    let ready = || output::print_json(&pinned.into());
    if matches!(part.role, Role::Limits) {
        ready()?;
        return obey(&orders, |order| limits::measure(order, part.other_core));
    }
    let (there, back) = (open(&there)?, open(&back)?);
    match part.role {
        Role::Echo | Role::Drain => {
            let rx = there.consumer(&part.group.to_string()).about(&part.name)?;
            let tx = back.producer().about(&part.name)?;
            ready()?;
            let other = Other { rx, tx, name: &part.name };
            if matches!(part.role, Role::Echo) { other.echo() } else { other.drain() }
        }
        _ => {
            let rx = back.consumer("answers").about(&part.name)?;
            let tx = there.producer().about(&part.name)?;
            let payload = vec![1; usize::try_from(part.size).unwrap_or(1)];
            ready()?;
            let mut measuring = Measuring { rx, tx, payload, part: &part };
            obey(&orders, |order| {
                let Order::For(time) = order else { return Ok(Value::Null) };
                match part.role {
                    Role::Ping => measuring.ping(time),
                    Role::Poke => measuring.poke(time),
                    _ => measuring.pour(time),
                }
            })
        }
    }
}

/// When the command itself goes, however it goes, its parts remove the queue and end.
fn follow_the_parent(name: String) -> Receiver<Order> {
    let (said, orders) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if let Some(order) = Order::parse(&line) {
                let _ = said.send(order);
            }
        }
        remove(&name);
        std::process::exit(1);
    });
    orders
}

fn obey(
    orders: &Receiver<Order>,
    mut carry_out: impl FnMut(Order) -> Result<Value, Failure>,
) -> Done {
    orders.iter().try_for_each(|order| output::print_json(&carry_out(order)?))
}

/// The side that is measured with. It goes on until it is killed.
struct Other<'n> {
    rx: Consumer,
    tx: Producer,
    name: &'n str,
}

impl Other<'_> {
    fn echo(mut self) -> Done {
        loop {
            // As a worker does: the reply first, straight from the ring, and then the ack.
            let message = self.rx.recv().about(self.name)?;
            self.tx.send(message.payload()).about(self.name)?;
            message.ack().about(self.name)?;
        }
    }

    fn drain(mut self) -> Done {
        let mut buffer = Vec::new();
        loop {
            buffer.clear();
            let len = self.rx.recv_into(&mut buffer).about(self.name)?;
            black_box(&buffer);
            if len == 0 {
                self.tx.send(b"").about(self.name)?;
            }
        }
    }
}

/// The side that measures.
struct Measuring<'p> {
    rx: Consumer,
    tx: Producer,
    payload: Vec<u8>,
    part: &'p Part,
}

/// Trips between two looks at the clock, and messages of a stream, unless they are so large that it is fewer.
const TRIPS: u64 = 128;
const MESSAGES: u64 = 1024;
const STRETCH_BYTES: u64 = 1 << 20;
/// Much longer than anybody spins before he sleeps.
const PAUSE: Duration = Duration::from_micros(500);

impl Measuring<'_> {
    fn send(&mut self) -> Done {
        self.tx.send(&self.payload).map(drop).about(&self.part.name)
    }

    fn receive(&self) -> Done {
        let message = self.rx.recv().about(&self.part.name)?;
        black_box(message.payload());
        message.ack().about(&self.part.name)
    }

    fn stretch(&self, most: u64) -> u64 {
        (STRETCH_BYTES / self.part.size.max(1)).clamp(1, most)
    }

    fn turn(&mut self) -> Done {
        self.send()?;
        self.receive()
    }

    /// Stretches without the clock and stretches with a look at it after every trip take turns.
    fn ping(&mut self, time: Duration) -> Result<Value, Failure> {
        // Wakes the other side.
        self.turn()?;
        let begun = Instant::now();
        let stretch = self.stretch(TRIPS);
        let (mut stretches, mut trips) = (Vec::new(), Trips::new());
        while stretches.is_empty() || begun.elapsed() < time {
            let start = Instant::now();
            for _ in 0..stretch {
                self.turn()?;
            }
            stretches.push(start.elapsed().as_nanos() as f64 / stretch as f64);
            let mut last = Instant::now();
            for _ in 0..stretch {
                self.turn()?;
                let now = Instant::now();
                trips.add(now - last);
                last = now;
            }
        }
        Ok(trips.json(Spread::of(stretches)))
    }

    /// We ourselves stay awake for the reply.
    fn poke(&mut self, time: Duration) -> Result<Value, Failure> {
        self.turn()?;
        let begun = Instant::now();
        let mut trips = Trips::new();
        while trips.0.is_empty() || begun.elapsed() < time {
            std::thread::sleep(PAUSE);
            let start = Instant::now();
            self.send()?;
            let message = loop {
                match self.rx.try_recv() {
                    // On a sole core the other side could not run otherwise.
                    Err(RecvError::Empty) => std::thread::yield_now(),
                    other => break other.about(&self.part.name)?,
                }
            };
            trips.add(start.elapsed());
            message.ack().about(&self.part.name)?;
        }
        Ok(trips.json(None))
    }

    /// From the first message to the last one received by everybody.
    fn pour(&mut self, time: Duration) -> Result<Value, Failure> {
        let stretch = self.stretch(MESSAGES);
        let mut count = 0;
        let start = Instant::now();
        while count == 0 || start.elapsed() < time {
            for n in 0..stretch {
                if let Some(first) = self.payload.first_mut() {
                    *first = n as u8;
                }
                self.send()?;
            }
            count += stretch;
        }
        // Each member answers an empty message, or one of them answers for another that was faster.
        for _ in 0..self.part.members {
            self.tx.send(b"").about(&self.part.name)?;
        }
        for _ in 0..self.part.groups * self.part.members {
            self.receive()?;
        }
        let taken = start.elapsed().as_nanos() as f64;
        Ok(json!({"messages": count, "ns": taken}))
    }
}

/// Times, in nanoseconds.
struct Trips(Histogram<u64>);

impl Trips {
    fn new() -> Self {
        Self(super::latency::empty())
    }

    fn add(&mut self, time: Duration) {
        self.0.saturating_record(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// What `latency.rs` reads.
    fn json(&self, trip: Option<Spread>) -> Value {
        let times = self.0.iter_recorded();
        let times: Vec<(u64, u64)> = times
            .map(|step| (step.value_iterated_to(), step.count_since_last_iteration()))
            .collect();
        json!({"trip_ns": trip.map(|trip| trip.median), "clock_ns": clock(), "times": times})
    }
}

/// What a look at the clock takes.
fn clock() -> f64 {
    let start = Instant::now();
    for _ in 0..TRIPS {
        black_box(Instant::now());
    }
    start.elapsed().as_nanos() as f64 / TRIPS as f64
}
