//! What the loop does for NATS: messages from one connection to others, and word of queues that come and go.

use std::time::{Duration, Instant};

use super::super::Server;
use super::super::timers::Due;

/// Between looks whether queues have come or gone.
const LOOK: Duration = Duration::from_millis(250);

impl Server {
    /// Brings messages from one connection to others, before anything else is done for those.
    pub(in super::super) fn hand_over(&mut self) {
        let mail = self.world.nats.take_mail();
        let mut receivers = Vec::new();
        for mail in &mail {
            for address in mail.addresses() {
                let connection = self.connections.get_mut(address.0.index);
                if let Some(connection) = connection.filter(|found| found.id == address.0)
                    && connection.hand_over(address, mail, &mut self.world)
                {
                    receivers.push(address.0);
                }
            }
        }
        self.world.nats.give_back(mail);
        for id in receivers {
            self.with(id, |connection, world, _| connection.send(world));
        }
    }

    /// Tells who has to know which queues there are now.
    pub(in super::super) fn look(&mut self) {
        let queues =
            if self.world.nats.has_clients() { self.world.queues.list() } else { Vec::new() };
        for id in self.world.nats.look(queues).to_vec() {
            self.drive(id);
        }
        self.world.timers.set(Instant::now() + LOOK, Due::Look);
    }
}
