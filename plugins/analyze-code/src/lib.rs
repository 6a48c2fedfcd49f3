//! `analyze-code`: finds what makes source code hard to maintain, and gives it a score.
//!
//! One file goes through [`lexer`] (text to tokens), [`code`] (brackets matched), [`functions`] and [`control`]
//! (structure), and [`metrics`] (numbers); [`rules`] turns numbers into issues. [`analysis`] does that for every file,
//! adds [`duplication`] between them, and [`report`] writes the answer.

mod analysis;
mod arguments;
mod code;
mod control;
mod duplication;
mod functions;
mod issue;
mod language;
mod lexer;
mod lines;
mod metrics;
mod report;
mod rules;
mod sources;
mod thresholds;

use guest::Tool;

/// The tools of this plugin.
pub static TOOLS: &[Tool] = &[Tool {
    name: "analyze-code",
    description: "Analyses source code (Rust, Python, JavaScript, TypeScript, Go), given as text or as a file or folder, \
                  and returns its issues with line numbers (complexity, length, nesting, duplication, broken brackets \
                  and strings, TODOs), metrics, and a score from 0 to 100.",
    input_schema: include_str!("schema/input.json"),
    output_schema: include_str!("schema/output.json"),
    run: |arguments| guest::run(arguments, analysis::analyze),
}];

guest::export!(TOOLS);
