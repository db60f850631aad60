//! A text that ships with the system.

use crate::failure::{FAILURE, Failure};
use std::path::{Path, PathBuf};

/// Word lists first, as they have lines enough; then what every Debian and most others have.
const PLACES: [&str; 7] = [
    "/usr/share/dict/american-english",
    "/usr/share/dict/words",
    "/usr/share/dict/british-english",
    "/usr/share/common-licenses/GPL-3",
    "/usr/share/licenses/common/GPL3/license.txt",
    "/usr/share/perl5/perl5db.pl",
    "/etc/services",
];

/// A text, repeated until it has at least so many lines, and what it is called.
pub fn find(wanted: Option<&Path>, messages: usize) -> Result<(String, Vec<u8>), Failure> {
    let path = match wanted {
        Some(path) => path.to_owned(),
        None => PLACES.iter().map(PathBuf::from).find(|path| path.is_file()).ok_or_else(|| {
            Failure::new(FAILURE, "no text found; install the package wamerican, or give --file")
        })?,
    };
    let mut once = std::fs::read(&path).map_err(|error| Failure::io(&error, path.display()))?;
    if once.is_empty() {
        return Err(Failure::new(FAILURE, format_args!("{}: is empty", path.display())));
    }
    let count = lines(&once).len();
    let times = messages.div_ceil(count).max(1);
    if times > 1 && once.last() != Some(&b'\n') {
        once.push(b'\n');
    }
    let name = path.display();
    let source = if times > 1 { format!("{name} ({times} times)") } else { name.to_string() };
    Ok((source, once.repeat(times)))
}

/// The lines of a text, without their newlines.
pub fn lines(text: &[u8]) -> Vec<&[u8]> {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    text.split(|byte| *byte == b'\n').collect()
}
