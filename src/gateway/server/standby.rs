//! One gateway serves a place at a time; another one may stand by and take over when it dies.

use std::io::{self, ErrorKind};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::SIGHUP;
use signal_hook_mio::v1_0::Signals;

use super::Server;
use super::listen::resolve;
use crate::gateway::config::Config;
use crate::{OpenError, Turn};

/// A dead process's ports may be freed a little later than its turn.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(1);

impl Server {
    /// Waits until no other gateway serves the same place, then [binds](Self::bind), with what the settings are by then.
    pub fn stand_by(mut settings: impl FnMut() -> Result<Config, String>) -> io::Result<Self> {
        let invalid = |text: String| io::Error::new(ErrorKind::InvalidInput, text);
        let before = settings().map_err(invalid)?;
        let name = turn(&before)?.ok_or_else(|| {
            invalid("a standby needs a port that both know, or the setting `turn`".into())
        })?;
        // Who tells all gateways to read their permissions anew does not mean to end this one.
        let _deaf = Signals::new([SIGHUP])?;
        let turn = Turn::take(&name).map_err(failed)?;
        let config = settings().unwrap_or_else(|error| {
            eprintln!("slipring serve: settings as they were before: {error}");
            before
        });
        let start = Instant::now();
        loop {
            match Self::bind_at(config.clone()) {
                Err(error)
                    if error.kind() == ErrorKind::AddrInUse && start.elapsed() < PATIENCE =>
                {
                    thread::sleep(PAUSE);
                }
                other => return other.map(|server| Self { _turn: Some(turn), ..server }),
            }
        }
    }

    /// Listens as the settings say, and takes SIGTERM, SIGINT and SIGHUP from now on.
    pub fn bind(config: Config) -> io::Result<Self> {
        let Some(name) = turn(&config)? else { return Self::bind_at(config) };
        let turn = match Turn::try_take(&name) {
            Ok(Some(turn)) => Some(turn),
            Ok(None) => {
                let text = "stop it, or let this one stand by (--standby)";
                let text = format!("another gateway serves here ({name}): {text}");
                return Err(io::Error::new(ErrorKind::ResourceBusy, text));
            }
            // The queues' directory is somebody else's: nobody can stand by here.
            Err(OpenError::Permission(_)) => None,
            Err(error) => return Err(failed(error)),
        };
        Self::bind_at(config).map(|server| Self { _turn: turn, ..server })
    }
}

/// The name of the turn that a gateway needs: of the address, unless that is any.
fn turn(config: &Config) -> io::Result<Option<String>> {
    if !config.turn.is_empty() {
        return Ok(Some(config.turn.clone()));
    }
    let address = resolve("listen", &config.listen)?;
    let name = format!("serve-{address}").replace([':', '[', ']', '%'], "_");
    Ok((address.port() != 0).then_some(name))
}

fn failed(error: OpenError) -> io::Error {
    io::Error::other(error.to_string())
}
