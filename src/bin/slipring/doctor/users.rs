//! Who has which file mapped, as far as `/proc` tells.

use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;

pub struct Users {
    /// Device and inode of what other processes map.
    mapped: HashSet<(u64, u64)>,
    /// Processes that we may not look into.
    pub hidden: usize,
}

impl Users {
    pub fn look() -> Self {
        let mut users = Self { mapped: HashSet::new(), hidden: 0 };
        let own = std::process::id().to_string();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let name = entry.file_name();
            let id = name.to_str().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
            if id.is_none_or(|id| id == own) {
                continue;
            }
            match fs::read_to_string(entry.path().join("maps")) {
                Ok(maps) => users.mapped.extend(maps.lines().filter_map(file)),
                Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                    users.hidden += 1;
                }
                // Gone since it was listed.
                Err(_) => {}
            }
        }
        users
    }

    pub fn has_open(&self, file: &Metadata) -> bool {
        self.mapped.contains(&(file.dev(), file.ino()))
    }
}

/// Device and inode of a line: `7f00-7f01 rw-s 00000000 00:1a 1234 /dev/shm/slipring/q`.
fn file(line: &str) -> Option<(u64, u64)> {
    let mut words = line.split_whitespace().skip(3);
    let (major, minor) = words.next()?.split_once(':')?;
    let number = |text: &str| u64::from_str_radix(text, 16).ok();
    let (major, minor) = (number(major)?, number(minor)?);
    let inode = words.next()?.parse().ok().filter(|inode| *inode != 0)?;
    // As `stat` packs it.
    let device =
        (minor & 0xff) | major << 8 & 0xfff00 | (minor & !0xff) << 12 | (major & !0xfff) << 32;
    Some((device, inode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_maps() {
        let line = "7f00-7f01 rw-s 00000000 103:12345 77 /mnt/a queue with spaces";
        assert_eq!(file(line), Some((0x1231_0345, 77)));
        assert_eq!(
            file("7f00-7f01 rw-p 00000000 00:1a 1234 /dev/shm/slipring/q"),
            Some((0x1a, 1234))
        );
        assert_eq!(file("7f00-7f01 rw-p 00000000 fd:03 5 /x"), Some((0xfd03, 5)));
        assert_eq!(file("7f00-7f01 rw-p 00000000 00:00 0 [heap]"), None);
    }
}
