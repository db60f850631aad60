//! Files that appear whole or not at all, with memory that is reserved or refused.

use core::ffi::{CStr, c_uint};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::time::SystemTime;

/// A file without a name, or with a temporary one. Dropped unpublished, it is gone.
pub(crate) struct NewFile {
    file: File,
    temporary: Option<Temporary>,
}

impl NewFile {
    /// The file, open for reading and writing.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Gives the file its name, on the same filesystem; from then on others can open it. Never
    /// replaces: a name that is taken is an `AlreadyExists` error. A kill between the two steps
    /// of the fallback leaves a second, temporary name.
    pub(crate) fn publish(self, path: &Path) -> io::Result<()> {
        match &self.temporary {
            Some(temporary) => fs::hard_link(&temporary.0, path),
            None => link(&self.file, path),
        }
    }
}

/// A temporary file's name, removed when dropped.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Creates an unnamed file in `dir`, with exactly the permissions `mode`, whatever the umask.
pub(crate) fn create_unnamed(dir: &Path, mode: u32) -> io::Result<NewFile> {
    let unnamed = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_TMPFILE)
        .mode(mode)
        .open(dir);
    match unnamed {
        Ok(file) => {
            file.set_permissions(Permissions::from_mode(mode))?;
            Ok(NewFile { file, temporary: None })
        }
        // How filesystems and kernels without O_TMPFILE answer.
        Err(error) => match error.raw_os_error() {
            Some(libc::EOPNOTSUPP | libc::EISDIR | libc::ENOENT) => create_temporary(dir, mode),
            _ => Err(error),
        },
    }
}

/// The fallback: creates a file with a temporary name.
fn create_temporary(dir: &Path, mode: u32) -> io::Result<NewFile> {
    let path = dir.join(temporary_name());
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(mode).open(&path)?;
    let temporary = Some(Temporary(path));
    file.set_permissions(Permissions::from_mode(mode))?;
    Ok(NewFile { file, temporary })
}

fn temporary_name() -> String {
    format!(".slipring-{}-{:016x}.tmp", process::id(), random_u64())
}

/// Gives an unnamed file a name.
fn link(file: &File, path: &Path) -> io::Result<()> {
    let from = super::proc_path(file.as_raw_fd())?;
    let to = super::c_path(path)?;
    let (cwd, follow) = (libc::AT_FDCWD, libc::AT_SYMLINK_FOLLOW);
    // SAFETY: both paths are NUL-terminated and outlive the call.
    super::check(unsafe { libc::linkat(cwd, from.as_ptr(), cwd, to.as_ptr(), follow) })?;
    Ok(())
}

/// Gives the bytes `offset .. offset + len` memory or disk blocks now, growing the file as
/// needed, so that no later write to them can fail. On failure some may be reserved already.
pub(crate) fn reserve(file: &File, offset: u64, len: u64) -> io::Result<()> {
    let too_large = || io::Error::from_raw_os_error(libc::EFBIG);
    let end = offset.checked_add(len).ok_or_else(too_large)?;
    let (mut at, end): (i64, i64) = match (offset.try_into(), end.try_into()) {
        (Ok(at), Ok(end)) => (at, end),
        _ => return Err(too_large()),
    };
    let mut piece = end - at;
    while at < end {
        piece = piece.min(end - at);
        // SAFETY: takes no pointers. It returns the error instead of setting errno.
        match unsafe { libc::posix_fallocate(file.as_raw_fd(), at, piece) } {
            0 => at += piece,
            // Older kernels undo an interrupted call on tmpfs: with smaller pieces a process that
            // gets signals all the time still comes to an end.
            libc::EINTR => piece = (piece / 2).max(1 << 20),
            code => return Err(io::Error::from_raw_os_error(code)),
        }
    }
    Ok(())
}

/// Opens an existing regular file, and nothing else: a symbolic link, or a FIFO or device that
/// lies in its place, is an error and is never waited for.
pub(crate) fn open(path: &Path, write: bool) -> io::Result<File> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let opened = OpenOptions::new().read(true).write(write).custom_flags(flags).open(path);
    let file = opened.map_err(|error| match error.raw_os_error() {
        Some(libc::ELOOP) => io::Error::new(io::ErrorKind::InvalidInput, "a symbolic link"),
        Some(libc::EISDIR) => io::Error::new(io::ErrorKind::InvalidInput, "a directory"),
        _ => error,
    })?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok(file)
}

/// Creates a file in memory that has no name but a descriptor. `name` is for people.
pub(crate) fn memfd(name: &CStr) -> io::Result<File> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // Some systems refuse executable ones (vm.memfd_noexec=2); old kernels don't know the flag.
    memfd_with(name, flags | libc::MFD_NOEXEC_SEAL).or_else(|_| memfd_with(name, flags))
}

fn memfd_with(name: &CStr, flags: c_uint) -> io::Result<File> {
    // SAFETY: `name` is NUL-terminated and outlives the call.
    let fd = super::check(unsafe { libc::memfd_create(name.as_ptr(), flags) })?;
    // SAFETY: the kernel just made `fd`, and nobody else knows it.
    Ok(File::from(unsafe { OwnedFd::from_raw_fd(fd) }))
}

/// Fixes the size of a memfd for ever: no peer can make a mapping of it fault.
pub(crate) fn seal_size(file: &File) -> io::Result<()> {
    let seals = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
    // SAFETY: F_ADD_SEALS takes an int.
    super::check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) })?;
    Ok(())
}

/// Whether the size of `file` is fixed. A file that cannot be sealed is not.
pub(crate) fn is_sealed(file: &File) -> io::Result<bool> {
    let wanted = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW;
    // SAFETY: F_GET_SEALS takes no argument.
    let seals = super::check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GET_SEALS) });
    match seals {
        Ok(seals) => Ok(seals & wanted == wanted),
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Creates `dir`, writable by all and sticky like `/tmp`, unless it exists. It appears with its
/// final permissions, so a kill halfway leaves no folder that shuts others out.
pub(crate) fn ensure_dir(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let temporary = dir.with_file_name(temporary_name());
    DirBuilder::new().mode(0o700).create(&temporary)?;
    let made = fs::set_permissions(&temporary, Permissions::from_mode(0o1777))
        .and_then(|()| fs::rename(&temporary, dir));
    if made.is_err() {
        let _ = fs::remove_dir(&temporary);
    }
    // Somebody else may have been faster.
    if dir.is_dir() { Ok(()) } else { made }
}

/// A random number: unlikely to repeat on this machine, not a secret.
pub(crate) fn random_u64() -> u64 {
    let mut bytes = [0; 8];
    // SAFETY: the kernel writes at most `bytes.len()` bytes into `bytes`.
    let got =
        unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), libc::GRND_NONBLOCK) };
    if usize::try_from(got) == Ok(bytes.len()) { u64::from_ne_bytes(bytes) } else { mixed_u64() }
}

/// The fallback before the kernel has entropy: time, process and the hasher's own seed, mixed.
fn mixed_u64() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    RandomState::new().hash_one((now.as_nanos(), process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::testing::Folder;
    use std::io::ErrorKind;
    use std::os::unix::fs::{FileExt, MetadataExt};

    fn names(folder: &Folder) -> usize {
        fs::read_dir(folder.path()).unwrap().count()
    }

    fn mode(file: &File) -> u32 {
        file.metadata().unwrap().mode() & 0o7777
    }

    #[test]
    fn both_ways_appear_only_when_published_and_never_replace() {
        for parent in ["/dev/shm", "/tmp"] {
            for create in [create_unnamed, create_temporary] {
                let folder = Folder::under(parent);
                let path = folder.path().join("q");
                let (a, b) = (create(folder.path(), 0o666), create(folder.path(), 0o666));
                let (a, b) = (a.unwrap(), b.unwrap());
                assert_eq!(mode(a.file()), 0o666);
                a.file().write_all_at(b"first", 0).unwrap();
                assert!(!path.exists());
                a.publish(&path).unwrap();
                let error = b.publish(&path).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::AlreadyExists);
                assert_eq!(fs::read(&path).unwrap(), b"first");
                assert_eq!(fs::metadata(&path).unwrap().nlink(), 1);
                assert_eq!(names(&folder), 1);
                drop(create(folder.path(), 0o600).unwrap());
                assert_eq!(names(&folder), 1);
            }
        }
    }

    #[test]
    fn a_missing_folder_is_not_found() {
        let error = create_unnamed(Path::new("/dev/shm/no/such/folder"), 0o600).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }

    #[test]
    fn reserved_bytes_have_blocks_and_the_impossible_is_refused() {
        let folder = Folder::new();
        let new = create_unnamed(folder.path(), 0o600).unwrap();
        reserve(new.file(), 0, 0).unwrap();
        reserve(new.file(), 0, 100_000).unwrap();
        reserve(new.file(), 100_000, 1).unwrap();
        let metadata = new.file().metadata().unwrap();
        assert_eq!(metadata.len(), 100_001);
        assert!(metadata.blocks() * 512 >= 100_001);
        assert!(reserve(new.file(), 0, 1 << 55).is_err());
        assert!(reserve(new.file(), u64::MAX, 1).is_err());
        assert!(reserve(new.file(), 0, u64::MAX).is_err());
        let read_only = File::open("/dev/null").unwrap();
        assert!(reserve(&read_only, 0, 1).is_err());
    }

    #[test]
    fn only_regular_files_open() {
        let folder = Folder::new();
        let (plain, fifo, link) =
            (folder.path().join("q"), folder.path().join("f"), folder.path().join("l"));
        fs::write(&plain, b"x").unwrap();
        let c_fifo = crate::sys::c_path(&fifo).unwrap();
        // SAFETY: NUL-terminated, outlives the call.
        assert_eq!(unsafe { libc::mkfifo(c_fifo.as_ptr(), 0o600) }, 0);
        std::os::unix::fs::symlink(&plain, &link).unwrap();

        assert!(open(&plain, true).unwrap().write_at(b"y", 0).is_ok());
        assert!(open(&plain, false).unwrap().write_at(b"y", 0).is_err());
        let odd = [&fifo, Path::new("/dev/null"), &link, folder.path()];
        let said =
            ["not a regular file", "not a regular file", "a symbolic link", "not a regular file"];
        for (odd, said) in odd.into_iter().zip(said) {
            let error = open(odd, false).unwrap_err();
            assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::InvalidInput, said));
        }
        let error = open(folder.path(), true).unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (ErrorKind::InvalidInput, "a directory")
        );
        assert_eq!(open(&folder.path().join("no"), true).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn a_sealed_memfd_keeps_its_size() {
        let file = memfd(c"slipring-test").unwrap();
        assert!(!is_sealed(&file).unwrap());
        reserve(&file, 0, 4096).unwrap();
        seal_size(&file).unwrap();
        assert!(is_sealed(&file).unwrap());
        assert!(file.set_len(0).is_err());
        assert!(file.set_len(8192).is_err());
        assert!(seal_size(&file).is_err());
        let folder = Folder::new();
        let ordinary = create_unnamed(folder.path(), 0o600).unwrap();
        assert!(!is_sealed(ordinary.file()).unwrap());
        assert!(seal_size(ordinary.file()).is_err());
    }

    #[test]
    fn a_folder_is_made_once_and_left_alone_after() {
        let folder = Folder::new();
        let dir = folder.path().join("queues");
        ensure_dir(&dir).unwrap();
        assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o7777, 0o1777);
        fs::write(dir.join("q"), b"").unwrap();
        fs::set_permissions(&dir, Permissions::from_mode(0o750)).unwrap();
        ensure_dir(&dir).unwrap();
        assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o7777, 0o750);
        assert!(dir.join("q").exists());
        assert!(ensure_dir(&dir.join("q")).is_err());
        assert!(ensure_dir(&folder.path().join("no/such")).is_err());
        assert_eq!((names(&folder), fs::read_dir(&dir).unwrap().count()), (1, 1));
    }

    #[test]
    fn many_may_make_the_folder_at_once() {
        let folder = Folder::new();
        let dir = folder.path().join("queues");
        std::thread::scope(|scope| {
            for n in 0..8 {
                let dir = &dir;
                scope.spawn(move || {
                    ensure_dir(dir).unwrap();
                    fs::write(dir.join(n.to_string()), b"").unwrap();
                });
            }
        });
        assert_eq!((names(&folder), fs::read_dir(&dir).unwrap().count()), (1, 8));
    }

    #[test]
    fn random_numbers_differ() {
        assert_ne!(random_u64(), random_u64());
        assert_ne!(mixed_u64(), mixed_u64());
    }
}
