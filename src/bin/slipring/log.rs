//! What happens rarely, in words on standard error: `--log LEVEL`, or `SLIPRING_LOG`.

use crate::failure::{Done, Failure, USAGE};
use tracing_subscriber::filter::LevelFilter;

pub fn level(text: &str) -> Result<LevelFilter, String> {
    text.parse().map_err(|_| "use off, error, warn, info, debug or trace".into())
}

/// Writes events of this level and above from now on; without one, as the environment says.
pub fn start(level: Option<LevelFilter>) -> Done {
    let named = std::env::var("SLIPRING_LOG").ok().filter(|text| !text.is_empty());
    let level = match (level, named) {
        (Some(level), _) => level,
        (None, Some(text)) => self::level(&text)
            .map_err(|help| Failure::new(USAGE, format!("SLIPRING_LOG={text}: {help}")))?,
        (None, None) => return Ok(()),
    };
    let log = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr);
    log.with_ansi(false).with_target(false).log_internal_errors(false).init();
    Ok(())
}
