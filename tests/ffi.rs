//! The C libraries as a C programmer meets them: installed into an empty prefix, found by pkg-config, and docs/c.md as written there; from Python too.

mod common;

use common::TempDir;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const STRICT: [&str; 5] = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn run(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let said = String::from_utf8_lossy(&stderr).into_owned();
    assert!(status.success(), "{command:?}: {status}\n{said}");
    String::from_utf8(stdout).unwrap()
}

/// An empty prefix with everything installed, removed with the directory it is in.
struct Prefix(PathBuf, TempDir);

impl Prefix {
    fn install() -> Self {
        let dir = TempDir::new();
        let prefix = PathBuf::from(dir.path("prefix"));
        run(Command::new("make")
            .args(["--no-print-directory", "install", &format!("PREFIX={}", prefix.display())])
            .current_dir(root()));
        Self(prefix, dir)
    }

    fn flags(&self, arguments: &[&str]) -> Vec<String> {
        let said = run(Command::new("pkg-config")
            .env("PKG_CONFIG_PATH", self.0.join("lib/pkgconfig"))
            .args(arguments)
            .arg("slipring"));
        said.split_whitespace().map(str::to_owned).collect()
    }

    fn run(&self, program: &str, arguments: &[&str]) -> String {
        run(Command::new(program).args(arguments).env("LD_LIBRARY_PATH", self.0.join("lib")))
    }

    fn path(&self, name: &str) -> String {
        self.1.path(name)
    }
}

/// The block of a language in docs/c.md.
fn block(language: &str) -> String {
    let page = std::fs::read_to_string(root().join("docs/c.md")).unwrap();
    let start = page.find(&format!("```{language}\n")).unwrap() + language.len() + 4;
    page[start..][..page[start..].find("```").unwrap()].to_owned()
}

#[test]
fn installed_and_used_from_c_cpp_and_python() {
    let prefix = Prefix::install();
    let (c, cpp) = (prefix.path("first.c"), prefix.path("first.cpp"));
    std::fs::write(&c, block("c")).unwrap();
    std::fs::write(&cpp, block("cpp")).unwrap();
    let example = std::fs::read_to_string(root().join("ffi-examples/c/first.c")).unwrap();
    assert_eq!(example, block("c"), "docs/c.md shows another program than ffi-examples/c/first.c");

    let shared = prefix.path("shared");
    run(Command::new("cc")
        .args(["-std=c99"])
        .args(STRICT)
        .args([&c, "-o", &shared])
        .args(prefix.flags(&["--cflags", "--libs"])));
    assert_eq!(prefix.run(&shared, &[&prefix.path("q"), "hello", "world"]), "hello\nworld\n");

    let fixed = prefix.path("static");
    let archive = prefix.0.join("lib/libslipring.a");
    let private = prefix.flags(&["--libs-only-l", "--static"]);
    let private = private.iter().filter(|flag| *flag != "-lslipring");
    run(Command::new("cc")
        .args([&c, "-o", &fixed])
        .args(prefix.flags(&["--cflags"]))
        .arg(archive)
        .args(private));
    assert_eq!(run(Command::new(&fixed).args([&prefix.path("q"), "alone"])), "alone\n");

    let plus = prefix.path("plus");
    run(Command::new("c++")
        .args(["-std=c++17"])
        .args(STRICT)
        .args([&cpp, "-o", &plus])
        .args(prefix.flags(&["--cflags", "--libs"])));
    assert_eq!(prefix.run(&plus, &[&prefix.path("r")]), "hello\n");

    let python = root().join("ffi-examples/python");
    let said = run(Command::new("python3")
        .arg(python.join("first.py"))
        .args([&prefix.path("p"), "hello", "world"])
        .env("SLIPRING_LIBRARY", prefix.0.join("lib/libslipring.so.0"))
        .env("PYTHONDONTWRITEBYTECODE", "1"));
    assert_eq!(said, "greeting 1 hello\ngreeting 1 world\n");

    let exported = run(Command::new("nm")
        .args(["-D", "--defined-only"])
        .arg(prefix.0.join("lib/libslipring.so")));
    let names: Vec<_> = exported.lines().filter_map(|line| line.split(' ').next_back()).collect();
    assert!(names.iter().all(|name| name.starts_with("slipring_")), "{names:?}");
    let header = std::fs::read_to_string(prefix.0.join("include/slipring.h")).unwrap();
    for name in names {
        assert!(header.contains(&format!("{name}(")), "{name} is exported and not in the header");
    }

    run(Command::new("make")
        .args(["--no-print-directory", "uninstall", &format!("PREFIX={}", prefix.0.display())])
        .current_dir(root()));
    let left =
        ["include/slipring.h", "lib/libslipring.so", "lib/libslipring.a", "lib/cmake/slipring"];
    assert!(left.iter().all(|name| !prefix.0.join(name).exists()));
}
