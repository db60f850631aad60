//! `include/slipring.h` is what cbindgen makes of `src/capi`, and compiles by itself without a warning in every C and C++ there is.
//!
//! `SLIPRING_WRITE_HEADER=1 cargo test --features capi --test header` writes it anew.

use std::path::Path;
use std::process::Command;

const HEADER: &str = "include/slipring.h";

/// The header as it should be.
fn generated() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).unwrap();
    let parts = ["error", "queue", "producer", "consumer"];
    let builder =
        parts.iter().fold(cbindgen::Builder::new().with_config(config), |builder, part| {
            builder.with_src(root.join(format!("src/capi/{part}.rs")))
        });
    let mut bytes = Vec::new();
    builder.generate().unwrap().write(&mut bytes);
    let text = String::from_utf8(bytes).unwrap();
    let lines = text.lines().map(tidy);
    lines.flatten().map(|line| line + "\n").collect()
}

/// Rust's heading for promises means nothing to C programmers, and a negative number in a macro wants parentheses.
fn tidy(line: &str) -> Option<String> {
    if line.trim() == "* # Safety" {
        return None;
    }
    let mut words = line.split(' ');
    match (words.next(), words.next(), words.next()) {
        (Some("#define"), Some(name), Some(value)) if value.starts_with('-') => {
            Some(format!("#define {name} ({value})"))
        }
        _ => Some(line.to_owned()),
    }
}

#[test]
fn the_header_is_generated() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(HEADER);
    let wanted = generated();
    if std::env::var_os("SLIPRING_WRITE_HEADER").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "{HEADER} is not what src/capi says: SLIPRING_WRITE_HEADER=1 cargo test --features capi --test header"
    );
    let [major, minor, patch] = [
        ("MAJOR", env!("CARGO_PKG_VERSION_MAJOR")),
        ("MINOR", env!("CARGO_PKG_VERSION_MINOR")),
        ("PATCH", env!("CARGO_PKG_VERSION_PATCH")),
    ]
    .map(|(name, value)| format!("#define SLIPRING_VERSION_{name} {value}\n"));
    assert!(
        [major, minor, patch].iter().all(|line| found.contains(line)),
        "cbindgen.toml's version"
    );
}

/// Whether the compiler is there and knows the standard.
fn knows(compiler: &str, language: &str, standard: &str) -> bool {
    let flags = [&format!("-std={standard}"), "-x", language, "-fsyntax-only", "/dev/null"];
    Command::new(compiler).args(flags).output().is_ok_and(|output| output.status.success())
}

#[test]
fn it_compiles_alone_in_every_standard() {
    let root = env!("CARGO_MANIFEST_DIR");
    let strict = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wundef", "-Werror"];
    let c = ["c99", "c11", "c17", "c23", "c2x"].map(|standard| ("c", standard));
    let cpp = ["c++11", "c++14", "c++17", "c++20", "c++23"].map(|standard| ("c++", standard));
    let mut compiled = Vec::new();
    for (language, standard) in c.into_iter().chain(cpp) {
        for compiler in if language == "c" { ["gcc", "clang"] } else { ["g++", "clang++"] } {
            if !knows(compiler, language, standard) {
                continue;
            }
            let modern = language == "c++" && standard >= "c++17";
            for header in if modern { &["slipring.h", "slipring.hpp"][..] } else { &["slipring.h"] }
            {
                let mut command = Command::new(compiler);
                command.args(strict).args(["-I", &format!("{root}/include"), "-include", header]);
                if language == "c" {
                    command.arg("-Wc++-compat");
                }
                let standard_flag = format!("-std={standard}");
                command.args([&standard_flag, "-x", language, "-fsyntax-only", "/dev/null"]);
                let output = command.output().unwrap();
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{compiler} {standard} {header}: {said}");
                compiled.push(format!("{compiler} {standard} {header}"));
            }
        }
    }
    println!("{}", compiled.join("\n"));
    assert!(compiled.iter().any(|one| one.contains("c99")));
    assert!(compiled.iter().any(|one| one.contains("slipring.hpp")));
}
