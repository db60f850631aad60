//! Slipring and its peers at the same work, in one run: see README.md.

mod cell;
mod contenders;
mod control;
mod goals;
mod machine;
mod measure;
mod message;
mod peer;
mod plots;
mod report;
mod roles;
mod rows;
mod steps;
mod sys;
mod work;

use std::path::{Path, PathBuf};

use cell::Share;
use contenders::Contender;
use measure::Plan;

/// Whatever went wrong, in words.
pub type Error = Box<dyn std::error::Error>;
/// What may go wrong.
pub type Result<T> = std::result::Result<T, Error>;

const USAGE: &str = "usage:
    peers [--out DIR] [--repeats N] [--millis N] [--quick] [--only CONTENDER]
        measures, and writes results.jsonl and the report into DIR (target/bench at the root); 8 repeats of 100 ms
    peers report DIR
        writes the report anew from DIR/results.jsonl
    peers steps
        prints what a message costs on one core: instructions, as valgrind counts them, and time
";

fn main() -> std::process::ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&args.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peers: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &[&str]) -> Result<()> {
    match args {
        // How this program starts itself.
        ["cell", task] => work(task, Share::Whole),
        ["role", role, task] => work(task, Share::Role(role.parse()?)),
        ["steps", rounds, task] => work(task, Share::Alone(serde_json::from_str(rounds)?)),
        ["steps"] => steps::print(),
        ["report", dir] => report::write(Path::new(dir)),
        ["--help" | "-h"] => {
            print!("{USAGE}");
            Ok(())
        }
        options => measure(options),
    }
}

fn work(task: &str, share: Share) -> Result<()> {
    let task: work::Task = serde_json::from_str(task)?;
    let contender = Contender::find(&task.contender).ok_or("no such contender")?;
    println!("{}", serde_json::to_string(&contender.run(&task, share)?)?);
    Ok(())
}

fn measure(options: &[&str]) -> Result<()> {
    let mut plan = Plan { repeats: 8, millis: 100, only: None };
    let mut out = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/bench");
    let mut options = options.iter();
    while let Some(&option) = options.next() {
        let mut value =
            || options.next().copied().ok_or(format!("{option} needs a value\n{USAGE}"));
        match option {
            "--quick" => (plan.repeats, plan.millis) = (1, 10),
            "--repeats" => plan.repeats = value()?.parse()?,
            "--millis" => plan.millis = value()?.parse()?,
            "--only" => plan.only = Some(value()?.to_owned()),
            "--out" => out = PathBuf::from(value()?),
            _ => return Err(format!("no option {option}\n{USAGE}").into()),
        }
    }
    std::fs::create_dir_all(&out)?;
    rows::write(&out, &measure::run(&plan)?)?;
    report::write(&out)
}
