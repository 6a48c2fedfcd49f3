//! `toolhatch plugin new`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;

use crate::app::App;
use crate::author::language::Language;
use crate::author::template;
use crate::cli::output::CommandOutput;
use crate::error::{Code, Error, Result};
use crate::ids::PluginName;
use crate::manifest::problem::nearest;

/// Begin a plugin: a small project that builds, with a tool, a test and example calls.
///
/// It has everything in it that it builds with but the compiler and what the language's own registry has.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch plugin new rust word-count
  toolhatch plugin new python tools/word-count
  cd word-count && toolhatch plugin build && toolhatch plugin test")]
pub struct Args {
    /// The language: rust, js, python or c.
    #[arg(value_name = "LANGUAGE", value_parser = language)]
    language: Language,
    /// The folder to make; the plugin is called like it.
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// What the plugin is called, where that is not the name of the folder.
    #[arg(long)]
    name: Option<String>,
}

fn language(word: &str) -> Result<Language, String> {
    Language::named(word).ok_or_else(|| {
        let words = Language::ALL.map(Language::word);
        match nearest(word, words) {
            Some(near) => format!("did you mean {near}?"),
            None => format!(
                "there is a template for {}; what is written in another language is packed with `toolhatch plugin pack`",
                words.join(", ")
            ),
        }
    })
}

/// What a plugin in this folder is called.
fn own_name(folder: &Path) -> Result<String> {
    let name = folder.file_name().ok_or_else(|| {
        let text = format!("making a plugin: {} ends in no name", folder.display());
        Error::new(Code::E3004, text).hint("Name the folder, or the plugin with `--name`.")
    })?;
    Ok(name.to_string_lossy().into_owned())
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>) -> Result<CommandOutput> {
        let folder = app.paths.current.join(&self.folder);
        let name = match &self.name {
            Some(name) => name.clone(),
            None => own_name(&folder)?,
        };
        let name: PluginName = name.parse().map_err(|error| {
            Error::new(Code::E3004, "making a plugin")
                .caused_by(Box::<dyn std::error::Error + Send + Sync>::from(error))
                .hint("Where the folder is to be called otherwise, name the plugin with `--name`.")
        })?;
        let files = template::write(self.language, &name, &folder)?;
        let shown = self.folder.display();
        let own: Vec<String> = files
            .iter()
            .filter(|path| !path.starts_with("vendor") && !path.starts_with("wit/deps"))
            .map(|path| format!("  {}", path.display()))
            .collect();
        let text = format!(
            "Made {shown}, a plugin in {}\n{}\n\nNext:\n  cd {}\n{}  toolhatch plugin build\n  toolhatch plugin check\n  \
             toolhatch plugin test\nIts README.md says how to call it, and where to go on.",
            self.language,
            own.join("\n"),
            crate::permission::shell_word(&shown.to_string()),
            self.language
                .preparation()
                .map_or_else(String::new, |step| format!("  {step}\n")),
        );
        let json = json!({
            "name": name.as_str(),
            "language": self.language.word(),
            "folder": folder.to_string_lossy(),
            "files": files.iter().map(|path| path.to_string_lossy()).collect::<Vec<_>>(),
        });
        Ok(CommandOutput::new(text, json))
    }
}
