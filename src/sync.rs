//! The loom door: the only room that names core's or loom's atomics, cells and fences.
//!
//! Orderings and re-checks are written with a name, `order!("publish.ready", Release)`, so that the table in
//! docs/design.md, the loom suite and the mutation script speak of the same places. In a normal build a name costs
//! nothing; under loom the named place can be weakened (`sync::plant`), and a model must then fail.

#[cfg(not(loom))]
mod door {
    pub(crate) use core::sync::atomic::Ordering::{
        self, AcqRel, Acquire, Relaxed, Release, SeqCst,
    };
    pub(crate) use core::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, compiler_fence, fence};

    /// The ordering of a named place, as written.
    macro_rules! order {
        ($name:literal, $order:ident) => {
            $crate::sync::$order
        };
    }
    /// Whether a named second look is taken: always, outside a planted-bug run.
    macro_rules! recheck {
        ($name:literal) => {
            true
        };
    }
    pub(crate) use {order, recheck};

    /// Tells the processor that this is a spin loop.
    pub(crate) fn spin_loop() {
        core::hint::spin_loop();
    }
}

#[cfg(loom)]
mod door {
    pub(crate) use loom::sync::atomic::Ordering::{
        self, AcqRel, Acquire, Relaxed, Release, SeqCst,
    };
    pub(crate) use loom::sync::atomic::fence;
    use std::sync::Mutex;

    static PLANTED: Mutex<Option<String>> = Mutex::new(None);

    /// Weakens the named place until the next call; `None` mends it.
    pub fn plant(name: Option<&str>) {
        *PLANTED.lock().unwrap() = name.map(str::to_owned);
    }

    /// Is the named place the weakened one?
    pub fn planted(name: &str) -> bool {
        PLANTED.lock().unwrap().as_deref() == Some(name)
    }

    /// Relaxed if the place is planted, else as written.
    pub fn ordering(name: &str, written: Ordering) -> Ordering {
        if planted(name) { Relaxed } else { written }
    }

    macro_rules! order {
        ($name:literal, $order:ident) => {
            $crate::sync::ordering($name, $crate::sync::$order)
        };
    }
    macro_rules! recheck {
        ($name:literal) => {
            !$crate::sync::planted($name)
        };
    }
    pub(crate) use {order, recheck};

    /// Loom 0.7.2 forgets a thread's earlier load of a word that the thread later stores, and with it the races that
    /// hang on that load (its issues 166 and 392). A read-modify-write of a shadow word before each load makes it remember.
    macro_rules! shadowed {
        ($name:ident, $int:ty) => {
            #[derive(Debug)]
            pub struct $name(loom::sync::atomic::$name, loom::sync::atomic::AtomicU32);

            #[allow(dead_code)]
            impl $name {
                pub fn new(value: $int) -> Self {
                    Self(
                        loom::sync::atomic::$name::new(value),
                        loom::sync::atomic::AtomicU32::new(0),
                    )
                }
                pub fn load(&self, order: Ordering) -> $int {
                    self.1.fetch_add(1, Relaxed);
                    self.0.load(order)
                }
                pub fn store(&self, value: $int, order: Ordering) {
                    self.0.store(value, order)
                }
                pub fn compare_exchange(
                    &self,
                    old: $int,
                    new: $int,
                    ok: Ordering,
                    no: Ordering,
                ) -> Result<$int, $int> {
                    self.0.compare_exchange(old, new, ok, no)
                }
                pub fn fetch_add(&self, value: $int, order: Ordering) -> $int {
                    self.0.fetch_add(value, order)
                }
                pub fn fetch_or(&self, value: $int, order: Ordering) -> $int {
                    self.0.fetch_or(value, order)
                }
                pub fn fetch_and(&self, value: $int, order: Ordering) -> $int {
                    self.0.fetch_and(value, order)
                }
                pub fn fetch_max(&self, value: $int, order: Ordering) -> $int {
                    self.0.fetch_max(value, order)
                }
                pub fn fetch_min(&self, value: $int, order: Ordering) -> $int {
                    self.0.fetch_min(value, order)
                }
                pub fn swap(&self, value: $int, order: Ordering) -> $int {
                    self.0.swap(value, order)
                }
            }
        };
    }
    shadowed!(AtomicU64, u64);
    shadowed!(AtomicU32, u32);

    pub(crate) fn spin_loop() {
        loom::thread::yield_now();
    }
}

#[allow(unused_imports)]
pub(crate) use door::*;

/// The hot side of an asymmetric pair of fences: orders the caller's earlier stores before its later loads, provided that
/// the cold side calls a heavy fence. Costs nothing but where membarrier is not to be had (`fenced`).
#[inline(always)]
pub(crate) fn light_fence(fenced: bool) {
    #[cfg(not(loom))]
    if fenced {
        fence(SeqCst);
    } else {
        compiler_fence(SeqCst);
    }
    #[cfg(loom)]
    {
        let _ = fenced;
        fence(SeqCst);
    }
}
