//! `toolhatch completions`: what a shell needs to complete commands.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::Cli;
use super::output::Printer;
use crate::exit_code::Exit;

/// Print a script that makes a shell complete commands and flags.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch completions bash > ~/.local/share/bash-completion/completions/toolhatch
  toolhatch completions zsh > ~/.zfunc/_toolhatch
  toolhatch completions fish > ~/.config/fish/completions/toolhatch.fish")]
pub struct Args {
    /// Which shell.
    #[arg(value_enum)]
    shell: Shell,
}

impl Args {
    /// Prints the script: it is one also where JSON was asked for.
    pub fn run(&self, printer: &Printer) -> Exit {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "toolhatch", &mut script);
        printer.text(&String::from_utf8_lossy(&script));
        Exit::Ok
    }
}
