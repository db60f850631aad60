//! A request, as far as its answer depends on it.

use super::problem::Problem;
use super::world::World;
use crate::gateway::http::{Cors, Reply, ReplyHead, Request};

/// What has to be known of a request when it is answered.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) reply: Reply,
    origin: Option<Vec<u8>>,
}

impl Asked {
    pub(super) fn new(request: &Request, world: &World) -> Self {
        let reply = request.reply();
        Self {
            reply: if world.draining { reply.close() } else { reply },
            origin: request.header("Origin").map(<[u8]>::to_vec),
        }
    }

    /// Begins an answer that the page which asked may read.
    pub(super) fn begin<'o>(
        &self,
        cors: &Cors,
        out: &'o mut Vec<u8>,
        status: u16,
    ) -> ReplyHead<'o> {
        let head = cors.write(self.origin.as_deref(), self.reply.begin(out, status));
        if self.origin.is_none() {
            return head;
        }
        let own = "Slipring-Ack, Slipring-Position, Slipring-Event, Slipring-Deliveries";
        head.header("Access-Control-Expose-Headers", own)
    }

    /// Answers that something is wrong.
    pub(super) fn refuse(&self, world: &mut World, out: &mut Vec<u8>, problem: &Problem) {
        world.counters.errors += 1;
        let head = self.begin(&world.access.cors, out, problem.status);
        let head =
            if problem.status == 401 { head.header("WWW-Authenticate", "Bearer") } else { head };
        let head = if problem.is_passing() { head.header("Retry-After", "1") } else { head };
        head.error(&problem.reason);
    }
}
