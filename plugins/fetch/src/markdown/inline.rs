//! What stands within a line: text, links, emphasis, code, pictures.

use dom_query::NodeRef;

use super::{MAX_NESTING, Writer, preformatted};

impl Writer<'_> {
    /// Adds text of the page. White space of any length is one space.
    pub(super) fn prose(&mut self, text: &str) {
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            if character.is_ascii_whitespace() {
                self.has_space = true;
                continue;
            }
            // Zero-width characters and soft hyphens are for typesetting.
            if matches!(character, '\u{200b}' | '\u{feff}' | '\u{ad}') {
                continue;
            }
            self.space();
            if self.is_markdown()
                && is_mark(character, self.line.chars().next_back(), characters.peek())
            {
                self.line.push('\\');
            }
            self.line.push(character);
        }
    }

    /// Adds what is written already.
    pub(super) fn push(&mut self, text: &str) {
        if !text.is_empty() {
            self.space();
            self.line.push_str(text);
        }
    }

    /// The space that was read before.
    fn space(&mut self) {
        if std::mem::take(&mut self.has_space)
            && !self.line.is_empty()
            && !self.line.ends_with(['\n', ' '])
        {
            self.line.push(' ');
        }
    }

    pub(super) fn line_break(&mut self) {
        if self.is_inline {
            self.has_space = true;
            return;
        }
        self.has_space = false;
        if self.line.is_empty() {
            return;
        }
        // Two of them are a paragraph.
        if self.line.ends_with('\n') {
            return self.end_paragraph();
        }
        self.line
            .push_str(if self.is_markdown() { "  \n" } else { "\n" });
    }

    /// What is below a node, as one line.
    pub(super) fn inline_of(&mut self, node: &NodeRef<'_>, depth: usize) -> String {
        let mut part = self.part();
        part.is_inline = true;
        part.children(node, depth);
        self.is_cut |= part.is_cut;
        part.line.trim().to_owned()
    }

    pub(super) fn link(&mut self, node: &NodeRef<'_>, depth: usize) {
        let target = if self.is_markdown() && self.nesting < MAX_NESTING {
            node.attr("href").and_then(|href| self.base.resolve(&href))
        } else {
            None
        };
        let Some(target) = target else {
            return self.children(node, depth);
        };
        let text = self.inline_of(node, depth);
        if !text.is_empty() {
            self.push(&format!("[{text}]({target})"));
        }
    }

    pub(super) fn image(&mut self, node: &NodeRef<'_>) {
        let alternative = node.attr("alt").unwrap_or_default();
        let alternative: Vec<&str> = alternative.split_whitespace().collect();
        let alternative = alternative.join(" ");
        if !self.is_markdown() {
            return self.prose(&alternative);
        }
        let source = ["src", "data-src"]
            .iter()
            .filter_map(|name| node.attr(name))
            .find_map(|source| self.base.resolve(&source));
        match source {
            Some(source) => {
                let alternative = alternative.replace(['[', ']'], "");
                self.push(&format!("![{alternative}]({source})"));
            }
            None => self.prose(&alternative),
        }
    }

    /// Puts marks around what is below a node, close to the text.
    pub(super) fn emphasis(&mut self, node: &NodeRef<'_>, mark: &str, name: &str, depth: usize) {
        let is_block = name == "dt";
        if is_block {
            self.end_paragraph();
        }
        if !self.is_markdown() || self.nesting >= MAX_NESTING {
            self.children(node, depth);
        } else {
            let inner = self.inline_of(node, depth);
            // Bold text in bold text, or in a title that is bold anyway.
            let has_mark = inner.starts_with(mark) && inner.ends_with(mark);
            if has_mark || inner.is_empty() {
                self.push(&inner);
            } else {
                self.push(&format!("{mark}{inner}{mark}"));
            }
            // What was read as space at its end stands behind it.
            self.has_space |= ends_in_space(node);
        }
        if is_block {
            self.end_paragraph();
        }
    }

    pub(super) fn code(&mut self, node: &NodeRef<'_>) {
        let code = preformatted(node);
        let words: Vec<&str> = code.split_whitespace().collect();
        let code = words.join(" ");
        if code.is_empty() {
            return;
        }
        if !self.is_markdown() {
            return self.push(&code);
        }
        let fence = "`".repeat(longest_run(&code, '`') + 1);
        if code.starts_with('`') || code.ends_with('`') {
            self.push(&format!("{fence} {code} {fence}"));
        } else {
            self.push(&format!("{fence}{code}{fence}"));
        }
    }
}

fn ends_in_space(node: &NodeRef<'_>) -> bool {
    node.last_child().is_some_and(|last| {
        last.is_text() && last.text().ends_with(|end: char| end.is_ascii_whitespace())
    })
}

/// Says whether a character would be a mark of Markdown where it stands.
fn is_mark(character: char, before: Option<char>, after: Option<&char>) -> bool {
    match character {
        '\\' | '`' | '[' | ']' => true,
        // Between spaces it is a sign.
        '*' => {
            after.is_some_and(|after| !after.is_whitespace())
                || before.is_some_and(|before| before != ' ')
        }
        // Within a word it is a letter.
        '_' => {
            let is_word = |character: char| character.is_alphanumeric() || character == '_';
            !(before.is_some_and(is_word) && after.is_some_and(|after| is_word(*after)))
        }
        '<' => after.is_some_and(|after| after.is_ascii_alphabetic() || matches!(after, '/' | '!')),
        _ => false,
    }
}

/// A paragraph whose lines do not begin like another block.
pub(super) fn guarded(paragraph: &str) -> String {
    let lines = paragraph.split('\n').map(|line| {
        let rest = line.trim_start_matches(|digit: char| digit.is_ascii_digit());
        let digits = line.len() - rest.len();
        let is_number =
            (1..=9).contains(&digits) && (rest.starts_with(". ") || rest.starts_with(") "));
        let is_item = ["- ", "+ ", "* "].iter().any(|mark| line.starts_with(mark));
        let hashes = line.trim_start_matches('#');
        let is_heading = line.starts_with('#') && (hashes.is_empty() || hashes.starts_with(' '));
        let is_rule = line.len() >= 3
            && (line.bytes().all(|byte| byte == b'-') || line.bytes().all(|byte| byte == b'='));
        let is_fence = line.starts_with("~~~");
        if is_number {
            format!("{}\\{rest}", line.get(..digits).unwrap_or_default())
        } else if is_item
            || is_heading
            || is_rule
            || is_fence
            || line.starts_with('>')
            || matches!(line, "-" | "+")
        {
            format!("\\{line}")
        } else {
            line.to_owned()
        }
    });
    let lines: Vec<String> = lines.collect();
    lines.join("\n")
}

/// How often a character stands in a row at most.
pub(super) fn longest_run(text: &str, wanted: char) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for character in text.chars() {
        run = if character == wanted { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}
