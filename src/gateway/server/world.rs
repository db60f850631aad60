//! What all connections share.

use std::time::{Duration, Instant};

use super::access::Access;
use super::engineio::Sessions;
use super::feed::Feeds;
use super::figures::Figures;
use super::groups::{Groups, Verdict};
use super::leases::Leases;
use super::metrics::Counters;
use super::nats::Hub;
use super::problem::Problem;
use super::queues::{Queues, Sent};
use super::recovery::Recovery;
use super::timers::{Due, Timers};
use super::tls::Identity;
use super::udp::Collector;
use crate::gateway::config::Config;
use crate::gateway::websocket::Limits;

pub(super) struct World {
    pub(super) config: Config,
    pub(super) access: Access,
    /// With it ports speak TLS.
    pub(super) identity: Option<Identity>,
    pub(super) queues: Queues,
    pub(super) groups: Groups,
    pub(super) feeds: Feeds,
    pub(super) leases: Leases,
    pub(super) collectors: Vec<Collector>,
    pub(super) sessions: Sessions,
    pub(super) recovery: Recovery,
    pub(super) timers: Timers,
    /// When the protocols' clock began.
    pub(super) began: Instant,
    pub(super) nats: Hub,
    pub(super) counters: Counters,
    pub(super) figures: Figures,
    /// No new work: the gateway is about to end.
    pub(super) draining: bool,
}

impl World {
    pub(super) fn handshake_time(&self) -> Duration {
        Duration::from_secs(self.config.handshake_seconds)
    }

    pub(super) fn idle_time(&self) -> Duration {
        Duration::from_secs(self.config.idle_seconds)
    }

    pub(super) fn ack_time(&self) -> Duration {
        Duration::from_secs(self.config.ack_seconds)
    }

    /// What a WebSocket client may send.
    pub(super) fn websocket_limits(&self) -> Limits {
        let Config { payload: message, fragments, .. } = self.config;
        Limits { message, fragments, ..Limits::default() }
    }

    /// Sends a client's message; once, if it has an id.
    pub(super) fn publish(
        &mut self,
        queue: &str,
        id: Option<&str>,
        event: &str,
        payload: &[u8],
    ) -> Result<Sent, Problem> {
        let sent = match id {
            Some(id) => self.queues.publish_once(queue, id, event, payload)?,
            None => {
                Sent { position: self.queues.publish(queue, event, payload)?, duplicate: false }
            }
        };
        let counter = if sent.duplicate {
            &mut self.counters.duplicates
        } else {
            &mut self.counters.published
        };
        *counter += 1;
        Ok(sent)
    }

    /// Settles a message that was pulled.
    pub(super) fn settle(&mut self, token: &str, verdict: Verdict) -> Result<(), Problem> {
        let Some(lease) = self.leases.end(token) else {
            return Err(Problem::new(
                410,
                "no such token: the message was settled, or its time was over and it went back",
            ));
        };
        self.groups.settle(lease.group, lease.position, verdict)?;
        self.counters.settled += 1;
        Ok(())
    }

    /// Takes the datagrams of a socket, in turns with what else there is to do.
    pub(super) fn collect(&mut self, index: usize) {
        let collector = self.collectors.get_mut(index);
        if collector.is_some_and(|collector| collector.collect(&mut self.queues)) {
            self.timers.set(Instant::now(), Due::Collect(index));
        }
    }

    /// No new clients from now on.
    pub(super) fn begin_to_drain(&mut self) {
        tracing::info!(connections = self.counters.connections, "drains: no new clients");
        self.draining = true;
    }

    /// Gives messages back whose time is over, and lets go of queues that nobody looks at.
    pub(super) fn end_leases(&mut self, now: Instant) {
        self.figures.observers.tidy(now);
        while let Some(lease) = self.leases.pop(now) {
            // It goes back, whatever this says: it is not held any more.
            let _ = self.groups.settle(lease.group, lease.position, Verdict::Retry);
            self.counters.leases_over += 1;
        }
    }

    /// How long nothing is due; `None` for ever.
    pub(super) fn idle(&self) -> Option<Duration> {
        let ends = self.leases.next_end().into_iter().chain(self.figures.observers.until);
        let next = self.timers.next().into_iter().chain(ends).min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }
}
