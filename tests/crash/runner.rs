//! Runs operations once for every instruction that a victim can be killed at, and keeps the score.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::case::Case;
use crate::traced::{Shared, stay_on_one_processor};
use crate::tracer::{End, Plan, Route};

/// More instructions than are stepped through again and again.
const FAR: u64 = 50_000;

type Body = Box<dyn Fn(&Case) + Send + Sync>;

/// How many of an operation's instructions are killed at.
#[derive(Clone, Copy, PartialEq)]
enum Depth {
    /// Each one.
    Every,
    /// Each one that changes what others can see (shared bytes, system calls) and its neighbour, the first ones, and a
    /// sample of the rest, at which a kill leaves what it would have left an instruction earlier.
    Some,
    /// Two victims, the second one busy with what the first one left: all pairs of instructions that change what others can see.
    Pairs,
}

pub struct Operation {
    pub name: String,
    depth: Depth,
    body: Body,
}

impl Operation {
    fn new(name: impl Into<String>, depth: Depth, body: Body) -> Self {
        let soak = std::env::var_os("SLIPRING_SOAK").is_some_and(|value| value == "1");
        let depth = if soak && depth == Depth::Some { Depth::Every } else { depth };
        Self { name: name.into(), depth, body }
    }
    pub fn every(name: impl Into<String>, body: impl Fn(&Case) + Send + Sync + 'static) -> Self {
        Self::new(name, Depth::Every, Box::new(body))
    }
    pub fn some(name: impl Into<String>, body: impl Fn(&Case) + Send + Sync + 'static) -> Self {
        Self::new(name, Depth::Some, Box::new(body))
    }
    /// `whole`: every instruction also in a bounded run.
    pub fn at(
        whole: bool,
        name: impl Into<String>,
        body: impl Fn(&Case) + Send + Sync + 'static,
    ) -> Self {
        Self::new(name, if whole { Depth::Every } else { Depth::Some }, Box::new(body))
    }
    pub fn pairs(name: impl Into<String>, body: impl Fn(&Case) + Send + Sync + 'static) -> Self {
        Self::new(name, Depth::Pairs, Box::new(body))
    }
}

/// What became of one operation, or of all.
#[derive(Default, Debug)]
pub struct Score {
    pub operations: u64,
    /// Those of them of which only chosen instructions were killed at.
    pub sampled: u64,
    pub instructions: u64,
    pub kills: u64,
    pub checks: u64,
    pub violations: u64,
    /// Runs that were made again, since the victim took another way than the surveyed one.
    pub strayed: u64,
    pub examples: Vec<String>,
}

impl Score {
    fn add(&mut self, other: Score) {
        self.operations += other.operations;
        self.sampled += other.sampled;
        self.instructions += other.instructions;
        self.kills += other.kills;
        self.checks += other.checks;
        self.violations += other.violations;
        self.strayed += other.strayed;
        self.examples.extend(other.examples);
    }
}

impl std::fmt::Display for Score {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { operations, sampled, instructions, kills, checks, violations, strayed, .. } =
            self;
        write!(
            f,
            "{operations} operations ({sampled} of them sampled: each instruction that changes what others can see, its \
             neighbours, the first 50, and 50 of the rest), {instructions} instructions, {kills} kills, {checks} checks, \
             {violations} violations, {strayed} strayed"
        )
    }
}

/// Works the list down on two processors, one operation at a time on each.
pub fn run(operations: &[Operation]) -> Score {
    let only = std::env::var("SLIPRING_CRASH").unwrap_or_default();
    let chosen: Vec<&Operation> =
        operations.iter().filter(|operation| operation.name.contains(&only)).collect();
    let (next, total) = (AtomicUsize::new(0), Mutex::new(Score::default()));
    println!("instructions    kills violations strayed     time  operation");
    std::thread::scope(|scope| {
        for processor in 0..2 {
            let (next, total, chosen) = (&next, &total, &chosen);
            scope.spawn(move || {
                stay_on_one_processor(processor);
                let shared = Shared::new();
                while let Some(operation) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let start = Instant::now();
                    let score = operation.run(&shared);
                    print(&operation.name, &score, start.elapsed());
                    total.lock().unwrap().add(score);
                }
            });
        }
    });
    total.into_inner().unwrap()
}

fn print(name: &str, score: &Score, time: Duration) {
    let Score { instructions, kills, violations, strayed, .. } = score;
    let time = time.as_secs_f64();
    println!("{instructions:>12} {kills:>8} {violations:>10} {strayed:>7} {time:>7.2}s  {name}");
    for example in &score.examples {
        println!("             {example}");
    }
}

/// What one victim is to do, and the way of one that was surveyed.
type Step<'r> = (Plan, Option<&'r Route>);

impl Operation {
    /// One run of its scenario; again, stepping all the way, if a victim was not where it should have been. That is so where it
    /// looks at the clock. In an operation that spins long the kill counts where it came: the books are right for any instruction.
    fn once(&self, shared: &Shared, steps: &[Step], score: &mut Score) {
        let plans: Vec<Plan> = steps.iter().map(|(plan, _)| *plan).collect();
        let mut ends = self.attempt(shared, steps, &plans, score);
        if ends.iter().any(|end| end.strayed) {
            score.strayed += 1;
        }
        let short = plans.iter().all(|plan| !matches!(plan, Plan::Kill(after) if *after > FAR));
        if short && ends.iter().any(|end| end.strayed) {
            let slow: Vec<Step> = plans.iter().map(|plan| (*plan, None)).collect();
            ends = self.attempt(shared, &slow, &plans, score);
        }
        score.kills += ends.len() as u64;
    }

    fn attempt(
        &self,
        shared: &Shared,
        steps: &[Step],
        plans: &[Plan],
        score: &mut Score,
    ) -> Vec<End> {
        let case = Case::new(shared, steps);
        (self.body)(&case);
        score.checks += case.checks.get();
        let problems = case.problems.borrow();
        score.violations += problems.len() as u64;
        let ends = case.ends.take();
        if let Some(problem) = problems.first().filter(|_| score.examples.len() < 5) {
            let at: Vec<String> = ends.iter().map(|end| format!("{:#x}", end.address)).collect();
            score.examples.push(format!("{plans:?} at {}: {problem}", at.join(" ")));
        }
        ends
    }

    pub fn run(&self, shared: &Shared) -> Score {
        let mut score = Score { operations: 1, ..Score::default() };
        score.sampled = u64::from(self.depth == Depth::Some);
        // Things that are made once in a process or thread are made now; victims inherit them.
        let warm = [Plan::Finish; 2];
        self.attempt(shared, &warm.map(|plan| (plan, None)), &warm, &mut score);
        if self.depth == Depth::Pairs {
            self.run_pairs(shared, &mut score);
            return score;
        }
        let end = self.survey(shared, &[], &mut score);
        for kill in 0..=end.steps {
            if self.depth == Depth::Every || chosen(kill, &end) {
                self.once(shared, &[(Plan::Kill(kill), end.route.as_ref())], &mut score);
            }
        }
        score
    }

    /// Steps the last victim through without a kill.
    fn survey(&self, shared: &Shared, before: &[Step], score: &mut Score) -> End {
        let steps: Vec<Step> = before.iter().copied().chain([(Plan::Survey, None)]).collect();
        let plans: Vec<Plan> = steps.iter().map(|(plan, _)| *plan).collect();
        let end = self.attempt(shared, &steps, &plans, score).pop().expect("a victim");
        score.instructions += end.steps;
        end
    }

    fn run_pairs(&self, shared: &Shared, score: &mut Score) {
        let steps = [(Plan::Survey, None), (Plan::Finish, None)];
        let first =
            self.attempt(shared, &steps, &[Plan::Survey, Plan::Finish], score).swap_remove(0);
        score.instructions += first.steps;
        for one in [0].iter().chain(&first.changes) {
            let one = (Plan::Kill(*one), first.route.as_ref());
            let second = self.survey(shared, &[one], score);
            for two in [0].iter().chain(&second.changes) {
                self.once(shared, &[one, (Plan::Kill(*two), second.route.as_ref())], score);
            }
        }
    }
}

/// Which instructions of a long operation are killed at.
fn chosen(kill: u64, end: &End) -> bool {
    let seen = [kill.saturating_sub(1), kill, kill + 1]
        .iter()
        .any(|near| end.changes.binary_search(near).is_ok());
    seen || kill < 50 || kill.is_multiple_of((end.steps / 50).max(1))
}
