//! Rust programs: each is a binary of one package that depends on this one, as a user's does.

use super::common::TempDir;
use super::compare;
use super::page::{Block, Page, root};
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What programs of the pages may use beside Slipring.
const DEPENDENCIES: &str = r#"
tokio = { version = "1", features = ["rt-multi-thread", "net", "time", "macros", "sync"] }
[profile.dev]
debug = false
"#;

/// Removed with it.
struct Package(PathBuf);

impl Package {
    fn new(programs: &[(String, &Block)]) -> Self {
        // Tests run side by side.
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Relaxed);
        let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let path = place.join(format!("docs-{}-{count}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("src/bin")).unwrap();
        for (name, block) in programs {
            fs::write(path.join(format!("src/bin/{name}.rs")), program(&block.text)).unwrap();
        }
        let manifest = format!(
            "[package]\nname = \"pages\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n\
             slipring = {{ path = {:?}, features = [\"async\"] }}\n{DEPENDENCIES}",
            root()
        );
        fs::write(path.join("Cargo.toml"), manifest).unwrap();
        // The versions that are here already.
        fs::copy(root().join("Cargo.lock"), path.join("Cargo.lock")).unwrap();
        Self(path)
    }

    /// Compiles them, into one directory for all runs, so that only the first one builds the crate.
    fn build(&self) -> Result<PathBuf, String> {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("docs");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--offline", "--bins", "--target-dir"]).arg(&target);
        let output = cargo.current_dir(&self.0).output().unwrap();
        if output.status.success() {
            return Ok(target.join("debug"));
        }
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

impl Drop for Package {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A piece of a program gets a `main` around it, as in rustdoc.
fn program(text: &str) -> String {
    if text.contains("fn main(") {
        return text.to_owned();
    }
    format!("fn main() -> Result<(), Box<dyn std::error::Error>> {{\n{text}\nOk(())\n}}\n")
}

pub fn breaches(pages: &[Page]) -> Vec<String> {
    let all = pages.iter().flat_map(|page| page.blocks.iter().map(move |block| (page, block)));
    let rust: Vec<(&Page, &Block)> =
        all.filter(|(_, block)| block.kind.starts_with("rust")).collect();
    let name = |page: &Page, block: &Block| {
        // A build directory may be shared by two runs.
        let page = page.name.replace(['/', '.'], "_");
        format!("{page}_{}_{}", block.line, std::process::id())
    };
    let named: Vec<(String, &Block)> =
        rust.iter().map(|(page, block)| (name(page, block), *block)).collect();
    let package = Package::new(&named);
    let built = match package.build() {
        Ok(built) => built,
        Err(said) => return vec![said],
    };
    let mut wrong = Vec::new();
    for ((page, block), (name, _)) in rust.iter().zip(&named) {
        let path = built.join(name);
        if block.kind == "rust" {
            wrong.extend(run(&path, block).map(|said| format!("{}: {said}", page.place(block))));
        }
        let _ = fs::remove_file(&path);
        let _ = fs::remove_file(path.with_extension("d"));
    }
    wrong
}

/// What is wrong with what it prints.
fn run(program: &Path, block: &Block) -> Option<String> {
    let dir = TempDir::new();
    let mut command = Command::new("timeout");
    command
        .arg("60")
        .arg(program)
        .current_dir(dir.path(""))
        .env("SLIPRING_DIR", dir.path("queues"));
    let output = command.output().unwrap();
    let (seen, said) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if !output.status.success() {
        return Some(format!("{}: {said}", output.status));
    }
    let shown = block.prints.as_ref()?;
    (!compare::same(shown, &seen)).then(|| format!("prints:\n{seen}and the page shows:\n{shown}"))
}

/// `cargo run --example NAME` of a session, which stands elsewhere, uses what the build of these tests has left.
pub fn cargo_for_pages(tools: &Path) {
    let built = Path::new(env!("CARGO_BIN_EXE_slipring")).parent().unwrap();
    let mut arguments = vec!["--quiet".to_owned(), "--offline".to_owned()];
    arguments.push(format!("--manifest-path={}", root().join("Cargo.toml").display()));
    arguments.push(format!("--target-dir={}", built.parent().unwrap().display()));
    // The features of this build, so that what it has built is used.
    arguments.push(if cfg!(all(feature = "capi", feature = "async")) {
        "--all-features".to_owned()
    } else {
        format!("--features=cli{}", if cfg!(feature = "async") { ",async" } else { "" })
    });
    let profile = match built.file_name().unwrap().to_str().unwrap() {
        "debug" => "dev",
        other => other,
    };
    arguments.push(format!("--profile={profile}"));
    let mut script = "#!/bin/sh\nverb=$1\nshift\n".to_owned();
    writeln!(script, "exec {:?} \"$verb\" {} \"$@\"", env!("CARGO"), arguments.join(" ")).unwrap();
    let path = tools.join("cargo");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}
