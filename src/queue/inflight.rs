//! Messages in the application's hands. Each has a slot here, so that a [`Message`](super::Message) is two words, which stay in registers.

use std::cell::{Cell, UnsafeCell};

use crate::group::Taken;
use crate::layout::Extent;

/// The slots of one consumer. Not `Sync`, and no method calls out while it borrows them.
pub(super) struct InFlight {
    /// Most consumers hold one message at a time, and took it the usual way: it needs no slot.
    hand: Hand,
    slots: UnsafeCell<Vec<Slot>>,
    /// The first empty slot, or the number of slots; each empty one names the next.
    free: Cell<u32>,
}

/// The number of the hand, among those of the slots.
const HAND: u32 = u32::MAX;

/// A message that came right behind the one before, for the first time.
struct Hand {
    full: Cell<bool>,
    first: Cell<u64>,
    end: Cell<u64>,
    extent: Cell<Extent>,
    bytes: Cell<*const u8>,
}

/// Word by word: to copy a struct that was just written so would have to wait for its words.
#[derive(Default)]
struct Slot {
    from: Cell<u64>,
    first: Cell<u64>,
    end: Cell<u64>,
    extent: Cell<Extent>,
    count: Cell<u64>,
    /// Where its bytes are: in the ring, or in `copy`.
    bytes: Cell<*const u8>,
    /// A lossy reader's copy.
    copy: Cell<Option<Box<[u8]>>>,
    next: Cell<u32>,
}

// SAFETY: its pointers lead into the mapping that its consumer holds, or to boxes of its own; neither belongs to a thread.
unsafe impl Send for InFlight {}

impl Slot {
    #[inline(always)]
    fn fill(&self, taken: Taken, bytes: *const u8) {
        self.from.set(taken.from);
        self.first.set(taken.first);
        self.end.set(taken.end);
        self.extent.set(taken.extent);
        self.count.set(taken.count);
        self.bytes.set(bytes);
    }

    #[inline(always)]
    fn taken(&self) -> Taken {
        Taken {
            from: self.from.get(),
            first: self.first.get(),
            end: self.end.get(),
            extent: self.extent.get(),
            count: self.count.get(),
        }
    }
}

impl InFlight {
    pub(super) fn new() -> Self {
        let hand = Hand {
            full: Cell::new(false),
            first: Cell::new(0),
            end: Cell::new(0),
            extent: Cell::default(),
            bytes: Cell::new(core::ptr::null()),
        };
        Self { hand, slots: UnsafeCell::default(), free: Cell::new(0) }
    }

    #[inline(always)]
    fn slot(&self, at: u32) -> Option<&Slot> {
        // SAFETY: `grow` alone has a unique borrow, for the length of a push; it runs when no shared one is alive, since none leaves
        // this module.
        let slots = unsafe { &*self.slots.get() };
        slots.get(at as usize)
    }

    /// Keeps a message that was taken the fast way.
    #[inline(always)]
    pub(super) fn keep_fast(&self, first: u64, end: u64, extent: Extent, bytes: *const u8) -> u32 {
        if self.hand.full.get() {
            return self.keep_another(first, end, extent, bytes);
        }
        self.hand.full.set(true);
        self.hand.first.set(first);
        self.hand.end.set(end);
        self.hand.extent.set(extent);
        self.hand.bytes.set(bytes);
        HAND
    }

    #[inline(never)]
    fn keep_another(&self, first: u64, end: u64, extent: Extent, bytes: *const u8) -> u32 {
        self.keep(Taken { from: first, first, end, extent, count: 1 }, bytes)
    }

    /// From where to where acking a message reaches.
    #[inline(always)]
    pub(super) fn range(&self, at: u32) -> Option<(u64, u64)> {
        if at == HAND {
            return Some((self.hand.first.get(), self.hand.end.get()));
        }
        self.slot(at).map(|slot| (slot.from.get(), slot.end.get()))
    }

    /// Keeps a message whose bytes are in the ring.
    #[inline(always)]
    pub(super) fn keep(&self, taken: Taken, bytes: *const u8) -> u32 {
        let at = self.free.get();
        match self.slot(at) {
            Some(slot) => {
                self.free.set(slot.next.get());
                slot.fill(taken, bytes);
            }
            None => self.grow(taken, bytes),
        }
        at
    }

    /// Keeps a message with a copy of its bytes.
    pub(super) fn keep_copy(&self, taken: Taken, copy: Box<[u8]>) -> u32 {
        let at = self.keep(taken, copy.as_ptr());
        if let Some(slot) = self.slot(at) {
            slot.copy.set(Some(copy));
        }
        at
    }

    #[cold]
    #[inline(never)]
    fn grow(&self, taken: Taken, bytes: *const u8) {
        let slot = Slot::default();
        slot.fill(taken, bytes);
        // SAFETY: no other borrow is alive, see `slot`.
        let slots = unsafe { &mut *self.slots.get() };
        slots.push(slot);
        self.free.set(slots.len() as u32);
    }

    /// What a message says of itself, and where its bytes are.
    #[inline(always)]
    pub(super) fn place(&self, at: u32) -> Option<(Extent, *const u8)> {
        if at == HAND {
            return Some((self.hand.extent.get(), self.hand.bytes.get()));
        }
        self.slot(at).map(|slot| (slot.extent.get(), slot.bytes.get()))
    }

    /// A message in a slot.
    #[inline(always)]
    pub(super) fn taken(&self, at: u32) -> Option<Taken> {
        if at == HAND {
            let first = self.hand.first.get();
            let (end, extent) = (self.hand.end.get(), self.hand.extent.get());
            return Some(Taken { from: first, first, end, extent, count: 1 });
        }
        self.slot(at).map(Slot::taken)
    }

    /// Empties a slot.
    #[inline(always)]
    pub(super) fn release(&self, at: u32) {
        if at == HAND {
            self.hand.full.set(false);
        } else if let Some(slot) = self.slot(at) {
            slot.next.set(self.free.replace(at));
        }
    }

    /// Gives a lossy reader's copy back.
    pub(super) fn drop_copy(&self, at: u32) {
        if let Some(slot) = self.slot(at) {
            slot.copy.set(None);
        }
    }
}
