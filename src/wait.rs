//! Who sleeps and who wakes him: docs/design.md, section 7. The kernel's part (futex, bell) is passed in.

use crate::layout::{Group, ROOM, Role};
use crate::ring::Ring;
use crate::sync::{AtomicU32, Relaxed, light_fence, order, recheck};

/// What a sole member knows of its queue, without looking: where fences are real ones nobody is sole.
pub(crate) const NOT_FENCED: bool = false;

/// A group's bit in the sleepers' word. Groups that share one are woken together.
#[inline(always)]
pub(crate) fn group_bit(group: usize) -> u64 {
    1 << (group % 63)
}

/// What the kernel does for a waker.
pub(crate) trait Kernel {
    /// Wakes at most `count` that sleep on the word, and says how many.
    fn wake(&self, word: &AtomicU32, count: u32) -> u32;
    /// Makes a member's pollable fd readable; false if nobody has it open.
    fn ring(&self, row: usize) -> bool;
}

impl Ring<'_> {
    /// Before sleeping: announces it, so that whatever is published from now on finds the bit. The caller looks again after
    /// this, and then sleeps as long as the word's value is still the returned one.
    pub(crate) fn announce_sleep(&self, signal: &AtomicU32, bit: u64) -> u32 {
        let value = signal.load(order!("sleep.signal", Acquire));
        self.control.doors.sleepers.fetch_or(bit, order!("sleep.announce", AcqRel));
        if recheck!("sleep.fence") {
            (self.heavy_fence)();
        }
        value
    }

    /// After publishing: is anybody asleep who cares? Nearly always not, and then this is one load.
    #[inline(always)]
    pub(crate) fn wake_consumers(&self, messages: u32, fenced: bool, kernel: &impl Kernel) {
        if recheck!("wake.fence") {
            light_fence(fenced);
        }
        let sleepers = self.control.doors.sleepers.load(Relaxed) & !ROOM;
        if sleepers != 0 {
            self.wake_groups(sleepers, messages, kernel);
        }
    }

    /// Wakes at most one member of each group for each message.
    #[cold]
    fn wake_groups(&self, sleepers: u64, messages: u32, kernel: &impl Kernel) {
        let mut bits = sleepers;
        while bits != 0 {
            let bit = bits & bits.wrapping_neg();
            bits ^= bit;
            self.control.doors.sleepers.fetch_and(!bit, order!("wake.clear", AcqRel));
            let mut woken = 0;
            for group in (bit.trailing_zeros() as usize..self.groups.len()).step_by(63) {
                woken += self.rouse(group, messages, kernel);
            }
            // Others may still be asleep; if not, the next waker finds out and the bit stays away.
            if woken > 0 {
                self.control.doors.sleepers.fetch_or(bit, order!("wake.again", AcqRel));
            }
        }
    }

    fn rouse(&self, group: usize, messages: u32, kernel: &impl Kernel) -> u32 {
        let Some(row) = self.groups.get(group) else { return 0 };
        if row.kind().is_none() {
            return 0;
        }
        row.signal.fetch_add(1, order!("wake.signal", AcqRel));
        let woken = kernel.wake(&row.signal, messages);
        if woken < messages && row.info.bells.load(Relaxed) != 0 {
            return woken + self.ring_bells(group, messages - woken, kernel);
        }
        woken
    }

    /// After messages of one group became free again.
    pub(crate) fn wake_group(&self, group: usize, messages: u32, kernel: &impl Kernel) {
        self.light_fence();
        let sleepers = self.control.doors.sleepers.load(Relaxed) & group_bit(group);
        if sleepers != 0 {
            self.wake_groups(sleepers, messages, kernel);
        }
    }

    fn ring_bells(&self, group: usize, wanted: u32, kernel: &impl Kernel) -> u32 {
        let mut rung = 0;
        for (row, member) in self.members.iter().enumerate() {
            if rung == wanted {
                break;
            }
            let waits = member.info.bell.load(Relaxed) == 1;
            if waits && self.member_state(row).role() == Some(Role::Consumer { group }) {
                let mine = member.info.bell.swap(0, order!("bell.take", AcqRel)) == 1;
                if mine && kernel.ring(row) {
                    rung += 1;
                }
            }
        }
        rung
    }

    /// After a group's floor has moved: does a producer wait for room, and is there enough to be worth waking him?
    #[inline(always)]
    pub(crate) fn wake_producers(&self, group: &Group, fenced: bool, kernel: &impl Kernel) {
        if recheck!("room.fence") {
            light_fence(fenced);
        }
        if self.control.doors.sleepers.load(Relaxed) & ROOM != 0 {
            self.wake_for_room(group.floor.load(Relaxed), kernel);
        }
    }

    #[cold]
    pub(crate) fn wake_for_room(&self, floor: u64, kernel: &impl Kernel) {
        let room = &self.control.room;
        if floor < room.wanted.load(Relaxed) {
            return;
        }
        // Before the bit is cleared: a producer that comes between finds that the signal has moved.
        room.wanted.store(u64::MAX, Relaxed);
        self.control.doors.sleepers.fetch_and(!ROOM, order!("wake.clear", AcqRel));
        room.signal.fetch_add(1, order!("wake.signal", AcqRel));
        kernel.wake(&room.signal, u32::MAX >> 1);
    }
}
