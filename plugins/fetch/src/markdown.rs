//! A tree of HTML as Markdown, or as text without marks.

mod inline;
mod list;
mod table;

use dom_query::NodeRef;

use crate::address::Base;

/// How deeply quotes, lists and emphasis are nested at most; what lies deeper is written without its marks.
const MAX_NESTING: usize = 16;
/// How deeply elements are followed at all.
const MAX_DEPTH: usize = 600;
/// How much is written at most, in bytes.
const MAX_BYTES: usize = 8 << 20;

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Markdown,
    /// Without marks and addresses.
    Text,
}

/// What was written.
#[derive(Debug)]
pub struct Written {
    pub text: String,
    /// True where it would have been too much, or too deep.
    pub is_cut: bool,
}

/// Writes what is below a node. Links are relative to `base`.
pub fn write(root: &NodeRef<'_>, base: &Base, style: Style) -> Written {
    let mut writer = Writer::new(base, style);
    writer.children(root, 0);
    writer.end_paragraph();
    Written {
        is_cut: writer.is_cut,
        text: writer.text,
    }
}

/// Writes blocks, one after the other.
struct Writer<'a> {
    base: &'a Base,
    style: Style,
    /// The blocks that are whole.
    text: String,
    /// The paragraph that is being written.
    line: String,
    /// White space was read, and nothing behind it yet.
    has_space: bool,
    /// Between paragraphs there is no empty line: it is an item of a list.
    is_tight: bool,
    /// Blocks become one line: it is a heading, a link or a cell.
    is_inline: bool,
    /// How many writers are around this one, and emphases around this place.
    nesting: usize,
    /// How much may be written.
    room: usize,
    is_cut: bool,
}

impl<'a> Writer<'a> {
    fn new(base: &'a Base, style: Style) -> Self {
        Self {
            base,
            style,
            text: String::new(),
            line: String::new(),
            has_space: false,
            is_tight: false,
            is_inline: false,
            nesting: 0,
            room: MAX_BYTES,
            is_cut: false,
        }
    }

    /// A writer for a part whose lines are put in elsewhere.
    fn part(&self) -> Self {
        Self {
            nesting: self.nesting + 1,
            room: self.room.saturating_sub(self.text.len() + self.line.len()),
            ..Self::new(self.base, self.style)
        }
    }

    /// Ends a part, and says what it has.
    fn finish(&mut self, mut part: Self) -> String {
        part.end_paragraph();
        self.is_cut |= part.is_cut;
        part.text
    }

    fn is_markdown(&self) -> bool {
        self.style == Style::Markdown
    }

    fn children(&mut self, node: &NodeRef<'_>, depth: usize) {
        if depth > MAX_DEPTH {
            self.is_cut = true;
            return;
        }
        let mut next = node.first_child();
        while let Some(child) = next {
            if self.text.len() + self.line.len() > self.room {
                self.is_cut = true;
                return;
            }
            self.node(&child, depth + 1);
            next = child.next_sibling();
        }
    }

    fn node(&mut self, node: &NodeRef<'_>, depth: usize) {
        if node.is_text() {
            self.prose(&node.text());
            return;
        }
        let Some(name) = node.node_name() else {
            return self.children(node, depth);
        };
        if is_hidden(node) {
            return;
        }
        match &*name {
            "head" | "script" | "style" | "noscript" | "template" | "iframe" | "object"
            | "embed" | "svg" | "canvas" | "audio" | "video" | "button" | "input" | "select"
            | "textarea" => {}
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => self.heading(node, &name, depth),
            "br" => self.line_break(),
            "hr" => {
                self.end_paragraph();
                if self.is_markdown() {
                    self.block("---");
                }
            }
            "pre" => self.code_block(node),
            "blockquote" => self.quote(node, depth),
            "ul" | "ol" | "menu" => self.list(node, &name, depth),
            "table" => self.table(node, depth),
            "a" => self.link(node, depth),
            "img" => self.image(node),
            "b" | "strong" | "dt" => self.emphasis(node, "**", &name, depth),
            "i" | "em" => self.emphasis(node, "*", &name, depth),
            "del" | "s" | "strike" => self.emphasis(node, "~~", &name, depth),
            "code" | "kbd" | "samp" | "tt" => self.code(node),
            "q" => {
                self.push("\u{201c}");
                self.children(node, depth);
                self.push("\u{201d}");
            }
            name if is_block(name) => {
                self.end_paragraph();
                self.children(node, depth);
                self.end_paragraph();
            }
            _ => self.children(node, depth),
        }
    }

    /// Ends the paragraph that is being written.
    fn end_paragraph(&mut self) {
        if self.is_inline {
            self.has_space = true;
            return;
        }
        self.has_space = false;
        let line = std::mem::take(&mut self.line);
        let line = line.trim();
        if !line.is_empty() {
            let line = if self.is_markdown() {
                inline::guarded(line)
            } else {
                line.to_owned()
            };
            self.block(&line);
        }
    }

    /// Adds a block that is whole.
    fn block(&mut self, block: &str) {
        if self.is_inline {
            self.push(block);
            return;
        }
        if !self.text.is_empty() {
            self.text
                .push_str(if self.is_tight { "\n" } else { "\n\n" });
        }
        self.text.push_str(block);
    }

    fn heading(&mut self, node: &NodeRef<'_>, name: &str, depth: usize) {
        self.end_paragraph();
        let heading = self.inline_of(node, depth);
        if heading.is_empty() {
            return;
        }
        let level = name
            .as_bytes()
            .get(1)
            .map_or(1, |digit| digit.saturating_sub(b'0'));
        if self.is_markdown() && !self.is_inline {
            let marks = "#".repeat(usize::from(level));
            self.block(&format!("{marks} {heading}"));
        } else {
            self.block(&heading);
        }
    }

    fn quote(&mut self, node: &NodeRef<'_>, depth: usize) {
        if self.is_inline || self.nesting >= MAX_NESTING {
            self.end_paragraph();
            self.children(node, depth);
            return self.end_paragraph();
        }
        self.end_paragraph();
        let mut part = self.part();
        part.children(node, depth);
        let quoted = self.finish(part);
        if !quoted.is_empty() {
            self.block(&prefixed(&quoted, "> ", "> "));
        }
    }

    fn code_block(&mut self, node: &NodeRef<'_>) {
        if self.is_inline {
            return self.code(node);
        }
        self.end_paragraph();
        let code = preformatted(node);
        let code = code.trim_matches('\n').trim_end();
        if code.is_empty() {
            return;
        }
        if !self.is_markdown() {
            return self.block(code);
        }
        let fence = "`".repeat(inline::longest_run(code, '`').max(2) + 1);
        let language = language(node).unwrap_or_default();
        self.block(&format!("{fence}{language}\n{code}\n{fence}"));
    }
}

/// The lines of a block with something before each; nothing is put before the end of an empty line.
fn prefixed(block: &str, first: &str, others: &str) -> String {
    let mut whole = String::with_capacity(block.len() + 16);
    for (index, line) in block.lines().enumerate() {
        if index > 0 {
            whole.push('\n');
        }
        let prefix = if index == 0 { first } else { others };
        if line.is_empty() {
            whole.push_str(prefix.trim_end());
        } else {
            whole.push_str(prefix);
            whole.push_str(line);
        }
    }
    whole
}

/// What nobody sees is not what somebody wanted to have read.
fn is_hidden(node: &NodeRef<'_>) -> bool {
    let style = node.attr("style");
    let is_styled_away = style.is_some_and(|style| {
        let style = style.to_ascii_lowercase().replace(' ', "");
        style.contains("display:none") || style.contains("visibility:hidden")
    });
    is_styled_away
        || node.has_attr("hidden")
        || (node
            .attr("aria-hidden")
            .is_some_and(|value| &*value == "true")
            && !node.has_name("img"))
}

fn is_block(name: &str) -> bool {
    matches!(
        name,
        "address"
            | "article"
            | "aside"
            | "body"
            | "caption"
            | "center"
            | "dd"
            | "details"
            | "dialog"
            | "div"
            | "dl"
            | "dt"
            | "fieldset"
            | "figcaption"
            | "figure"
            | "footer"
            | "form"
            | "header"
            | "hgroup"
            | "html"
            | "legend"
            | "li"
            | "main"
            | "nav"
            | "optgroup"
            | "option"
            | "p"
            | "search"
            | "section"
            | "summary"
            | "tbody"
            | "td"
            | "tfoot"
            | "th"
            | "thead"
            | "tr"
    )
}

/// The text of a `pre`, with its line breaks.
fn preformatted(node: &NodeRef<'_>) -> String {
    let mut code = String::new();
    for below in node.descendants_it() {
        if below.is_text() {
            code.push_str(&below.text());
        } else if below.has_name("br") {
            code.push('\n');
        }
        if code.len() > MAX_BYTES {
            break;
        }
    }
    code
}

/// The language of a piece of code, by the class that highlighters give it.
fn language(node: &NodeRef<'_>) -> Option<String> {
    let of_code = node.first_element_child();
    [Some(*node), of_code]
        .into_iter()
        .flatten()
        .filter_map(|node| node.class())
        .find_map(|class| {
            class.split_whitespace().find_map(|class| {
                let name = ["language-", "lang-", "highlight-source-"]
                    .iter()
                    .find_map(|prefix| class.strip_prefix(prefix))?;
                let is_name = !name.is_empty()
                    && name.len() <= 30
                    && name
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || b"+-#_.".contains(&byte));
                is_name.then(|| name.to_owned())
            })
        })
}

#[cfg(test)]
mod tests;
