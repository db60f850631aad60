//! Making, opening, listing and removing queues.

use std::ffi::CStr;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::options::QueueOptions;
use super::shared::{Shared, read_header, unix_ns};
use super::{DEFAULT_GROUP, Queue};
use crate::error::OpenError;
use crate::layout::{
    FEATURE_FENCED, Geometry, Header, IDLE, Kind, LAYOUT_VERSION, MAGIC, MAX_BLOCKS, MAX_GROUPS,
    MAX_MEMBERS, MAX_NAME, MIN_BLOCKS, Offsets,
};
use crate::sync::Relaxed;
use crate::sys;

/// Where queues without a `/` in their name live.
pub(crate) fn queue_dir() -> PathBuf {
    std::env::var_os("SLIPRING_DIR")
        .filter(|dir| !dir.is_empty())
        .map_or_else(|| "/dev/shm/slipring".into(), PathBuf::from)
}

/// The file of a name, and its directory.
fn locate(name: &str) -> Result<(PathBuf, PathBuf), OpenError> {
    if name.contains('/') {
        let path = PathBuf::from(name);
        let dir = path.parent().unwrap_or(Path::new("/")).to_owned();
        return if path.file_name().is_some() && !name.ends_with('/') {
            Ok((path, dir))
        } else {
            let help = "a path ends in the name of the queue's file";
            Err(OpenError::Invalid(format!("{name}: not a file's path; {help}")))
        };
    }
    check_name(name, "queue")?;
    let dir = queue_dir();
    Ok((dir.join(name), dir))
}

/// Names of queues and groups.
pub(crate) fn check_name(name: &str, what: &str) -> Result<(), OpenError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if name.is_empty()
        || name.len() > MAX_NAME
        || name.starts_with('.')
        || !name.bytes().all(allowed)
    {
        return Err(OpenError::Invalid(format!(
            "{name:?} is no {what} name: use 1 to {MAX_NAME} of A-Z a-z 0-9 . _ -, not starting with a dot"
        )));
    }
    Ok(())
}

impl QueueOptions {
    /// The geometry, features and file layout that the options ask for.
    fn plan(&self) -> Result<(Geometry, Offsets), OpenError> {
        let invalid = |text: String| Err(OpenError::Invalid(text));
        if !self.block_size.is_power_of_two() || !(64..=1 << 20).contains(&self.block_size) {
            return invalid(format!(
                "block size {}: use a power of two from 64 to 1048576",
                self.block_size
            ));
        }
        let block = u64::from(self.block_size);
        if self.capacity > MAX_BLOCKS * block {
            return invalid(format!(
                "capacity {}: at most {} with blocks of {block}; use larger blocks",
                self.capacity,
                MAX_BLOCKS * block
            ));
        }
        let blocks = self.capacity.div_ceil(block).max(MIN_BLOCKS).next_power_of_two();
        if self.retain > blocks * block / 2 {
            return invalid(format!(
                "retain {}: at most half the capacity, {}",
                self.retain,
                blocks * block / 2
            ));
        }
        if !(1..=MAX_GROUPS).contains(&self.max_groups) {
            return invalid(format!("max_groups {}: use 1 to {MAX_GROUPS}", self.max_groups));
        }
        if !(1..=MAX_MEMBERS).contains(&self.max_members) {
            return invalid(format!("max_members {}: use 1 to {MAX_MEMBERS}", self.max_members));
        }
        let geometry = Geometry {
            block_shift: self.block_size.trailing_zeros(),
            ring_shift: blocks.trailing_zeros(),
            max_groups: self.max_groups,
            max_members: self.max_members,
            retain: self.retain.div_ceil(block),
            fenced: self.fenced || !sys::barrier::available(),
        };
        let offsets = Offsets::of(&geometry);
        let offsets = offsets.ok_or_else(|| {
            OpenError::Invalid("the capacity does not fit into the address space".into())
        })?;
        Ok((geometry, offsets))
    }

    /// Fills an empty file that nobody else sees yet, and opens it as the queue that it is going to be.
    fn build(
        &self,
        file: &File,
        what: &str,
        path: Option<PathBuf>,
        dir: PathBuf,
    ) -> Result<Arc<Shared>, OpenError> {
        let os = |error| OpenError::from_io(error, what);
        let (geometry, offsets) = self.plan()?;
        let header = Header {
            magic: MAGIC,
            version: LAYOUT_VERSION,
            features: if geometry.fenced { FEATURE_FENCED } else { 0 },
            id: [sys::file::random_u64(), sys::file::random_u64()],
            block_shift: geometry.block_shift,
            ring_shift: geometry.ring_shift,
            max_groups: geometry.max_groups,
            max_members: geometry.max_members,
            retain: geometry.retain,
            base: self.base,
            file_len: offsets.end as u64,
            created_unix_ns: unix_ns(),
            creator_pid: u64::from(std::process::id()),
            spare: 0,
        };
        file.set_len(offsets.end as u64).map_err(os)?;
        sys::file::reserve(file, 0, offsets.claims as u64).map_err(os)?;
        file.write_all_at(&header_bytes(&header), 0).map_err(os)?;
        let shared = Shared::map(
            file.try_clone().map_err(os)?,
            (header, geometry, offsets),
            what.into(),
            path,
            dir,
            true,
        )?;
        let control = shared.ring().control;
        control.tail.store(self.base, Relaxed);
        control.gate.store(self.base, Relaxed);
        control.doors.end.store(IDLE, Relaxed);
        control.room.wanted.store(u64::MAX, Relaxed);
        if !self.topic {
            sys::file::reserve(file, offsets.claims as u64, offsets.claims_stride as u64)
                .map_err(os)?;
            if let Some(label) = shared.label(0) {
                label.name.set(DEFAULT_GROUP);
                label.undecided.store(1, Relaxed);
            }
            shared.ring().activate_group(0, Kind::Named, self.base);
        }
        Ok(shared)
    }
}

/// The header as it lies in the file.
fn header_bytes(header: &Header) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size_of::<Header>());
    let [low, high] = header.id;
    bytes.extend(header.magic.to_le_bytes());
    for half in [header.version, header.features] {
        bytes.extend(half.to_le_bytes());
    }
    bytes.extend(low.to_le_bytes());
    bytes.extend(high.to_le_bytes());
    for half in [header.block_shift, header.ring_shift, header.max_groups, header.max_members] {
        bytes.extend(half.to_le_bytes());
    }
    for word in [
        header.retain,
        header.base,
        header.file_len,
        header.created_unix_ns,
        header.creator_pid,
        header.spare,
    ] {
        bytes.extend(word.to_le_bytes());
    }
    bytes
}

impl Queue {
    /// Opens a queue that exists.
    ///
    /// # Errors
    /// [`NotFound`](OpenError::NotFound), [`Permission`](OpenError::Permission), [`Incompatible`](OpenError::Incompatible) with this program, [`Corrupt`](OpenError::Corrupt), [`Invalid`](OpenError::Invalid) name, [`Os`](OpenError::Os).
    pub fn open(name: &str) -> Result<Queue, OpenError> {
        let (path, dir) = locate(name)?;
        let file = open_file(&path, true, name)?;
        let plan = read_header(&file, name)?;
        #[cfg(feature = "tracing")]
        tracing::debug!(queue = name, "opened");
        Ok(Queue { shared: Shared::map(file, plan, name.into(), Some(path), dir, true)? })
    }

    pub(crate) fn open_read_only(name: &str) -> Result<Arc<Shared>, OpenError> {
        let (path, dir) = locate(name)?;
        let file = open_file(&path, false, name)?;
        let plan = read_header(&file, name)?;
        Shared::map(file, plan, name.into(), Some(path), dir, false)
    }

    pub(crate) fn create_with(options: &QueueOptions, name: &str) -> Result<Queue, OpenError> {
        let (path, dir) = locate(name)?;
        let os = |error| OpenError::from_io(error, name);
        options.plan()?;
        if !name.contains('/') {
            sys::file::ensure_dir(&dir).map_err(os)?;
        }
        if fs::symlink_metadata(&path).is_ok() {
            return Err(os(std::io::ErrorKind::AlreadyExists.into()));
        }
        let new = sys::file::create_unnamed(&dir, options.mode).map_err(os)?;
        let shared = options.build(new.file(), name, Some(path.clone()), dir)?;
        // The last step that can fail: an error leaves nothing behind.
        new.publish(&path).map_err(os)?;
        #[cfg(feature = "tracing")]
        tracing::info!(queue = name, capacity = options.capacity, "made");
        Ok(Queue { shared })
    }

    pub(crate) fn open_or_create_with(
        options: &QueueOptions,
        name: &str,
    ) -> Result<Queue, OpenError> {
        // Between our look and our try another process can make the queue, or remove it: a few turns settle that.
        for _ in 0..16 {
            match Queue::open(name) {
                Err(OpenError::NotFound(_)) => {}
                opened => return opened,
            }
            match Queue::create_with(options, name) {
                Err(OpenError::Exists(_)) => {}
                created => return created,
            }
        }
        Err(OpenError::Exists(format!("{name}: is made and removed all the time by somebody else")))
    }

    pub(crate) fn create_memfd_with(
        options: &QueueOptions,
        label: &CStr,
    ) -> Result<Queue, OpenError> {
        let what = "memfd";
        let file = sys::file::memfd(label).map_err(|error| OpenError::from_io(error, what))?;
        options.build(&file, what, None, PathBuf::new())?;
        sys::file::seal_size(&file).map_err(|error| OpenError::from_io(error, what))?;
        Queue::open_fd(file.into())
    }

    pub(crate) fn open_fd(fd: OwnedFd) -> Result<Queue, OpenError> {
        let what = "memfd";
        let file = File::from(fd);
        let meta = file.metadata().map_err(|error| OpenError::from_io(error, what))?;
        if !meta.is_file() {
            return Err(OpenError::Incompatible(
                "the descriptor is no file, so not a Slipring queue".into(),
            ));
        }
        // A file without a name is a peer's memory: if he could shrink it, our next access would be a bus error.
        let sealed =
            sys::file::is_sealed(&file).map_err(|error| OpenError::from_io(error, what))?;
        if meta.nlink() == 0 && !sealed {
            return Err(OpenError::Incompatible(
                "the memory file is not sealed against shrinking; make it with create_memfd".into(),
            ));
        }
        let plan = read_header(&file, what)?;
        let dir = queue_dir();
        sys::file::ensure_dir(&dir).map_err(|error| OpenError::from_io(error, what))?;
        Ok(Queue { shared: Shared::map(file, plan, what.into(), None, dir, true)? })
    }

    /// Names of the queues in `$SLIPRING_DIR`, or else in `/dev/shm/slipring`, sorted. Files that are no queues are left out.
    ///
    /// # Errors
    /// If the directory is there and can't be read.
    pub fn list() -> Result<Vec<String>, OpenError> {
        let dir = queue_dir();
        let what = dir.display().to_string();
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(OpenError::from_io(error, &what)),
        };
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| check_name(name, "queue").is_ok() && dir.join(name).is_file())
            .collect();
        names.sort();
        Ok(names)
    }

    /// Removes a queue's name. Who has it open goes on with it; the memory is given back when the last one is gone.
    ///
    /// # Errors
    /// [`NotFound`](OpenError::NotFound), [`Permission`](OpenError::Permission), [`Invalid`](OpenError::Invalid) name, [`Incompatible`](OpenError::Incompatible) if it is no regular
    /// file, [`Os`](OpenError::Os).
    pub fn unlink(name: &str) -> Result<(), OpenError> {
        let (path, dir) = locate(name)?;
        let meta = fs::symlink_metadata(&path).map_err(|error| OpenError::from_io(error, name))?;
        if !meta.is_file() {
            return Err(OpenError::Incompatible(format!(
                "{name}: not a regular file, so not a Slipring queue; it was left alone"
            )));
        }
        let id = open_file(&path, false, name)
            .ok()
            .and_then(|file| read_header(&file, name).ok())
            .map(|(header, ..)| header.id);
        fs::remove_file(&path).map_err(|error| OpenError::from_io(error, name))?;
        if let Some([low, _]) = id {
            remove_bells(&dir, low);
        }
        Ok(())
    }
}

/// Members that were killed leave their bells behind.
fn remove_bells(dir: &Path, id: u64) {
    let prefix = format!(".bell-{id:016x}-");
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(&prefix)) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn open_file(path: &Path, write: bool, name: &str) -> Result<File, OpenError> {
    sys::file::open(path, write).map_err(|error| {
        if error.kind() != std::io::ErrorKind::PermissionDenied {
            return OpenError::from_io(error, name);
        }
        let owner = fs::metadata(path).map_or(String::new(), |meta| format!(" (owner uid {}, mode {:o})", meta.uid(), meta.mode() & 0o7777));
        OpenError::Permission(format!(
            "{name}: permission denied{owner}; its owner can create it with a wider --mode, `slipring peek` needs to read only"
        ))
    })
}
