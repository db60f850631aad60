//! Dead letters on their way back.

use super::{Which, settle};
use crate::failure::{About, Done, Failure, USAGE};
use crate::output;
use crate::place::beside;
use serde_json::json;
use slipring::{DeadLetter, Message, Observer, Producer, Queue, SendError};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::Duration;

pub fn run(which: &Which, to: Option<&str>, json: bool) -> Done {
    if to == Some(&which.name) {
        return Err(Failure::new(USAGE, format_args!("{}: they are there already", which.name)));
    }
    let mut targets = Targets { which, to, producers: HashMap::new() };
    // Several groups may have given up one message, and a worker that is killed between putting it aside and acking it does so twice.
    let mut seen = HashSet::new();
    let (mut requeued, mut twins) = (0, 0);
    let taken = settle(which, |message, letter| {
        if !seen.insert((letter.queue_id, letter.position)) {
            twins += 1;
            return Ok(());
        }
        targets.send(message, letter)?;
        requeued += 1;
        Ok(())
    });
    if json {
        let value = json!({"name": which.name, "requeued": requeued, "twins": twins});
        return output::print_json(&value).and(taken.map(drop));
    }
    let twins =
        if twins == 0 { String::new() } else { format!("; of these messages {twins} more") };
    let count = output::counted(requeued, "dead letter");
    output::say(format_args!("{}: {count} requeued{twins}", which.name));
    taken.map(drop)
}

/// The queues that letters go to.
struct Targets<'a> {
    which: &'a Which,
    to: Option<&'a str>,
    producers: HashMap<u128, (String, Producer)>,
}

impl Targets<'_> {
    fn send(&mut self, message: &Message<'_>, letter: &DeadLetter) -> Done {
        let (name, producer) = self.producer(letter.queue_id)?;
        let sent = match message.event() {
            Some(event) => producer
                .send_event_timeout(event, message.payload(), Duration::ZERO)
                .map_err(|error| if error == SendError::Timeout { SendError::Full } else { error }),
            None => producer.try_send(message.payload()),
        };
        sent.map(drop).about(name)
    }

    fn producer(&mut self, id: u128) -> Result<&mut (String, Producer), Failure> {
        let entry = match self.producers.entry(id) {
            Entry::Occupied(entry) => return Ok(entry.into_mut()),
            Entry::Vacant(entry) => entry,
        };
        let name = self.to.map_or_else(|| origin(id, &self.which.name), |name| Ok(name.into()))?;
        let producer = Queue::open(&name).about(&name)?.producer().about(&name)?;
        Ok(entry.insert((name, producer)))
    }
}

/// The queue of an id, if it is in the directory of the one that was named.
fn origin(id: u128, name: &str) -> Result<String, Failure> {
    let names = match name.rsplit_once('/') {
        Some((directory, _)) => files(Path::new(directory)),
        None => Queue::list().about(name)?,
    };
    let mut names = names.into_iter().map(|other| beside(name, &other));
    let found =
        names.find(|name| Observer::open(name).is_ok_and(|observer| observer.stats().id == id));
    found.ok_or_else(|| {
        let help = "it is gone; say where they go, with --to QUEUE";
        Failure::new(3, format_args!("{name}: no queue has the id {id:032x}: {help}"))
    })
}

fn files(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}
