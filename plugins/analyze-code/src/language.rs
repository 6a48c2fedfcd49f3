//! The languages that can be analysed.

use toolhatch_plugin::{Result, ToolError};

/// A language, in the dialect that matters to its lexer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// Rust.
    Rust,
    /// Python 3.
    Python,
    /// JavaScript, with or without JSX.
    JavaScript,
    /// TypeScript.
    TypeScript {
        /// Whether it is TSX, where `<` can begin an element but no cast.
        jsx: bool,
    },
    /// Go.
    Go,
}

impl Language {
    /// The names that [`Language::parse`] is best called with.
    pub const NAMES: [&str; 5] = ["rust", "python", "javascript", "typescript", "go"];

    /// The language of this name, in any case; common short forms are understood.
    ///
    /// # Errors
    /// `invalid-arguments`, with the names that are known.
    pub fn parse(name: &str) -> Result<Self> {
        match name.to_ascii_lowercase().as_str() {
            "rust" | "rs" => Ok(Self::Rust),
            "python" | "py" | "python3" => Ok(Self::Python),
            "javascript" | "js" | "jsx" | "ecmascript" | "node" => Ok(Self::JavaScript),
            "typescript" | "ts" => Ok(Self::TypeScript { jsx: false }),
            "tsx" => Ok(Self::TypeScript { jsx: true }),
            "go" | "golang" => Ok(Self::Go),
            _ => Err(ToolError::InvalidArguments(format!(
                "language `{name}` is not known; known are {}",
                Self::NAMES.join(", ")
            ))),
        }
    }

    /// The language of a file, by its extension.
    pub fn of_path(path: &str) -> Option<Self> {
        let name = path.rsplit('/').next().unwrap_or(path);
        let (_, extension) = name.rsplit_once('.')?;
        match extension.to_ascii_lowercase().as_str() {
            "rs" => Some(Self::Rust),
            "py" | "pyi" | "pyw" => Some(Self::Python),
            "js" | "mjs" | "cjs" | "jsx" => Some(Self::JavaScript),
            "ts" | "mts" | "cts" => Some(Self::TypeScript { jsx: false }),
            "tsx" => Some(Self::TypeScript { jsx: true }),
            "go" => Some(Self::Go),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Python => "python",
            Self::JavaScript => "javascript",
            Self::TypeScript { .. } => "typescript",
            Self::Go => "go",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_extensions_agree() {
        for name in Language::NAMES {
            assert_eq!(Language::parse(&name.to_uppercase()).unwrap().name(), name);
        }
        for (path, name) in [
            ("src/main.rs", "rust"),
            ("a.b/setup.PY", "python"),
            ("x.cjs", "javascript"),
            ("x.jsx", "javascript"),
            ("x.d.ts", "typescript"),
            ("/workspace/x.go", "go"),
        ] {
            assert_eq!(
                Language::of_path(path).map(Language::name),
                Some(name),
                "{path}"
            );
        }
        for path in ["Makefile", "a.rs/b", "rs", "a.rs~"] {
            assert_eq!(Language::of_path(path), None, "{path}");
        }
    }

    #[test]
    fn an_unknown_language_names_the_known_ones() {
        let error = Language::parse("cobol").unwrap_err().to_string();
        assert!(
            error.contains("`cobol`") && error.contains("typescript"),
            "{error}"
        );
    }
}
