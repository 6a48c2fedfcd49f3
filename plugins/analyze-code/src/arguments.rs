//! What a call asks for.

use schemars::JsonSchema;
use serde::Deserialize;
use toolhatch_plugin::{Result, ToolError};
use tree::Glob;

use crate::language::Language;
use crate::thresholds::Thresholds;

/// How many bytes a source text may have.
pub const MAX_FILE_BYTES: usize = 2 * 1024 * 1024;

/// Give either `code` with its `language`, or `path`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    example = serde_json::json!({"path": "src"}),
    example = serde_json::json!({"code": "def f(x):\n    return x\n", "language": "python"}),
    example = serde_json::json!({"path": "/workspace", "glob": "*.ts", "thresholds": {"complexity": 10}})
)]
pub struct Arguments {
    /// Source code to analyse, at most 2 MiB. Needs `language`.
    #[schemars(
        length(max = MAX_FILE_BYTES),
        example = &"fn main() {\n    println!(\"hello\");\n}\n"
    )]
    code: Option<String>,
    /// A file or folder, under the name it was granted: usually /workspace or below. A folder is walked recursively, but
    /// hidden folders and those named target, node_modules, __pycache__ or vendor are not gone into. At most 5000 files of
    /// 2 MiB each and 16 MiB together; what is left out is listed under `skipped`.
    #[schemars(
        length(min = 1, max = 4096),
        example = &"src", example = &"/workspace", example = &"/workspace/src/main.rs"
    )]
    path: Option<String>,
    /// The language of `code`, or of a file whose name does not tell it. With a folder: analyse only files of this language.
    /// Known: rust, python, javascript, typescript, go (and rs, py, js, jsx, ts, tsx, golang).
    #[schemars(example = &"rust", example = &"python")]
    language: Option<String>,
    /// With a folder: analyse only files that match. `*.rs` looks at names, `src/**/*.rs` at paths below the folder.
    #[schemars(length(min = 1, max = 1024), example = &"*.rs", example = &"src/**/*.{ts,tsx}")]
    glob: Option<String>,
    /// With a folder: also look into hidden folders and those that hold generated or fetched files.
    #[serde(default)]
    all: bool,
    /// What is too much. A value greater than its limit is an issue.
    #[serde(default)]
    thresholds: Thresholds,
    /// How many issues to list. The worst are listed; all are counted and scored.
    #[serde(default = "default_max_issues")]
    #[schemars(range(min = 1, max = 5000))]
    max_issues: usize,
}

fn default_max_issues() -> usize {
    100
}

/// What to analyse.
#[derive(Debug, PartialEq, Eq)]
pub enum Subject {
    /// A text.
    Code {
        /// The text itself.
        text: String,
        /// What it is written in.
        language: Language,
    },
    /// A file, or a folder with all that is in it.
    Path(Selection),
}

/// Which files to analyse.
#[derive(Debug, PartialEq, Eq)]
pub struct Selection {
    /// The file or folder.
    pub path: String,
    /// What a file is written in, whatever its name says; in a folder only such files are taken.
    pub language: Option<Language>,
    /// In a folder only files that match are taken.
    pub glob: Option<Glob>,
    /// Also hidden folders and those that hold generated files.
    pub all: bool,
}

/// The arguments of a call, checked.
#[derive(Debug)]
pub struct Request {
    /// What to analyse.
    pub subject: Subject,
    /// What is too much.
    pub thresholds: Thresholds,
    /// How many issues to list.
    pub max_issues: usize,
}

impl Arguments {
    /// Checks what the schema cannot say.
    ///
    /// # Errors
    /// `invalid-arguments`: neither or both of `code` and `path`, `code` without a language or too long, an unknown
    /// language, a broken glob.
    pub fn check(self) -> Result<Request> {
        let invalid = |message: String| Err(ToolError::InvalidArguments(message));
        let language = self.language.as_deref().map(Language::parse).transpose()?;
        let subject = match (self.code, self.path) {
            (Some(text), None) => {
                if text.len() > MAX_FILE_BYTES {
                    return invalid(format!(
                        "`code` has {} bytes; the most that is analysed is {MAX_FILE_BYTES}",
                        text.len()
                    ));
                }
                let Some(language) = language else {
                    return invalid(format!(
                        "`code` needs a `language`: one of {}",
                        Language::NAMES.join(", ")
                    ));
                };
                Subject::Code { text, language }
            }
            (None, Some(path)) => {
                let glob = self.glob.as_deref().map(Glob::parse).transpose();
                let glob = glob.map_err(|error| {
                    ToolError::InvalidArguments(format!("`glob` is broken: {error}"))
                })?;
                Subject::Path(Selection {
                    path,
                    language,
                    glob,
                    all: self.all,
                })
            }
            (Some(_), Some(_)) => return invalid("give either `code` or `path`, not both".into()),
            (None, None) => {
                return invalid(
                    "give `code` with its `language`, or the `path` of a file or folder".into(),
                );
            }
        };
        Ok(Request {
            subject,
            thresholds: self.thresholds,
            max_issues: self.max_issues,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(arguments: &str) -> Result<Request, String> {
        let arguments: Arguments =
            serde_json::from_str(arguments).map_err(|error| error.to_string())?;
        arguments.check().map_err(|error| error.to_string())
    }

    #[test]
    fn limits_that_are_not_given_keep_their_defaults() {
        let request = request(r#"{"path": "src", "thresholds": {"nesting": 2}}"#).unwrap();
        assert_eq!(
            request.thresholds,
            Thresholds {
                nesting: 2,
                ..Thresholds::default()
            }
        );
        assert_eq!(request.max_issues, 100);
    }

    #[test]
    fn contradictions_are_explained() {
        for (arguments, expected) in [
            ("{}", "give `code`"),
            (r#"{"code": "", "path": "a"}"#, "not both"),
            (r#"{"code": "x"}"#, "needs a `language`"),
            (r#"{"code": "x", "language": "cobol"}"#, "known are rust"),
            (r#"{"path": "a", "language": "cobol"}"#, "known are rust"),
            (r#"{"path": "a", "glob": "[a"}"#, "`glob` is broken"),
            (r#"{"path": "a", "globs": "a"}"#, "unknown field"),
            (
                r#"{"path": "a", "thresholds": {"lines": 3}}"#,
                "unknown field",
            ),
        ] {
            let error = request(arguments).unwrap_err();
            assert!(error.contains(expected), "{arguments}: {error}");
        }
    }

    #[test]
    fn a_text_has_an_upper_bound() {
        let code = "x".repeat(MAX_FILE_BYTES + 1);
        let error = request(&format!(r#"{{"code": "{code}", "language": "go"}}"#)).unwrap_err();
        assert!(error.contains("2097153 bytes"), "{error}");
    }
}
