//! Rules of the house that no compiler knows: who may import whom, how long a file may be, and what belongs into no file.
//!
//! Each test names every breach, not only the first.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The floors, ground first: a room, and the rooms that it may import. `queue` and the library's root may import all.
const FLOORS: [(&str, &[&str]); 13] = [
    ("error", &[]),
    ("sync", &[]),
    ("sys", &["sync", "error"]),
    ("blocks", &["sync"]),
    ("layout", &["sync"]),
    ("ring", &["sync", "blocks", "layout"]),
    ("group", &["sync", "blocks", "layout", "ring"]),
    ("wait", &["sync", "layout", "ring"]),
    ("recover", &["sync", "blocks", "layout", "ring", "group", "wait"]),
    ("queue", &["error", "sync", "sys", "blocks", "layout", "ring", "group", "wait", "recover"]),
    // On the public face alone.
    ("asynchronous", &[]),
    ("capi", &[]),
    ("gateway", &[]),
];

/// The protocol knows no file, clock, process or thread: whatever it needs of them is passed in.
const PROTOCOL: [&str; 6] = ["blocks", "layout", "ring", "group", "wait", "recover"];
const OUTSIDE: [&str; 8] = [
    "std::fs",
    "std::io",
    "std::os",
    "std::process",
    "std::thread",
    "std::time",
    "core::time",
    "std::env",
];

const MAX_LINES: usize = 500;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The project's files below a directory, as paths from its root. Build output and what a fuzzer collects are none of it.
fn files(below: &str) -> Vec<String> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).unwrap().flatten() {
            let name = entry.file_name().into_string().unwrap();
            let skipped = ["target", ".git", "corpus", "artifacts", "out", "seeds"];
            let fetched = ["node_modules", "__pycache__"];
            // Gone again since it was listed: somebody's temporary file.
            let Ok(kind) = entry.file_type() else { continue };
            let ours = |name: &str| ![&skipped[..], &fetched].concat().contains(&name);
            if kind.is_dir() && ours(&name) && !name.starts_with("target-") {
                walk(&entry.path(), found);
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    let root = root();
    let mut found = Vec::new();
    if root.join(below).is_dir() {
        walk(&root.join(below), &mut found);
    }
    let name = |path: &PathBuf| path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
    let mut names: Vec<String> = found.iter().map(name).collect();
    names.sort();
    names
}

fn sources(below: &str) -> Vec<String> {
    files(below).into_iter().filter(|name| name.ends_with(".rs")).collect()
}

fn read(name: &str) -> String {
    String::from_utf8_lossy(&fs::read(root().join(name)).unwrap()).into_owned()
}

/// A file's text without its comments.
fn code(name: &str) -> String {
    let line = |line: &str| line.split("//").next().unwrap_or("").to_owned() + "\n";
    read(name).lines().map(line).collect()
}

/// `src/ring/gate.rs` is in the room `ring`.
fn room(name: &str) -> &str {
    let name = name.strip_prefix("src/").unwrap().trim_end_matches(".rs");
    name.split('/').next().unwrap()
}

/// The rooms that a text imports: what follows `crate::`, alone or in braces.
fn imports(text: &str) -> BTreeSet<String> {
    let word = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
    };
    let mut rooms = BTreeSet::new();
    for (at, path) in text.match_indices("crate::") {
        let rest = &text[at + path.len()..];
        let Some(list) = rest.strip_prefix('{') else {
            rooms.insert(word(rest));
            continue;
        };
        // The first word of each part of the list, whatever lists there are in it.
        let (mut depth, mut begins) = (0, true);
        for (at, letter) in list.char_indices() {
            if begins && !letter.is_whitespace() {
                rooms.insert(word(&list[at..]));
                begins = false;
            }
            match letter {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => begins = true,
                _ => {}
            }
        }
    }
    rooms
}

fn none(breaches: Vec<String>) {
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
}

#[test]
fn rooms_import_only_from_below() {
    let rooms: BTreeSet<&str> = FLOORS.iter().map(|(room, _)| *room).collect();
    let mut breaches = Vec::new();
    for file in sources("src").iter().filter(|file| !file.starts_with("src/bin/")) {
        let here = room(file);
        let allowed = FLOORS.iter().find(|(room, _)| *room == here).map(|(_, allowed)| *allowed);
        if here != "lib" && allowed.is_none() {
            breaches.push(format!("{file}: a room without a floor; give it one in {}", file!()));
        }
        let text = code(file);
        for there in imports(&text).iter().filter(|there| rooms.contains(there.as_str())) {
            if allowed.is_some_and(|allowed| *there != here && !allowed.contains(&there.as_str())) {
                breaches.push(format!("{file}: {here} must not import {there}"));
            }
        }
        for outside in OUTSIDE.iter().filter(|_| PROTOCOL.contains(&here)) {
            if text.contains(outside) {
                breaches.push(format!("{file}: {here} must not know {outside}"));
            }
        }
    }
    none(breaches);
}

#[test]
fn imports_are_read_right() {
    let text = "use crate::{a::{x, b}, c,\n d::*}; crate::e::f(); super::g; use crate::h;";
    let rooms: Vec<String> = imports(text).into_iter().collect();
    assert_eq!(rooms, ["a", "c", "d", "e", "h"]);
}

#[test]
fn atomics_libc_and_mappings_stay_in_their_rooms() {
    let mut breaches = Vec::new();
    for file in sources("src") {
        let text = code(&file);
        let mut only = |word: &str, place: &str| {
            if text.contains(word) && !file.starts_with(place) {
                breaches.push(format!("{file}: {word} is for {place} alone"));
            }
        };
        only("sync::atomic", "src/sync.rs");
        only("core::hint", "src/sync.rs");
        // The payload is a cell of its own kind under loom.
        if file != "src/blocks.rs" {
            only("loom::", "src/sync.rs");
        }
        only("libc::", "src/sys");
        only("use libc", "src/sys");
        only("memmap2", "src/sys");
        only("mio::", "src/gateway/server");
    }
    none(breaches);
}

/// The wire protocols get bytes and the time, and give bytes.
#[test]
fn wire_protocols_know_neither_sockets_nor_clock() {
    let protocols = sources("src/gateway").into_iter();
    let server = ["src/gateway/server", "src/gateway/config.rs"];
    let protocols = protocols.filter(|file| !server.iter().any(|room| file.starts_with(room)));
    let words = ["std::net", "std::fs", "std::io", "std::os", "std::process", "std::thread"];
    let clocks = ["Instant", "SystemTime", "crate::Queue", "crate::Producer", "crate::Consumer"];
    let mut breaches = Vec::new();
    for file in protocols {
        let text = code(&file);
        let found = words.iter().chain(&clocks).filter(|word| text.contains(**word));
        breaches.extend(found.map(|word| format!("{file}: {word} has no place here")));
    }
    none(breaches);
}

#[test]
fn the_command_line_uses_the_public_face() {
    let sources = sources("src/bin/slipring");
    assert!(sources.len() > 10, "the command line has moved");
    let words = ["unsafe", "#[path", "#[repr", "transmute"];
    let breaches = sources.iter().flat_map(|file| {
        let text = code(file);
        let found = words.into_iter().filter(move |word| text.contains(word));
        found.map(move |word| format!("{file}: {word} has no place here"))
    });
    none(breaches.collect());
}

#[test]
fn files_are_short_and_say_what_they_are() {
    let mut breaches = Vec::new();
    let places = ["src", "tests", "benches", "fuzz", "ffi-examples"];
    for file in places.iter().flat_map(|place| sources(place)) {
        let text = read(&file);
        let lines = text.lines().count();
        if lines > MAX_LINES {
            breaches.push(format!("{file}: {lines} lines, {MAX_LINES} at most; split it"));
        }
        if !text.starts_with("//!") && !text.starts_with("#![doc") && !text.starts_with("#!") {
            breaches.push(format!("{file}: begins without a word (//!) on what it is"));
        }
    }
    none(breaches);
}

#[test]
fn nothing_of_the_machine_it_was_written_on() {
    // Put together here, lest this file be found.
    let places = ["work", "root", "home"].map(|dir| format!("/{dir}/"));
    let mut breaches = Vec::new();
    for file in files("") {
        let text = read(&file);
        let lines = text.lines().enumerate();
        breaches.extend(
            lines.filter(|(_, line)| places.iter().any(|p| line.contains(p))).map(
                |(number, line)| format!("{file}:{}: a machine's own path: {line}", number + 1),
            ),
        );
    }
    none(breaches);
}

#[test]
fn lock_files_name_no_registry_of_their_own() {
    const SOURCE: &str = r#"source = "registry+https://github.com/rust-lang/crates.io-index""#;
    let is_lock = |name: &str| {
        let name = name.rsplit('/').next().unwrap();
        name.ends_with(".lock") || name.contains("-lock.") || name.ends_with("lock.json")
    };
    let locks: Vec<String> = files("").into_iter().filter(|name| is_lock(name)).collect();
    assert!(locks.contains(&"Cargo.lock".to_owned()));
    let mut breaches = Vec::new();
    for file in locks {
        let text = read(&file);
        // npm also notes where to donate.
        let donate = |line: &str| line.trim_start().starts_with(r#""url": "#);
        let names = |line: &&str| line.contains("://") && *line != SOURCE && !donate(line);
        let strange = text.lines().filter(names);
        breaches.extend(strange.map(|line| format!("{file}: {line}")));
    }
    none(breaches);
}

/// The names of `order!` and `recheck!` in the sources.
fn ordering_names() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in sources("src").iter().filter(|file| *file != "src/sync.rs") {
        let text = code(file);
        for call in ["order!(", "recheck!("] {
            let calls = text.match_indices(call).map(|(at, call)| &text[at + call.len()..]);
            names.extend(calls.filter_map(|rest| {
                let literal = rest.trim_start().strip_prefix('"')?;
                Some(literal.split('"').next()?.to_owned())
            }));
        }
    }
    names
}

#[test]
fn every_ordering_is_in_the_table() {
    let names = ordering_names();
    assert!(names.len() > 50, "only {} names found: has order! another shape?", names.len());
    let table = read("docs/orderings.md");
    let missing = names.iter().filter(|name| !table.contains(&format!("`{name}`")));
    none(missing.map(|name| format!("docs/orderings.md: no row for `{name}`")).collect());
}

#[test]
fn the_changelog_names_the_layout_version() {
    let layout = code("src/layout.rs");
    let (_, rest) = layout.split_once("LAYOUT_VERSION: u32 = ").expect("the constant");
    let version = rest.split(';').next().unwrap();
    let line = format!("Layout version: {version}");
    assert!(read("CHANGELOG.md").lines().any(|have| have == line), "CHANGELOG.md: no {line:?}");
}
