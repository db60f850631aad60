//! What the modules for Python, Node and Go promise is tested in their own folders, with their own tools.

use super::prefix::{Prefix, root, run};
use std::process::Command;

/// Copies a folder, so that the source tree stays as it is.
fn copied(prefix: &Prefix, name: &str) -> String {
    let copy = prefix.path(name);
    run(Command::new("cp").arg("-r").arg(root().join("ffi-examples").join(name)).arg(&copy));
    copy
}

/// The folder for Node in a copy, with what it depends on.
pub fn node_folder(prefix: &Prefix) -> String {
    let folder = copied(prefix, "node");
    run(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder));
    folder
}

/// Go's tool, which finds the installed library. Go keeps a package that it has linked with a library elsewhere, unless a flag that it looks at
/// is another one.
pub fn go_tool(prefix: &Prefix) -> Command {
    let mut go = prefix.command("go");
    go.env("PKG_CONFIG_PATH", prefix.at("lib/pkgconfig"));
    go.env("CGO_LDFLAGS", format!("-L{}", prefix.at("lib")));
    go
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
fn python_program_of_the_readme() {
    let prefix = Prefix::install();
    let page = std::fs::read_to_string(root().join("README.md")).unwrap();
    let block = page.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let folder = copied(&prefix, "python");
    std::fs::write(format!("{folder}/readme.py"), block).unwrap();
    let mut python = Command::new("python3");
    python.args(["-W", "error", "readme.py"]).current_dir(&folder);
    python.env("SLIPRING_LIBRARY", prefix.at("lib/libslipring.so.0"));
    assert_eq!(run(python.env("SLIPRING_DIR", prefix.path("queues"))), "greeting b'hello'\n");
}

#[test]
fn node() {
    let prefix = Prefix::install();
    run(Command::new("node")
        .args(["--test"])
        .current_dir(node_folder(&prefix))
        .env("SLIPRING_LIBRARY", prefix.at("lib/libslipring.so.0")));
}

#[test]
fn go() {
    let prefix = Prefix::install();
    run(go_tool(&prefix)
        .args(["test", "-timeout", "60s", "."])
        .current_dir(copied(&prefix, "go"))
        .env("GODEBUG", "cgocheck=2"));
}
