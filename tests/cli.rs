//! The command line as people and scripts use it: what is printed where, exit codes, pipes, and the demo.

mod common;

#[path = "cli/bench.rs"]
mod bench;
#[path = "cli/codes.rs"]
mod codes;
#[path = "cli/dead.rs"]
mod dead;
#[path = "cli/demo.rs"]
mod demo;
#[path = "cli/doctor.rs"]
mod doctor;
#[path = "cli/groups.rs"]
mod groups;
#[path = "cli/interrupts.rs"]
mod interrupts;
#[path = "cli/json.rs"]
mod json;
#[path = "cli/log.rs"]
mod log;
#[path = "cli/pipes.rs"]
mod pipes;
#[path = "cli/record.rs"]
mod record;
#[path = "cli/shell.rs"]
mod shell;
#[path = "cli/surface.rs"]
mod surface;
#[path = "cli/top.rs"]
mod top;
#[path = "cli/trouble.rs"]
mod trouble;
#[path = "cli/watch.rs"]
mod watch;
