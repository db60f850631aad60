//! The explorer: runs a model in all its schedules, whole or with one named place weakened.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering as Std};
use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError};
use std::time::Instant;

use crate::sync::{Killed, fuse};

/// A model's name and itself.
pub type Model = (&'static str, fn());

/// Context switches that the scheduler may force in one execution, as loom's authors advise; those at a wait are free.
const PREEMPTIONS: usize = 2;
/// Executions that a model may have: more is too much for every test run.
const LARGEST: usize = 15_000;
/// A death is enumerated up to this access; no life of a model is longer.
const LONGEST_LIFE: u32 = 300;

/// What light fences are in a model: see `sync::light`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Light {
    /// Nothing, as in the program: for models in which nobody calls a heavy fence.
    Nothing,
    /// Fences, for models of what the pair of them is for.
    Fence,
}

/// How often each outcome was seen, over all executions of a model.
#[derive(Clone, Default)]
pub struct Seen(Arc<Mutex<BTreeMap<&'static str, usize>>>);

impl Seen {
    pub fn note(&self, outcome: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(outcome).or_default() += 1;
    }
    fn all(&self) -> BTreeMap<&'static str, usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    fn count(&self, outcome: &str) -> usize {
        self.all().get(outcome).copied().unwrap_or(0)
    }
}

thread_local! {
    static PLANT: Cell<Option<&'static str>> = const { Cell::new(None) };
    /// What the last panic of this thread said, while its panics are not printed.
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
    static TOO_LARGE: Cell<bool> = const { Cell::new(false) };
}

/// How many preemptions a model is run with: `SLIPRING_LOOM_PREEMPTIONS`, for long runs, or what is said here.
#[derive(Clone, Copy)]
pub enum Size {
    /// Two in every test run.
    Small,
    /// One in every test run: two take minutes.
    Large,
}

fn asked_for() -> Option<usize> {
    static ASKED: OnceLock<Option<usize>> = OnceLock::new();
    *ASKED.get_or_init(|| std::env::var("SLIPRING_LOOM_PREEMPTIONS").ok()?.parse().ok())
}

impl Size {
    fn preemptions(self) -> usize {
        match self {
            Size::Small => asked_for().unwrap_or(PREEMPTIONS),
            Size::Large => asked_for().unwrap_or(PREEMPTIONS - 1),
        }
    }
}

/// Runs `body` in all its schedules. Every outcome of `wanted` must have come up in some of them.
pub fn explore(
    size: Size,
    light: Light,
    wanted: &[&str],
    body: impl Fn(&Seen) + Send + Sync + 'static,
) {
    let body = Arc::new(move |seen: &Seen, _: u32| body(seen));
    let run = Run::new(size, light);
    run.check(0, body);
    run.conclude(wanted);
}

/// Runs `body` with one participant dying before its k-th access, for every k of its life. The body notes `died`.
pub fn explore_deaths(
    size: Size,
    light: Light,
    wanted: &[&str],
    body: impl Fn(&Seen, u32) + Send + Sync + 'static,
) {
    let body = Arc::new(body);
    let run = Run::new(size, light);
    for k in 1..LONGEST_LIFE {
        let deaths = run.seen.count("died");
        run.check(k, Arc::clone(&body));
        if run.seen.count("died") == deaths {
            return run.conclude(wanted);
        }
    }
    panic!("a life of more than {LONGEST_LIFE} accesses");
}

/// All executions of one model.
struct Run {
    size: Size,
    light: Light,
    seen: Seen,
    executions: Arc<AtomicUsize>,
    start: Instant,
}

impl Run {
    fn new(size: Size, light: Light) -> Self {
        let start = Instant::now();
        Self { size, light, seen: Seen::default(), executions: Arc::default(), start }
    }

    fn check(&self, k: u32, body: Arc<impl Fn(&Seen, u32) + Send + Sync + 'static>) {
        crate::sync::plant(PLANT.get());
        crate::sync::light(self.light == Light::Fence);
        let (seen, executions) = (self.seen.clone(), Arc::clone(&self.executions));
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(self.size.preemptions());
        builder.max_branches = 50_000;
        builder.check(move || {
            let executions = executions.fetch_add(1, Std::Relaxed);
            if executions >= LARGEST && asked_for().is_none() {
                TOO_LARGE.set(true);
                panic!("the model is too large to be run by every test run");
            }
            fuse(0);
            body(&seen, k);
        });
    }

    fn conclude(&self, wanted: &[&str]) {
        if PLANT.get().is_some() {
            return;
        }
        let test = std::thread::current().name().unwrap_or("model").to_owned();
        let (executions, counts) = (self.executions.load(Std::Relaxed), self.seen.all());
        let (bound, time) = (self.size.preemptions(), self.start.elapsed());
        println!("{test}: {executions} executions, {bound} preemptions, {time:.1?}, {counts:?}");
        for outcome in wanted {
            assert!(counts.contains_key(outcome), "never came up: {outcome}");
        }
    }
}

/// What a model with a weakened place came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    Failed(String),
    /// Weakening made the model so large that nothing can be said.
    TooLarge,
}

/// Runs a model with a place weakened, without a word.
pub fn with_planted(place: &'static str, model: fn()) -> Verdict {
    hush();
    PLANT.set(Some(place));
    TOO_LARGE.set(false);
    LAST.set(Some(String::new()));
    let end = catch_unwind(AssertUnwindSafe(model));
    let said = LAST.take().unwrap_or_default();
    PLANT.set(None);
    match end {
        Ok(()) => Verdict::Passed,
        Err(_) if TOO_LARGE.get() => Verdict::TooLarge,
        Err(_) => Verdict::Failed(said),
    }
}

/// The names that a model comes by.
pub fn names_of(model: fn()) -> BTreeSet<&'static str> {
    // Tracing lasts as long as its thread.
    let tracer = std::thread::spawn(move || {
        crate::sync::trace();
        model();
        crate::sync::visited()
    });
    tracer.join().unwrap_or_else(|cause| resume_unwind(cause))
}

/// From now on, a thread that runs a planted model keeps the first thing that a panic says to itself.
fn hush() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let quiet = LAST.try_with(|last| match last.borrow_mut().as_mut() {
                Some(said) if said.is_empty() => {
                    *said = message(info.payload());
                    true
                }
                said => said.is_some(),
            });
            if !quiet.unwrap_or(false) {
                loud(info);
            }
        }));
    });
}

/// What a panic says.
fn message(payload: &dyn Any) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or(payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic").to_owned()
}

/// Two threads that race. Neither is the model's own, so that which one goes first costs no preemption.
pub fn race<A: 'static, B: 'static>(
    one: impl FnOnce() -> A + 'static,
    two: impl FnOnce() -> B + 'static,
) -> (A, B) {
    let (one, two) = (loom::thread::spawn(one), loom::thread::spawn(two));
    (one.join().unwrap(), two.join().unwrap())
}

/// What a thread did, told at once: it may die. No part of the model.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u64>>>);

impl Log {
    pub fn note(&self, value: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(value);
    }
    pub fn all(&self) -> Vec<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Whether a list only grows, and so has nothing twice.
pub fn grows(values: &[u64]) -> bool {
    values.is_sorted_by(|a, b| a < b)
}

/// Models and their twins: each model passes, and fails with each of the places weakened.
macro_rules! models {
    ($($name:ident: $body:path { $($twin:ident: $place:literal),+ $(,)? })+) => {
        pub const MODELS: &[$crate::explore::Model] = &[$((stringify!($name), $body)),+];
        $(
            #[test]
            fn $name() {
                $body();
            }
            $(#[test]
            fn $twin() {
                $crate::explore::twin($place, $body);
            })+
        )+
    };
}
pub(crate) use models;

/// A planted bug: the model must fail.
pub fn twin(place: &'static str, model: fn()) {
    let verdict = with_planted(place, model);
    assert!(
        matches!(verdict, Verdict::Failed(_)),
        "the model does not fail with {place} weakened: {verdict:?}"
    );
}

/// Runs `life` and lets it die at its access number `k`. True if it died.
pub fn mortal(k: u32, life: impl FnOnce()) -> bool {
    fuse(k);
    let end = catch_unwind(AssertUnwindSafe(life));
    fuse(0);
    match end {
        Ok(()) => false,
        Err(cause) if cause.is::<Killed>() => true,
        Err(cause) => resume_unwind(cause),
    }
}
