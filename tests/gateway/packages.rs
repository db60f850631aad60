//! Programs in other languages with the packages that they name, in a folder of this process.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

/// Those that somebody uses now.
static SHARED: LazyLock<Mutex<HashMap<String, Weak<Folder>>>> = LazyLock::new(Mutex::default);

/// A copy of a folder with its packages, which goes with it.
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

    /// The files of `tests/gateway/NAME`, and the packages for Node.js that its lock names.
    pub fn install(name: &str) -> Self {
        Self::npm(&format!("tests/gateway/{name}"))
    }

    /// The files of a folder of the project, and the packages for Node.js that its lock names.
    pub fn npm(source: &str) -> Self {
        let folder = Self::copy(source);
        folder.run(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]));
        folder
    }

    /// The files of a folder of the project, and the packages for Python of its `requirements.txt`.
    pub fn python(source: &str) -> Self {
        let folder = Self::copy(source);
        // Into a folder: that takes no virtual environment, whose making takes longer than the rest.
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        let what = ["--target", "packages", "-r", "requirements.txt"];
        folder.run(Command::new("python3").args(pip).args(what));
        folder
    }

    fn copy(source: &str) -> Self {
        // The one before may be about to go.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let copy = format!("gateway-packages-{}-{next}", std::process::id());
        let folder = Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join(copy));
        fs::create_dir_all(&folder.0).unwrap();
        for file in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(source)).unwrap() {
            let file = file.unwrap();
            if file.file_type().unwrap().is_file() {
                fs::copy(file.path(), folder.0.join(file.file_name())).unwrap();
            }
        }
        folder
    }

    fn run(&self, command: &mut Command) {
        let output = command.current_dir(&self.0).output();
        let output = output.unwrap_or_else(|error| panic!("{command:?} is needed: {error}"));
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {text}");
    }

    /// Node.js, about to run one of the files.
    pub fn node(&self, file: &str) -> Command {
        let mut node = Command::new("node");
        node.arg(file).current_dir(&self.0);
        node
    }

    /// Python, likewise.
    pub fn python3(&self, file: &str) -> Command {
        let mut python = Command::new("python3");
        python.arg(file).current_dir(&self.0).env("PYTHONPATH", self.0.join("packages"));
        python
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
