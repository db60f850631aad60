//! What the tests share.
#![allow(dead_code)]

use slipring::Queue;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory of one test, in shared memory, removed with it.
pub struct TempDir(PathBuf);

impl TempDir {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = PathBuf::from(format!("/dev/shm/slipring-test-{}-{next}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// The path of a queue in it.
    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A queue in the directory.
pub fn queue(dir: &TempDir, name: &str, capacity: u64) -> Queue {
    Queue::options().capacity(capacity).create(&dir.path(name)).unwrap()
}
