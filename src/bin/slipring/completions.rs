//! `slipring completions`.

use crate::failure::Done;
use crate::output;
use clap_complete::Shell;

/// Print a shell's completions
///
/// bash: slipring completions bash > ~/.local/share/bash-completion/completions/slipring
#[derive(clap::Args)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub fn run(args: Completions, mut surface: clap::Command) -> Done {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut surface, "slipring", &mut script);
    output::write_counted(&mut output::stdout()?, &script).1
}
