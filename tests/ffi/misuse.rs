//! C programs that do everything wrong, under sanitizers and Valgrind: each mistake is answered by a status, nothing is read or written
//! that should not be, and nothing leaks.

use super::prefix::{Prefix, root, run};
use std::collections::BTreeSet;
use std::process::Command;

const SANITIZE: [&str; 4] =
    ["-std=c11", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
const VALGRIND: [&str; 5] = [
    "-q",
    "--error-exitcode=99",
    "--leak-check=full",
    "--show-leak-kinds=all",
    "--errors-for-leak-kinds=all",
];

/// Runs a program of this folder both ways, with the archive and with the shared library; what it printed.
fn under_sanitizers_and_valgrind(prefix: &Prefix, name: &str) -> String {
    let source = root().join(format!("tests/ffi/{name}.c"));
    let sanitized = prefix.compile_static(&source, &SANITIZE);
    let said = run(Command::new(sanitized)
        .arg(prefix.directory("sanitized"))
        .env("ASAN_OPTIONS", "detect_leaks=1"));
    let plain = prefix.compile(&source, &["-std=c11", "-g"]);
    let directory = prefix.directory("valgrind");
    let again = run(prefix.command("valgrind").args(VALGRIND).args([&plain, &directory]));
    assert_eq!(said, again);
    said
}

/// Each function that the header declares, with the names of its parameters that are pointers.
fn declared() -> Vec<(String, Vec<String>)> {
    let header = std::fs::read_to_string(root().join("include/slipring.h")).unwrap();
    let mut code = String::new();
    for (at, part) in header.split("/*").enumerate() {
        code += if at == 0 { part } else { part.split_once("*/").unwrap().1 };
    }
    let lines = code.lines().filter(|line| !line.starts_with('#'));
    let code: String = lines.flat_map(|line| [line, " "]).collect();
    let last_word = |text: &str| {
        let word = text.trim().rsplit(|c: char| !c.is_alphanumeric() && c != '_').next();
        word.unwrap().to_owned()
    };
    code.split(';')
        .filter_map(|declaration| declaration.split_once('('))
        .map(|(before, after)| {
            let parameters = after.trim().strip_suffix(')').unwrap().split(',');
            let pointers = parameters.filter(|parameter| parameter.contains('*')).map(last_word);
            (last_word(before), pointers.collect())
        })
        .collect()
}

#[test]
fn every_pointer_of_every_function_may_be_null() {
    let prefix = Prefix::install();
    let said = under_sanitizers_and_valgrind(&prefix, "nulls");
    let tried: BTreeSet<&str> = said.lines().collect();
    let functions = declared();
    let places: Vec<String> = functions
        .iter()
        .flat_map(|(name, pointers)| {
            pointers.iter().map(move |pointer| format!("{name} {pointer}"))
        })
        .collect();
    assert_eq!(tried, places.iter().map(String::as_str).collect());

    // Those without pointers are called, too.
    let source = std::fs::read_to_string(root().join("tests/ffi/nulls.c")).unwrap();
    let without: Vec<_> = functions.iter().filter(|(_, pointers)| pointers.is_empty()).collect();
    assert!(without.len() < functions.len() && !without.is_empty());
    for (name, _) in without {
        assert!(source.contains(&format!("{name}(")), "{name} is not called");
    }
}

#[test]
fn misuse_is_answered_by_a_status() {
    under_sanitizers_and_valgrind(&Prefix::install(), "misuse");
}

#[test]
fn flow_control_never_allocates() {
    alone("quiet");
}

#[test]
fn a_lossy_reader_in_batches_is_told_of_every_gap() {
    alone("overrun");
}

/// Runs a program that needs its real speed, or its own allocator.
fn alone(name: &str) {
    let prefix = Prefix::install();
    let source = root().join(format!("tests/ffi/{name}.c"));
    let program = prefix.compile(&source, &["-std=c11", "-O1"]);
    run(prefix.command(&program).arg(prefix.directory(name)));
}

#[test]
fn owners_in_cpp_clean_up() {
    let prefix = Prefix::install();
    let program = prefix.path("owners");
    run(Command::new("c++")
        .args([
            "-std=c++17",
            "-Wall",
            "-Wextra",
            "-Wpedantic",
            "-Wconversion",
            "-Wshadow",
            "-Werror",
        ])
        .args(SANITIZE.iter().filter(|flag| !flag.starts_with("-std")))
        .arg(root().join("tests/ffi/owners.cpp"))
        .args(["-o", &program])
        .args(prefix.pkg_config(&["--cflags", "--libs"])));
    run(prefix.command(&program).arg(prefix.directory("owners-queues")));
}
