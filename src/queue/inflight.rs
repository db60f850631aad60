//! Messages in the application's hands. Each has a slot here, so that a [`Message`](super::Message) is two words, which stay in registers.

use std::cell::{Cell, RefCell};
use std::ptr;

use crate::group::Taken;
use crate::layout::Extent;

/// The slots of one consumer. Not `Sync`.
pub(super) struct InFlight {
    /// Most consumers hold one message at a time, and it is here.
    hand: Slot,
    full: Cell<bool>,
    /// The first empty one of the others; each names the next.
    free: Cell<*const Slot>,
    /// They stay where they are for as long as the consumer lives.
    others: RefCell<Vec<Vec<Slot>>>,
}

/// Word by word: to copy a struct that was just written so would have to wait for its words.
#[derive(Default)]
pub(super) struct Slot {
    from: Cell<u64>,
    first: Cell<u64>,
    end: Cell<u64>,
    extent: Cell<Extent>,
    count: Cell<u64>,
    /// Where its bytes are: in the ring, or in `copy`.
    bytes: Cell<*const u8>,
    /// A lossy reader's copy.
    copy: Cell<Option<Box<[u8]>>>,
    next: Cell<*const Slot>,
}

// SAFETY: its pointers lead into the mapping that its consumer holds, or to memory of its own; neither belongs to a thread.
unsafe impl Send for InFlight {}

impl Slot {
    #[inline(always)]
    pub(super) fn fill(&self, taken: Taken, bytes: *const u8) {
        self.from.set(taken.from);
        self.first.set(taken.first);
        self.end.set(taken.end);
        self.extent.set(taken.extent);
        self.count.set(taken.count);
        self.bytes.set(bytes);
    }

    #[inline(always)]
    pub(super) fn taken(&self) -> Taken {
        Taken {
            from: self.from.get(),
            first: self.first.get(),
            end: self.end.get(),
            extent: self.extent.get(),
            count: self.count.get(),
        }
    }

    /// From where to where acking the message reaches, and where it lies itself.
    #[inline(always)]
    pub(super) fn range(&self) -> (u64, u64, u64) {
        (self.from.get(), self.first.get(), self.end.get())
    }

    #[inline(always)]
    pub(super) fn deliveries(&self) -> u64 {
        self.count.get()
    }

    /// What the message says of itself, and where its bytes are.
    #[inline(always)]
    pub(super) fn place(&self) -> (Extent, *const u8) {
        (self.extent.get(), self.bytes.get())
    }
}

impl InFlight {
    pub(super) fn new() -> Self {
        Self {
            hand: Slot::default(),
            full: Cell::new(false),
            free: Cell::new(ptr::null()),
            others: RefCell::default(),
        }
    }

    /// Keeps a message that came right behind the one before, for the first time. By its words, which stay in registers.
    #[inline(always)]
    pub(super) fn keep_fast(
        &self,
        first: u64,
        end: u64,
        extent: Extent,
        bytes: *const u8,
    ) -> &Slot {
        if self.full.replace(true) {
            return self.keep_another(first, end, extent, bytes);
        }
        self.hand.fill(Taken { from: first, first, end, extent, count: 1 }, bytes);
        &self.hand
    }

    #[inline(never)]
    fn keep_another(&self, first: u64, end: u64, extent: Extent, bytes: *const u8) -> &Slot {
        self.keep(Taken { from: first, first, end, extent, count: 1 }, bytes)
    }

    /// Keeps a message whose bytes are in the ring.
    pub(super) fn keep(&self, taken: Taken, bytes: *const u8) -> &Slot {
        if !self.full.replace(true) {
            self.hand.fill(taken, bytes);
            return &self.hand;
        }
        if self.free.get().is_null() {
            self.grow();
        }
        // SAFETY: not null, so an empty slot of `others`, which lives as long as this and does not move.
        let slot = unsafe { &*self.free.get() };
        self.free.set(slot.next.get());
        slot.fill(taken, bytes);
        slot
    }

    /// Keeps a message with a copy of its bytes.
    pub(super) fn keep_copy(&self, taken: Taken, copy: Box<[u8]>) -> &Slot {
        let slot = self.keep(taken, copy.as_ptr());
        slot.copy.set(Some(copy));
        slot
    }

    /// Twice as many slots.
    #[cold]
    #[inline(never)]
    fn grow(&self) {
        let mut others = self.others.borrow_mut();
        let more: Vec<Slot> = (0..8 << others.len()).map(|_| Slot::default()).collect();
        for slot in &more {
            slot.next.set(self.free.replace(slot));
        }
        others.push(more);
    }

    /// Empties a slot.
    #[inline(always)]
    pub(super) fn release(&self, slot: &Slot) {
        if ptr::eq(slot, &self.hand) {
            self.full.set(false);
        } else {
            slot.next.set(self.free.replace(slot));
        }
    }

    /// Empties the slot of a lossy reader's message.
    pub(super) fn release_copy(&self, slot: &Slot) {
        slot.copy.set(None);
        self.release(slot);
    }
}
