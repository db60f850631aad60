//! `slipring man`.

use crate::failure::{Done, Failure};
use crate::output;
use std::path::{Path, PathBuf};

/// Print the manual page, or write those of all commands into a directory
///
/// slipring man | man -l -    slipring man --dir ~/.local/share/man/man1
#[derive(clap::Args)]
pub struct Man {
    /// Write a page for each command into this directory, which is made if there is none
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub fn run(args: Man, surface: clap::Command) -> Done {
    let Some(dir) = args.dir else {
        let mut page = Vec::new();
        let rendered = clap_mangen::Man::new(surface).render(&mut page);
        rendered.map_err(|error| Failure::io(&error, "the manual page"))?;
        return output::write_counted(&mut output::stdout()?, &page).1;
    };
    let failed = |error| Failure::io(&error, dir.display());
    std::fs::create_dir_all(&dir).map_err(failed)?;
    pages(surface, &dir).map_err(failed)
}

fn pages(surface: clap::Command, dir: &Path) -> std::io::Result<()> {
    // `slipring help` is no command with a page of its own.
    clap_mangen::generate_to(surface.disable_help_subcommand(true), dir)
}
