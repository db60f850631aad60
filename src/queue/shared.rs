//! What all handles of one opening share: the mapping, the checked geometry, the registry lock and the kernel's services.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::blocks::Blocks;
use crate::error::{JoinError, OpenError};
use crate::layout::{
    CONTROL_AT, Control, Entry, FEATURE_FENCED, FEATURES, Geometry, Group, Header, LAYOUT_VERSION,
    Label, MAGIC, MAX_BLOCKS, MAX_GROUPS, MAX_MEMBERS, MIN_BLOCKS, Member, MemberHot, Offsets,
    ROOM, Role,
};
use crate::recover::Repaired;
use crate::ring::Ring;
use crate::sync::{AtomicU32, AtomicU64, Relaxed};
use crate::sys;
use crate::sys::lock::LockFile;
use crate::sys::map::Mapping;
use crate::wait::Kernel;

/// Lock bytes: the registry's, then one a member row.
const REGISTRY: u64 = 0;
const fn member_byte(row: usize) -> u64 {
    1 + row as u64
}
/// How long a joiner waits for the registry, which is held for microseconds unless its holder is stopped.
const REGISTRY_WAIT: Duration = Duration::from_secs(5);

/// One opened queue file.
pub(crate) struct Shared {
    /// Borrows from `mapping`, which lives as long; handed out with shorter lives only.
    ring: Ring<'static>,
    labels: &'static [Label],
    pub mapping: Mapping,
    pub file: File,
    pub header: Header,
    pub offsets: Offsets,
    /// For people: the name or path as it was given.
    pub name: String,
    pub path: Option<PathBuf>,
    /// Where bells lie.
    pub dir: PathBuf,
    /// `None` for a read-only opening.
    locks: Option<LockFile>,
    registry: Mutex<()>,
    fork: u32,
}

/// Reads and checks a header. Everything it says is compared with the file's real size.
pub(crate) fn read_header(
    file: &File,
    what: &str,
) -> Result<(Header, Geometry, Offsets), OpenError> {
    let len = file.metadata().map_err(|error| OpenError::from_io(error, what))?.len();
    if len == 0 {
        return Err(OpenError::Corrupt(format!(
            "{what}: the file is empty; remove it with `slipring rm`"
        )));
    }
    let mut bytes = [0u8; size_of::<Header>()];
    if len < CONTROL_AT as u64 {
        return Err(OpenError::Incompatible(format!(
            "{what}: not a Slipring queue (only {len} bytes long)"
        )));
    }
    file.read_exact_at(&mut bytes, 0).map_err(|error| OpenError::from_io(error, what))?;
    let header = parse_header(&bytes);
    if header.magic != MAGIC {
        return Err(OpenError::Incompatible(format!(
            "{what}: not a Slipring queue (its first bytes are others)"
        )));
    }
    if header.version != LAYOUT_VERSION || header.features & !FEATURES != 0 {
        return Err(OpenError::Incompatible(format!(
            "{what}: layout version {} (features {:#x}), this program reads version {LAYOUT_VERSION}; use a program of the queue's version, or remove it with `slipring rm`",
            header.version, header.features
        )));
    }
    let geometry = check_geometry(&header).ok_or_else(|| {
        OpenError::Corrupt(format!(
            "{what}: damaged, its header makes no sense; remove it with `slipring rm`"
        ))
    })?;
    let offsets = Offsets::of(&geometry).filter(|offsets| offsets.end as u64 == header.file_len);
    let offsets = offsets.ok_or_else(|| {
        OpenError::Corrupt(format!(
            "{what}: damaged, its header contradicts itself; remove it with `slipring rm`"
        ))
    })?;
    if len < header.file_len {
        return Err(OpenError::Corrupt(format!(
            "{what}: truncated: {len} bytes long, its header says {}; remove it with `slipring rm`",
            header.file_len
        )));
    }
    Ok((header, geometry, offsets))
}

fn parse_header(bytes: &[u8; size_of::<Header>()]) -> Header {
    let word = |at: usize| {
        let mut eight = [0; 8];
        eight.copy_from_slice(bytes.get(at..at + 8).unwrap_or(&[0; 8]));
        u64::from_le_bytes(eight)
    };
    let half = |at: usize| (word(at & !7) >> (at % 8 * 8)) as u32;
    Header {
        magic: word(0),
        version: half(8),
        features: half(12),
        id: [word(16), word(24)],
        block_shift: half(32),
        ring_shift: half(36),
        max_groups: half(40),
        max_members: half(44),
        retain: word(48),
        base: word(56),
        file_len: word(64),
        created_unix_ns: word(72),
        creator_pid: word(80),
        spare: word(88),
    }
}

fn check_geometry(header: &Header) -> Option<Geometry> {
    let geometry = Geometry {
        block_shift: header.block_shift,
        ring_shift: header.ring_shift,
        max_groups: header.max_groups,
        max_members: header.max_members,
        retain: header.retain,
        fenced: header.features & FEATURE_FENCED != 0,
    };
    let fits = (6..=20).contains(&geometry.block_shift)
        && geometry.ring_shift < 40
        && (MIN_BLOCKS..=MAX_BLOCKS).contains(&geometry.ring())
        && (1..=MAX_GROUPS).contains(&geometry.max_groups)
        && (1..=MAX_MEMBERS).contains(&geometry.max_members)
        && geometry.retain <= geometry.ring() / 2;
    fits.then_some(geometry)
}

fn heavy_fence() {
    sys::barrier::heavy();
}

impl Shared {
    /// Maps a file whose header was checked.
    pub(crate) fn map(
        file: File,
        (header, geometry, offsets): (Header, Geometry, Offsets),
        name: String,
        path: Option<PathBuf>,
        dir: PathBuf,
        writable: bool,
    ) -> Result<Arc<Self>, OpenError> {
        let os = |error| OpenError::from_io(error, &name);
        if writable && !geometry.fenced && !sys::barrier::available() {
            return Err(OpenError::Incompatible(format!(
                "{name}: it relies on membarrier, which this process may not call; create the queue with fenced(true)"
            )));
        }
        sys::fork::install().map_err(os)?;
        let fork = sys::fork::generation();
        let mapping = if writable {
            Mapping::shared(&file, offsets.end)
        } else {
            Mapping::read_only(&file, offsets.end)
        };
        let mapping = mapping.map_err(os)?;
        mapping.keep_out_of_core_dumps();
        let locks = if writable { Some(LockFile::reopen(&file).map_err(os)?) } else { None };
        let corrupt = || OpenError::Corrupt(format!("{name}: its header makes no sense"));
        let ring = ring_over(&mapping, &geometry, &offsets).ok_or_else(corrupt)?;
        let labels = area::<Label>(&mapping, offsets.labels, geometry.max_groups as usize)
            .ok_or_else(corrupt)?;
        Ok(Arc::new(Self {
            ring,
            labels,
            mapping,
            file,
            header,
            offsets,
            name,
            path,
            dir,
            locks,
            registry: Mutex::new(()),
            fork,
        }))
    }

    #[inline(always)]
    pub(crate) fn ring(&self) -> &Ring<'_> {
        &self.ring
    }

    pub(crate) fn label(&self, group: usize) -> Option<&Label> {
        self.labels.get(group)
    }

    /// Was this handle made before a fork, and are we the child?
    #[inline(always)]
    pub(crate) fn forked(&self) -> bool {
        sys::fork::generation() != self.fork
    }

    /// Waits for the registry: whoever joins, leaves, repairs or switches holds it.
    pub(crate) fn registry(&self) -> Result<Registry<'_>, JoinError> {
        self.registry_within(REGISTRY_WAIT)?.ok_or(JoinError::Timeout)
    }

    /// `None` if somebody else holds it for longer than that.
    pub(crate) fn registry_within(
        &self,
        limit: Duration,
    ) -> Result<Option<Registry<'_>>, JoinError> {
        if self.forked() {
            return Err(JoinError::Forked);
        }
        let Some(locks) = &self.locks else {
            return Err(JoinError::Invalid("the queue was opened read-only".into()));
        };
        // Threads of one opening share its lock, so that they exclude each other first.
        let thread = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        if !locks.lock_within(REGISTRY, limit)? {
            return Ok(None);
        }
        let registry = Registry { shared: self, locks, _thread: thread };
        // Switches rely on it. A sandbox that was closed after the queue was opened may refuse it now.
        if !self.ring.geometry.fenced && !sys::barrier::heavy() {
            return Err(JoinError::Incompatible(
                "this process may not call membarrier any more; create the queue with fenced(true)"
                    .into(),
            ));
        }
        Ok(Some(registry))
    }

    pub(crate) fn reopen_locks(&self) -> std::io::Result<LockFile> {
        LockFile::reopen(&self.file)
    }

    /// Repairs what one member left, if it is dead. Gives up at once if the registry is busy: then somebody is at it already.
    pub(crate) fn recover_member(&self, row: usize) -> Repaired {
        match self.registry_within(Duration::ZERO) {
            Ok(Some(registry)) => registry.recover(row),
            _ => Repaired::default(),
        }
    }

    /// Repairs what all dead members left.
    pub(crate) fn recover_all(&self) -> Repaired {
        match self.registry_within(Duration::ZERO) {
            Ok(Some(registry)) => registry.recover_all(),
            _ => Repaired::default(),
        }
    }

    /// Wakes everybody: after a repair, and when the queue is closed.
    pub(crate) fn wake_all(&self) {
        let ring = self.ring();
        for group in 0..ring.groups.len() {
            ring.wake_group(group, u32::MAX >> 1, self);
        }
        self.wake_producers_now();
    }

    /// Wakes producers however little room there is: nobody will make more soon.
    pub(crate) fn wake_producers_now(&self) {
        if self.ring.control.doors.sleepers.load(Relaxed) & ROOM != 0 {
            self.ring().wake_for_room(u64::MAX, self);
        }
    }

    /// Does somebody hold the row's lock byte? For people.
    pub(crate) fn is_alive(&self, row: usize) -> bool {
        sys::lock::is_held(&self.file, member_byte(row)).unwrap_or(true)
    }

    /// The name of a member's bell, short and unlike any queue's.
    pub(crate) fn bell_name(&self, row: usize) -> String {
        format!(".bell-{:016x}-{row}", self.header.id.first().copied().unwrap_or(0))
    }
}

impl Kernel for Shared {
    fn wake(&self, word: &AtomicU32, count: u32) -> u32 {
        sys::futex::wake(word, count)
    }
    fn ring(&self, row: usize) -> bool {
        sys::bell::ring(&self.dir, &self.bell_name(row)).unwrap_or(false)
    }
}

/// The registry lock, held.
pub(crate) struct Registry<'s> {
    shared: &'s Shared,
    locks: &'s LockFile,
    _thread: MutexGuard<'s, ()>,
}

impl Drop for Registry<'_> {
    fn drop(&mut self) {
        let _ = self.locks.unlock(REGISTRY);
    }
}

impl Registry<'_> {
    /// Repairs what a member left, if taking its lock byte proves that it is dead.
    pub(crate) fn recover(&self, row: usize) -> Repaired {
        let ring = self.shared.ring();
        if ring.member_state(row).role().is_none()
            || !self.locks.try_lock(member_byte(row)).unwrap_or(false)
        {
            return Repaired::default();
        }
        let repaired = ring.release(row).unwrap_or_default();
        ring.control.totals.repaired.fetch_add(repaired.members, Relaxed);
        let _ = self.locks.unlock(member_byte(row));
        #[cfg(feature = "tracing")]
        tracing::warn!(
            queue = %self.shared.name,
            row,
            holes = repaired.holes,
            given_back = repaired.given_back,
            "repaired what a dead member left"
        );
        if repaired != Repaired::default() {
            self.shared.wake_all();
        }
        repaired
    }

    pub(crate) fn recover_all(&self) -> Repaired {
        let mut sum = Repaired::default();
        for row in 0..self.shared.ring().members.len() {
            sum += self.recover(row);
        }
        sum
    }

    /// A free row and its lock byte, held by a description of its own.
    pub(crate) fn free_row(&self) -> Result<(usize, LockFile), JoinError> {
        let ring = self.shared.ring();
        let lock = self.shared.reopen_locks()?;
        for row in 0..ring.members.len() {
            if ring.member_state(row).role().is_none() && lock.try_lock(member_byte(row))? {
                return Ok((row, lock));
            }
        }
        Err(JoinError::Limit(format!(
            "{}: all {} member rows are in use; create the queue with a larger max_members",
            self.shared.name,
            ring.members.len()
        )))
    }

    /// Writes the row of a member whose byte is locked.
    pub(crate) fn join(&self, row: usize, role: Role) -> Result<(), JoinError> {
        let ring = self.shared.ring();
        if let Some(member) = ring.members.get(row) {
            member.info.pid.store(u64::from(std::process::id()), Relaxed);
            member.info.joined_unix_ns.store(unix_ns(), Relaxed);
        }
        ring.join(row, role).ok_or(JoinError::Corrupt)
    }
}

/// One member: its row and its lock byte. Dropping it gives back all it holds.
pub(crate) struct Membership {
    pub row: usize,
    /// The row's hot words; borrows from `shared`, as the next does.
    pub hot: &'static MemberHot,
    ring: Ring<'static>,
    pub shared: Arc<Shared>,
    _lock: LockFile,
}

impl Membership {
    pub(crate) fn new(shared: Arc<Shared>, row: usize, lock: LockFile) -> Result<Self, JoinError> {
        let hot = &shared.ring.members.get(row).ok_or(JoinError::Corrupt)?.hot;
        Ok(Self { row, hot, ring: shared.ring, shared, _lock: lock })
    }

    #[inline(always)]
    pub(crate) fn ring(&self) -> &Ring<'_> {
        &self.ring
    }

    /// A copy: what is stored into the mapping cannot change it, which lets the compiler keep it in registers.
    #[inline(always)]
    pub(crate) fn ring_copy(&self) -> Ring<'_> {
        self.ring
    }

    /// So many messages more, for people.
    #[inline(always)]
    pub(crate) fn count(&self, messages: u64) {
        let total = &self.hot.count;
        total.store(total.load(Relaxed).wrapping_add(messages), Relaxed);
    }

    /// A group's row, for a member that keeps it together with this.
    pub(crate) fn group(&self, group: usize) -> Option<&'static Group> {
        self.shared.ring.groups.get(group)
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        // Without the registry we leave as the dead do: the lock goes, and others repair.
        if let Ok(registry) = self.shared.registry() {
            let ring = self.shared.ring();
            let left = ring.release(self.row);
            drop(registry);
            if left.is_some() {
                self.shared.wake_all();
            }
        }
    }
}

/// Nanoseconds since 1970, for people.
pub(crate) fn unix_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64)
}

fn ring_over(mapping: &Mapping, geometry: &Geometry, offsets: &Offsets) -> Option<Ring<'static>> {
    let ring = usize::try_from(geometry.ring()).ok()?;
    let control = area::<Control>(mapping, CONTROL_AT, 1)?.first()?;
    let groups = area::<Group>(mapping, offsets.groups, geometry.max_groups as usize)?;
    let members = area::<Member>(mapping, offsets.members, geometry.max_members as usize)?;
    let entries = area::<Entry>(mapping, offsets.entries, ring)?;
    let stride = offsets.claims_stride / 8;
    let claims = area::<AtomicU64>(mapping, offsets.claims, stride * geometry.max_groups as usize)?;
    let len = ring << geometry.block_shift;
    if offsets.blocks.checked_add(len)? > mapping.len() {
        return None;
    }
    // SAFETY: the blocks' start is inside the mapping, as just checked.
    let base = unsafe { mapping.base().add(offsets.blocks) };
    // SAFETY: `len` bytes from there are mapped for as long as the `Shared` lives that owns both; pages are 4096-aligned.
    let blocks = unsafe { Blocks::new(base, len, geometry.block_shift) };
    Ring::new(control, groups, members, entries, (claims, stride), blocks, *geometry, heavy_fence)
}

/// Rows of atomics in the mapping. `None` if they are not inside it.
fn area<T>(mapping: &Mapping, at: usize, count: usize) -> Option<&'static [T]> {
    let len = count.checked_mul(size_of::<T>())?;
    if at.checked_add(len)? > mapping.len() || !at.is_multiple_of(align_of::<T>()) {
        return None;
    }
    // SAFETY: `at` is inside the mapping, as just checked.
    let start = unsafe { mapping.base().add(at) };
    // SAFETY: `T` is a `repr(C)` row of atomics, for which all bytes are valid and which others may change at any time; inside
    // the mapping and aligned (the mapping's start is a page). `'static` only inside `Shared`, which owns the mapping.
    Some(unsafe { core::slice::from_raw_parts(start.cast::<T>(), count) })
}

/// How long a call may wait.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience {
    None,
    Until(Instant),
    Forever,
}

impl Patience {
    pub(crate) fn of(timeout: Duration) -> Self {
        // A time beyond the clock's range is for ever.
        Instant::now().checked_add(timeout).map_or(Patience::Forever, Patience::Until)
    }
    /// The next nap, at most `bound`; `None` when the time is over.
    pub(crate) fn nap(self, bound: Duration) -> Option<Duration> {
        match self {
            Patience::None => None,
            Patience::Forever => Some(bound),
            Patience::Until(end) => {
                let left =
                    end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
                Some(left.min(bound))
            }
        }
    }
}

/// A sleeper looks around this often: it bounds what a killed waker can cost.
pub(crate) const NAP: Duration = Duration::from_millis(50);
/// And this often while a claim stands in its way that nobody finishes.
pub(crate) const HOLE_NAP: Duration = Duration::from_micros(250);
/// A producer without room looks for the dead this often, however often it is woken.
pub(crate) const LOOK: Duration = Duration::from_millis(20);
/// Whoever polls looks around as a sleeper does once in so many empty looks.
pub(crate) const LOOKS: u32 = 64;
/// Turns of a spin loop before sleeping: about what a sleep and a wake would cost (an instrumented turn costs a hundred times as much).
pub(crate) const SPINS: u32 = if cfg!(fuzzing) { 20 } else { 2000 };
