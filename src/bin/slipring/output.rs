//! Standard output: tables, JSON lines, and raw bytes whose fate is known.

use crate::failure::{Done, Failure};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::fd::AsFd;
use std::time::Duration;

/// Standard output without a buffer of its own: what `write` took, the kernel has.
pub fn stdout() -> Result<File, Failure> {
    let fd = io::stdout().as_fd().try_clone_to_owned();
    Ok(File::from(fd.map_err(|error| Failure::io(&error, "standard output"))?))
}

/// Writes all it can. Says how much that was, and what stopped it.
pub fn write_counted(out: &mut impl Write, mut bytes: &[u8]) -> (usize, Done) {
    let mut written = 0;
    while !bytes.is_empty() {
        match out.write(bytes) {
            Ok(0) => return (written, Err(failure(&ErrorKind::WriteZero.into()))),
            Ok(count) => {
                written += count;
                bytes = bytes.get(count..).unwrap_or(&[]);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(failure(&error))),
        }
    }
    (written, Ok(()))
}

fn failure(error: &io::Error) -> Failure {
    if error.kind() == ErrorKind::BrokenPipe {
        Failure::ReaderGone
    } else {
        Failure::io(error, "standard output")
    }
}

/// Prints text.
pub fn print(text: &str) -> Done {
    write_counted(&mut stdout()?, text.as_bytes()).1
}

/// Prints a value on one line.
pub fn print_json(value: &Value) -> Done {
    print(&format!("{value}\n"))
}

/// Words on standard error, after the program's name.
pub fn say(words: impl fmt::Display) {
    note(format_args!("slipring: {words}"));
}

/// A line on standard error. That its reader has gone is no reason to stop.
pub fn note(words: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{words}");
}

/// One message, two messages.
pub fn counted(count: u64, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// Text of others, as it can be shown on a terminal: on one line, and no orders to it.
pub fn tame(text: &str, most: usize) -> String {
    let mut shown = String::new();
    for (at, letter) in text.chars().enumerate() {
        if at == most {
            shown.push('…');
            break;
        }
        if letter.is_control() {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    shown
}

/// May standard output be styled?
fn styled() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    io::stdout().is_terminal() && coloured() && !dumb
}

/// <https://no-color.org>
pub fn coloured() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A line of titles, which stands out on a terminal.
pub fn heading(titles: &str) -> String {
    if styled() { format!("\x1b[1m{titles}\x1b[0m\n") } else { format!("{titles}\n") }
}

/// Columns under their titles, which stand out on a terminal: words to the left, and what begins with a digit to the right.
pub fn table(titles: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(titles.get(column).map(|title| title.len())).max().unwrap_or(0)
    };
    let right = |column: usize| {
        let mut cells = rows.iter().filter_map(|row| row.get(column));
        column > 0
            && cells.all(|cell| cell == "-" || cell.starts_with(|c: char| c.is_ascii_digit()))
    };
    let layout: Vec<(usize, bool)> =
        (0..titles.len()).map(|column| (width(column), right(column))).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let cells = cells.zip(&layout).map(|(cell, &(width, right))| {
            if right { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        let cells: Vec<String> = cells.collect();
        cells.join("  ").trim_end().to_owned()
    };
    let mut text = heading(&line(&mut titles.iter().copied()));
    for row in rows {
        text.push_str(&line(&mut row.iter().map(String::as_str)));
        text.push('\n');
    }
    text
}

/// A bar on standard error, if that is a terminal.
pub fn progress(total: Option<u64>, template: &str) -> ProgressBar {
    let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
