//! What the modules for Python, Node and Go promise is tested in their own folders, with their own tools.

use super::prefix::{Prefix, root, run};
use std::process::Command;

/// Copies a folder, so that the source tree stays as it is.
fn copied(prefix: &Prefix, name: &str) -> String {
    let copy = prefix.path(name);
    run(Command::new("cp").arg("-r").arg(root().join("ffi-examples").join(name)).arg(&copy));
    copy
}

#[test]
fn python() {
    let prefix = Prefix::install();
    run(Command::new("python3")
        .args(["-W", "error", "-m", "unittest"])
        .current_dir(copied(&prefix, "python"))
        .env("SLIPRING_LIBRARY", prefix.at("lib/libslipring.so.0")));
}

#[test]
fn node() {
    let prefix = Prefix::install();
    let folder = copied(&prefix, "node");
    run(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder));
    run(Command::new("node")
        .args(["--test"])
        .current_dir(&folder)
        .env("SLIPRING_LIBRARY", prefix.at("lib/libslipring.so.0")));
}

#[test]
fn go() {
    let prefix = Prefix::install();
    run(Command::new("go")
        .args(["test", "-timeout", "60s", "."])
        .current_dir(copied(&prefix, "go"))
        .env("PKG_CONFIG_PATH", prefix.at("lib/pkgconfig"))
        .env("CGO_LDFLAGS", prefix.for_go())
        .env("LD_LIBRARY_PATH", prefix.at("lib"))
        .env("GODEBUG", "cgocheck=2"));
}
