//! Every named place weakened in turn: what catches it, compared with docs/orderings.md.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::explore::{Model, Verdict, names_of, with_planted};

/// The sources that are compiled into this crate and name places.
const SOURCES: [&str; 9] = [
    include_str!("../../src/group.rs"),
    include_str!("../../src/group/solitude.rs"),
    include_str!("../../src/queue/lossy.rs"),
    include_str!("../../src/layout.rs"),
    include_str!("../../src/recover.rs"),
    include_str!("../../src/ring.rs"),
    include_str!("../../src/ring/gate.rs"),
    include_str!("../../src/ring/publisher.rs"),
    include_str!("../../src/wait.rs"),
];
const TABLE: &str = include_str!("../../docs/orderings.md");

/// What the table says catches a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Catch {
    By(&'static str),
    /// Nothing, for a reason that stands in the table.
    None,
    /// Not searched yet.
    Open,
}

fn models() -> Vec<Model> {
    [
        crate::close::MODELS,
        crate::gate::MODELS,
        crate::lossy_reader::MODELS,
        crate::publish::MODELS,
        crate::recovery::MODELS,
        crate::solitude::MODELS,
        crate::waiting::MODELS,
    ]
    .concat()
}

/// The places of the sources and how each is written: an ordering, or a re-check or fence that can be left out.
fn places() -> BTreeMap<&'static str, &'static str> {
    let mut places = BTreeMap::new();
    for source in SOURCES {
        for (at, _) in source.match_indices("order!(\"") {
            let mut parts = source[at..].split(['"', ',', ')']).skip(1);
            let (name, _, order) = (parts.next(), parts.next(), parts.next());
            let order = order.expect("an ordering").trim();
            let other = places.insert(name.expect("a name"), order);
            assert!(other.is_none_or(|other| other == order), "{name:?} is written in two ways");
        }
        for (at, _) in source.match_indices("recheck!(\"") {
            let name = source[at..].split('"').nth(1).expect("a name");
            places.insert(name, "re-check");
        }
    }
    places
}

/// The table's rows: place, how it is written, what catches it.
fn rows() -> BTreeMap<&'static str, (&'static str, Catch)> {
    let mut rows = BTreeMap::new();
    for line in TABLE.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, _place, written, _partner, reason, caught] = cells[..] else {
            panic!("not six columns: {line}");
        };
        assert!(!reason.is_empty(), "no reason: {line}");
        let caught = match caught.strip_prefix("none: ") {
            Some(why) if !why.is_empty() => Catch::None,
            Some(_) => panic!("no reason for none: {line}"),
            None if caught.starts_with("open: ") => Catch::Open,
            None => Catch::By(caught.trim_matches('`')),
        };
        let twice = rows.insert(name.trim_matches('`'), (written, caught));
        assert!(twice.is_none(), "twice in the table: {name}");
    }
    rows
}

#[test]
fn mutants_table_is_of_these_sources() {
    let (places, rows) = (places(), rows());
    let named: BTreeMap<_, _> = rows.iter().map(|(name, row)| (*name, row.0)).collect();
    for (name, written) in &places {
        assert_eq!(named.get(name), Some(written), "docs/orderings.md on {name}");
    }
    for name in named.keys() {
        assert!(places.contains_key(name), "docs/orderings.md has {name}, the sources do not");
    }
}

/// What a place's mutants came to: who caught it, who could not, and one line of what it looked like.
struct Result {
    name: &'static str,
    written: &'static str,
    caught: Vec<&'static str>,
    said: String,
    passed: usize,
    too_large: usize,
}

/// Weakens one place in the models that come by it: until one of them catches it, or in all of them.
fn weaken(
    name: &'static str,
    written: &'static str,
    models: &[(Model, BTreeSet<&'static str>)],
    first: Option<&str>,
    all: bool,
) -> Result {
    let mut result =
        Result { name, written, caught: Vec::new(), said: String::new(), passed: 0, too_large: 0 };
    let mut by: Vec<_> = models.iter().filter(|(_, names)| names.contains(name)).collect();
    by.sort_by_key(|((model, _), _)| Some(*model) != first);
    for ((model, body), _) in by {
        match with_planted(name, *body) {
            Verdict::Passed => result.passed += 1,
            Verdict::TooLarge => result.too_large += 1,
            Verdict::Failed(said) => {
                if result.caught.is_empty() {
                    result.said = said.lines().next().unwrap_or_default().to_owned();
                }
                result.caught.push(model);
                if !all {
                    break;
                }
            }
        }
    }
    result
}

/// Does `work` for each item, on as many threads as there are processors.
fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = work(item);
                    results.lock().unwrap().push(result);
                }
            });
        }
    });
    results.into_inner().unwrap()
}

impl Result {
    fn by(&self) -> String {
        if self.caught.is_empty() { "none".to_owned() } else { self.caught.join(" ") }
    }

    fn print(&self) {
        let to = if self.written == "re-check" { "left out" } else { "Relaxed" };
        let (name, written, passed, by) = (self.name, self.written, self.passed, self.by());
        println!("mutant {name:<20} {written:<9} {to:<9} {passed:>3}  {by}  {}", self.said);
        if self.too_large > 0 {
            println!("    {} models grew too large to say anything", self.too_large);
        }
    }
}

/// `SLIPRING_MUTANTS=all` lists every model that catches a place, not only one.
#[test]
#[ignore = "run by tests/mutants.sh"]
fn mutants() {
    let all = std::env::var("SLIPRING_MUTANTS").is_ok_and(|value| value == "all");
    let start = Instant::now();
    let rows = rows();
    let mut traced = in_parallel(&models(), |model| {
        let start = Instant::now();
        let names = names_of(model.1);
        (start.elapsed(), (*model, names))
    });
    // Cheap ones first.
    traced.sort_by_key(|(time, _)| *time);
    let traced: Vec<_> = traced.into_iter().map(|(_, model)| model).collect();
    println!("models took {:.1?}", start.elapsed());
    println!("place, written, weakened to, models that it passed, the one that failed and how");
    let jobs: Vec<_> = places().into_iter().collect();
    let results = in_parallel(&jobs, |(name, written)| {
        let first = match rows.get(name) {
            Some((_, Catch::By(model))) => Some(*model),
            _ => None,
        };
        let result = weaken(name, written, &traced, first, all);
        result.print();
        result
    });
    let mut wrong = Vec::new();
    for result in &results {
        let expected = rows.get(result.name).map(|row| row.1);
        let fits = match expected {
            Some(Catch::By(model)) => result.caught.contains(&model),
            Some(Catch::None) => result.caught.is_empty(),
            Some(Catch::Open) => true,
            None => false,
        };
        if !fits {
            let by = result.by();
            wrong.push(format!("{}: {by}, but docs/orderings.md says {expected:?}", result.name));
        }
    }
    let caught = results.iter().filter(|result| !result.caught.is_empty()).count();
    println!("{} places, {caught} caught, in {:.0?}", results.len(), start.elapsed());
    assert!(wrong.is_empty(), "docs/orderings.md is not right:\n{}", wrong.join("\n"));
}
