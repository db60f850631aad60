//! `slipring ls`.

use crate::failure::{About, Done};
use crate::output;
use crate::units::human;
use serde_json::{Value, json};
use slipring::{Observer, OpenError, Queue, QueueStats};

/// List the queues
#[derive(clap::Args)]
pub struct Ls {
    /// One JSON array
    #[arg(long)]
    json: bool,
}

pub fn run(args: Ls) -> Done {
    let names = Queue::list().about("ls")?;
    let queues: Vec<(String, Result<QueueStats, OpenError>)> = names
        .into_iter()
        .map(|name| {
            let stats = Observer::open(&name).map(|observer| observer.stats());
            (name, stats)
        })
        // Removed since we listed it.
        .filter(|(_, stats)| !matches!(stats, Err(OpenError::NotFound(_))))
        .collect();
    if args.json {
        let queues = queues.iter().map(|(name, stats)| json(name, stats)).collect();
        return output::print_json(&Value::Array(queues));
    }
    if queues.is_empty() {
        output::say("no queues yet; `slipring create NAME` makes one");
    }
    let rows: Vec<_> = queues.iter().map(|(name, stats)| row(name, stats)).collect();
    let titles = ["NAME", "STATE", "CAPACITY", "USED", "SENT", "WAITING", "GROUPS", "MEMBERS"];
    output::print(&output::table(&titles, &rows))
}

/// What is wrong with a file, in a word, or `open` or `closed`.
pub fn state(stats: &Result<QueueStats, OpenError>) -> &'static str {
    match stats {
        Ok(stats) if stats.closed => "closed",
        Ok(_) => "open",
        Err(OpenError::Incompatible(_)) => "incompatible",
        Err(OpenError::Corrupt(_)) => "corrupt",
        Err(OpenError::Permission(_)) => "forbidden",
        Err(_) => "unreadable",
    }
}

/// Messages that the slowest reliable group has still to ack; is that an estimate?
pub fn waiting(stats: &QueueStats) -> (u64, bool) {
    stats.groups.iter().map(|group| (group.lag, group.estimated)).max().unwrap_or_default()
}

fn row(name: &str, stats: &Result<QueueStats, OpenError>) -> Vec<String> {
    let figures = match stats {
        Ok(stats) => vec![
            human(stats.capacity),
            human(stats.used),
            stats.sent.to_string(),
            waiting(stats).0.to_string(),
            stats.groups.len().to_string(),
            stats.members.len().to_string(),
        ],
        Err(_) => vec!["-".into(); 6],
    };
    [vec![name.into(), state(stats).into()], figures].concat()
}

fn json(name: &str, stats: &Result<QueueStats, OpenError>) -> Value {
    let state = state(stats);
    match stats {
        Ok(stats) => json!({
            "name": name, "state": state, "capacity": stats.capacity, "used": stats.used,
            "sent": stats.sent, "waiting": waiting(stats).0, "groups": stats.groups.len(),
            "members": stats.members.len(), "error": null,
        }),
        Err(error) => json!({"name": name, "state": state, "error": error.to_string()}),
    }
}
