//! What is read anew on SIGHUP: who may do what, and the certificate. Whatever is wrong with it, the gateway goes on with what it has.

use std::io;

use super::Server;
use super::access::Access;
use super::connection::Id;
use super::tls::{self, Identity};
use crate::gateway::config::Config;

/// What gives the settings anew.
pub(super) type Reloader = Box<dyn FnMut() -> Result<Config, String>>;

/// Nobody listens beyond loopback by mistake.
pub(super) fn check_open(config: &Config, loopback: bool) -> io::Result<()> {
    if loopback || config.insecure || config.asks_for_tokens() {
        return Ok(());
    }
    let text = "anybody could come in: set a token, or say insecure, or listen on 127.0.0.1";
    Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
}

/// The certificate, if there is to be one.
pub(super) fn identity(config: &Config) -> io::Result<Option<Identity>> {
    config.is_secure().then(|| tls::load(&config.certificate, &config.key)).transpose()
}

impl Server {
    /// Says where the settings come from when SIGHUP asks for them anew. Tokens, clients, origins, hosts and the certificate change then, and nothing
    /// else. (By itself it reads the certificate's files anew.)
    pub fn reload_from(&mut self, settings: impl FnMut() -> Result<Config, String> + 'static) {
        self.reloader = Box::new(settings);
    }

    pub(super) fn reload(&mut self) {
        match self.try_reload() {
            Ok(()) => self.world.counters.reloads += 1,
            Err(error) => {
                self.world.counters.reload_failures += 1;
                eprintln!("slipring serve: nothing was reloaded: {error}");
            }
        }
    }

    fn try_reload(&mut self) -> Result<(), String> {
        let config = (self.reloader)()?;
        let loopback = self.local.ip().is_loopback();
        let nats = self.nats.is_none_or(|address| address.ip().is_loopback());
        check_open(&config, loopback && nats).map_err(|error| error.to_string())?;
        if config.is_secure() != self.world.identity.is_some() {
            return Err("certificate: TLS begins or ends only with another start".into());
        }
        let identity = identity(&config).map_err(|error| error.to_string())?;
        self.world.identity = identity;
        self.world.access = Access::new(&config, loopback);
        let ids: Vec<Id> = self.connections.iter().map(|(_, connection)| connection.id).collect();
        for id in ids {
            self.with(id, |connection, world, buffer| connection.on_reload(world, buffer));
        }
        self.world.reload_sessions();
        Ok(())
    }
}
