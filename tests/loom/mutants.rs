//! Every named place weakened in turn: what catches it, compared with docs/orderings.md.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::explore::{Model, Verdict, names_of, with_planted};

/// The sources that are compiled into this crate and name places.
const SOURCES: [&str; 10] = [
    include_str!("../../src/group.rs"),
    include_str!("../../src/group/fast.rs"),
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

/// Weakens one place in each of these models, or only until one of them catches it.
fn weaken(name: &'static str, written: &'static str, models: &[Model], all: bool) -> Result {
    let mut result =
        Result { name, written, caught: Vec::new(), said: String::new(), passed: 0, too_large: 0 };
    for (model, body) in models {
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

/// What `SLIPRING_MUTANTS` asks for.
enum Search {
    /// Nothing: only what the table says is caught, each place in the model that it names.
    Caught,
    /// `none`: what the table says nobody catches, in every model.
    None,
    /// `all`: every place in every model.
    All,
    /// Names of places, in every model.
    Named(Vec<String>),
}

impl Search {
    fn asked_for() -> Self {
        match std::env::var("SLIPRING_MUTANTS").as_deref().unwrap_or("").trim() {
            "" | "caught" => Self::Caught,
            "none" => Self::None,
            "all" => Self::All,
            names => Self::Named(names.split_whitespace().map(str::to_owned).collect()),
        }
    }

    fn wants(&self, name: &str, row: Option<Catch>) -> bool {
        match self {
            Self::Caught => matches!(row, Some(Catch::By(_))),
            Self::None => row == Some(Catch::None),
            Self::All => true,
            Self::Named(names) => names.iter().any(|wanted| wanted == name),
        }
    }
}

/// The models that come by each place; cheap models first.
fn reach() -> impl Fn(&str) -> Vec<Model> {
    let mut traced = in_parallel(&models(), |model| {
        let start = Instant::now();
        let names = names_of(model.1);
        (start.elapsed(), *model, names)
    });
    traced.sort_by_key(|(time, ..)| *time);
    move |name| {
        let by = traced.iter().filter(|(_, _, names)| names.contains(name));
        by.map(|(_, model, _)| *model).collect()
    }
}

/// Who is to catch each place.
fn jobs(search: &Search) -> Vec<(&'static str, &'static str, Vec<Model>)> {
    let rows = rows();
    let row = |name: &str| rows.get(name).map(|row| row.1);
    let wanted = places().into_iter().filter(|(name, _)| search.wants(name, row(name)));
    if let Search::Caught = search {
        let named = |name: &str| -> Vec<Model> {
            let is_named = |model: &Model| row(name) == Some(Catch::By(model.0));
            models().into_iter().filter(is_named).collect()
        };
        return wanted.map(|(name, written)| (name, written, named(name))).collect();
    }
    let reach = reach();
    wanted.map(|(name, written)| (name, written, reach(name))).collect()
}

/// One place after another; see tests/mutants.sh.
#[test]
#[ignore = "run by tests/mutants.sh"]
fn mutants() {
    let start = Instant::now();
    let search = Search::asked_for();
    let jobs = jobs(&search);
    println!(
        "{} places, written, weakened to, models that it passed, those that failed and how",
        jobs.len()
    );
    let results = in_parallel(&jobs, |(name, written, models)| {
        let result = weaken(name, written, models, !matches!(search, Search::Caught));
        result.print();
        result
    });
    let rows = rows();
    let mut wrong = Vec::new();
    for result in &results {
        let expected = rows.get(result.name).map(|row| row.1);
        let fits = match expected {
            Some(Catch::By(model)) => result.caught.contains(&model),
            Some(Catch::None) => result.caught.is_empty(),
            None => false,
        };
        if !fits {
            let by = result.by();
            wrong.push(format!("{}: {by}, but docs/orderings.md says {expected:?}", result.name));
        }
    }
    let caught = results.iter().filter(|result| !result.caught.is_empty()).count();
    println!("{} places, {caught} caught, in {:.0?}", results.len(), start.elapsed());
    assert!(!results.is_empty(), "no such place");
    assert!(wrong.is_empty(), "docs/orderings.md is not right:\n{}", wrong.join("\n"));
}
