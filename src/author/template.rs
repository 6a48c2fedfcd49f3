//! A new project from a template.
//!
//! A template is a project that is valid as it stands, named `plugin-name`. What it needs besides (the SDK and the WIT)
//! is put into it, because none of that is published.

use std::path::{Path, PathBuf};

use super::embedded;
use super::language::Language;
use crate::error::{Code, Error, Result};
use crate::fsx;
use crate::ids::PluginName;
use crate::registry::SANDBOX;

/// What a template calls its plugin.
const PLACEHOLDER: &str = "plugin-name";

/// Names that would get in the way of a Rust crate: keywords, crates that are always there, and those of the template.
const TAKEN_IN_RUST: [&str; 56] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc-macro",
    "pub",
    "ref",
    "return",
    "schemars",
    "self",
    "serde",
    "serde-json",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "toolhatch-plugin",
    "trait",
    "true",
    "try",
    "type",
    "unsafe",
    "use",
    "where",
    "while",
];

/// Makes the project in `folder`, which may be there as long as it is empty; gives the files that were written, relative to
/// it.
///
/// # Errors
/// E3004 where the name is taken or the folder has something in it; those of the file system.
pub fn write(language: Language, name: &PluginName, folder: &Path) -> Result<Vec<PathBuf>> {
    check_name(language, name)?;
    let was_there = is_empty_folder(folder)?;
    let files = files(language, name);
    let written = files.iter().try_for_each(|(path, text)| {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)
                .map_err(|error| fsx::io_error("making the folder", parent, error))?;
        }
        fsx::write_atomic(&path, text.as_bytes(), 0o644)
    });
    if let Err(error) = written {
        // Half a project would be in the way of the next attempt.
        if !was_there
            && folder.exists()
            && let Err(error) = std::fs::remove_dir_all(folder)
        {
            tracing::warn!(folder = %folder.display(), %error, "could not remove half a project");
        }
        return Err(error);
    }
    Ok(files.into_iter().map(|(path, _)| path).collect())
}

/// The files of a new project: paths within it and texts, sorted.
fn files(language: Language, name: &PluginName) -> Vec<(PathBuf, String)> {
    let template = match language {
        Language::Rust => embedded::RUST,
        Language::JavaScript => embedded::JAVASCRIPT,
        Language::Python => embedded::PYTHON,
        Language::C => embedded::C,
    };
    let own = template.iter().map(|(path, text)| {
        // Under its own name it would be one of the checkout that the template lies in.
        let path = match path.strip_suffix("gitignore") {
            Some(folder) if folder.is_empty() || folder.ends_with('/') => {
                format!("{folder}.gitignore")
            }
            _ => (*path).to_owned(),
        };
        (
            PathBuf::from(path),
            text.replace(PLACEHOLDER, name.as_str()),
        )
    });
    let besides = match language {
        Language::Rust => [
            below("vendor/toolhatch-plugin", embedded::RUST_SDK),
            below("vendor/toolhatch-plugin/wit", embedded::WIT),
        ]
        .concat(),
        Language::JavaScript => [below("vendor", embedded::JAVASCRIPT_SDK), wit()].concat(),
        Language::Python => [below("", embedded::PYTHON_SDK), wit()].concat(),
        Language::C => wit(),
    };
    let mut files: Vec<_> = own.chain(besides).collect();
    files.sort();
    files
}

/// Files that are put below a folder of the project.
fn below(folder: &str, files: &[(&str, &str)]) -> Vec<(PathBuf, String)> {
    let path = |path: &str| Path::new(folder).join(path);
    files
        .iter()
        .map(|(name, text)| (path(name), (*text).to_owned()))
        .collect()
}

/// The WIT of Toolhatch as something that the world of a project depends on: packages that it depends on itself lie beside
/// it.
fn wit() -> Vec<(PathBuf, String)> {
    let path = |path: &str| match path.strip_prefix("deps/") {
        Some(other) => Path::new("wit/deps").join(other),
        None => Path::new("wit/deps/toolhatch-plugin").join(path),
    };
    embedded::WIT
        .iter()
        .map(|(name, text)| (path(name), (*text).to_owned()))
        .collect()
}

fn check_name(language: Language, name: &PluginName) -> Result<()> {
    let taken = if name.as_str() == SANDBOX {
        "Toolhatch's own tools have it"
    } else if language == Language::Rust && TAKEN_IN_RUST.contains(&name.as_str()) {
        "a Rust crate cannot be called that"
    } else {
        return Ok(());
    };
    Err(Error::new(
        Code::E3004,
        format!("making a plugin: the name {name} is taken: {taken}"),
    )
    .hint(format!(
        "Call it something else, such as `{name}-tool`; with `--name`, where the folder is to keep its name."
    )))
}

/// True where an empty folder is there, false where nothing is.
fn is_empty_folder(folder: &Path) -> Result<bool> {
    let why = match std::fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => return Ok(true),
            Some(_) => "it is not empty",
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => "it is a file",
        Err(error) => return Err(fsx::io_error("looking into", folder, error)),
    };
    Err(Error::new(
        Code::E3004,
        format!("making a plugin in {}: {why}", folder.display()),
    )
    .hint("Name a folder that is not there yet."))
}

#[cfg(test)]
mod tests;
