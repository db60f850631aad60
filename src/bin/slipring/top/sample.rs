//! The figures of all queues at one time, and what changed since the time before.

use crate::ls;
use crate::place;
use crate::stat::COUNTED;
use slipring::{GroupStats, MemberStats, Observer, OpenError, Queue, QueueStats, RoleStats};
use std::collections::HashMap;
use std::time::Instant;

/// What is drawn.
#[derive(Default)]
pub struct Snapshot {
    pub directory: String,
    /// Why the queues cannot be listed.
    pub error: Option<String>,
    /// Sorted by name.
    pub queues: Vec<QueueRow>,
}

pub struct QueueRow {
    pub name: String,
    /// `open`, `closed`, or what is wrong with it.
    pub state: &'static str,
    /// None if it cannot be read.
    pub figures: Option<Figures>,
}

pub struct Figures {
    /// Messages a second; unknown at first.
    pub sent_rate: Option<f64>,
    pub received_rate: Option<f64>,
    pub used: u64,
    pub capacity: u64,
    /// Messages that the slowest group has still to ack; is that an estimate?
    pub lag: (u64, bool),
    /// Messages given up, with a dead-letter queue or without.
    pub dead: u64,
    pub groups: Vec<GroupRow>,
    pub members: Vec<MemberRow>,
}

pub struct GroupRow {
    pub name: String,
    pub mode: &'static str,
    pub rate: Option<f64>,
    pub members: u64,
    pub lag: (u64, bool),
    pub lag_bytes: u64,
    pub redelivered: u64,
    pub dead: u64,
}

pub struct MemberRow {
    pub pid: u64,
    /// `producer` or `consumer`.
    pub role: &'static str,
    pub group: String,
    pub rate: Option<f64>,
    pub count: u64,
    pub alive: bool,
}

pub struct Sampler {
    /// Empty: all.
    names: Vec<String>,
    last: HashMap<String, (Instant, QueueStats)>,
}

impl Sampler {
    pub fn new(names: Vec<String>) -> Self {
        Self { names, last: HashMap::new() }
    }

    /// Opens each queue anew: one that was removed is not to stay, and one that was made in its place is another one.
    pub fn take(&mut self) -> Snapshot {
        let directory = place::directory(None).display().to_string();
        let listed = if self.names.is_empty() { Queue::list() } else { Ok(self.names.clone()) };
        let (names, error) = match listed {
            Ok(names) => (names, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        let mut now = HashMap::new();
        let mut queues = Vec::new();
        for name in names {
            let stats = Observer::open(&name).map(|observer| observer.stats_within(COUNTED));
            if matches!(stats, Err(OpenError::NotFound(_))) && self.names.is_empty() {
                continue;
            }
            let at = Instant::now();
            let state = ls::state(&stats);
            let before = self.last.remove(&name);
            let figures = stats.ok().map(|stats| {
                let before = before.filter(|(_, before)| before.id == stats.id);
                let figures = Figures::of(
                    &stats,
                    before.as_ref().map(|(then, before)| {
                        (before, at.duration_since(*then).as_secs_f64().max(1e-9))
                    }),
                );
                now.insert(name.clone(), (at, stats));
                figures
            });
            queues.push(QueueRow { name, state, figures });
        }
        self.last = now;
        Snapshot { directory, error, queues }
    }
}

/// An earlier sample, and how many seconds ago it was.
type Before<'a> = Option<(&'a QueueStats, f64)>;

/// Grown by so much a second.
fn rate(now: u64, before: Option<(u64, f64)>) -> Option<f64> {
    before.map(|(before, seconds)| now.saturating_sub(before) as f64 / seconds)
}

impl Figures {
    fn of(stats: &QueueStats, before: Before<'_>) -> Self {
        let of = |figure: fn(&QueueStats) -> u64| {
            rate(figure(stats), before.map(|(stats, seconds)| (figure(stats), seconds)))
        };
        let members: Vec<MemberRow> =
            stats.members.iter().map(|member| MemberRow::of(member, before)).collect();
        Self {
            sent_rate: of(|stats| stats.sent),
            received_rate: of(|stats| stats.received),
            used: stats.used,
            capacity: stats.capacity,
            lag: ls::waiting(stats),
            dead: stats.dead_lettered.saturating_add(stats.dropped),
            groups: stats.groups.iter().map(|group| GroupRow::of(group, &members)).collect(),
            members,
        }
    }

    pub fn dead_members(&self) -> usize {
        self.members.iter().filter(|member| !member.alive).count()
    }
}

impl GroupRow {
    fn of(group: &GroupStats, members: &[MemberRow]) -> Self {
        let its = members.iter().filter(|member| member.role == "consumer");
        let rates = its.filter(|member| member.group == group.name).map(|member| member.rate);
        Self {
            name: if group.name.is_empty() {
                format!("({})", group.kind)
            } else {
                group.name.clone()
            },
            mode: group.mode,
            rate: rates.sum(),
            members: group.members,
            lag: (group.lag, group.estimated),
            lag_bytes: group.lag_bytes,
            redelivered: group.redelivered,
            dead: group.dead_lettered.saturating_add(group.dropped),
        }
    }
}

impl MemberRow {
    fn of(member: &MemberStats, before: Before<'_>) -> Self {
        let (role, group) = match &member.role {
            RoleStats::Consumer { group } => ("consumer", group.clone()),
            _ => ("producer", String::new()),
        };
        let same = |other: &&MemberStats| {
            (other.row, other.joined_unix_ns) == (member.row, member.joined_unix_ns)
        };
        // One that was not there then had sent nothing.
        let before = before.map(|(stats, seconds)| {
            (stats.members.iter().find(same).map_or(0, |other| other.count), seconds)
        });
        Self {
            pid: member.pid,
            role,
            group,
            rate: rate(member.count, before),
            count: member.count,
            alive: member.alive,
        }
    }
}
