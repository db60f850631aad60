//! What a kill leaves behind: the bytes of the files in the test's directory, and what system calls did. Between two
//! instructions that change neither it makes no difference when the kill comes, for the victim's own memory goes with it.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::ptr;

use crate::common::TempDir;

pub struct World(BTreeMap<PathBuf, Watched>);

/// A mapped file and its bytes as they were.
struct Watched {
    base: *const u8,
    before: Vec<u8>,
}

impl World {
    pub fn look(dir: &TempDir) -> Self {
        let mut world = Self(BTreeMap::new());
        world.scan(dir);
        world
    }

    /// Has anything changed since the last call? `call`: the instruction was a system call.
    pub fn changed(&mut self, dir: &TempDir, call: bool) -> bool {
        let mut changed = call;
        for file in self.0.values_mut() {
            changed |= file.changed();
        }
        if call {
            self.scan(dir);
        }
        changed
    }

    /// System calls make files, and give them their size.
    fn scan(&mut self, dir: &TempDir) {
        let path = PathBuf::from(dir.path(""));
        for entry in std::fs::read_dir(path).unwrap().flatten() {
            let meta = entry.metadata();
            let len = meta.ok().filter(|meta| meta.is_file()).map_or(0, |meta| meta.len() as usize);
            let known = self.0.get(&entry.path()).map_or(0, |file| file.before.len());
            if len != known
                && let Ok(file) = File::open(entry.path())
            {
                self.0.insert(entry.path(), Watched::map(&file, len));
            }
        }
    }
}

impl Watched {
    fn map(file: &File, len: usize) -> Self {
        // SAFETY: a new mapping, for reading; the tests do not truncate their files.
        let base = unsafe {
            libc::mmap(ptr::null_mut(), len, libc::PROT_READ, libc::MAP_SHARED, file.as_raw_fd(), 0)
        };
        assert_ne!(base, libc::MAP_FAILED);
        let mut watched = Self { base: base.cast(), before: vec![0; len] };
        watched.copy();
        watched
    }

    fn changed(&mut self) -> bool {
        let len = self.before.len();
        // SAFETY: both are `len` bytes long; whoever writes to the file is stopped.
        let same = unsafe { libc::memcmp(self.base.cast(), self.before.as_ptr().cast(), len) } == 0;
        if !same {
            self.copy();
        }
        !same
    }

    fn copy(&mut self) {
        let len = self.before.len();
        // SAFETY: both are `len` bytes long and apart; whoever writes to the file is stopped.
        unsafe { self.base.copy_to_nonoverlapping(self.before.as_mut_ptr(), len) };
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // SAFETY: mapped by `map` with this length; nothing borrows from it.
        unsafe { libc::munmap(self.base.cast_mut().cast(), self.before.len()) };
    }
}
