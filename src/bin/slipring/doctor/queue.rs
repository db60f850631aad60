//! One queue.

use super::users::Users;
use super::{Problem, Report};
use crate::output::counted;
use crate::units::human;
use crate::{place, stat};
use slipring::{DEFAULT_GROUP, Observer, QueueStats};
use std::fmt::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

impl Report {
    /// What there is of a queue that can be read, and what is wrong with it.
    pub fn queue(&mut self, observer: &Observer, users: &Users) {
        let stats = &observer.stats();
        self.queues.push(stat::queue_json(stats));
        let name = &stats.name;
        let state = if stats.closed { "closed" } else { "open" };
        let _ = writeln!(
            self.text,
            "{name}: {state}, {} of {} used, {}, {}, {} asleep",
            human(stats.used),
            human(stats.capacity),
            counted(stats.groups.len() as u64, "group"),
            counted(stats.members.len() as u64, "member"),
            stats.sleepers.count_ones(),
        );
        for group in &stats.groups {
            let label = if group.name.is_empty() { group.kind } else { &group.name };
            let _ = writeln!(
                self.text,
                "  group {label}: {}, {}, {} behind",
                group.mode,
                counted(group.members, "member"),
                counted(group.lag, "message")
            );
        }
        self.members(stats);
        self.senders(stats);
        self.file(stats, users);
        self.dead_letters(stats);
    }

    fn members(&mut self, stats: &QueueStats) {
        let name = &stats.name;
        for member in stats.members.iter().filter(|member| !member.alive) {
            self.problems.push(Problem::new(
                format!("{name}: member {} (pid {}) is dead", member.row, member.pid),
                format!("slipring doctor {name} --repair"),
            ));
        }
        if stats.members.len() >= stats.max_members as usize {
            self.problems.push(Problem::new(
                format!("{name}: all {} places for producers and consumers are taken", stats.max_members),
                format!("slipring stat {name}, and stop some of them; or create one with more --max-members"),
            ));
        }
        if stats.groups.len() >= stats.max_groups as usize {
            self.problems.push(Problem::new(
                format!("{name}: there are as many groups as there can be, {}", stats.max_groups),
                format!("slipring group ls {name}, then slipring group drop {name} those that nobody needs"),
            ));
        }
    }

    /// Are they held up?
    fn senders(&mut self, stats: &QueueStats) {
        let name = &stats.name;
        let full = stats.used >= stats.capacity / 10 * 9;
        let idle = stats.groups.iter().filter(|group| group.members == 0 && group.lag > 0);
        for group in idle.filter(|_| full && !stats.closed) {
            self.problems.push(Problem::new(
                format!(
                    "{name}: group {} has no members and holds up senders: {} behind",
                    group.name,
                    counted(group.lag, "message")
                ),
                format!(
                    "slipring recv {name} --group {g}, or slipring group drop {name} {g}",
                    g = group.name
                ),
            ));
        }
    }

    /// Its permissions, and who has it open.
    fn file(&mut self, stats: &QueueStats, users: &Users) {
        let name = &stats.name;
        let path = path(name);
        let Ok(meta) = path.metadata() else { return };
        if meta.mode() & 0o002 != 0 {
            self.problems.push(Problem::new(
                format!(
                    "{name}: anybody may write its file, and so spoil it (mode {:04o})",
                    meta.mode() & 0o7777
                ),
                format!("chmod o-w {}", path.display()),
            ));
        }
        let alive = stats.members.iter().any(|member| member.alive);
        if !alive && !users.has_open(&meta) {
            let hidden = match users.hidden {
                0 => String::new(),
                count => format!(" (as far as one can see; processes hidden from you: {count})"),
            };
            let waits = match stats.used {
                0 => "and nothing waits in it".into(),
                used => format!("and {} wait in it", human(used)),
            };
            self.notes.push(Problem::new(
                format!("{name}: nobody has it open{hidden}, {waits}"),
                format!("slipring rm {name}, if nobody needs it"),
            ));
        }
    }

    fn dead_letters(&mut self, stats: &QueueStats) {
        let mut names: Vec<&str> =
            stats.groups.iter().map(|group| group.dead_letter.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        for dead in names.into_iter().filter(|dead| !dead.is_empty()) {
            let Ok(observer) = Observer::open(&place::beside(&stats.name, dead)) else { continue };
            let groups = observer.stats().groups;
            let waiting = groups.iter().find(|group| group.name == DEFAULT_GROUP);
            if let Some(group) = waiting.filter(|group| group.lag > 0) {
                let name = &stats.name;
                self.notes.push(Problem::new(
                    format!("{name}: {} in {dead}", counted(group.lag, "dead letter")),
                    format!("slipring dead ls {name}, then slipring dead requeue or drop {name}"),
                ));
            }
        }
    }

    /// What killed members of queues that were removed have left beside them.
    pub fn leftovers(&mut self, directory: &Path, one: bool) {
        if one {
            return;
        }
        let ids: Vec<&str> = self.queues.iter().filter_map(|queue| queue["id"].as_str()).collect();
        let unknown = self.queues.iter().any(|queue| queue["id"].is_null());
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let left = names.filter(|name| {
            // `.bell-ID-ROW`, with the lower half of a queue's id.
            let id = name.strip_prefix(".bell-").and_then(|rest| rest.split('-').next());
            id.is_some_and(|id| !ids.iter().any(|queue| queue.ends_with(id)))
        });
        let count = left.count();
        // A queue that cannot be read may be the one they belong to.
        if count > 0 && !unknown {
            self.notes.push(Problem::new(
                format!(
                    "{}: {} of queues that are gone",
                    directory.display(),
                    counted(count as u64, "socket")
                ),
                format!("rm {}/.bell-*, while no queue of it is open", directory.display()),
            ));
        }
    }
}

fn path(name: &str) -> PathBuf {
    if name.contains('/') { name.into() } else { place::directory(None).join(name) }
}
