//! What the page at `/` shows: figures of the gateway and all queues, taken once a second for all who look, and only while somebody does.

mod observers;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::connection::Id;
use super::metrics::Counters;
use super::timers::{Due, Timers};
use crate::gateway::websocket::{Opcode, shared_frame};
use crate::{GroupStats, MemberStats, QueueStats, RoleStats};
use observers::Observers;

const PERIOD: Duration = Duration::from_secs(1);

/// Messages of a group that are counted one by one, queues and members of one that are listed: all clients wait meanwhile.
const COUNTED: u64 = 1000;
const QUEUES: usize = 200;
const MEMBERS: usize = 64;

/// The latest figures, and who looks at them.
pub(super) struct Figures {
    viewers: Vec<Id>,
    pub(super) observers: Observers,
    /// As a frame of WebSocket, which all viewers are sent.
    frame: Arc<[u8]>,
    /// How often they were taken.
    pub(super) serial: u64,
    armed: bool,
    begin: Instant,
}

impl Figures {
    pub(super) fn new() -> Self {
        Self {
            viewers: Vec::new(),
            observers: Observers::default(),
            frame: Arc::new([]),
            serial: 0,
            armed: false,
            begin: Instant::now(),
        }
    }

    /// Somebody looks from now on.
    pub(super) fn join(&mut self, id: Id, timers: &mut Timers) {
        self.viewers.push(id);
        if !self.armed {
            self.armed = true;
            timers.set(Instant::now(), Due::Figures);
        }
    }

    pub(super) fn leave(&mut self, id: Id) {
        self.viewers.retain(|viewer| *viewer != id);
    }

    /// What a viewer has not seen yet, who saw as many.
    pub(super) fn after(&self, seen: u64) -> Option<&[u8]> {
        (seen < self.serial).then_some(&self.frame)
    }

    /// Takes the figures anew; returns who is to have them.
    pub(super) fn take(
        &mut self,
        now: Instant,
        counters: &Counters,
        timers: &mut Timers,
    ) -> Vec<Id> {
        self.armed = !self.viewers.is_empty();
        if self.armed {
            let text = self.read(now, counters).to_string();
            self.frame = shared_frame(Opcode::Text, text.as_bytes());
            self.serial += 1;
            timers.set(now + PERIOD, Due::Figures);
        }
        self.viewers.clone()
    }

    fn read(&mut self, now: Instant, counters: &Counters) -> Value {
        let (queues, all) = self.observers.stats(COUNTED, QUEUES);
        json!({
            // Of this clock, so that rates are right however late they arrive.
            "ms": now.duration_since(self.begin).as_millis() as u64,
            "version": env!("CARGO_PKG_VERSION"),
            "viewers": self.viewers.len(),
            "connections": counters.connections,
            "accepted": counters.accepted,
            "refused": counters.refused,
            "requests": counters.requests,
            "errors": counters.errors,
            "published": counters.published,
            "delivered": counters.delivered,
            "overruns": counters.overruns,
            "more": all - queues.len(),
            "queues": queues.iter().map(queue).collect::<Vec<_>>(),
        })
    }
}

fn queue(stats: &QueueStats) -> Value {
    let lossy = |row: &&GroupStats| row.kind == "lossy";
    json!({
        "name": stats.name,
        "id": format!("{:032x}", stats.id),
        "capacity": stats.capacity,
        "used": stats.used,
        "earliest": stats.earliest,
        "latest": stats.latest,
        "sent": stats.sent,
        "received": stats.received,
        "repaired": stats.repaired,
        "deadLettered": stats.dead_lettered,
        "dropped": stats.dropped,
        "closed": stats.closed,
        "readers": stats.groups.iter().filter(lossy).count(),
        "groups": stats.groups.iter().filter(|row| !lossy(row)).map(group).collect::<Vec<_>>(),
        "memberCount": stats.members.len(),
        "members": stats.members.iter().take(MEMBERS).map(member).collect::<Vec<_>>(),
    })
}

fn group(row: &GroupStats) -> Value {
    json!({
        "name": row.name,
        "members": row.members,
        "lag": row.lag,
        "estimated": row.estimated,
        "lagBytes": row.lag_bytes,
        "redelivered": row.redelivered,
        "deadLettered": row.dead_lettered,
        "dropped": row.dropped,
        "filter": row.filter,
        "deadLetter": row.dead_letter,
    })
}

fn member(row: &MemberStats) -> Value {
    let group = match &row.role {
        RoleStats::Producer => None,
        RoleStats::Consumer { group } => Some(group),
    };
    json!({ "row": row.row, "pid": row.pid, "group": group, "count": row.count, "alive": row.alive })
}
