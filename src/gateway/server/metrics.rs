//! Figures, in Prometheus' text format.

use std::fmt::Write;

use super::udp::Collector;
use super::world::World;
use crate::{GroupStats, QueueStats};

/// Messages of a group that are counted one by one: everybody else waits meanwhile.
const COUNTED: u64 = 10_000;

/// What the loop counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Counters {
    pub(super) connections: usize,
    pub(super) accepted: u64,
    /// Connections over a limit.
    pub(super) refused: u64,
    pub(super) requests: u64,
    /// Requests that were answered with an error.
    pub(super) errors: u64,
    pub(super) published: u64,
    /// Messages that had been sent before.
    pub(super) duplicates: u64,
    pub(super) delivered: u64,
    pub(super) settled: u64,
    /// Messages that went back since nobody settled them in time.
    pub(super) leases_over: u64,
    /// Times that a reader was told that it was overrun.
    pub(super) overruns: u64,
    /// Connections closed since nothing happened for too long.
    pub(super) timeouts: u64,
    /// Connections on which something came that was not right as TLS.
    pub(super) tls_failures: u64,
    /// Connections closed since more came in a second than may.
    pub(super) over_rate: u64,
    pub(super) reloads: u64,
    pub(super) reload_failures: u64,
}

impl Counters {
    fn write(&self, text: &mut String) {
        family(text, "slipring_gateway_connections", "gauge", "Connections now.");
        let _ = writeln!(text, "slipring_gateway_connections {}", self.connections);
        for (name, help, value) in [
            ("connections", "Connections accepted.", self.accepted),
            ("connections_refused", "Connections over a limit.", self.refused),
            ("requests", "Requests.", self.requests),
            ("errors", "Requests answered with an error.", self.errors),
            ("published", "Messages published by clients.", self.published),
            ("duplicates", "Messages that had been published before.", self.duplicates),
            ("delivered", "Messages sent to clients.", self.delivered),
            ("settled", "Messages acked, retried or rejected by clients.", self.settled),
            ("ack_timeouts", "Messages not settled in time.", self.leases_over),
            ("overruns", "Readers told that they were overrun.", self.overruns),
            ("timeouts", "Connections closed over a time-out.", self.timeouts),
            ("over_rate", "Connections closed since too much came in a second.", self.over_rate),
            ("reloads", "Times that permissions and certificates were read anew.", self.reloads),
            ("reload_failures", "Times that they could not be read.", self.reload_failures),
            ("tls_failures", "Connections closed since what came was not TLS.", self.tls_failures),
        ] {
            let name = format!("slipring_gateway_{name}_total");
            family(text, &name, "counter", help);
            let _ = writeln!(text, "{name} {value}");
        }
    }
}

fn family(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn write_collectors(text: &mut String, collectors: &[Collector]) {
    let figures: Vec<_> = collectors.iter().flat_map(Collector::figures).collect();
    for (name, help) in [
        ("received", "Datagrams that became messages."),
        ("dropped", "Datagrams that did not, and why."),
    ] {
        let full_name = format!("slipring_udp_{name}_total");
        family(text, &full_name, "counter", help);
        for (_, labels, value) in figures.iter().filter(|figure| figure.0 == name) {
            let _ = writeln!(text, "{full_name}{{{labels}}} {value}");
        }
    }
}

/// All figures: the loop's, and those of the queues that it may read.
pub(super) fn text(world: &mut World) -> String {
    let mut text = String::new();
    world.counters.write(&mut text);
    write_collectors(&mut text, &world.collectors);
    let (stats, _) = world.figures.observers.stats(COUNTED, usize::MAX);
    text + &of_queues(&stats)
}

/// The figures of queues.
pub fn of_queues(stats: &[QueueStats]) -> String {
    let mut text = String::new();
    let mut queues = |name: &str, kind: &str, help: &str, value: &dyn Fn(&QueueStats) -> u64| {
        let name = format!("slipring_queue_{name}");
        family(&mut text, &name, kind, help);
        for queue in stats {
            let _ = writeln!(text, "{name}{{queue=\"{}\"}} {}", queue.name, value(queue));
        }
    };
    queues("capacity_bytes", "gauge", "Bytes the ring holds.", &|q| q.capacity);
    queues("used_bytes", "gauge", "Bytes the slowest group has not acked.", &|q| q.used);
    queues("closed", "gauge", "1 if closed.", &|q| q.closed.into());
    queues("sent_total", "counter", "Messages sent.", &|q| q.sent);
    queues("received_total", "counter", "Messages delivered.", &|q| q.received);
    queues("dead_lettered_total", "counter", "Messages put aside.", &|q| q.dead_lettered);
    queues("dropped_total", "counter", "Messages given up.", &|q| q.dropped);
    let mut groups = |name: &str, kind: &str, help: &str, value: &dyn Fn(&GroupStats) -> u64| {
        let name = format!("slipring_group_{name}");
        family(&mut text, &name, kind, help);
        for queue in stats {
            for group in queue.groups.iter().filter(|group| group.kind == "named") {
                let labels = format!("queue=\"{}\",group=\"{}\"", queue.name, group.name);
                let _ = writeln!(text, "{name}{{{labels}}} {}", value(group));
            }
        }
    };
    groups("lag", "gauge", "Messages not acked; beyond 10,000 estimated from the bytes.", &|g| {
        g.lag
    });
    groups("lag_bytes", "gauge", "Bytes not acked.", &|g| g.lag_bytes);
    groups("members", "gauge", "Members attached.", &|g| g.members);
    groups("redelivered_total", "counter", "Messages given back.", &|g| g.redelivered);
    text
}
