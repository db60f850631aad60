//! Where queues live.

use crate::failure::{About, Coded, Done, Failure};
use slipring::{OpenError, QueueOptions};
use std::path::{Path, PathBuf};

/// The directory of a queue, or of all queues that are no paths.
pub fn directory(name: Option<&str>) -> PathBuf {
    if let Some(name) = name.filter(|name| name.contains('/')) {
        return Path::new(name).parent().unwrap_or(Path::new("/")).to_owned();
    }
    let chosen = std::env::var_os("SLIPRING_DIR").filter(|dir| !dir.is_empty());
    chosen.map_or_else(|| "/dev/shm/slipring".into(), PathBuf::from)
}

/// The name of a queue in the directory of another one.
pub fn beside(queue: &str, name: &str) -> String {
    match queue.rsplit_once('/') {
        Some((directory, _)) if !name.contains('/') => format!("{directory}/{name}"),
        _ => name.into(),
    }
}

/// Makes a queue.
pub fn create(options: &QueueOptions, name: &str) -> Done {
    let created = options.create(name).map(drop);
    // It is the directory that is in the way.
    let directory = directory(Some(name));
    let directory = directory.display();
    let help = match &created {
        Err(OpenError::NotFound(_)) => {
            format!("no directory {directory}; make it with `mkdir -p {directory}`")
        }
        Err(OpenError::Permission(_)) => {
            format!("{directory} is not yours to write to; set SLIPRING_DIR to a directory that is")
        }
        _ => return created.about(name),
    };
    created.map_err(|error| Failure::new(error.code(), format_args!("{name}: {help}")))
}
