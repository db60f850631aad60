//! A text that ships with the system.

use crate::failure::{Done, FAILURE, Failure};
use crate::output;
use std::fs;
use std::path::{Path, PathBuf};

/// Word lists have lines enough; licences and copyrights are on every Debian and Ubuntu, small images too; so is what dpkg knows.
const PLACES: [&str; 9] = [
    "/usr/share/dict",
    "/usr/share/common-licenses",
    "/usr/share/licenses",
    "/usr/share/perl",
    "/usr/share/perl5",
    "/usr/include",
    "/usr/share/doc",
    "/var/lib/dpkg",
    "/usr/share",
];

/// Files above this are left alone, and so are lines: they have to fit into the demo's small queue.
const MAX_FILE: u64 = 16 << 20;
const MAX_LINE: usize = 16 << 10;
/// Directories below each other.
const MAX_DEPTH: u32 = 4;

/// A text of at least so many lines, and what it is called: a file, or as many files of the system as it takes. What is still
/// too short is repeated.
pub fn find(wanted: Option<&Path>, messages: usize) -> Result<(String, Vec<u8>), Failure> {
    let mut found = Found { wanted: messages, text: Vec::new(), lines: 0, files: Vec::new() };
    match wanted {
        Some(path) => found.add(path)?,
        None => PLACES.iter().for_each(|place| found.gather(Path::new(place), 0)),
    }
    if found.text.is_empty() {
        let what = wanted.map_or("the system has no text that we know".into(), |path| {
            format!("{}: is empty", path.display())
        });
        return Err(Failure::new(FAILURE, format_args!("{what}; give another with --file PATH")));
    }
    let times = messages.div_ceil(found.lines).max(1);
    if times > 1 && !found.text.ends_with(b"\n") {
        found.text.push(b'\n');
    }
    Ok((found.name(times), found.text.repeat(times)))
}

struct Found {
    wanted: usize,
    text: Vec<u8>,
    lines: usize,
    files: Vec<PathBuf>,
}

impl Found {
    /// Appends a file as it is.
    fn add(&mut self, path: &Path) -> Done {
        let text = fs::read(path).map_err(|error| {
            Failure::new(FAILURE, format_args!("{}: {error}; give a text file", path.display()))
        })?;
        self.lines += if text.is_empty() { 0 } else { lines(&text).len() };
        self.text.extend(text);
        self.files.push(path.to_owned());
        Ok(())
    }

    /// Appends the texts below a path in the order of their names, until there are lines enough.
    fn gather(&mut self, path: &Path, depth: u32) {
        if self.lines >= self.wanted {
            return;
        }
        let Ok(meta) = fs::symlink_metadata(path) else { return };
        if meta.is_dir() && depth < MAX_DEPTH {
            let Ok(entries) = fs::read_dir(path) else { return };
            let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
            paths.sort();
            paths.iter().for_each(|path| self.gather(path, depth + 1));
        } else if meta.is_file() && meta.len() <= MAX_FILE {
            let Ok(text) = fs::read(path) else { return };
            // A whole file, of whole lines, so that the next one begins a line.
            let whole = text.ends_with(b"\n") && std::str::from_utf8(&text).is_ok();
            if whole && !text.contains(&0) && lines(&text).iter().all(|line| line.len() <= MAX_LINE)
            {
                self.lines += lines(&text).len();
                self.text.extend(text);
                self.files.push(path.to_owned());
            }
        }
    }

    fn name(&self, times: usize) -> String {
        let first = self.files.first().map_or(String::new(), |path| path.display().to_string());
        let more = match self.files.len() {
            0 | 1 => String::new(),
            count => format!(" and {} more", output::counted(count as u64 - 1, "file")),
        };
        let times = if times > 1 { format!(", {times} times") } else { String::new() };
        format!("{first}{more}{times}")
    }
}

/// The lines of a text, without their newlines.
pub fn lines(text: &[u8]) -> Vec<&[u8]> {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    text.split(|byte| *byte == b'\n').collect()
}
