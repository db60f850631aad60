//! The engine's speed, subject by subject, measured by criterion: `cargo bench --bench engine [FILTER]`. `-- --test` runs each once.
//!
//! Sides are processes, each on a core of its own as far as there are cores; `line` is what the cores themselves take. A virtual
//! machine's cores may be moved nearer to each other or farther apart between two runs, which changes everything: compare figures
//! only if `line` was the same.

#[path = "engine/attach.rs"]
mod attach;
#[path = "engine/batches.rs"]
mod batches;
#[path = "engine/common.rs"]
mod common;
#[path = "common/cores.rs"]
mod cores;
#[path = "engine/fanout.rs"]
mod fanout;
#[path = "engine/growth.rs"]
mod growth;
#[path = "engine/line.rs"]
mod line;
#[path = "engine/one_way.rs"]
mod one_way;
#[path = "engine/producers.rs"]
mod producers;
#[path = "engine/recovery.rs"]
mod recovery;
#[path = "engine/round_trip.rs"]
mod round_trip;
#[path = "engine/sides.rs"]
mod sides;
#[path = "engine/wake.rs"]
mod wake;
#[path = "engine/workers.rs"]
mod workers;

use criterion::Criterion;
use std::time::Duration;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let args: Vec<&str> = args.iter().skip(1).map(String::as_str).collect();
    if let ["--side", core, role, args @ ..] = args.as_slice() {
        return sides::play(core, role, args);
    }
    cores::pin(common::core(0));
    let mut criterion = Criterion::default()
        .sample_size(12)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1500))
        .nresamples(10_000)
        .configure_from_args();
    for bench in [
        line::bench,
        round_trip::bench,
        one_way::bench,
        batches::bench,
        producers::bench,
        workers::bench,
        fanout::bench,
        wake::bench,
        recovery::bench,
        attach::bench,
        growth::bench,
    ] {
        bench(&mut criterion);
    }
    criterion.final_summary();
}
