//! Packages for Node.js, as their lock says, in a folder of this process.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A copy of a folder of `tests/gateway` with its packages, which goes with it.
pub struct Folder(PathBuf);

impl Folder {
    /// The files of `tests/gateway/NAME`, and the packages that its lock names.
    pub fn install(name: &str) -> Self {
        let copy = format!("gateway-{name}-{}", std::process::id());
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
