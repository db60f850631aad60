//! x
use slipring_model::check::search;
use slipring_model::config::Config;
fn main() {
    let which = std::env::args().nth(1).unwrap_or_default();
    let c = match which.as_str() {
        "p1" => Config { quota: &[2,1], observer: true, crashes: 1, ..Config::new("p1") },
        "p2" => Config { quota: &[1,1,1], observer: true, crashes: 2, ..Config::new("p2") },
        "p3" => Config { quota: &[2,2,2], observer: true, crashes: 2, ..Config::new("p3") },
        "c1" => Config { quota: &[3], consumers: 2, crashes: 1, ..Config::new("c1") },
        "c2" => Config { quota: &[3], consumers: 2, crashes: 2, retries: 1, ..Config::new("c2") },
        "c3" => Config { quota: &[3], consumers: 2, crashes: 2, retries: 1, hold: 2, ..Config::new("c3") },
        "a1" => Config { quota: &[1,1,1], consumers: 2, crashes: 2, ..Config::new("a1") },
        _ => Config { quota: &[2], observer: true, ..Config::new("p0") },
    };
    let c = if std::env::var("NOSYM").is_ok() { Config { symmetry: false, ..c } } else { c };
    let o = search(&c, 2);
    println!("{} states {} transitions {} depth {} time {:?}", c.name, o.states, o.transitions, o.depth, o.time);
    for (name, path) in &o.broken {
        println!("BROKEN {name}");
        if std::env::args().nth(2).is_some() {
            for (state, action) in path.clone().into_vec() { println!("{action:?}\n  {state:?}"); }
        } else { for l in slipring_model::check::tell(path.clone()) { println!("  {l}"); } }
    }
}
