//! The searches.

use crate::config::Config;
use crate::model::{Action, Protocol};
use crate::state::State;
use stateright::{Checker, HasDiscoveries, Model, Path};
use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// What an exhaustive search came to.
pub struct Outcome {
    /// Distinct states.
    pub states: usize,
    /// Steps between them.
    pub transitions: usize,
    /// Length of the longest shortest run.
    pub depth: usize,
    /// Broken promises, with the runs that break them.
    pub broken: BTreeMap<&'static str, Path<State, Action>>,
}

/// Searches all of `config`, or up to the first broken promise.
pub fn search(config: &Config, threads: usize) -> Outcome {
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
        broken: checker.discoveries().into_iter().collect(),
    }
}

/// What is known about endless runs.
pub struct Progress {
    /// Distinct states; the same number as [`Outcome::states`], since both see the same graph.
    pub states: usize,
    /// A state that can be reached from itself, and in how many steps from the start it was come back to.
    pub cycle: Option<(State, usize)>,
}

/// Looks for a run that comes back to a state, depth first over all of the graph. Stateright's `eventually` is not sound
/// where runs come together, so liveness is shown in two parts: no run is endless (here), and no run ends badly
/// ("nobody is stuck" in `properties.rs`). Together: every run, whatever the scheduler does, gets where it should.
pub fn progress(config: &Config) -> Progress {
    let model = Protocol(config.clone());
    let mut seen = Prints::default();
    let mut path = Prints::default();
    let mut stack: Vec<(State, u64, Vec<Action>)> = Vec::new();
    let actions_of = |state: &State| {
        let mut actions = Vec::new();
        model.actions(state, &mut actions);
        actions
    };
    for state in model.init_states() {
        let print = print_of(&state);
        seen.insert(print);
        path.insert(print);
        let actions = actions_of(&state);
        stack.push((state, print, actions));
    }
    while let Some((state, print, actions)) = stack.last_mut() {
        let Some(action) = actions.pop() else {
            path.remove(print);
            stack.pop();
            continue;
        };
        let Some(next) = model.next_state(state, action) else { continue };
        let print = print_of(&next);
        if path.contains(&print) {
            return Progress { states: seen.len(), cycle: Some((next, stack.len())) };
        }
        if seen.insert(print) {
            path.insert(print);
            let actions = actions_of(&next);
            stack.push((next, print, actions));
        }
    }
    Progress { states: seen.len(), cycle: None }
}

/// Fingerprints of states.
type Prints = HashSet<u64, BuildHasherDefault<AsItIs>>;

fn print_of(state: &State) -> u64 {
    let mut mixer = Mixer(0);
    state.hash(&mut mixer);
    mixer.finish()
}

/// 64 bits of a state: two different ones out of `n` look alike with a probability of about `n * n / 2^65`.
struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        let mixed = (self.0 ^ (self.0 >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        mixed ^ (mixed >> 32)
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("states come packed in words")
    }

    fn write_u64(&mut self, word: u64) {
        let product = u128::from(self.0.rotate_left(23) ^ word ^ 0x9e37_79b9_7f4a_7c15)
            * 0xa076_1d64_78bd_642f;
        self.0 = (product as u64) ^ ((product >> 64) as u64) ^ word.rotate_left(32);
    }
}

/// Fingerprints are hashes already.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only fingerprints are hashed")
    }

    fn write_u64(&mut self, print: u64) {
        self.0 = print;
    }
}

/// A run in words: who did what, and how the shared words stood after it.
pub fn tell(path: Path<State, Action>) -> Vec<String> {
    let steps: Vec<(State, Option<Action>)> = path.into_vec();
    let after = steps.iter().skip(1).map(|(state, _)| state);
    steps
        .iter()
        .zip(after)
        .filter_map(|((before, action), after)| Some(line(before, (*action)?, after)))
        .collect()
}

fn line(before: &State, action: Action, after: &State) -> String {
    let pc = before.actor(action.who).pc;
    let shared = |s: &State| {
        let words = format!(
            "tail {} gate {} mode {:?} stamps {:?} len {:?} group {:?} {:?} floor {} claims {:?}",
            s.tail,
            s.gate,
            s.mode,
            s.stamps,
            s.extents,
            s.group.state,
            s.group.mode,
            s.group.floor,
            s.claims
        );
        let rows = s.rows.iter().filter(|row| row.active).map(|row| (row.announced, row.blocks));
        format!("{words} rows {:?} lock {}", rows.collect::<Vec<_>>(), s.registry)
    };
    let change = if shared(before) == shared(after) { String::new() } else { shared(after) };
    format!("{} {:?} at {pc:?}  {change}", action.who, action.what)
}
