//! x
use slipring_model::check::search;
use slipring_model::config::{Bug, Config};
fn main() {
    println!("{} {} {}", size_of::<slipring_model::state::State>(), size_of::<slipring_model::actor::Actor>(), size_of::<slipring_model::actor::Pc>());
    let which = std::env::args().nth(1).unwrap_or_default();
    let c = match which.as_str() {
        "p1" => Config { quota: &[2,1], observer: true, crashes: 1, ..Config::new("p1") },
        "p2" => Config { quota: &[1,1,1], observer: true, crashes: 2, ..Config::new("p2") },
        "p3" => Config { quota: &[2,2,2], observer: true, crashes: 2, ..Config::new("p3") },
        "c1" => Config { quota: &[3], consumers: 2, crashes: 1, ..Config::new("c1") },
        "c2" => Config { quota: &[3], consumers: 2, crashes: 2, retries: 1, ..Config::new("c2") },
        "c3" => Config { quota: &[3], consumers: 2, crashes: 2, retries: 1, hold: 2, ..Config::new("c3") },
        "a1" => Config { quota: &[1,1,1], consumers: 2, crashes: 2, ..Config::new("a1") },
        "s1" => Config { blocks: 4, quota: &[1,2,1], claims: &[&[2],&[1,1]], observer: true, crashes: 2, ..Config::new("s1") },
        "s2" => Config { blocks: 4, quota: &[2,2], claims: &[&[2],&[1,1]], observer: true, crashes: 2, ..Config::new("s2") },
        "s3" => Config { blocks: 4, quota: &[3,3], claims: &[&[2],&[1,1],&[1]], observer: true, crashes: 2, ..Config::new("s3") },
        "s4" => Config { blocks: 4, quota: &[3,2], claims: &[&[2],&[1,1],&[1]], observer: true, crashes: 2, ..Config::new("s4") },
        "a2" => Config { quota: &[1,1,1], consumers: 2, crashes: 2, leave: false, ..Config::new("a2") },
        "a3" => Config { quota: &[1,1,1], consumers: 2, crashes: 2, leave: false, blocks: 4, ..Config::new("a3") },
        "k1" => Config { quota: &[2,1], consumers: 1, observer: true, close: true, crashes: 2, ..Config::new("k1") },
        "k2" => Config { quota: &[2,2], observer: true, close: true, crashes: 2, ..Config::new("k2") },
        "r1" => Config { quota: &[2,2], observer: true, comebacks: 1, crashes: 2, ..Config::new("r1") },
        "r2" => Config { quota: &[3], consumers: 2, comebacks: 1, quits: 1, crashes: 1, retries: 1, ..Config::new("r2") },
        "r3" => Config { quota: &[3], consumers: 2, comebacks: 1, crashes: 2, ..Config::new("r3") },
        "p4" => Config { quota: &[4,1], observer: true, crashes: 1, ..Config::new("p4") },
        "j1" => Config { blocks: 2, quota: &[3,1], consumers: 1, crashes: 1, ..Config::new("j1") },
        _ => Config { quota: &[2], observer: true, ..Config::new("p0") },
    };
    let c = if std::env::var("NOSYM").is_ok() { Config { symmetry: false, ..c } } else { c };
    let c = match std::env::var("CR") { Ok(n) => Config { crashes: n.parse().unwrap(), ..c }, _ => c };
    let c = match std::env::var("BUG") { Ok(b) => Config { bug: Bug::ALL.iter().copied().find(|x| format!("{x:?}") == b), ..c }, _ => c };
    let o = search(&c, 2);
    println!("{} states {} transitions {} depth {} time {:?}", c.name, o.states, o.transitions, o.depth, o.time);
    for (name, path) in &o.broken {
        println!("BROKEN {name}");
        if std::env::args().nth(2).is_some() {
            for (state, action) in path.clone().into_vec() { println!("{action:?}\n  {state:?}"); }
        } else { for l in slipring_model::check::tell(path.clone()) { println!("  {l}"); } }
    }
}
