//! Payload bytes: where they lie, and the three ways to touch them.
//!
//! Whoever holds a claim writes; whoever holds a message that cannot be overwritten borrows; everybody else copies in a
//! way that the compiler may not reason about, and finds out afterwards whether the copy was good.

#[cfg(not(loom))]
pub(crate) use mapped::Blocks;
#[cfg(loom)]
pub(crate) use modelled::{Block, Blocks};

#[cfg(not(loom))]
mod mapped {
    use core::marker::PhantomData;
    use core::slice;

    /// The ring's blocks in mapped memory.
    #[derive(Clone, Copy)]
    pub(crate) struct Blocks<'a> {
        base: *mut u8,
        len: usize,
        shift: u32,
        life: PhantomData<&'a [u8]>,
    }

    // SAFETY: an address and sizes; every access through it states what makes it exclusive or stable.
    unsafe impl Send for Blocks<'_> {}
    // SAFETY: as above.
    unsafe impl Sync for Blocks<'_> {}

    impl<'a> Blocks<'a> {
        /// # Safety
        /// `base` points to `len` bytes, mapped and shared for `'a`, aligned to 64.
        pub(crate) unsafe fn new(base: *mut u8, len: usize, shift: u32) -> Self {
            Self { base, len, shift, life: PhantomData }
        }

        /// The address of `len` bytes from a block's start, if they are inside.
        #[inline(always)]
        fn at(&self, index: usize, offset: usize, len: usize) -> Option<*mut u8> {
            let at = (index << self.shift).checked_add(offset)?;
            if at.checked_add(len)? > self.len {
                return None;
            }
            // SAFETY: at + len is within the mapping, as just checked.
            Some(unsafe { self.base.add(at) })
        }

        /// Writes into a claimed message. `None` (nothing written) if it does not fit.
        #[inline(always)]
        pub(crate) fn write(&self, index: usize, offset: usize, bytes: &[u8]) -> Option<()> {
            let to = self.at(index, offset, bytes.len())?;
            // SAFETY: `to` has room for the bytes; private memory and the mapping do not overlap. The caller's claim keeps
            // every other writer away, and readers that race (lossy ones) use `copy_racy`.
            unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
            Some(())
        }

        /// Writes a message's bytes from a block's start.
        ///
        /// # Safety
        /// The caller holds a claim over all the blocks that the bytes take, inside the ring.
        #[inline(always)]
        pub(crate) unsafe fn write_claimed(&self, index: usize, bytes: &[u8]) {
            let to = self.base.wrapping_add(index << self.shift);
            debug_assert!((index << self.shift) + bytes.len() <= self.len);
            if let (Some(head), Some(tail)) = (bytes.first_chunk::<32>(), bytes.last_chunk::<32>())
                && bytes.len() <= 64
            {
                // Two moves that may overlap, in place of a call.
                let last = to.wrapping_add(bytes.len() - 32);
                // SAFETY: inside the mapping by the caller's promise; else as in `write`.
                unsafe { to.cast::<[u8; 32]>().write_unaligned(*head) };
                // SAFETY: as above.
                unsafe { last.cast::<[u8; 32]>().write_unaligned(*tail) };
                return;
            }
            // SAFETY: as above.
            unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        }

        /// A claimed message's bytes, to be written in place.
        ///
        /// # Safety
        /// The caller holds the claim over these blocks for as long as the slice lives, and makes only one.
        #[inline(always)]
        pub(crate) unsafe fn slice_mut(&self, index: usize, len: usize) -> Option<&'a mut [u8]> {
            let at = self.at(index, 0, len)?;
            // SAFETY: inside the mapping; exclusive by the caller's promise.
            Some(unsafe { slice::from_raw_parts_mut(at, len) })
        }

        /// A message's bytes, borrowed in place.
        ///
        /// # Safety
        /// The bytes are inside the ring. The message is leased: the gate cannot pass it for as long as the slice lives, and peers are
        /// trusted not to write to a leased message.
        #[inline(always)]
        pub(crate) unsafe fn slice(&self, index: usize, offset: usize, len: usize) -> &'a [u8] {
            let at = (index << self.shift) + offset;
            debug_assert!(at + len <= self.len);
            // SAFETY: inside the mapping, by the caller's promise.
            let at = unsafe { self.base.add(at) };
            // SAFETY: as above; not written while it lives, by the caller's promise.
            unsafe { slice::from_raw_parts(at, len) }
        }

        /// A block's address.
        #[inline(always)]
        pub(crate) fn start(&self, index: usize) -> *const u8 {
            self.base.wrapping_add(index << self.shift)
        }

        /// Copies bytes that may be overwritten meanwhile. The caller checks afterwards whether they were.
        pub(crate) fn copy_racy(&self, index: usize, offset: usize, to: &mut [u8]) -> Option<()> {
            let from = self.at(index, offset, to.len())?;
            copy_opaque(from, to);
            Some(())
        }
    }

    /// A copy that the compiler cannot see through, so that torn bytes are merely wrong and never undefined.
    #[cfg(target_arch = "x86_64")]
    fn copy_opaque(from: *const u8, to: &mut [u8]) {
        // SAFETY: `from` is readable for `to.len()` bytes, as `at` checked; `rep movsb` keeps to them and the flag is clear on entry.
        unsafe {
            core::arch::asm!("rep movsb", inout("rcx") to.len() => _, inout("rsi") from => _, inout("rdi") to.as_mut_ptr() => _,
                options(nostack, preserves_flags));
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn copy_opaque(from: *const u8, to: &mut [u8]) {
        for (i, byte) in to.iter_mut().enumerate() {
            // SAFETY: `from` is readable for `to.len()` bytes, as `at` checked.
            let at = unsafe { from.add(i) };
            // SAFETY: as above; volatile, so that the compiler assumes nothing of the value.
            *byte = unsafe { at.read_volatile() };
        }
    }
}

#[cfg(loom)]
mod modelled {
    use crate::sync::{AtomicU64, Relaxed};
    use loom::cell::UnsafeCell;

    /// One block of a model: its value twice, once as a cell whose races loom reports, once as the word that racy copies read.
    pub struct Block {
        cell: UnsafeCell<u64>,
        word: AtomicU64,
    }

    impl Block {
        pub fn new() -> Self {
            Self { cell: UnsafeCell::new(0), word: AtomicU64::new(0) }
        }
    }

    #[derive(Clone, Copy)]
    pub struct Blocks<'a>(pub &'a [Block]);

    impl Blocks<'_> {
        /// Models write eight bytes a block.
        pub fn write(&self, index: usize, offset: usize, bytes: &[u8]) -> Option<()> {
            assert_eq!(offset, 0);
            let value = u64::from_le_bytes(bytes.try_into().unwrap());
            let block = self.0.get(index)?;
            // SAFETY: loom reports any access that this one races with.
            block.cell.with_mut(|cell| unsafe { *cell = value });
            block.word.store(value, Relaxed);
            Some(())
        }
        /// A leased message's value; loom reports a race with a writer.
        pub fn read(&self, index: usize) -> u64 {
            // SAFETY: as in `write`.
            self.0[index].cell.with(|cell| unsafe { *cell })
        }
        /// Bytes that may be overwritten meanwhile.
        pub fn copy_racy(&self, index: usize, offset: usize, to: &mut [u8]) -> Option<()> {
            assert_eq!(offset, 0);
            for (block, bytes) in self.0.get(index..)?.iter().zip(to.chunks_mut(8)) {
                let value = block.word.load(Relaxed).to_le_bytes();
                bytes.copy_from_slice(value.get(..bytes.len())?);
            }
            Some(())
        }
    }
}
