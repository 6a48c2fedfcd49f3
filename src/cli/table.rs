//! Tables for people: columns without borders, fitted into the width of the terminal, and not at all where the output goes
//! into a file or a pipe.

use comfy_table::{ColumnConstraint, ContentArrangement, Row, Table, presets};

use super::text::first_line;
use crate::cli::output::without_controls;

/// What happens to a text that is wider than its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Fit {
    /// It goes on in the next line.
    Wrap,
    /// Its first line is cut.
    Cut,
}

/// Lays out rows below a header. The first `fixed` columns are as wide as what they hold, the others share what is left.
pub(in crate::cli) fn table(
    header: &[&str],
    fixed: usize,
    fit: Fit,
    rows: impl IntoIterator<Item = Vec<String>>,
) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header);
    // Tables may stand indented below a heading.
    if let Some(width) = table.width() {
        table.set_width(width.saturating_sub(2));
    }
    for row in rows {
        let cells = row.iter().map(|text| match fit {
            Fit::Wrap => without_controls(text),
            Fit::Cut => without_controls(first_line(text)),
        });
        let mut row = Row::from(cells.collect::<Vec<_>>());
        if fit == Fit::Cut {
            row.max_height(1);
        }
        table.add_row(row);
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if index < fixed {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other_and_nothing_trails() {
        let rows = [
            vec!["a".to_owned(), "first\nsecond".to_owned()],
            vec!["long".to_owned(), "x\u{1b}[2J".to_owned()],
        ];
        assert_eq!(
            table(&["ID", "TEXT"], 1, Fit::Cut, rows.clone()),
            "ID    TEXT\na     first\nlong  x\\u{1b}[2J"
        );
        assert_eq!(
            table(&["ID", "TEXT"], 1, Fit::Wrap, rows),
            "ID    TEXT\na     first\n      second\nlong  x\\u{1b}[2J"
        );
    }
}
