//! The searches.

use crate::config::Config;
use crate::model::{Action, Protocol};
use crate::state::State;
use stateright::{Checker, HasDiscoveries, Model, Path};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What an exhaustive search came to.
pub struct Outcome {
    /// Distinct states.
    pub states: usize,
    /// Steps between them.
    pub transitions: usize,
    /// Length of the longest shortest run.
    pub depth: usize,
    /// How long it took.
    pub time: Duration,
    /// Broken promises, with the runs that break them.
    pub broken: BTreeMap<&'static str, Path<State, Action>>,
}

/// Searches all of `config`, or up to the first broken promise.
pub fn search(config: &Config, threads: usize) -> Outcome {
    let begun = Instant::now();
    let checker = Protocol(config.clone())
        .checker()
        .threads(threads)
        .finish_when(HasDiscoveries::Any)
        .spawn_bfs()
        .join();
    Outcome {
        states: checker.unique_state_count(),
        transitions: checker.state_count() - 1,
        depth: checker.max_depth(),
        time: begun.elapsed(),
        broken: checker.discoveries().into_iter().collect(),
    }
}

/// A run in words: who did what, and how the shared words stood after it.
pub fn tell(path: Path<State, Action>) -> Vec<String> {
    let steps: Vec<(State, Option<Action>)> = path.into_vec();
    let after = steps.iter().skip(1).map(|(state, _)| state);
    steps.iter().zip(after).filter_map(|((before, action), after)| Some(line(before, (*action)?, after))).collect()
}

fn line(before: &State, action: Action, after: &State) -> String {
    let pc = before.actor(action.who).pc;
    let shared = |s: &State| {
        let words = format!(
            "tail {} gate {} mode {:?} stamps {:?} len {:?} group {:?} {:?} floor {} claims {:?}",
            s.tail, s.gate, s.mode, s.stamps, s.extents, s.group.state, s.group.mode, s.group.floor, s.claims
        );
        let rows = s.rows.iter().filter(|row| row.active).map(|row| (row.announced, row.blocks));
        format!("{words} rows {:?} lock {}", rows.collect::<Vec<_>>(), s.registry)
    };
    let change = if shared(before) == shared(after) { String::new() } else { shared(after) };
    format!("{} {:?} at {pc:?}  {change}", action.who, action.what)
}
