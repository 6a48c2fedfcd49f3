//! Tables.

use dom_query::NodeRef;

use super::{MAX_NESTING, Writer};

/// Wider tables are cut.
const MAX_COLUMNS: usize = 100;

impl Writer<'_> {
    /// A table of data. One that only arranges a page, in one column or with other tables in it, is written as its contents.
    pub(super) fn table(&mut self, node: &NodeRef<'_>, depth: usize) {
        self.end_paragraph();
        let rows = rows(node);
        let is_layout = rows.iter().all(|row| cells(row).len() < 2)
            || node.descendants_it().any(|below| below.has_name("table"));
        if self.is_inline || self.nesting >= MAX_NESTING || is_layout {
            self.children(node, depth);
            return self.end_paragraph();
        }
        if let Some(caption) = node
            .element_children()
            .iter()
            .find(|child| child.has_name("caption"))
        {
            let caption = self.inline_of(caption, depth);
            if !caption.is_empty() {
                self.block(&caption);
            }
        }
        let mut lines: Vec<Vec<String>> = Vec::new();
        let mut written = 0;
        for row in &rows {
            if written > self.room {
                self.is_cut = true;
                break;
            }
            let line = self.row(row, depth);
            written += line.iter().map(String::len).sum::<usize>();
            if line.iter().any(|cell| !cell.is_empty()) {
                lines.push(line);
            }
        }
        let columns = lines.iter().map(Vec::len).max().unwrap_or_default();
        let mut table = String::new();
        for (index, line) in lines.iter_mut().enumerate() {
            if index > 0 {
                table.push('\n');
            }
            if !self.is_markdown() {
                table.push_str(&line.join("\t"));
                continue;
            }
            line.resize(columns, String::new());
            table.push_str(&format!("| {} |", line.join(" | ")));
            if index == 0 {
                table.push_str(&format!("\n|{}", " --- |".repeat(columns)));
            }
        }
        if !table.is_empty() {
            self.block(&table);
        }
    }

    fn row(&mut self, row: &NodeRef<'_>, depth: usize) -> Vec<String> {
        let mut line = Vec::new();
        for cell in cells(row) {
            let text = self.inline_of(&cell, depth);
            let text = if self.is_markdown() {
                text.replace('|', "\\|")
            } else {
                text
            };
            line.push(text);
            let span = cell
                .attr("colspan")
                .and_then(|span| span.trim().parse::<usize>().ok());
            for _ in 1..span.unwrap_or(1).min(MAX_COLUMNS) {
                line.push(String::new());
            }
            if line.len() >= MAX_COLUMNS {
                line.truncate(MAX_COLUMNS);
                break;
            }
        }
        line
    }
}

/// The rows of a table, and not of those in it.
fn rows<'a>(table: &NodeRef<'a>) -> Vec<NodeRef<'a>> {
    let mut rows = Vec::new();
    for child in table.element_children() {
        if child.has_name("tr") {
            rows.push(child);
        } else if ["thead", "tbody", "tfoot"]
            .iter()
            .any(|name| child.has_name(name))
        {
            rows.extend(
                child
                    .element_children()
                    .into_iter()
                    .filter(|row| row.has_name("tr")),
            );
        }
    }
    rows
}

fn cells<'a>(row: &NodeRef<'a>) -> Vec<NodeRef<'a>> {
    let cells = row.element_children().into_iter();
    cells
        .filter(|cell| cell.has_name("td") || cell.has_name("th"))
        .collect()
}
