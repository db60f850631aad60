//! TLS, which a client of NATS begins after it was greeted.

use std::time::Instant;

use super::super::wire::Wire;
use super::super::world::World;
use crate::gateway::nats::{Connection as Codec, ServerError};

/// The first byte of a handshake.
const HANDSHAKE: u8 = 22;

/// A client that is to speak TLS.
pub(super) struct Upgrade {
    /// By then it must have said something by TLS.
    pub(super) until: Instant,
    pub(super) has_begun: bool,
}

impl Upgrade {
    pub(super) fn new(world: &World) -> Self {
        Self { until: Instant::now() + world.handshake_time(), has_begun: false }
    }

    /// Takes the client's first bytes.
    pub(super) fn begin(
        &mut self,
        first: &[u8],
        codec: &mut Codec,
        wire: &mut Wire,
        world: &mut World,
    ) {
        self.has_begun = match &world.identity {
            Some(identity) if first.first() == Some(&HANDSHAKE) => wire.upgrade(identity, first),
            _ => {
                codec.fail(ServerError::TlsRequired, wire.out());
                false
            }
        };
        world.counters.tls_failures += u64::from(!self.has_begun);
    }
}
