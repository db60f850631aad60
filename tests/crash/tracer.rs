//! A child that is single-stepped through one operation and killed after a given number of machine instructions.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;

use crate::common::TempDir;
use crate::traced::{Shared, Traced, Victim};
use crate::world::World;

/// More instructions than any operation has; one that goes further hangs.
const ENDLESS: u64 = 3_000_000;
const BREAKPOINT: u64 = 0xcc;
const SYSCALL: u64 = 0x050f;

/// What the tracer is to do with a victim.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Plan {
    /// Step through all of it, and note after which instructions the world outside had changed.
    Survey,
    /// Kill it after so many instructions.
    Kill(u64),
    /// Let it finish at full speed, then kill it.
    Finish,
}

/// How a victim ended.
#[derive(Clone, Default, Debug)]
pub struct End {
    /// Calls that had returned to its application.
    pub returned: u32,
    /// It got to its end; else it was killed on the way.
    pub finished: bool,
    pub steps: u64,
    /// Survey: kills after these many instructions leave states that differ from the one before.
    pub changes: Vec<u64>,
    /// Survey: the way it took.
    pub route: Option<Route>,
    /// It is not where a surveyed victim was after so many instructions.
    pub strayed: bool,
    /// Where it was, for addr2line.
    pub address: u64,
    /// A panic, a signal, or no end.
    pub trouble: Option<String>,
}

/// Forks a victim, runs it as planned, and waits until the kernel is done with it.
pub fn run(
    shared: &Shared,
    plan: Plan,
    route: Option<&Route>,
    dir: &TempDir,
    body: impl FnOnce(&Victim) -> Infallible,
) -> End {
    let child = Traced::fork(shared, body);
    let mut end = End::default();
    if let Err(trouble) = child.go(shared, plan, route, dir, &mut end) {
        end.trouble = Some(trouble);
    }
    end.returned = shared.returned();
    end.finished = shared.is_done();
    end.address = child.address();
    child.kill();
    if let Some(panic) = shared.panic() {
        end.trouble = Some(format!("the victim panicked: {panic}"));
    }
    end
}

impl Traced {
    fn go(
        &self,
        shared: &Shared,
        plan: Plan,
        route: Option<&Route>,
        dir: &TempDir,
        end: &mut End,
    ) -> Result<(), String> {
        // To the start mark, at full speed.
        self.wait_for_start()?;
        match plan {
            Plan::Finish => self.resume(libc::PTRACE_CONT),
            Plan::Survey => self.survey(shared, dir, end),
            Plan::Kill(after) => {
                if let Some(route) = route {
                    end.steps = self.follow(route, after)?;
                }
                while end.steps < after && shared.is_running() {
                    self.resume(libc::PTRACE_SINGLESTEP)?;
                    end.steps += 1;
                }
                // The end is where a victim that took another way would be, too.
                let expected = route.and_then(|route| route.stops.get(after as usize));
                end.strayed = expected.is_some_and(|stop| stop.at != self.instruction_pointer());
                Ok(())
            }
        }
    }

    fn survey(&self, shared: &Shared, dir: &TempDir, end: &mut End) -> Result<(), String> {
        let mut world = World::look(dir);
        let mut way = vec![self.instruction_pointer()];
        let mut calls = HashMap::new();
        while shared.is_running() {
            let at = way[way.len() - 1];
            let call = *calls.entry(at).or_insert_with(|| self.peek(at) & 0xffff == SYSCALL);
            self.resume(libc::PTRACE_SINGLESTEP)?;
            end.steps += 1;
            way.push(self.instruction_pointer());
            if world.changed(dir, call) {
                end.changes.push(end.steps);
            }
            if end.steps == ENDLESS {
                return Err("the operation does not end".into());
            }
        }
        end.route = Some(Route::of(&way));
        Ok(())
    }

    /// Runs at full speed to the last good place for a breakpoint. Returns how many instructions that were.
    fn follow(&self, route: &Route, after: u64) -> Result<u64, String> {
        let Some(stop) = route.stops.get(after as usize).map(|stop| stop.anchor) else {
            return Ok(0);
        };
        let Anchor { index, occurrence } = stop;
        let at = route.stops[index].at;
        let code = self.peek(at);
        if occurrence == 0 || !self.poke(at, code & !0xff | BREAKPOINT) {
            return Ok(0);
        }
        for turn in 1..=occurrence {
            self.resume(libc::PTRACE_CONT)?;
            if self.instruction_pointer() != at + 1 {
                // The end mark: it went another way, which the caller finds out.
                return Ok(index as u64);
            }
            self.poke(at, code);
            self.go_to(at);
            if turn < occurrence {
                self.resume(libc::PTRACE_SINGLESTEP)?;
                self.poke(at, code & !0xff | BREAKPOINT);
            }
        }
        Ok(index as u64)
    }
}

/// The way of a surveyed victim, and how to get to each place on it quickly.
#[derive(Clone, Debug)]
pub struct Route {
    stops: Vec<Stop>,
}

#[derive(Clone, Copy, Debug)]
struct Stop {
    at: u64,
    anchor: Anchor,
}

/// Where to set a breakpoint: the place after `index` instructions, met for the `occurrence`-th time. 0: nowhere.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    index: usize,
    occurrence: u64,
}

impl Route {
    fn of(way: &[u64]) -> Self {
        // A repeated string instruction is many steps and one breakpoint.
        let repeated: HashSet<u64> =
            way.windows(2).filter(|two| two[0] == two[1]).map(|two| two[0]).collect();
        let mut met: HashMap<u64, u64> = HashMap::new();
        let (mut anchor, mut cost) = (Anchor { index: 0, occurrence: 0 }, 0);
        let stops = way.iter().enumerate().map(|(index, at)| {
            let occurrence = *met.entry(*at).and_modify(|count| *count += 1).or_insert(1);
            cost += 1;
            if 2 * occurrence < cost && !repeated.contains(at) {
                (anchor, cost) = (Anchor { index, occurrence }, 2 * occurrence);
            }
            Stop { at: *at, anchor }
        });
        Self { stops: stops.collect() }
    }
}
