//! The README's examples are run, and what they print is compared with what is printed there.
//!
//! A `console` block is a shell session: what follows a line that begins with `$ ` is what that line prints, on standard output and
//! standard error alike. A `rust` block is a program; the `text` block after it is its output.

mod common;

use common::TempDir;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

struct Block {
    kind: String,
    text: String,
}

fn blocks(file: &str) -> Vec<Block> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(kind), None) => {
                open = Some(Block { kind: kind.to_owned(), text: String::new() });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => writeln!(block.text, "{line}").unwrap(),
            (None, None) => {}
        }
    }
    blocks
}

/// Runs each command of the session in a shell, in a directory of its own, and says what the session looks like then.
fn replay(session: &str, dir: &TempDir) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_slipring")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let mut seen = String::new();
    for line in session.lines().filter(|line| line.starts_with("$ ")) {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("exec 2>&1\n{}", &line[2..]));
        shell.env("PATH", &path).env("SLIPRING_DIR", dir.path("queues"));
        let output = shell.current_dir(dir.path("")).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        writeln!(seen, "{line}").unwrap();
        seen.push_str(&text);
    }
    seen
}

/// The sessions of a file go on from one to the next.
fn sessions(file: &str) -> usize {
    let dir = TempDir::new();
    let blocks: Vec<Block> =
        blocks(file).into_iter().filter(|block| block.kind == "console").collect();
    for block in &blocks {
        let seen = replay(&block.text, &dir);
        assert_eq!(seen, block.text, "{file} prints what is on the right");
    }
    blocks.len()
}

#[test]
fn shell_sessions_of_the_readme() {
    assert!(sessions("README.md") >= 3);
}

#[test]
fn shell_sessions_of_the_command_line_page() {
    assert!(sessions("docs/cli.md") >= 1);
}

/// A package that depends on this one, as a user's does; removed with it.
struct Package(PathBuf);

impl Package {
    fn new(program: &str) -> Self {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let path = place.join(format!("readme-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("src")).unwrap();
        fs::write(path.join("src/main.rs"), program).unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let manifest = format!(
            "[package]\nname = \"quick-start\"\nedition = \"2024\"\n[workspace]\n\
             [dependencies]\nslipring = {{ path = {root:?} }}\n"
        );
        fs::write(path.join("Cargo.toml"), manifest).unwrap();
        // The versions that are here already.
        fs::copy(root.join("Cargo.lock"), path.join("Cargo.lock")).unwrap();
        Self(path)
    }
}

impl Drop for Package {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_rust_program_of_the_readme() {
    let blocks = blocks("README.md");
    let at = blocks.iter().position(|block| block.kind == "rust").unwrap();
    let (program, expected) = (&blocks[at], &blocks[at + 1]);
    assert_eq!(expected.kind, "text");
    let (package, dir) = (Package::new(&program.text), TempDir::new());
    // One build directory for all runs, so that only the first one builds the crate.
    let build = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readme");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet", "--offline", "--target-dir"]).arg(build);
    cargo.current_dir(&package.0).env("SLIPRING_DIR", dir.path("queues"));
    let output = cargo.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected.text, "{said}");
}
