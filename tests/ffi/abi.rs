//! The binary interface is the one that packaging/abi holds: types and prototypes by abidiff, exported symbols, and the numbers that programs are
//! compiled with. `make abi` writes it down anew: after an addition as it is; after a change that old programs would notice the
//! Makefile's ABI number moves, too.

use super::common::TempDir;
use super::prefix::{Prefix, outcome, root, run};
use std::path::Path;
use std::process::Command;

fn baseline(name: &str) -> String {
    root().join("packaging/abi").join(name).to_str().unwrap().to_owned()
}

/// What describe.sh writes into a directory of its own about a header and the library.
fn describe(header: &Path, library: &str) -> TempDir {
    let dir = TempDir::new();
    run(Command::new("sh")
        .arg(baseline("describe.sh"))
        .arg(header)
        .arg(library)
        .arg(dir.path("").trim_end_matches('/')));
    dir
}

/// How the types and prototypes differ from the baseline; empty if they do not.
fn difference(found: &TempDir) -> String {
    let (same, said, errors) = outcome(Command::new("abidiff").args([
        "--harmless",
        "--no-show-locs",
        &baseline("slipring.abi"),
        &found.path("slipring.abi"),
    ]));
    assert!(same || !said.is_empty(), "abidiff: {errors}");
    if same { String::new() } else { said }
}

/// Changes to the header that old programs would notice.
const BREAKING: [(&str, &str); 8] = [
    ("    uint32_t deliveries;", "    uint64_t deliveries;"),
    ("    uint32_t prefetch;", "    int32_t prefetch;"),
    ("    uint64_t position;\n", ""),
    ("    size_t len;\n", "    size_t size;\n"),
    ("const char *reason);", "char *reason);"),
    ("uint32_t *repaired);", "uint64_t *repaired);"),
    ("uint64_t slipring_lag(", "uint32_t slipring_lag("),
    ("typedef int32_t slipring_status;", "typedef int64_t slipring_status;"),
];

#[test]
fn the_binary_interface_is_the_promised_one() {
    let prefix = Prefix::install();
    let (header, library) = (prefix.at("include/slipring.h"), prefix.at("lib/libslipring.so"));
    let found = describe(Path::new(&header), &library);
    let hint = "if that is what you want: make abi";
    let difference = difference(&found);
    assert!(difference.is_empty(), "{difference}\n{hint}");
    for list in ["symbols.txt", "constants.txt"] {
        let wanted = std::fs::read_to_string(baseline(list)).unwrap();
        let found = std::fs::read_to_string(found.path(list)).unwrap();
        assert_eq!(found, wanted, "{list}: {hint}");
        let all_ours = |prefix| found.lines().all(|line| line.starts_with(prefix));
        assert!(all_ours("slipring_") || all_ours("SLIPRING_"), "{found}");
    }
    a_break_would_be_noticed(&header, &library);
}

fn a_break_would_be_noticed(header: &str, library: &str) {
    let text = std::fs::read_to_string(header).unwrap();
    let dir = TempDir::new();
    for (from, to) in BREAKING {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from:?} is not in the header any more");
        let path = dir.path("slipring.h");
        std::fs::write(&path, changed).unwrap();
        let found = describe(Path::new(&path), library);
        assert!(!difference(&found).is_empty(), "{from:?} became {to:?}, and nobody noticed");
    }
}
