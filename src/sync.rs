//! The loom door: the only room that names core's or loom's atomics, cells and fences.
//!
//! Orderings and re-checks are written with a name, `order!("publish.ready", Release)`, so that the table in
//! docs/orderings.md, the loom suite and the mutation script speak of the same places. In a normal build a name costs
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
    use loom::thread::{ThreadId, current};
    use std::cell::{Cell, RefCell};
    use std::collections::BTreeSet;

    // A model's threads are coroutines of the thread that runs it: what is set here holds for one test, not for its neighbours.
    thread_local! {
        static PLANTED: Cell<Option<&'static str>> = const { Cell::new(None) };
        static FUSE: Cell<Option<(ThreadId, u32)>> = const { Cell::new(None) };
        static LIGHT: Cell<bool> = const { Cell::new(true) };
        static TRACE: Cell<bool> = const { Cell::new(false) };
        static VISITED: RefCell<BTreeSet<&'static str>> = const { RefCell::new(BTreeSet::new()) };
    }

    /// Weakens the named place until the next call; `None` mends it.
    pub fn plant(name: Option<&'static str>) {
        PLANTED.set(name);
    }

    /// Is the named place the weakened one?
    pub fn planted(name: &'static str) -> bool {
        if TRACE.get() {
            VISITED.with_borrow_mut(|visited| visited.insert(name));
        }
        PLANTED.get() == Some(name)
    }

    /// From now on, notes the names that this thread's models come by.
    pub fn trace() {
        TRACE.set(true);
    }

    /// The names noted so far.
    pub fn visited() -> BTreeSet<&'static str> {
        VISITED.take()
    }

    /// Relaxed if the place is planted, else as written.
    pub fn ordering(name: &'static str, written: Ordering) -> Ordering {
        if planted(name) { Relaxed } else { written }
    }

    /// A planted fence is left out.
    pub fn fence(order: Ordering) {
        if !matches!(order, Relaxed) {
            loom::sync::atomic::fence(order);
        }
    }

    /// Whether light fences are fences. Loom's say more than the membarrier on the other side of the pair would, so a model
    /// in which nobody calls a heavy fence does without: there a light fence is nothing, as in the program.
    pub fn light(on: bool) {
        LIGHT.set(on);
    }
    pub fn is_light() -> bool {
        LIGHT.get()
    }

    /// What a thread that died at an access unwinds with.
    pub struct Killed;

    /// The calling thread dies at its access number `count` from now: before it, as `kill -9` would have it. Zero: never.
    pub fn fuse(count: u32) {
        FUSE.set((count > 0).then(|| (current().id(), count)));
    }

    /// Called before each access to shared memory.
    fn tick() {
        let Some((thread, left)) = FUSE.get() else { return };
        if current().id() != thread {
            return;
        }
        if left > 1 {
            FUSE.set(Some((thread, left - 1)));
        } else {
            FUSE.set(None);
            std::panic::resume_unwind(Box::new(Killed));
        }
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

            impl Default for $name {
                fn default() -> Self {
                    Self::new(0)
                }
            }

            #[allow(dead_code)]
            impl $name {
                pub fn new(value: $int) -> Self {
                    Self(
                        loom::sync::atomic::$name::new(value),
                        loom::sync::atomic::AtomicU32::new(0),
                    )
                }
                pub fn load(&self, order: Ordering) -> $int {
                    tick();
                    self.1.fetch_add(1, Relaxed);
                    self.0.load(order)
                }
                pub fn store(&self, value: $int, order: Ordering) {
                    tick();
                    if is_light() {
                        // Loom does not order a plain store behind a read-modify-write that it did not see, although what that one
                        // read was older (its issue 282), and then shows the older value again.
                        self.0.swap(value, order);
                    } else {
                        self.0.store(value, order)
                    }
                }
                pub fn compare_exchange(
                    &self,
                    old: $int,
                    new: $int,
                    ok: Ordering,
                    no: Ordering,
                ) -> Result<$int, $int> {
                    tick();
                    self.0.compare_exchange(old, new, ok, no)
                }
                pub fn fetch_add(&self, value: $int, order: Ordering) -> $int {
                    tick();
                    self.0.fetch_add(value, order)
                }
                pub fn fetch_or(&self, value: $int, order: Ordering) -> $int {
                    tick();
                    self.0.fetch_or(value, order)
                }
                pub fn fetch_and(&self, value: $int, order: Ordering) -> $int {
                    tick();
                    self.0.fetch_and(value, order)
                }
                pub fn fetch_max(&self, value: $int, order: Ordering) -> $int {
                    tick();
                    self.0.fetch_max(value, order)
                }
                pub fn fetch_min(&self, value: $int, order: Ordering) -> $int {
                    tick();
                    self.0.fetch_min(value, order)
                }
                pub fn swap(&self, value: $int, order: Ordering) -> $int {
                    tick();
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
        if is_light() {
            fence(SeqCst);
        }
    }
}
