//! The examples in C and C++ as they are, under sanitizers and under Valgrind: what they do is right, and nothing leaks.

use super::common::TempDir;
use super::prefix::{Prefix, make, root, run};
use super::record;
use std::process::Command;

const SANITIZE: &str = "-g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all";

/// Builds both folders with some flags; where the programs are.
pub fn build(prefix: &Prefix, name: &str, flags: &str) -> [String; 2] {
    let [c, cpp] = ["c", "cpp"].map(|folder| prefix.path(&format!("{folder}-{name}")));
    let pkg_config = format!("PKG_CONFIG_PATH={}", prefix.at("lib/pkgconfig"));
    let c_flags = format!("CFLAGS=-std=c99 -Wall -Wextra -Wpedantic -Wconversion -Werror {flags}");
    make(&["-C", "ffi-examples/c", &pkg_config, &format!("OUT={c}"), &c_flags]);
    run(Command::new("cmake").arg("-S").arg(root().join("ffi-examples/cpp")).args([
        "-B",
        &cpp,
        &format!("-DCMAKE_PREFIX_PATH={}", prefix.at("")),
        &format!("-DCMAKE_CXX_FLAGS={flags}"),
        "-DCMAKE_COMPILE_WARNING_AS_ERROR=ON",
    ]));
    run(Command::new("cmake").args(["--build", &cpp]));
    [c, cpp]
}

/// Runs the script on them.
fn check(prefix: &Prefix, programs: &[String; 2], records: usize, wrapper: &[&str]) {
    let dir = TempDir::new();
    let input = dir.path("records");
    std::fs::write(&input, (0..records).flat_map(record).collect::<Vec<u8>>()).unwrap();
    run(prefix
        .command("timeout")
        .args(["300", "sh"])
        .arg(root().join("tests/languages/examples.sh"))
        .args([&dir.path(""), &programs[0], &programs[1], &input])
        .args(wrapper));
}

#[test]
fn examples_do_what_they_say() {
    let prefix = Prefix::install();
    check(&prefix, &build(&prefix, "plain", "-O2"), 2000, &[]);
}

#[test]
fn examples_under_sanitizers() {
    let prefix = Prefix::install();
    check(&prefix, &build(&prefix, "sanitized", SANITIZE), 500, &[]);
}

#[test]
fn examples_under_valgrind() {
    let prefix = Prefix::install();
    let valgrind = ["valgrind", "-q", "--error-exitcode=9", "--leak-check=full"];
    check(&prefix, &build(&prefix, "valgrind", "-g -O1"), 50, &valgrind);
}
