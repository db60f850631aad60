//! `include/slipring.h` is what cbindgen makes of `src/capi`.
//!
//! `SLIPRING_WRITE_HEADER=1 cargo test --features capi --test header` writes it anew.

use std::path::Path;

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
