//! `slipring recv`.

use crate::failure::{About, Done, EMPTY, Failure};
use crate::interrupt::{GLANCE, Interrupt};
use crate::message::Form;
use crate::{output, units};
use slipring::{Consumer, ConsumerOptions, DEFAULT_GROUP, Message, Queue, RecvError, Start};
use std::fs::File;
use std::time::{Duration, Instant};

/// Receive messages as a member of a group, and write each on a line
///
/// A message is acked only after it was written. Goes on until interrupted, or until the queue is closed and drained.
#[derive(clap::Args)]
pub struct Recv {
    /// The queue
    name: String,
    /// The group to join; made if there is none of that name
    #[arg(long, default_value = DEFAULT_GROUP)]
    group: String,
    /// Where a new group starts: earliest, latest or a position; a group that exists goes on where it is
    #[arg(long, value_name = "START", value_parser = units::start)]
    from: Option<Start>,
    /// Stop after so many messages
    #[arg(short = 'n', long = "count", value_name = "N")]
    count: Option<u64>,
    /// Stop when nothing is left now
    #[arg(long)]
    drain: bool,
    /// Stop when nothing came for that long (exit code 4)
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    timeout: Option<Duration>,
    /// Only events whose name matches: * stands for any run of characters, ? for one; a setting of a new group
    #[arg(long, value_name = "PATTERN")]
    filter: Option<String>,
    /// Deliveries after which a message is put aside instead (1 to 254); a setting of a new group
    #[arg(long, value_name = "N")]
    max_deliveries: Option<u32>,
    /// The queue for messages that are put aside; a setting of a new group
    #[arg(long, value_name = "QUEUE")]
    dead_letter: Option<String>,
    #[command(flatten)]
    form: Form,
}

pub fn run(args: Recv) -> Done {
    let queue = Queue::open(&args.name).about(&args.name)?;
    let consumer = options(&queue, &args).open().about(&args.name)?;
    let interrupt = Interrupt::new()?;
    let mut batch =
        Batch { held: Vec::new(), bytes: Vec::new(), out: output::stdout()?, args: &args };
    let wanted = args.count.unwrap_or(u64::MAX);
    let mut received = 0;
    while received < wanted && !interrupt.has_come() {
        let message = match consumer.try_recv() {
            // Nothing waits while we do: what we have is written and acked first.
            Err(RecvError::Empty) => {
                batch.settle()?;
                wait(&queue, &consumer, &args, &interrupt)?
            }
            Err(RecvError::Closed) => None,
            other => Some(other.about(&args.name)?),
        };
        let Some(message) = message else { break };
        received += 1;
        batch.push(message)?;
    }
    batch.settle()?;
    if interrupt.has_come() {
        let count = output::counted(received, "message");
        output::say(format_args!("{}: interrupted; {count} received and acked", args.name));
    }
    if args.count.is_some_and(|count| received < count) {
        let name = &args.name;
        let text = format!(
            "{name}: no more messages: {received} of {wanted} came; does anybody send? `slipring stat {name}` tells"
        );
        return Err(Failure::new(EMPTY, text));
    }
    Ok(())
}

/// A member of a group that is made at a start. One that exists goes on where it is, which is said.
pub fn joining<'q>(queue: &'q Queue, group: &str, from: Option<Start>) -> ConsumerOptions<'q> {
    let exists = || queue.stats().groups.iter().any(|other| other.name == group);
    if from.is_some() && exists() {
        output::say(format_args!(
            "group {group:?} exists and goes on where it is; --from is for new groups"
        ));
    }
    queue.consumer_options().group(group).start(from.unwrap_or_default())
}

fn options<'q>(queue: &'q Queue, args: &Recv) -> ConsumerOptions<'q> {
    let mut options = joining(queue, &args.group, args.from);
    if let Some(pattern) = &args.filter {
        options = options.filter(pattern);
    }
    if let Some(count) = args.max_deliveries {
        options = options.max_deliveries(count);
    }
    if let Some(name) = &args.dead_letter {
        options = options.dead_letter(name);
    }
    options
}

/// The next message, or `None` if none is to come.
fn wait<'c>(
    queue: &Queue,
    consumer: &'c Consumer,
    args: &Recv,
    interrupt: &Interrupt,
) -> Result<Option<Message<'c>>, Failure> {
    let next = if args.drain {
        // Messages may stand behind what somebody dead has left.
        queue.recover().about(&args.name)?;
        consumer.try_recv()
    } else {
        let start = Instant::now();
        loop {
            let left = args.timeout.map_or(GLANCE, |time| time.saturating_sub(start.elapsed()));
            match consumer.recv_timeout(left.min(GLANCE)) {
                Err(RecvError::Timeout) if interrupt.has_come() => return Ok(None),
                Err(RecvError::Timeout)
                    if args.timeout.is_none_or(|time| start.elapsed() < time) => {}
                next => break next,
            }
        }
    };
    match next {
        Err(RecvError::Closed) => Ok(None),
        Err(RecvError::Empty) if args.drain => Ok(None),
        other => other.map(Some).about(&args.name),
    }
}

/// Messages that are un-acked until their bytes were written.
struct Batch<'c, 'a> {
    /// Each with the end of its bytes.
    held: Vec<(Message<'c>, usize)>,
    bytes: Vec<u8>,
    out: File,
    args: &'a Recv,
}

const BATCH_BYTES: usize = 64 << 10;
const BATCH_MESSAGES: usize = 1024;

impl<'c> Batch<'c, '_> {
    fn push(&mut self, message: Message<'c>) -> Done {
        self.args.form.message(&message, &mut self.bytes);
        self.held.push((message, self.bytes.len()));
        if self.bytes.len() >= BATCH_BYTES || self.held.len() >= BATCH_MESSAGES {
            self.settle()?;
        }
        Ok(())
    }

    /// Writes, then acks what was written. What could not be written goes back to the group.
    fn settle(&mut self) -> Done {
        let (written, done) = output::write_counted(&mut self.out, &self.bytes);
        self.bytes.clear();
        for (message, end) in self.held.drain(..) {
            if end <= written {
                message.ack().about(&self.args.name)?;
            }
        }
        done
    }
}
