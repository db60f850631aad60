//! `slipring`, the command line: one file per command, over the crate's public API only.
//!
//! Data go to standard output, words to standard error. Exit codes are in `failure.rs`, the whole surface in `docs/cli.md`.

mod bench;
mod close;
mod completions;
mod create;
mod dead;
mod demo;
mod doctor;
mod failure;
mod group;
mod interrupt;
mod log;
mod ls;
mod man;
mod message;
mod output;
mod peek;
mod place;
mod record;
mod recv;
mod replay;
mod rm;
mod send;
mod serve;
mod stat;
mod tail;
mod top;
mod units;

use clap::{CommandFactory, Parser, Subcommand};
use std::process::ExitCode;
use tracing_subscriber::filter::LevelFilter;

/// A message queue in shared memory: work queue and pub/sub at once, no daemon, survives kill -9.
///
/// Queues live in $SLIPRING_DIR, else in /dev/shm/slipring; a NAME with a slash is a path.
/// Exit codes: 0 ok, 1 failure, 2 usage, 3 not found, 4 timeout or empty, 5 full, 6 corrupt or incompatible.
#[derive(Parser)]
#[command(name = "slipring", version, max_term_width = 100)]
struct Cli {
    /// Also say on standard error what happens rarely: off, error, warn, info, debug or trace [env: SLIPRING_LOG]
    #[arg(long, global = true, value_name = "LEVEL", value_parser = log::level)]
    log: Option<LevelFilter>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Create(create::Create),
    Ls(ls::Ls),
    Stat(stat::Stat),
    Top(top::Top),
    Send(send::Send),
    Recv(recv::Recv),
    Peek(peek::Peek),
    Tail(tail::Tail),
    Close(close::Close),
    Rm(rm::Rm),
    Group(group::Group),
    Record(record::Record),
    Replay(replay::Replay),
    #[command(subcommand)]
    Dead(dead::Dead),
    Doctor(doctor::Doctor),
    Serve(serve::Serve),
    Bench(bench::Bench),
    Demo(demo::Demo),
    Completions(completions::Completions),
    Man(man::Man),
    #[command(hide = true)]
    BenchPart(bench::part::Part),
    #[command(hide = true)]
    DemoPart(demo::part::Part),
}

/// The whole surface, without what is for us alone.
fn surface() -> clap::Command {
    let all = Cli::command();
    let shown: Vec<clap::Command> =
        all.get_subcommands().filter(|command| !command.is_hide_set()).cloned().collect();
    let about = all.get_about().cloned().unwrap_or_default();
    let long_about = all.get_long_about().cloned().unwrap_or_default();
    clap::Command::new("slipring")
        .version(env!("CARGO_PKG_VERSION"))
        .about(about)
        .long_about(long_about)
        .args(all.get_arguments().cloned())
        .subcommands(shown)
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    failure::exit_code(log::start(cli.log).and_then(|()| run(cli.command)))
}

fn run(command: Command) -> failure::Done {
    match command {
        Command::Create(args) => create::run(args),
        Command::Ls(args) => ls::run(args),
        Command::Stat(args) => stat::run(args),
        Command::Top(args) => top::run(args),
        Command::Send(args) => send::run(args),
        Command::Recv(args) => recv::run(args),
        Command::Peek(args) => peek::run(args),
        Command::Tail(args) => tail::run(args),
        Command::Close(args) => close::run(args),
        Command::Rm(args) => rm::run(args),
        Command::Group(args) => group::run(args),
        Command::Dead(args) => dead::run(args),
        Command::Record(args) => record::run(args),
        Command::Replay(args) => replay::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Serve(args) => serve::run(args),
        Command::Bench(args) => bench::run(args),
        Command::BenchPart(args) => bench::part::run(args),
        Command::Demo(args) => demo::run(args),
        Command::Completions(args) => completions::run(args, surface()),
        Command::Man(args) => man::run(args, surface()),
        Command::DemoPart(args) => demo::part::run(args),
    }
}
