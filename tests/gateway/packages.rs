//! Packages for Node.js, as their lock says, in a folder of this process.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

static INSTALLED: AtomicUsize = AtomicUsize::new(0);

/// Those that somebody uses now.
static SHARED: LazyLock<Mutex<HashMap<String, Weak<Folder>>>> = LazyLock::new(Mutex::default);

/// A copy of a folder of `tests/gateway` with its packages, which goes with it.
pub struct Folder(PathBuf);

impl Folder {
    /// The one that others use as well, if they do.
    pub fn shared(name: &str) -> Arc<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let known = shared.get(name).and_then(Weak::upgrade);
        known.unwrap_or_else(|| {
            let folder = Arc::new(Self::install(name));
            shared.insert(name.into(), Arc::downgrade(&folder));
            folder
        })
    }

    /// The files of `tests/gateway/NAME`, and the packages that its lock names.
    pub fn install(name: &str) -> Self {
        // The one before may be about to go.
        let number = INSTALLED.fetch_add(1, Ordering::Relaxed);
        let copy = format!("gateway-{name}-{}-{number}", std::process::id());
        let folder = Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join(copy));
        fs::create_dir_all(&folder.0).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gateway").join(name);
        for file in fs::read_dir(&source).unwrap() {
            let file = file.unwrap();
            if file.file_type().unwrap().is_file() {
                fs::copy(file.path(), folder.0.join(file.file_name())).unwrap();
            }
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder.0);
        let output = npm.output().expect("npm, which is needed to install packages");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        folder
    }

    /// Node.js, about to run one of the files.
    pub fn node(&self, file: &str) -> Command {
        let mut node = Command::new("node");
        node.arg(file).current_dir(&self.0);
        node
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
