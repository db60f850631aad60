//! Pulling a message over HTTP, and settling it.

use std::time::Instant;

use super::access::Grant;
use super::asked::Asked;
use super::connection::Id;
use super::groups::{Verdict, Wish};
use super::problem::Problem;
use super::query;
use super::wire::Wire;
use super::world::World;
use crate::gateway::http::Request;
use crate::{DEFAULT_GROUP, RecvError};

/// A client that waits for a message of a group.
pub(super) struct Pull {
    pub(super) asked: Asked,
    pub(super) grant: Grant,
    pub(super) group: usize,
    pub(super) id: Id,
    pub(super) until: Instant,
}

impl Pull {
    pub(super) fn new(
        request: &Request,
        (asked, grant): (&Asked, &Grant),
        queue: &str,
        id: Id,
        world: &mut World,
    ) -> Result<Self, Problem> {
        grant.subscribe(queue)?;
        let queue = world.queues.get(queue)?;
        let until = Instant::now() + query::wait(request)?;
        let filter = query::text(request, "event");
        let group = query::text(request, "group").unwrap_or_else(|| DEFAULT_GROUP.into());
        let start = query::start(request)?.unwrap_or_default();
        let wish = Wish { group: &group, start, filter: filter.as_deref() };
        let group = world.groups.join(&queue, &wish, id)?;
        Ok(Self { asked: asked.clone(), grant: grant.clone(), group, id, until })
    }

    /// Answers with the next message, if there is one now.
    pub(super) fn try_finish(&mut self, wire: &mut Wire, world: &mut World) -> bool {
        match world.groups.take(self.group) {
            Ok(position) => self.answer(position, wire, world),
            // Who does not wait, or waits no longer, is answered by the time-out.
            Err(RecvError::Empty) => return false,
            Err(error) => self.asked.refuse(world, wire.out(), &error.into()),
        }
        world.groups.leave(self.group, self.id);
        true
    }

    fn answer(&self, position: u64, wire: &mut Wire, world: &mut World) {
        let token = world.leases.begin(self.group, position);
        let Some(message) = world.groups.message(self.group, position) else { return };
        let mut head = self
            .asked
            .begin(&world.access.cors, wire.out(), 200)
            .header("Slipring-Position", position.to_string())
            .header("Slipring-Deliveries", message.deliveries().to_string())
            .header("Slipring-Ack", token);
        if let Some(event) = message.event() {
            head = head.header("Slipring-Event", event);
        }
        let payload = message.payload();
        if head.body_follows("application/octet-stream", payload.len() as u64) {
            wire.send(payload);
        }
        world.counters.delivered += 1;
    }

    /// Nothing came.
    pub(super) fn give_up(&self, wire: &mut Wire, world: &mut World) {
        world.groups.leave(self.group, self.id);
        self.asked.begin(&world.access.cors, wire.out(), 204).empty();
    }
}

/// Settles a message by its token: `ack`, `retry`, or `reject` with a reason.
pub(super) fn settle(
    world: &mut World,
    how: &str,
    token: &str,
    reason: &str,
) -> Result<(), Problem> {
    let reason = if reason.is_empty() { "rejected over HTTP" } else { reason };
    world.settle(
        token,
        match how {
            "ack" => Verdict::Ack,
            "retry" => Verdict::Retry,
            _ => Verdict::Reject(reason),
        },
    )
}
