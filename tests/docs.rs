//! What README.md and the pages of docs/ show is run, and what it prints is compared with what is printed there.
//!
//! A fenced block says by its language what becomes of it:
//!
//! | block | |
//! |---|---|
//! | `console` | a shell session: what follows a line that begins with `$ ` (and lines that begin with `> `, which continue it) is what that line prints, on standard output and standard error alike |
//! | `sh` | a script, of which every command has to succeed; its output is compared if a `text` block follows a paragraph that ends with `prints:` |
//! | `rust` | a program, which is compiled and run; `rust,no_run` is only compiled. Output as for `sh` |
//! | `toml`, `json` | has to be read by a parser |
//! | others | are listed in `page::KINDS`, with the test that looks at them, if any |
//!
//! All `console` and `sh` blocks of a page are one shell, in a directory of its own with its own queues; what it starts in the background is
//! ended with the page. In output, `...` stands for any text in a line, or alone on a line for any lines. A port after `localhost:` or
//! an address is replaced by a free one, and `slipring serve` listens there; curl waits until somebody does.
//!
//! `<!-- not run: COMMAND -->` before a block leaves it out, if `session::NOT_HERE` says why that command can't be run here; its syntax is checked.
//! Commands in the text (`slipring recv --lines`) must exist with their options, targets of make too, and links must lead somewhere.
//!
//! `DOCS_PAGE=docs/cli.md cargo test --features cli --test docs` runs the session of one page.

mod common;

#[path = "docs/command_words.rs"]
mod command_words;
#[path = "docs/compare.rs"]
mod compare;
#[path = "docs/links.rs"]
mod links;
#[path = "docs/page.rs"]
mod page;
#[path = "docs/planted.rs"]
mod planted;
#[path = "docs/programs.rs"]
mod programs;
#[path = "docs/session.rs"]
mod session;

use page::{Page, pages};

/// Panics with all of what is wrong.
fn none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn sessions_print_what_the_pages_show() {
    let one = std::env::var("DOCS_PAGE").ok();
    let pages: Vec<Page> = pages()
        .into_iter()
        .filter(|page| one.as_ref().is_none_or(|one| *one == page.name))
        .collect();
    assert!(!pages.is_empty(), "no page of that name");
    none(&pages.iter().flat_map(session::breaches).collect::<Vec<_>>());
}

#[test]
fn rust_programs_compile_and_print_what_the_pages_show() {
    none(&programs::breaches(&pages()));
}

#[test]
fn blocks_say_what_they_are() {
    none(&pages().iter().flat_map(page::breaches).collect::<Vec<_>>());
}

#[test]
fn links_lead_somewhere_and_the_table_of_contents_is_complete() {
    let pages = pages();
    none(&pages.iter().flat_map(links::breaches).collect::<Vec<_>>());
    none(&links::contents(&pages));
}

#[test]
fn commands_in_the_text_exist() {
    none(&pages().iter().flat_map(command_words::breaches).collect::<Vec<_>>());
}
