//! Commands in the running text: `slipring recv --lines` and `make soak` must exist, with their options.

use super::page::{Page, root};
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Mutex, OnceLock};

pub fn breaches(page: &Page) -> Vec<String> {
    let mut wrong = Vec::new();
    for (number, line) in page.prose() {
        wrong.extend(row(line).map(|error| format!("{}:{number}: {error}", page.name)));
        for span in line.split('`').skip(1).step_by(2) {
            let error = match span.split_once(' ') {
                Some(("slipring", rest)) => slipring(rest),
                Some(("make", rest)) => make(rest),
                _ => None,
            };
            wrong.extend(error.map(|error| format!("{}:{number}: `{span}`: {error}", page.name)));
        }
    }
    wrong
}

/// A row of a table whose first cell is a command: options that it names elsewhere are that command's.
fn row(line: &str) -> Option<String> {
    let (command, rest) = line.strip_prefix("| `")?.split_once('`')?;
    let verb = command.split_whitespace().next()?;
    let help = help(&[verb])?;
    let spans = rest.split('`').skip(1).step_by(2).filter(|span| span.starts_with('-'));
    let mut options = spans.filter_map(|span| span.split([' ', '=']).next());
    let missing = options.find(|option| *option != "-" && !has(&help, option))?;
    Some(format!("`{command}` has no option {missing}"))
}

/// The command's own help says which options it has.
fn slipring(words: &str) -> Option<String> {
    let words: Vec<&str> = words.split_whitespace().collect();
    let verbs = words.iter().take_while(|word| {
        word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-')
    });
    let verbs: Vec<&str> = verbs.copied().collect();
    if verbs.is_empty() {
        return None;
    }
    // `group ls orders`: the verb is one word or two, the rest are names.
    let help = (1..=verbs.len().min(2)).rev().find_map(|count| help(&verbs[..count]));
    let Some(help) = help else { return Some("no such command".into()) };
    let options = words.iter().filter_map(|word| word.split(['=', '|', ',', ']']).next());
    let options = options.map(|word| word.trim_start_matches('['));
    let mut missing =
        options.filter(|word| word.starts_with('-') && *word != "-" && !has(&help, word));
    missing.next().map(|option| format!("no option {option}"))
}

fn has(help: &str, option: &str) -> bool {
    help.split(|c: char| c.is_whitespace() || ",[]=".contains(c)).any(|word| word == option)
}

fn help(verbs: &[&str]) -> Option<String> {
    static SEEN: OnceLock<Mutex<BTreeMap<String, Option<String>>>> = OnceLock::new();
    let mut seen = SEEN.get_or_init(Mutex::default).lock().unwrap();
    let known = seen.entry(verbs.join(" ")).or_insert_with(|| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_slipring"));
        let output = command.args(verbs).arg("--help").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        // `slipring stat orders --help` helps with `stat`, whatever `orders` is.
        let usage = format!("Usage: slipring {}", verbs.join(" "));
        (output.status.success() && text.contains(&usage)).then_some(text)
    });
    known.clone()
}

fn make(words: &str) -> Option<String> {
    let makefile = std::fs::read_to_string(root().join("Makefile")).unwrap();
    let targets = words.split_whitespace().filter(|word| !word.contains(['=', '[', '<']));
    let steps = makefile.lines().find_map(|line| line.strip_prefix("STEPS :=")).unwrap();
    let exists = |target: &str| {
        let step = target.strip_prefix("test-");
        makefile.lines().any(|line| line.starts_with(&format!("{target}:")))
            || step.is_some_and(|step| steps.split_whitespace().any(|known| known == step))
    };
    targets.into_iter().find(|target| !exists(target)).map(|target| format!("no target {target}"))
}

#[test]
fn commands_that_do_not_exist_are_found() {
    for right in [
        "recv orders --lines-not",
        "stat orders",
        "group ls orders",
        "create NAME --capacity 4KiB",
        "recv --drain",
        "send orders -",
        "bench rtt",
        "doctor [NAME] [--repair]",
    ] {
        assert_eq!(slipring(right).is_none(), !right.contains("-not"), "{right}");
    }
    assert!(slipring("frobnicate orders").is_some());
    assert!(row("| `send NAME` | sends; `--event E`, `-` |").is_none());
    assert!(row("| `send NAME` | sends; `--evnt E`, `-` |").is_some());
    assert!(row("| `listen` | an address; `--listen` |").is_none());
    assert!(make("test-lint").is_none() && make("install PREFIX=/x").is_none());
    assert!(make("test-nothing").is_some());
}
