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

toolhatch_plugin::plugin!(analysis::analyze_code);
