//! `slipring group`.

use crate::failure::{About, Done, Failure};
use crate::output;
use crate::stat;
use serde_json::Value;
use slipring::{Observer, Queue};

/// List or drop the groups of a queue
#[derive(clap::Args)]
pub struct Group {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// List the groups of a queue, and how far each is behind
    Ls {
        /// The queue
        name: String,
        /// Only this group
        group: Option<String>,
        /// One JSON array
        #[arg(long)]
        json: bool,
    },
    /// Drop a group without members: messages are no longer kept for it
    Drop {
        /// The queue
        name: String,
        /// The group
        group: String,
    },
}

pub fn run(args: Group) -> Done {
    match args.verb {
        Verb::Ls { name, group, json } => ls(&name, group.as_deref(), json),
        Verb::Drop { name, group } => {
            let queue = Queue::open(&name).about(&name)?;
            queue.drop_group(&group).about(&name)
        }
    }
}

fn ls(name: &str, only: Option<&str>, json: bool) -> Done {
    let stats = Observer::open(name).about(name)?.stats();
    let groups: Vec<_> =
        stats.groups.iter().filter(|group| only.is_none_or(|only| group.name == only)).collect();
    if let (Some(only), true) = (only, groups.is_empty()) {
        let text =
            format!("{name}: no group {only:?}; `slipring group ls {name}` lists those there are");
        return Err(Failure::new(3, text));
    }
    if json {
        let groups = groups.into_iter().map(stat::group_json).collect();
        return output::print_json(&Value::Array(groups));
    }
    output::print(&stat::group_table(groups))
}
