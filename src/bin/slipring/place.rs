//! Where queues live.

use std::path::{Path, PathBuf};

/// The directory of a queue, or of all queues that are no paths.
pub fn directory(name: Option<&str>) -> PathBuf {
    if let Some(name) = name.filter(|name| name.contains('/')) {
        return Path::new(name).parent().unwrap_or(Path::new("/")).to_owned();
    }
    let chosen = std::env::var_os("SLIPRING_DIR").filter(|dir| !dir.is_empty());
    chosen.map_or_else(|| "/dev/shm/slipring".into(), PathBuf::from)
}
