//! The answer, for programs and for readers.

mod text;

use std::collections::BTreeMap;
use std::num::NonZero;

use schemars::JsonSchema;
use serde::Serialize;

use crate::issue::{Issue, Issues, Rule, Severity};
use crate::language::Language;
use crate::metrics::{FunctionMetrics, Metrics};
use crate::sources::Skipped;

/// How many of the most complex functions are listed.
const HOTSPOTS: usize = 10;

/// How many files, and how many of those that were left out, are listed.
const LISTED: usize = 500;

// The structured result.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Report {
    /// 100, less the points of all issues for every 100 lines of code (a shorter text counts as 100 lines). An error takes
    /// 20 points, a warning 5, a note 1; a value that is several times over its limit counts as that many warnings, up to
    /// four. null where nothing was analysed.
    #[schemars(range(min = 0, max = 100))]
    pub score: Option<f64>,
    /// The numbers of all files together.
    pub totals: Totals,
    /// How many issues there are, listed or not.
    pub counts: Counts,
    /// Worst first: errors, warnings, notes; each by how far it is over its limit, then by file, line and column.
    pub issues: Vec<Issue>,
    /// The most complex functions, most complex first.
    #[schemars(length(max = HOTSPOTS))]
    pub hotspots: Vec<Hotspot>,
    /// The numbers of each file, in the order of the walk.
    #[schemars(length(max = LISTED))]
    pub files: Vec<FileReport>,
    /// Files and folders that were left out, and why.
    #[schemars(length(max = LISTED))]
    pub skipped: Vec<Skipped>,
    /// True where there are more files than one call looks at.
    pub truncated: bool,
}

/// The numbers of all files together.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Totals {
    /// Files that were analysed.
    pub files: usize,
    /// Their lines.
    pub lines: usize,
    /// Lines with code on them.
    pub code_lines: usize,
    /// Lines with nothing but a comment or documentation.
    pub comment_lines: usize,
    /// Empty lines.
    pub blank_lines: usize,
    /// Functions.
    pub functions: usize,
    /// The complexity of the most complex function; 0 where there are none.
    pub max_complexity: usize,
    #[serde(skip)]
    hotspots: Vec<Hotspot>,
}

/// How many issues there are.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Counts {
    /// Errors.
    pub error: usize,
    /// Warnings.
    pub warning: usize,
    /// Notes.
    pub info: usize,
    /// By rule; those without an issue are left out.
    #[schemars(extend("propertyNames" = serde_json::json!({"enum": Rule::ALL.map(Rule::name)})))]
    pub rules: BTreeMap<Rule, NonZero<usize>>,
    /// Issues that are not listed, see `max_issues`.
    pub omitted_issues: usize,
    /// Files that are not listed: of more than 500, those with the most issues are.
    pub omitted_files: usize,
}

/// A complex function.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Hotspot {
    /// Its file.
    pub file: String,
    /// Where it begins.
    #[schemars(range(min = 1))]
    pub line: usize,
    /// Its name; `(anonymous)` where it has none.
    pub function: String,
    /// Its cyclomatic complexity.
    #[schemars(range(min = 2))]
    pub complexity: usize,
    /// How deep it nests.
    pub nesting: usize,
    /// Its lines of code.
    pub code_lines: usize,
    /// Its parameters.
    pub parameters: usize,
}

/// The numbers of one file.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct FileReport {
    /// The file, as it can be opened.
    pub file: String,
    /// The language it was read as.
    #[schemars(extend("enum" = Language::NAMES))]
    pub language: &'static str,
    /// Its lines.
    pub lines: usize,
    /// Lines with code on them.
    pub code_lines: usize,
    /// Lines with nothing but a comment or documentation.
    pub comment_lines: usize,
    /// Empty lines.
    pub blank_lines: usize,
    /// Functions.
    pub functions: usize,
    /// The complexity of its most complex function.
    pub max_complexity: usize,
    /// Its own score: the same formula over this file alone.
    #[schemars(range(min = 0, max = 100))]
    pub score: f64,
    #[serde(skip)]
    points: f64,
}

impl Report {
    /// Puts the answer together.
    pub fn new(
        mut totals: Totals,
        issues: Issues,
        files: Vec<FileReport>,
        skipped: Vec<Skipped>,
        truncated: bool,
    ) -> Self {
        let mut counts = Counts::of(issues.counts());
        let score = (totals.files > 0).then(|| score(issues.points(), totals.code_lines));
        let issues = issues.finish();
        let all = counts.error + counts.warning + counts.info;
        counts.omitted_issues = all - issues.len();
        let count = files.len();
        let files = worst(files);
        counts.omitted_files = count - files.len();
        let hotspots = std::mem::take(&mut totals.hotspots);
        Self {
            score,
            totals,
            counts,
            issues,
            hotspots,
            files,
            skipped,
            truncated,
        }
        .bounded()
    }

    fn bounded(mut self) -> Self {
        self.skipped.truncate(LISTED);
        self
    }
}

/// 100, less the points of the issues for every 100 lines of code; a shorter text counts as 100 lines. One decimal.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn score(points: f64, code_lines: usize) -> f64 {
    let hundreds = (code_lines as f64 / 100.0).max(1.0);
    ((100.0 - points / hundreds).max(0.0) * 10.0).round() / 10.0
}

/// The files to list, in their order: where there are too many, those with the most issues.
fn worst(mut files: Vec<FileReport>) -> Vec<FileReport> {
    if files.len() > LISTED {
        files.sort_by(|a, b| {
            b.points
                .total_cmp(&a.points)
                .then_with(|| a.file.cmp(&b.file))
        });
        files.truncate(LISTED);
        files.sort_by(|a, b| a.file.cmp(&b.file));
    }
    files
}

impl Totals {
    /// Adds a file.
    pub fn add(&mut self, file: &str, metrics: &Metrics) {
        self.files += 1;
        self.lines += metrics.lines.total;
        self.code_lines += metrics.lines.code;
        self.comment_lines += metrics.lines.comment;
        self.blank_lines += metrics.lines.blank;
        self.functions += metrics.functions.len();
        self.max_complexity = self.max_complexity.max(max_complexity(&metrics.functions));
        // What is simple is no hotspot, however little there is.
        let complex = metrics
            .functions
            .iter()
            .filter(|function| function.complexity > 1);
        self.hotspots
            .extend(complex.map(|function| Hotspot::new(file, function)));
        self.hotspots.sort_by(|a, b| {
            let size =
                |hotspot: &Hotspot| (hotspot.complexity, hotspot.nesting, hotspot.code_lines);
            size(b)
                .cmp(&size(a))
                .then_with(|| (&a.file, a.line).cmp(&(&b.file, b.line)))
        });
        self.hotspots.truncate(HOTSPOTS);
    }
}

impl Counts {
    fn of(rules: &BTreeMap<Rule, usize>) -> Self {
        let mut counts = Self::default();
        for (rule, count) in rules {
            *match rule.severity() {
                Severity::Error => &mut counts.error,
                Severity::Warning => &mut counts.warning,
                Severity::Info => &mut counts.info,
            } += count;
            counts
                .rules
                .extend(NonZero::new(*count).map(|count| (*rule, count)));
        }
        counts
    }
}

impl Hotspot {
    fn new(file: &str, function: &FunctionMetrics) -> Self {
        Self {
            file: file.to_owned(),
            line: function.position.line,
            function: function.name.clone(),
            complexity: function.complexity,
            nesting: function.nesting,
            code_lines: function.code_lines,
            parameters: function.parameters,
        }
    }
}

impl FileReport {
    /// The numbers of a file whose issues take this many points.
    pub fn new(file: &str, language: Language, metrics: &Metrics, points: f64) -> Self {
        Self {
            file: file.to_owned(),
            language: language.name(),
            lines: metrics.lines.total,
            code_lines: metrics.lines.code,
            comment_lines: metrics.lines.comment,
            blank_lines: metrics.lines.blank,
            functions: metrics.functions.len(),
            max_complexity: max_complexity(&metrics.functions),
            score: score(points, metrics.lines.code),
            points,
        }
    }

    /// Takes further points from it.
    pub fn add_points(&mut self, points: f64) {
        self.points += points;
        self.score = score(self.points, self.code_lines);
    }
}

fn max_complexity(functions: &[FunctionMetrics]) -> usize {
    functions
        .iter()
        .map(|function| function.complexity)
        .max()
        .unwrap_or_default()
}
