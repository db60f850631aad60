//! The headers alone, in every compiler and standard that there is, without a warning.

use super::prefix::{outcome, root};
use std::process::Command;

const STRICT: [&str; 6] = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wundef", "-Werror"];
/// Each standard with the names it goes by, and whether all compilers have it that we test with.
const C: [(&[&str], bool); 4] =
    [(&["c99"], true), (&["c11"], true), (&["c17"], true), (&["c23", "c2x"], false)];
const CPP: [(&[&str], bool); 5] = [
    (&["c++11"], true),
    (&["c++14"], true),
    (&["c++17"], true),
    (&["c++20"], true),
    (&["c++23", "c++2b"], false),
];

/// A program that is nothing but the header, twice, and all its constants.
fn only_the_header() -> String {
    let header = std::fs::read_to_string(root().join("include/slipring.h")).unwrap();
    let constants = header.lines().filter_map(|line| {
        let mut words = line.strip_prefix("#define SLIPRING_")?.split(' ');
        words.next().filter(|_| words.next().is_some())
    });
    let uses: String = constants.map(|name| format!("    *to++ = SLIPRING_{name};\n")).collect();
    assert!(uses.lines().count() > 20, "{uses}");
    format!(
        "#include <slipring.h>\n#include <slipring.h>\n#if SLIPRING_VERSION < 1\n#error version\n#endif\n\
         void constants(long long *to);\nvoid constants(long long *to) {{\n{uses}}}\n"
    )
}

const ONLY_THE_CPP_HEADER: &str = "#include <slipring.hpp>\n#include <slipring.hpp>\n\
    slipring::wait a_while();\nslipring::wait a_while() { return std::chrono::milliseconds(1); }\n";

/// Whether the compiler knows the standard. That it is there at all is not up for debate.
fn knows(compiler: &str, language: &str, standard: &str) -> bool {
    let mut command = Command::new(compiler);
    command.args([&format!("-std={standard}"), "-x", language, "-fsyntax-only", "/dev/null"]);
    outcome(&mut command).0
}

fn compiles(compiler: &str, language: &str, standard: &str, source: &str) {
    let dir = super::common::TempDir::new();
    let path = dir.path("header");
    std::fs::write(&path, source).unwrap();
    let mut command = Command::new(compiler);
    command.args(STRICT).arg(format!("-std={standard}"));
    if language == "c" {
        command.arg("-Wc++-compat");
    }
    command.args(["-x", language, "-fsyntax-only", &path]).arg("-I").arg(root().join("include"));
    let (succeeded, _, said) = outcome(&mut command);
    assert!(succeeded, "{compiler} {standard}:\n{said}");
}

#[test]
fn the_headers_compile_alone_in_every_standard() {
    let c_header = only_the_header();
    for (compiler, language) in [("gcc", "c"), ("clang", "c"), ("g++", "c++"), ("clang++", "c++")] {
        for (names, everywhere) in if language == "c" { &C[..] } else { &CPP[..] } {
            let Some(standard) = names.iter().find(|name| knows(compiler, language, name)) else {
                assert!(!everywhere, "{compiler} does not know {names:?}");
                println!("skipped: {compiler} has no {names:?}");
                continue;
            };
            compiles(compiler, language, standard, &c_header);
            if language == "c++" && *standard >= "c++17" {
                compiles(compiler, language, standard, ONLY_THE_CPP_HEADER);
            }
        }
    }
}
