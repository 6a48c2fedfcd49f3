//! Pages: read as browsers read them, within bounds, and reduced to what somebody wants to read.

use dom_query::{Document, NodeRef};
use dom_smoothie::{Config, Readability};
use html5ever::tendril::{StrTendril, TendrilSink as _};
use html5ever::tokenizer::TokenizerOpts;
use html5ever::tree_builder::TreeBuilderOpts;
use html5ever::{ParseOpts, parse_document};

use crate::address::Base;
use crate::markdown::{self, Style};

/// How deeply elements are nested at most, as in browsers. Reading takes time by the depth.
const MAX_DEPTH: usize = 512;
/// Pages that are nested more deeply are not searched for their main content.
const MAX_READABLE_DEPTH: usize = 200;
/// How many nodes of a page are read.
const MAX_NODES: usize = 300_000;
/// How many bytes are parsed between two looks at these bounds.
const CHUNK: usize = 8 << 10;
/// Less text than this is not taken for the main content: such a page is returned whole.
const LEAST_MAIN: usize = 200;
/// What the main content is wrapped in.
const MAIN: &str = "#readability-page-1";
/// Elements that hold no text of the page.
const SILENT: &str =
    "script, style, noscript, template, iframe, object, embed, svg, canvas, link, meta";

/// A page.
pub struct Page {
    document: Document,
    title: Option<String>,
    base: Base,
    /// True where not all of it was read.
    is_cut: bool,
}

/// What a page became.
#[derive(Debug, PartialEq, Eq)]
pub struct Rendered {
    pub text: String,
    /// True where it is the main content alone.
    pub is_main: bool,
    /// True where not all of it is here.
    pub is_cut: bool,
}

/// What a page is to become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Styled(Style),
    Html,
}

impl Page {
    /// Reads a page that was found at this address.
    pub fn parse(html: &str, base: Base) -> Self {
        let options = ParseOpts {
            tokenizer: TokenizerOpts::default(),
            tree_builder: TreeBuilderOpts {
                scripting_enabled: false,
                ..TreeBuilderOpts::default()
            },
        };
        let mut parser = parse_document(Document::default(), options);
        let mut rest = html;
        let mut is_cut = false;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.floor_char_boundary(CHUNK.min(rest.len())));
            parser.process(StrTendril::from_slice(now));
            rest = later;
            let document = &parser.tokenizer.sink.sink;
            // What was said of its faults is of no use here.
            document.errors.borrow_mut().clear();
            if document.tree.len() > MAX_NODES || open_depth(document) > MAX_DEPTH {
                is_cut = !rest.is_empty();
                break;
            }
        }
        let document = parser.finish();
        let base = document
            .select_single("base[href]")
            .attr("href")
            .and_then(|href| Base::parse(&base.resolve(&href)?))
            .unwrap_or(base);
        let title = title(&document);
        Self {
            document,
            title,
            base,
            is_cut,
        }
    }

    /// What the page calls itself.
    pub fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    /// The page, or its main content where that is wanted and found.
    pub fn render(self, form: Form, readable: bool) -> Rendered {
        if readable && let Some(main) = self.main_content() {
            let rendered = render(&main, &self.base, form);
            if rendered.text.trim().chars().count() >= LEAST_MAIN {
                return Rendered {
                    is_main: true,
                    is_cut: rendered.is_cut || self.is_cut,
                    ..rendered
                };
            }
        }
        let rendered = render(&self.document, &self.base, form);
        Rendered {
            is_cut: rendered.is_cut || self.is_cut,
            ..rendered
        }
    }

    /// The main content as a document of its own.
    fn main_content(&self) -> Option<Document> {
        if depth(&self.document.root()) > MAX_READABLE_DEPTH {
            return None;
        }
        let config = Config {
            // What a page says of itself in JSON is not what stands in it.
            disable_json_ld: true,
            keep_classes: true,
            ..Config::default()
        };
        let mut readability =
            Readability::with_document(self.document.clone(), None, Some(config)).ok()?;
        let article = readability.parse().ok()?;
        Some(Document::from(article.content))
    }
}

fn render(document: &Document, base: &Base, form: Form) -> Rendered {
    match form {
        Form::Styled(style) => {
            let written = markdown::write(&document.root(), base, style);
            Rendered {
                text: written.text,
                is_main: false,
                is_cut: written.is_cut,
            }
        }
        Form::Html => {
            let main = document.select_single(MAIN);
            let body = if main.exists() {
                main
            } else {
                document.select_single("body")
            };
            body.select(SILENT).remove();
            Rendered {
                text: body.inner_html().trim().to_owned(),
                is_main: false,
                is_cut: false,
            }
        }
    }
}

fn title(document: &Document) -> Option<String> {
    let of_head = document.select_single("title").text();
    let of_heading = document.select_single("h1").text();
    [of_head, of_heading].iter().find_map(|title| {
        let title: Vec<&str> = title.split_whitespace().collect();
        let title: String = title.join(" ").chars().take(500).collect();
        (!title.is_empty()).then_some(title)
    })
}

/// How deeply the place is nested that is being read.
fn open_depth(document: &Document) -> usize {
    let mut depth = 0;
    let mut last = document.root().last_child();
    while let Some(node) = last {
        depth += 1;
        last = node.last_child();
    }
    depth
}

/// How deeply the nodes below this one are nested at most.
fn depth(root: &NodeRef<'_>) -> usize {
    let mut deepest = 0;
    let mut depth = 0_usize;
    let mut next = root.first_child();
    while let Some(node) = next {
        depth += 1;
        deepest = deepest.max(depth);
        next = node.first_child().or_else(|| {
            let mut node = node;
            loop {
                depth = depth.saturating_sub(1);
                if let Some(sibling) = node.next_sibling() {
                    return Some(sibling);
                }
                if depth == 0 {
                    return None;
                }
                node = node.parent()?;
            }
        });
    }
    deepest
}

#[cfg(test)]
mod tests;
