//! The languages that there are templates for, and that `toolhatch plugin build` builds.

use std::fmt;
use std::path::Path;

use crate::error::{Code, Error, Result};

/// A language that plugins are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// Rust, with the crate `toolhatch-plugin`.
    Rust,
    /// JavaScript or TypeScript.
    JavaScript,
    /// Python.
    Python,
    /// C.
    C,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Rust, Self::JavaScript, Self::Python, Self::C];

    /// The word on the command line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::JavaScript => "js",
            Self::Python => "python",
            Self::C => "c",
        }
    }

    /// What has to be installed into a new project before it can be built, as a command.
    #[must_use]
    pub const fn preparation(self) -> Option<&'static str> {
        match self {
            Self::Rust | Self::C => None,
            Self::JavaScript => Some("npm install"),
            Self::Python => {
                Some("python3 -m venv .venv && .venv/bin/pip install 'componentize-py~=0.25.0'")
            }
        }
    }

    /// The language with this word, or one that people use for it.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "rust" | "rs" => Some(Self::Rust),
            "js" | "javascript" | "ts" | "typescript" | "node" => Some(Self::JavaScript),
            "python" | "py" => Some(Self::Python),
            "c" => Some(Self::C),
            _ => None,
        }
    }

    /// The language of a project, by the file that every project of it has.
    ///
    /// # Errors
    /// E3101 where there is no such file.
    pub fn of_project(folder: &Path) -> Result<Self> {
        let has = |name: &str| folder.join(name).is_file();
        if has("Cargo.toml") {
            return Ok(Self::Rust);
        }
        if has("package.json") {
            return Ok(Self::JavaScript);
        }
        if has("pyproject.toml") || has("component.py") {
            return Ok(Self::Python);
        }
        if has_c_sources(&folder.join("src")) {
            return Ok(Self::C);
        }
        Err(Error::new(
            Code::E3101,
            format!("{} is no project that can be built", folder.display()),
        )
        .hint(
            "A project has a Cargo.toml, a package.json, a component.py, or .c files in src. Make one with \
             `toolhatch plugin new`; build what is written in another language with its own tools, and pack it with \
             `toolhatch plugin pack`.",
        ))
    }
}

fn has_c_sources(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .any(|path| path.extension().is_some_and(|extension| extension == "c"))
}

impl fmt::Display for Language {
    /// The name in sentences.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rust => "Rust",
            Self::JavaScript => "JavaScript",
            Self::Python => "Python",
            Self::C => "C",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_names_its_language() {
        for language in Language::ALL {
            assert_eq!(Language::named(language.word()), Some(language));
        }
        assert_eq!(Language::named("TypeScript"), Some(Language::JavaScript));
        assert_eq!(Language::named("cobol"), None);
    }
}
