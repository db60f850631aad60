//! Searches all configurations of `runs.rs`, and shows that each planted mistake is caught. With `SLIPRING_SOAK=1` also
//! the larger ones. Arguments, if any, are parts of the names of what to run.

use slipring_model::check::{Outcome, progress, search, tell};
use slipring_model::config::{Bug, Config};
use slipring_model::runs;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let runs =
        |name: &str| wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()));
    let mut configs = vec![runs::all_together()];
    configs.extend(runs::rooms());
    if std::env::var_os("SLIPRING_SOAK").is_some_and(|value| value != "0") {
        configs.extend(runs::soak());
    }
    let mut good = true;
    println!("planted mistakes");
    for bug in Bug::ALL.iter().filter(|bug| runs(&format!("{bug:?}"))) {
        good &= caught(*bug);
    }
    println!(
        "\n{:<44} {:>10} {:>11} {:>6} {:>8}",
        "searched", "states", "steps", "depth", "seconds"
    );
    for config in configs.iter().filter(|config| runs(config.name)) {
        good &= holds(config);
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A mistake is caught if some promise is broken, or a run never ends.
fn caught(bug: Bug) -> bool {
    let config = runs::caught_in(bug);
    let outcome = search(&config, 2);
    let (how, length) = match outcome.broken.into_iter().next() {
        Some((promise, run)) => (format!("not: {promise}"), run.into_actions().len()),
        None => match progress(&config).cycle {
            Some((_, length)) => ("a run that never ends".into(), length),
            None => ("NOT CAUGHT".into(), 0),
        },
    };
    println!("  {:<28} {:<22} {how}, in {length} steps", format!("{bug:?}"), config.name);
    length > 0
}

/// Both searches, side by side.
fn holds(config: &Config) -> bool {
    let begun = Instant::now();
    let (outcome, progress) = std::thread::scope(|scope| {
        let progress = scope.spawn(|| progress(config));
        (search(config, 1), progress.join().expect("the search for endless runs does not panic"))
    });
    let Outcome { states, transitions, depth, broken } = outcome;
    let seconds = begun.elapsed().as_secs_f64();
    println!("{:<44} {states:>10} {transitions:>11} {depth:>6} {seconds:>8.1}", config.name);
    let good = broken.is_empty() && progress.cycle.is_none();
    for (promise, run) in broken {
        println!("BROKEN: {promise}");
        tell(run).iter().for_each(|line| println!("  {line}"));
    }
    if let Some((state, _)) = &progress.cycle {
        println!("ENDLESS: {state:?}");
    }
    let agree = !good || states == progress.states;
    if !agree {
        println!("THE SEARCHES DISAGREE: {} states depth first", progress.states);
    }
    good && agree
}
