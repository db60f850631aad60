//! The messages that C holds, by cookie.

use core::ptr;

use super::consumer::slipring_message;
use super::error::{Outcome, SLIPRING_INTERNAL, SLIPRING_LIMIT, plain};
use super::pointers::handle_number;
use crate::Message;

/// Messages by cookie: `handle:20 | 1 | count:43` in the hand, `handle:20 | 0 | generation:23 | slot:20` in a slot. Count and generation move when a
/// message goes, so that old cookies find nothing; nor does another handle's.
pub(super) struct Held {
    /// Most programs hold one message at a time: it needs no slot. Its cookie is the next one's while there is none.
    hand: Option<Message<'static>>,
    hand_cookie: u64,
    slots: Vec<Slot>,
    /// The first empty slot; each names the next.
    free: usize,
}

struct Slot {
    cookie: u64,
    next: usize,
    message: Option<Message<'static>>,
}

const IN_HAND: u64 = 1 << 43;
const SLOT: u64 = (1 << 20) - 1;
const GENERATION: u64 = ((1 << 23) - 1) << 20;

/// The cookie that follows in the same slot.
fn following(cookie: u64) -> u64 {
    cookie & !GENERATION | cookie.wrapping_add(SLOT + 1) & GENERATION
}

impl Held {
    pub(super) fn new() -> Self {
        Self {
            hand: None,
            hand_cookie: handle_number() << 44 | IN_HAND,
            slots: Vec::new(),
            free: 0,
        }
    }

    /// Keeps a message and describes it to C.
    ///
    /// # Safety
    /// `out` is writable.
    #[inline(always)]
    pub(super) unsafe fn lend(
        &mut self,
        message: Message<'static>,
        out: *mut slipring_message,
    ) -> Outcome {
        if self.hand.is_some() {
            // SAFETY: the caller's promise.
            return unsafe { self.lend_another(message, out) };
        }
        // SAFETY: the caller's promise.
        unsafe { describe(&message, self.hand_cookie, out) };
        self.hand = Some(message);
        Ok(())
    }

    /// # Safety
    /// `out` is writable.
    #[inline(never)]
    unsafe fn lend_another(
        &mut self,
        message: Message<'static>,
        out: *mut slipring_message,
    ) -> Outcome {
        let at = self.free;
        if at as u64 == SLOT {
            return Err(plain(SLIPRING_LIMIT));
        }
        if at == self.slots.len() {
            let cookie = self.hand_cookie >> 44 << 44 | at as u64;
            self.slots.push(Slot { cookie, next: at + 1, message: None });
        }
        let Some(slot) = self.slots.get_mut(at) else { return Err(plain(SLIPRING_INTERNAL)) };
        self.free = slot.next;
        // SAFETY: the caller's promise.
        unsafe { describe(&message, slot.cookie, out) };
        slot.message = Some(message);
        Ok(())
    }

    #[inline(always)]
    pub(super) fn take(&mut self, cookie: u64) -> Option<Message<'static>> {
        if cookie == self.hand_cookie {
            let message = self.hand.take()?;
            self.hand_cookie = cookie.wrapping_add(1);
            return Some(message);
        }
        self.take_another(cookie)
    }

    #[inline(never)]
    fn take_another(&mut self, cookie: u64) -> Option<Message<'static>> {
        let at = (cookie & SLOT) as usize;
        let slot = self.slots.get_mut(at).filter(|slot| slot.cookie == cookie)?;
        let message = slot.message.take()?;
        slot.cookie = following(cookie);
        slot.next = core::mem::replace(&mut self.free, at);
        Some(message)
    }

    pub(super) fn clear(&mut self) {
        self.hand = None;
        self.slots.clear();
    }
}

/// Written where it is to be: a copy of what was just written would have to wait for it.
///
/// # Safety
/// `out` is writable.
#[inline(always)]
unsafe fn describe(message: &Message<'static>, cookie: u64, out: *mut slipring_message) {
    let payload = message.payload();
    let event = message.event();
    let told = slipring_message {
        data: payload.as_ptr().cast(),
        len: payload.len(),
        event: event.map_or(ptr::null(), |event| event.as_ptr().cast()),
        event_len: event.map_or(0, str::len),
        position: message.position(),
        cookie,
        deliveries: message.deliveries(),
        spare: 0,
    };
    // SAFETY: the caller's promise.
    unsafe { out.write(told) };
}
