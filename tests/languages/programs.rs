//! The programs: built once from an installed library, outside the source tree, and run with a bound on their time.

use super::prefix::{Prefix, root, run};
use super::{examples, modules};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Rust,
    C,
    Cpp,
    Python,
    Node,
    Go,
}

impl Language {
    pub const ALL: [Self; 6] = [Self::Rust, Self::C, Self::Cpp, Self::Python, Self::Node, Self::Go];
}

/// Where everything was built; removed with it.
pub struct Programs {
    prefix: Prefix,
    c: String,
    cpp: String,
    node: String,
    go: String,
}

impl Programs {
    pub fn build() -> Self {
        let prefix = Prefix::install();
        let [c, cpp] = examples::build(&prefix, "release", "-O2");
        let node = modules::node_folder(&prefix);
        let go = prefix.path("go-records");
        run(modules::go_tool(&prefix)
            .args(["build", "-o", &go, "./cmd/records"])
            .current_dir(root().join("ffi-examples/go")));
        Self { prefix, c, cpp, node, go }
    }

    fn command(&self, language: Language) -> Command {
        // Cargo builds examples together with tests.
        let target = std::env::current_exe().unwrap();
        let examples = target.parent().and_then(Path::parent).unwrap().join("examples");
        let mut command = match language {
            Language::Rust => Command::new(examples.join("records")),
            Language::C => Command::new(format!("{}/records", self.c)),
            Language::Cpp => Command::new(format!("{}/records", self.cpp)),
            Language::Python => Command::new("python3"),
            Language::Node => Command::new("node"),
            Language::Go => Command::new(&self.go),
        };
        match language {
            Language::Python => command.arg(root().join("ffi-examples/python/records.py")),
            Language::Node => command.arg(format!("{}/records.js", self.node)),
            _ => &mut command,
        };
        command
            .env("LD_LIBRARY_PATH", self.prefix.at("lib"))
            .env("SLIPRING_LIBRARY", self.prefix.at("lib/libslipring.so.0"))
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }

    pub fn start(&self, language: Language, arguments: &[&str]) -> Running {
        let mut command = self.command(language);
        let child = command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        Running(child.unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }
}

/// A program that runs; killed when dropped.
pub struct Running(Child);

impl Running {
    /// Waits for its end, which must be a good one.
    pub fn finish(mut self, what: &str) {
        let end = Instant::now() + Duration::from_secs(60);
        while self.0.try_wait().unwrap().is_none() {
            assert!(Instant::now() < end, "{what}: still running");
            std::thread::sleep(Duration::from_millis(2));
        }
        let status = self.0.wait().unwrap();
        let mut said = String::new();
        let errors = self.0.stderr.as_mut().unwrap();
        std::io::Read::read_to_string(errors, &mut said).unwrap();
        assert!(status.success(), "{what}: {status}\n{said}");
    }

    /// Waits until it prints this line.
    pub fn wait_for(&mut self, line: &str) {
        let mut said = String::new();
        BufReader::new(self.0.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said.trim_end(), line);
    }

    pub fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
