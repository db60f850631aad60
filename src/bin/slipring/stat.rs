//! `slipring stat`.

mod rates;

use crate::failure::{About, Done};
use crate::output::{self, table};
use crate::units::{self, human};
use serde_json::{Value, json};
use slipring::gateway::server::metrics;
use slipring::{GroupStats, MemberStats, Observer, Queue, QueueStats, RoleStats};
use std::time::Duration;

/// Figures of a queue, its groups and its members
///
/// With --interval: rates, a line for each interval, until interrupted.
#[derive(clap::Args)]
pub struct Stat {
    /// The queue; with --prometheus all, if none is named
    #[arg(required_unless_present = "prometheus")]
    name: Option<String>,
    /// One JSON object; with --interval one a line
    #[arg(long)]
    json: bool,
    /// Rates, every so often (5s, 500ms)
    #[arg(short, long, value_name = "TIME", value_parser = units::interval)]
    interval: Option<Duration>,
    /// Stop after so many intervals
    #[arg(short = 'n', long = "count", value_name = "N", requires = "interval")]
    count: Option<u64>,
    /// The text format of Prometheus, with the names that the gateway's /metrics has
    #[arg(long, conflicts_with_all = ["json", "interval"])]
    prometheus: bool,
}

/// Messages that are counted of what a group has still to ack, by whoever looks again and again; of more than that the lag is an estimate.
pub const COUNTED: u64 = 10_000;

pub fn run(args: Stat) -> Done {
    let Some(name) = &args.name else { return prometheus(&Queue::list().about("stat")?) };
    let observer = Observer::open(name).about(name)?;
    if args.prometheus {
        return output::print(&metrics::of_queues(&[observer.stats_within(COUNTED)]));
    }
    if let Some(interval) = args.interval {
        return rates::run(name, interval, args.count.unwrap_or(u64::MAX), args.json);
    }
    let stats = observer.stats();
    if args.json { output::print_json(&queue_json(&stats)) } else { output::print(&text(&stats)) }
}

/// What cannot be opened has no figures; `slipring doctor` says why.
fn prometheus(names: &[String]) -> Done {
    let queues =
        names.iter().filter_map(|name| Some(Observer::open(name).ok()?.stats_within(COUNTED)));
    output::print(&metrics::of_queues(&queues.collect::<Vec<_>>()))
}

fn text(stats: &QueueStats) -> String {
    let lines = [
        ("name", stats.name.clone()),
        ("id", format!("{:032x}", stats.id)),
        ("state", if stats.closed { "closed" } else { "open" }.into()),
        ("capacity", format!("{} in blocks of {}", human(stats.capacity), human(stats.block_size))),
        ("used", human(stats.used)),
        ("retain", human(stats.retain)),
        ("positions", format!("{} to {}", stats.earliest, stats.latest)),
        ("sent", stats.sent.to_string()),
        ("received", stats.received.to_string()),
        ("repaired", stats.repaired.to_string()),
        ("dead-lettered", stats.dead_lettered.to_string()),
        ("dropped", stats.dropped.to_string()),
        ("barrier", if stats.fenced { "fences" } else { "membarrier" }.into()),
        ("groups", format!("{} of {}", stats.groups.len(), stats.max_groups)),
        ("members", format!("{} of {}", stats.members.len(), stats.max_members)),
    ];
    let mut text: String =
        lines.iter().map(|(key, value)| format!("{key:<14} {value}\n")).collect();
    if !stats.groups.is_empty() {
        text.push('\n');
        text.push_str(&group_table(stats.groups.iter()));
    }
    if !stats.members.is_empty() {
        text.push('\n');
        let rows: Vec<_> = stats.members.iter().map(member_row).collect();
        text.push_str(&table(&["ROW", "PID", "ROLE", "STATE", "GROUP", "COUNT"], &rows));
    }
    text
}

fn role(member: &MemberStats) -> (&'static str, &str) {
    match &member.role {
        RoleStats::Consumer { group } => ("consumer", group),
        _ => ("producer", ""),
    }
}

fn member_row(member: &MemberStats) -> Vec<String> {
    let (role, group) = role(member);
    vec![
        member.row.to_string(),
        member.pid.to_string(),
        role.into(),
        if member.alive { "alive" } else { "dead" }.into(),
        if group.is_empty() { "-" } else { group }.into(),
        member.count.to_string(),
    ]
}

/// The groups as a table.
pub fn group_table<'a>(groups: impl IntoIterator<Item = &'a GroupStats>) -> String {
    let row = |group: &GroupStats| {
        let name = if group.name.is_empty() { "(none)" } else { &group.name };
        vec![
            name.into(),
            group.kind.into(),
            group.mode.into(),
            group.members.to_string(),
            group.lag.to_string(),
            human(group.lag_bytes),
            group.floor.to_string(),
            group.redelivered.to_string(),
            (group.dead_lettered + group.dropped).to_string(),
        ]
    };
    let rows: Vec<_> = groups.into_iter().map(row).collect();
    let titles =
        ["GROUP", "KIND", "MODE", "MEMBERS", "LAG", "BYTES", "FLOOR", "REDELIVERED", "GIVEN-UP"];
    table(&titles, &rows)
}

/// A group's figures under the names of the library.
pub fn group_json(group: &GroupStats) -> Value {
    json!({
        "name": group.name, "kind": group.kind, "mode": group.mode, "members": group.members,
        "floor": group.floor, "lag": group.lag, "estimated": group.estimated,
        "lag_bytes": group.lag_bytes,
        "redelivered": group.redelivered, "dead_lettered": group.dead_lettered,
        "dropped": group.dropped, "filter": group.filter, "dead_letter": group.dead_letter,
        "max_deliveries": group.max_deliveries,
    })
}

fn member_json(member: &MemberStats) -> Value {
    let (role, group) = role(member);
    json!({
        "row": member.row, "pid": member.pid, "joined_unix_ns": member.joined_unix_ns,
        "role": role, "group": group, "count": member.count, "alive": member.alive,
    })
}

/// A queue's figures under the names of the library.
pub fn queue_json(stats: &QueueStats) -> Value {
    json!({
        "name": stats.name, "id": format!("{:032x}", stats.id), "capacity": stats.capacity,
        "block_size": stats.block_size, "retain": stats.retain, "used": stats.used,
        "earliest": stats.earliest, "latest": stats.latest, "sent": stats.sent,
        "received": stats.received, "repaired": stats.repaired,
        "dead_lettered": stats.dead_lettered, "dropped": stats.dropped, "closed": stats.closed,
        "fenced": stats.fenced, "sleepers": stats.sleepers, "max_groups": stats.max_groups,
        "max_members": stats.max_members,
        "groups": stats.groups.iter().map(group_json).collect::<Vec<_>>(),
        "members": stats.members.iter().map(member_json).collect::<Vec<_>>(),
    })
}
