//! The whole of a call: every file measured and checked, duplicates found between them, everything scored.

use toolhatch_plugin::{Reply, Result, log, progress, tool};

use crate::arguments::{Arguments, Request, Subject};
use crate::code::Code;
use crate::duplication::{Fingerprint, duplicates};
use crate::issue::{Issue, Issues, Rule};
use crate::metrics::measure;
use crate::report::{FileReport, Report, Totals};
use crate::rules::Rules;
use crate::sources::{Reader, Skipped, Source, Sources, find};
use crate::thresholds::Thresholds;

/// The name of what is no file.
const CODE: &str = "<code>";

/// Analyses source code (Rust, Python, JavaScript, TypeScript, Go), given as text or as a file or folder, and returns its
/// issues with line numbers (complexity, length, nesting, duplication, broken brackets and strings, TODOs), metrics, and a
/// score from 0 to 100.
///
/// # Errors
/// What [`Arguments::check`] and [`find`] say.
#[tool]
pub fn analyze_code(#[serde(flatten)] arguments: Arguments) -> Result<Reply<Report>> {
    let request = arguments.check()?;
    let mut analysis = Analysis::new(&request);
    match &request.subject {
        Subject::Code { text, language } => {
            analysis.file(CODE, &Code::read(text, *language));
        }
        Subject::Path(selection) => analysis.sources(find(selection)?),
    }
    let report = analysis.finish();
    let text = report.text();
    Ok(Reply::new(report).text(text))
}

struct Analysis<'a> {
    thresholds: &'a Thresholds,
    issues: Issues,
    files: Vec<FileReport>,
    fingerprints: Vec<Fingerprint>,
    totals: Totals,
    skipped: Vec<Skipped>,
    truncated: bool,
}

impl<'a> Analysis<'a> {
    fn new(request: &'a Request) -> Self {
        Self {
            thresholds: &request.thresholds,
            issues: Issues::new(request.max_issues),
            files: Vec::new(),
            fingerprints: Vec::new(),
            totals: Totals::default(),
            skipped: Vec::new(),
            truncated: false,
        }
    }

    fn sources(&mut self, sources: Sources) {
        let count = sources.files.len();
        log::info!("files to analyse: {count}");
        self.skipped = sources.skipped;
        self.truncated = sources.truncated;
        let mut reader = Reader::default();
        for (done, Source { path, language }) in sources.files.into_iter().enumerate() {
            let name = path.display().to_string();
            progress::report(done, count, &name);
            match reader.read(&path) {
                Ok(text) => self.file(&name, &Code::read(&text, language)),
                Err(reason) => {
                    log::warn!("{name}: {}", reason.text());
                    self.skipped.push(Skipped { file: name, reason });
                }
            }
        }
        progress::report(count, count, "looking for duplicates");
    }

    fn file(&mut self, name: &str, code: &Code<'_>) {
        let metrics = measure(code);
        let before = self.issues.points();
        let rules = Rules {
            file: name,
            code,
            metrics: &metrics,
            thresholds: self.thresholds,
        };
        rules.check(&mut self.issues);
        let points = self.issues.points() - before;
        self.totals.add(name, &metrics);
        self.files
            .push(FileReport::new(name, code.language, &metrics, points));
        self.fingerprints.push(Fingerprint::of(code));
    }

    fn duplication(&mut self) {
        let found = duplicates(&self.fingerprints, self.thresholds.duplicate_tokens);
        for duplicate in found {
            let original = self
                .files
                .get(duplicate.original.file)
                .map(|file| file.file.clone());
            let Some(file) = self.files.get_mut(duplicate.copy.file) else {
                continue;
            };
            let (copy, lines) = (&duplicate.copy, &duplicate.original);
            let message = format!(
                "{} lines ({} tokens) up to line {} are the same as {}:{}-{}",
                copy.last_line + 1 - copy.first_line,
                duplicate.tokens,
                copy.last_line,
                original.unwrap_or_default(),
                lines.first_line,
                lines.last_line
            );
            let issue = Issue {
                file: file.file.clone(),
                line: copy.first_line,
                column: 1,
                rule: Rule::Duplication,
                severity: Rule::Duplication.severity(),
                message,
                function: None,
                #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
                excess: duplicate.tokens as f64 / self.thresholds.duplicate_tokens.max(1) as f64,
            };
            file.add_points(issue.points());
            self.issues.add(issue);
        }
    }

    fn finish(mut self) -> Report {
        self.duplication();
        Report::new(
            self.totals,
            self.issues,
            self.files,
            self.skipped,
            self.truncated,
        )
    }
}

#[cfg(test)]
mod tests;
