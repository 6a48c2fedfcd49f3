//! The project's own files, as text and as Rust tokens, for tests that read them.

use std::path::{Path, PathBuf};
use std::sync::{LazyLock, OnceLock};

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// The root of the checkout.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the checkout.
pub struct Source {
    /// Its path below the root, with `/` between the parts.
    pub path: String,
    /// Its text.
    pub text: String,
    tokens: OnceLock<Vec<Token>>,
}

/// One token, without its white space; comments are not tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// As it stands in the file; `::` is one token, and so is each bracket.
    pub text: String,
    /// Its line, from 1.
    pub line: usize,
}

impl Source {
    /// A file that exists only in a test.
    pub fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            tokens: OnceLock::new(),
        }
    }

    fn read(path: &Path) -> Option<Self> {
        let below = path.strip_prefix(root()).expect("a file below the root");
        let text = String::from_utf8(std::fs::read(path).ok()?).ok()?;
        Some(Self::new(below.to_str()?, &text))
    }

    /// The tokens of a Rust file.
    pub fn tokens(&self) -> &[Token] {
        self.tokens.get_or_init(|| {
            let stream: TokenStream = match self.text.parse() {
                Ok(stream) => stream,
                Err(error) => panic!("{} is not Rust: {error}", self.path),
            };
            let mut tokens = Vec::new();
            flatten(stream, &mut tokens);
            tokens
        })
    }

    /// True where this is one of these files or lies in one of these folders.
    pub fn is_in(&self, places: &[&str]) -> bool {
        places.iter().any(|place| {
            let rest = self.path.strip_prefix(place);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    let mut trees = stream.into_iter().peekable();
    while let Some(tree) = trees.next() {
        let line = tree.span().start().line;
        let mut push = |text: &str, line: usize| {
            tokens.push(Token {
                text: text.to_owned(),
                line,
            });
        };
        match tree {
            TokenTree::Punct(punct) if punct.as_char() == ':' => {
                let is_double = punct.spacing() == Spacing::Joint
                    && trees
                        .next_if(|next| matches!(next, TokenTree::Punct(p) if p.as_char() == ':'))
                        .is_some();
                push(if is_double { "::" } else { ":" }, line);
            }
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::None => ("", ""),
                };
                push(open, line);
                flatten(group.stream(), tokens);
                tokens.push(Token {
                    text: close.to_owned(),
                    line: group.span_close().start().line,
                });
            }
            other => push(&other.to_string(), line),
        }
    }
}

/// Every text file that people write, in order of their paths; nothing that a build leaves.
static FILES: LazyLock<Vec<Source>> = LazyLock::new(|| {
    let places = [
        "src",
        "tests",
        "plugins",
        "runner",
        "benches",
        "examples",
        "fuzz",
        "docs",
        "wit",
        "scripts",
        ".ci",
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "SECURITY.md",
        "build.rs",
        "Cargo.toml",
        "clippy.toml",
        "deny.toml",
        "rustfmt.toml",
    ];
    let mut paths = Vec::new();
    for place in places {
        collect(&root().join(place), &mut paths);
    }
    paths.sort();
    paths.iter().filter_map(|path| Source::read(path)).collect()
});

/// The text files of the project that are, or lie in, one of these places.
pub fn files(places: &[&str]) -> impl Iterator<Item = &'static Source> {
    FILES.iter().filter(|file| file.is_in(places))
}

/// The text of one file of the project; empty where there is none.
pub fn text_of(path: &str) -> &'static str {
    let mut all = FILES.iter();
    all.find(|file| file.path == path)
        .map_or("", |file| file.text.as_str())
}

/// Every text file of the project.
pub fn all_files() -> impl Iterator<Item = &'static Source> {
    FILES.iter()
}

/// The Rust files among [`files`].
pub fn rust_files(places: &[&str]) -> impl Iterator<Item = &'static Source> {
    files(places).filter(|file| file.path.ends_with(".rs"))
}

fn collect(path: &Path, paths: &mut Vec<PathBuf>) {
    let skipped = ["target", ".git", "corpus", "artifacts"];
    if path.is_file() {
        paths.push(path.to_owned());
        return;
    }
    let Ok(entries) = std::fs::read_dir(path) else {
        return;
    };
    for entry in entries.map(|entry| entry.expect("a readable folder")) {
        if !skipped.iter().any(|name| entry.file_name() == *name) {
            collect(&entry.path(), paths);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_no_comments_and_whole_path_separators() {
        let text = "// crate::no\nuse crate::{\n    a::b, c};\nlet x: u8 = \"crate::no\";";
        let source = Source::new("x.rs", text);
        let tokens: Vec<(&str, usize)> = source
            .tokens()
            .iter()
            .map(|token| (token.text.as_str(), token.line))
            .collect();
        let expected = [
            ("use", 2),
            ("crate", 2),
            ("::", 2),
            ("{", 2),
            ("a", 3),
            ("::", 3),
            ("b", 3),
            (",", 3),
            ("c", 3),
            ("}", 3),
            (";", 3),
            ("let", 4),
            ("x", 4),
            (":", 4),
            ("u8", 4),
            ("=", 4),
            ("\"crate::no\"", 4),
            (";", 4),
        ];
        assert_eq!(tokens, expected);
    }
}
