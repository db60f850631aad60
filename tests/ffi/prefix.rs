//! An empty prefix with everything installed, and how programs are built and run there.

use super::common::TempDir;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub const STRICT: [&str; 5] = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"];

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs a command that has to succeed; what it printed.
pub fn run(command: &mut Command) -> String {
    let (succeeded, out, err) = outcome(command);
    assert!(succeeded, "{command:?} failed:\n{out}{err}");
    out
}

/// Whether a command succeeded, and what it had to say.
pub fn outcome(command: &mut Command) -> (bool, String, String) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let Output { status, stdout, stderr } = output;
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    (status.success(), text(&stdout), text(&stderr))
}

/// Every file and link below a directory.
pub fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(files(&entry.path())),
            false => found.push(entry.path()),
        }
    }
    found
}

pub fn make(arguments: &[&str]) {
    let mut make = Command::new("make");
    run(make.arg("--no-print-directory").args(arguments).current_dir(root()));
}

/// `make install PREFIX=...`, removed with the directory it is in.
pub struct Prefix(PathBuf, TempDir);

impl Prefix {
    pub fn install() -> Self {
        let dir = TempDir::new();
        let prefix = Self(PathBuf::from(dir.path("prefix")), dir);
        make(&["install", &prefix.variable()]);
        prefix
    }

    pub fn uninstall(&self) {
        make(&["uninstall", &self.variable()]);
    }

    fn variable(&self) -> String {
        format!("PREFIX={}", self.0.display())
    }

    /// What was installed.
    pub fn at(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// A place beside the prefix.
    pub fn path(&self, name: &str) -> String {
        self.1.path(name)
    }

    /// An empty directory beside the prefix.
    pub fn directory(&self, name: &str) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    pub fn pkg_config(&self, arguments: &[&str]) -> Vec<String> {
        let mut command = Command::new("pkg-config");
        command.env("PKG_CONFIG_PATH", self.at("lib/pkgconfig")).args(arguments).arg("slipring");
        run(&mut command).split_whitespace().map(str::to_owned).collect()
    }

    /// Compiles a C program against the shared library.
    pub fn compile(&self, source: &Path, flags: &[&str]) -> String {
        let linking = self.pkg_config(&["--cflags", "--libs"]);
        self.compile_with(source, &[flags, &linking.each()].concat())
    }

    /// Compiles a C program into the archive's code: nothing of ours is needed at run time.
    pub fn compile_static(&self, source: &Path, flags: &[&str]) -> String {
        let archive = self.at("lib/libslipring.a");
        let linking: Vec<String> = self
            .pkg_config(&["--static", "--cflags", "--libs"])
            .into_iter()
            .map(|flag| if flag == "-lslipring" { archive.clone() } else { flag })
            .collect();
        self.compile_with(source, &[flags, &linking.each()].concat())
    }

    fn compile_with(&self, source: &Path, flags: &[&str]) -> String {
        let program = self.path(&format!("{}.out", source.file_name().unwrap().to_str().unwrap()));
        run(Command::new("cc").args(STRICT).arg(source).args(["-o", &program]).args(flags));
        program
    }

    /// Something that finds the shared library here.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("LD_LIBRARY_PATH", self.at("lib"));
        command
    }
}

trait Each {
    fn each(&self) -> Vec<&str>;
}

impl Each for Vec<String> {
    fn each(&self) -> Vec<&str> {
        self.iter().map(String::as_str).collect()
    }
}
