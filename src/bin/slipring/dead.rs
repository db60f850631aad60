//! `slipring dead`: what was rejected or delivered too often, and what becomes of it.

mod requeue;

use crate::failure::{About, Done, Failure};
use crate::place::beside;
use crate::{message, output};
use serde_json::{Value, json};
use slipring::{
    Consumer, DEFAULT_GROUP, DeadLetter, Message, Observed, Observer, OpenError, Queue, RecvError,
};

/// List, requeue or drop dead letters: messages that were rejected, or delivered too often
///
/// NAME is a queue whose groups have dead-letter queues, or a dead-letter queue.
#[derive(clap::Subcommand)]
pub enum Dead {
    /// List dead letters: where each comes from, and why it is there
    Ls {
        #[command(flatten)]
        which: Which,
        /// One JSON array
        #[arg(long)]
        json: bool,
    },
    /// Send dead letters again, to the queue that they come from
    ///
    /// Every group of that queue sees them, also one that was done with them.
    Requeue {
        #[command(flatten)]
        which: Which,
        /// Another queue than the one they come from
        #[arg(long, value_name = "QUEUE")]
        to: Option<String>,
        /// One JSON object, that says how many it were
        #[arg(long)]
        json: bool,
    },
    /// Give dead letters up
    Drop {
        #[command(flatten)]
        which: Which,
        /// One JSON object, that says how many it were
        #[arg(long)]
        json: bool,
    },
}

/// Which dead letters; all, if nothing else is said.
#[derive(clap::Args)]
pub struct Which {
    /// The queue, or its dead-letter queue
    name: String,
    /// Only these, by their positions in the dead-letter queue
    #[arg(value_name = "POSITION")]
    positions: Vec<u64>,
    /// Only those that this group gave up
    #[arg(long)]
    group: Option<String>,
    /// So many at the most
    #[arg(short = 'n', long = "count", value_name = "N")]
    count: Option<u64>,
}

pub fn run(args: Dead) -> Done {
    match args {
        Dead::Ls { which, json } => ls(&which, json),
        Dead::Requeue { which, to, json } => requeue::run(&which, to.as_deref(), json),
        Dead::Drop { which, json } => {
            let dropped = settle(&which, |_, _| Ok(()))?;
            if json {
                return output::print_json(&json!({"name": which.name, "dropped": dropped}));
            }
            let count = output::counted(dropped, "dead letter");
            output::say(format_args!("{}: {count} dropped", which.name));
            Ok(())
        }
    }
}

/// A dead-letter queue.
struct Place {
    name: String,
    /// Only letters that come from the queue of this id.
    of: Option<u128>,
}

/// A queue's dead-letter queues, or itself if it has none.
fn places(name: &str) -> Result<Vec<Place>, Failure> {
    let stats = Observer::open(name).about(name)?.stats();
    let named = stats.groups.iter().map(|group| &group.dead_letter).filter(|name| !name.is_empty());
    let mut names: Vec<String> = named.map(|dead| beside(name, dead)).collect();
    names.sort();
    names.dedup();
    if names.is_empty() {
        return Ok(vec![Place { name: name.into(), of: None }]);
    }
    Ok(names.into_iter().map(|name| Place { name, of: Some(stats.id) }).collect())
}

impl Which {
    fn wants(&self, place: &Place, position: u64, letter: &DeadLetter) -> bool {
        place.of.is_none_or(|id| id == letter.queue_id)
            && (self.positions.is_empty() || self.positions.contains(&position))
            && self.group.as_ref().is_none_or(|group| *group == letter.group)
    }

    /// Dead letters that were asked for by their positions and are not there.
    fn missing(&self, found: &[u64]) -> Done {
        let missing = self.positions.iter().find(|position| !found.contains(position));
        missing.map_or(Ok(()), |position| {
            let name = &self.name;
            let help = format!("`slipring dead ls {name}` lists those there are");
            Err(Failure::new(3, format_args!("{name}: no dead letter at {position}; {help}")))
        })
    }
}

fn ls(which: &Which, json: bool) -> Done {
    let mut found = Vec::new();
    for place in places(&which.name)? {
        let most = which.count.unwrap_or(u64::MAX).saturating_sub(found.len() as u64);
        let letters = waiting(which, &place, most)?;
        found.extend(letters.into_iter().map(|(seen, letter)| (place.name.clone(), seen, letter)));
    }
    let positions: Vec<u64> = found.iter().map(|(_, seen, _)| seen.position).collect();
    which.missing(&positions)?;
    if json {
        let object = |(queue, seen, _): &(String, Observed, DeadLetter)| {
            let mut value = message::observed_json(seen);
            if let Value::Object(fields) = &mut value {
                fields.insert("queue".into(), queue.clone().into());
            }
            value
        };
        return output::print_json(&Value::Array(found.iter().map(object).collect()));
    }
    if found.is_empty() {
        output::say(format_args!("{}: no dead letters", which.name));
    }
    let rows: Vec<_> = found.iter().map(|(queue, seen, letter)| row(queue, seen, letter)).collect();
    let titles =
        ["QUEUE", "POSITION", "CAME-FROM", "GROUP", "DELIVERIES", "EVENT", "PAYLOAD", "REASON"];
    output::print(&output::table(&titles, &rows))
}

/// Dead letters that the default group has not acked, as an observer sees them.
fn waiting(
    which: &Which,
    place: &Place,
    most: u64,
) -> Result<Vec<(Observed, DeadLetter)>, Failure> {
    let mut observer = match Observer::open(&place.name) {
        // It is made with the first dead letter.
        Err(OpenError::NotFound(_)) if place.of.is_some() => return Ok(Vec::new()),
        opened => opened.about(&place.name)?,
    };
    let end = observer.stats().latest;
    let mut found = Vec::new();
    while (found.len() as u64) < most {
        match observer.try_recv() {
            Ok(seen) if seen.position >= end => break,
            Ok(seen) if observer.is_acked(DEFAULT_GROUP, seen.position) => {}
            Ok(seen) => {
                let letter = seen.dead_letter.clone();
                let wanted = |letter: &DeadLetter| which.wants(place, seen.position, letter);
                if let Some(letter) = letter.filter(wanted) {
                    found.push((seen, letter));
                }
            }
            Err(RecvError::Lagged { .. }) => {}
            Err(RecvError::Empty | RecvError::Closed) => break,
            Err(error) => return Err(error).about(&place.name),
        }
    }
    Ok(found)
}

const PREVIEW: usize = 32;

fn row(queue: &str, seen: &Observed, letter: &DeadLetter) -> Vec<String> {
    let payload = String::from_utf8_lossy(&seen.payload);
    vec![
        queue.into(),
        seen.position.to_string(),
        letter.position.to_string(),
        output::tame(&letter.group, PREVIEW),
        letter.deliveries.to_string(),
        output::tame(seen.event.as_deref().unwrap_or("-"), PREVIEW),
        output::tame(&payload, PREVIEW),
        output::tame(&letter.reason, 2 * PREVIEW),
    ]
}

/// Takes the dead letters that are there now, does something with each that was asked for, and acks it. The others are given back.
/// Returns how many it were.
fn settle(
    which: &Which,
    mut act: impl FnMut(&Message<'_>, &DeadLetter) -> Done,
) -> Result<u64, Failure> {
    let mut found = Vec::new();
    for place in places(&which.name)? {
        let queue = match Queue::open(&place.name) {
            Err(OpenError::NotFound(_)) if place.of.is_some() => continue,
            opened => opened.about(&place.name)?,
        };
        let end = queue.stats().latest;
        let consumer = queue.consumer(DEFAULT_GROUP).about(&place.name)?;
        // Held to the end, lest they come again.
        let mut others = Vec::new();
        while (found.len() as u64) < which.count.unwrap_or(u64::MAX) {
            let Some(message) = next(&consumer, end).about(&place.name)? else { break };
            let position = message.position();
            match message.dead_letter().filter(|letter| which.wants(&place, position, letter)) {
                Some(letter) => {
                    act(&message, &letter)?;
                    message.ack().about(&place.name)?;
                    found.push(position);
                }
                None => others.push(message),
            }
        }
    }
    which.missing(&found)?;
    Ok(found.len() as u64)
}

fn next(consumer: &Consumer, end: u64) -> Result<Option<Message<'_>>, RecvError> {
    match consumer.try_recv() {
        Ok(message) if message.position() >= end => Ok(None),
        Ok(message) => Ok(Some(message)),
        Err(RecvError::Empty | RecvError::Closed) => Ok(None),
        Err(error) => Err(error),
    }
}
