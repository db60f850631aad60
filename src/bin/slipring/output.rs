//! Standard output: tables, JSON lines, and raw bytes whose fate is known.

use crate::failure::{Done, Failure};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
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

/// Columns under their titles: words to the left, and what begins with a digit to the right.
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
    let mut text = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let cells = cells.zip(&layout).map(|(cell, &(width, right))| {
            if right { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        let cells: Vec<String> = cells.collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    };
    line(&mut titles.iter().copied());
    for row in rows {
        line(&mut row.iter().map(String::as_str));
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
