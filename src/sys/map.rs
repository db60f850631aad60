//! A file's memory.

use std::fs::File;
use std::io;

use memmap2::{Advice, MmapOptions, MmapRaw};

/// A shared mapping of the start of a file. Unmapped when dropped.
///
/// It never becomes a reference or a slice here: another process may write to it at any time.
/// It pins the description of the file it was made from, so never make it from the descriptor
/// of a [`LockFile`](super::lock::LockFile).
pub(crate) struct Mapping {
    memory: MmapRaw,
}

impl Mapping {
    /// Maps `len` bytes for reading and writing. The caller has checked that the file is that
    /// long: touching memory behind its end is a SIGBUS.
    pub(crate) fn shared(file: &File, len: usize) -> io::Result<Self> {
        Ok(Self { memory: options(len)?.map_raw(file)? })
    }

    /// Maps `len` bytes for reading; a write through [`Mapping::base`] is a SIGSEGV.
    pub(crate) fn read_only(file: &File, len: usize) -> io::Result<Self> {
        Ok(Self { memory: options(len)?.map_raw_read_only(file)? })
    }

    /// The first byte, page-aligned. Valid for [`Mapping::len`] bytes while `self` lives.
    pub(crate) fn base(&self) -> *mut u8 {
        self.memory.as_mut_ptr()
    }

    /// The length in bytes, never 0.
    pub(crate) fn len(&self) -> usize {
        self.memory.len()
    }

    /// Leaves the mapping out of core dumps: dumping it would delay the release of a dead
    /// member's lock. Best effort.
    pub(crate) fn keep_out_of_core_dumps(&self) {
        let _ = self.memory.advise(Advice::DontDump);
    }

    /// Makes pages present and writable now, so that the first touch doesn't fault. Best effort
    /// (Linux 5.14); what lies outside the mapping is ignored.
    pub(crate) fn populate(&self, offset: usize, len: usize) {
        let offset = offset.min(self.len());
        let len = len.min(self.len() - offset);
        if len > 0 {
            let _ = self.memory.advise_range(Advice::PopulateWrite, offset, len);
        }
    }
}

fn options(len: usize) -> io::Result<MmapOptions> {
    if len == 0 {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "nothing to map"));
    }
    let mut options = MmapOptions::new();
    options.len(len);
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::file;

    fn assert_shareable<T: Send + Sync>() {}

    #[test]
    fn what_one_mapping_writes_the_other_reads() {
        assert_shareable::<Mapping>();
        let file = file::memfd(c"slipring-map-test").unwrap();
        file::reserve(&file, 0, 8192).unwrap();
        let (a, b) =
            (Mapping::shared(&file, 8192).unwrap(), Mapping::read_only(&file, 8192).unwrap());
        assert_eq!((a.len(), b.len()), (8192, 8192));
        // SAFETY: the byte is inside the mapping.
        let last = unsafe { a.base().add(8191) };
        // SAFETY: as above, and nobody else writes there.
        unsafe { last.write_volatile(7) };
        // SAFETY: the byte is inside the mapping.
        let seen = unsafe { b.base().add(8191) };
        // SAFETY: as above.
        assert_eq!(unsafe { seen.read_volatile() }, 7);
    }

    #[test]
    fn advice_of_any_range_is_harmless() {
        let file = file::memfd(c"slipring-map-test").unwrap();
        file::reserve(&file, 0, 4096 * 3).unwrap();
        let memory = Mapping::shared(&file, 4096 * 3).unwrap();
        memory.keep_out_of_core_dumps();
        for (offset, len) in [(0, 4096 * 3), (100, 5000), (0, usize::MAX), (usize::MAX, 1), (9, 0)]
        {
            memory.populate(offset, len);
        }
    }

    #[test]
    fn an_empty_mapping_is_an_error() {
        let file = file::memfd(c"slipring-map-test").unwrap();
        assert!(Mapping::shared(&file, 0).is_err());
    }
}
