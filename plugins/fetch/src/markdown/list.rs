//! Lists.

use dom_query::NodeRef;

use super::{MAX_NESTING, Writer, prefixed};

impl Writer<'_> {
    pub(super) fn list(&mut self, node: &NodeRef<'_>, name: &str, depth: usize) {
        if self.is_inline || self.nesting >= MAX_NESTING {
            self.end_paragraph();
            self.children(node, depth);
            return self.end_paragraph();
        }
        self.end_paragraph();
        let mut number = (name == "ol").then(|| first_number(node));
        let mut whole = self.part();
        whole.is_tight = true;
        let mut next = node.first_child();
        while let Some(child) = next {
            next = child.next_sibling();
            if whole.text.len() > whole.room {
                whole.is_cut = true;
                break;
            }
            if !child.is_element() || super::is_hidden(&child) {
                continue;
            }
            let mut item = whole.part();
            item.is_tight = true;
            if child.has_name("li") {
                item.children(&child, depth + 1);
            } else {
                // A list in a list, without the item that it belongs to.
                item.node(&child, depth + 1);
            }
            let item = whole.finish(item);
            if item.is_empty() {
                continue;
            }
            let mark = match &mut number {
                Some(number) => {
                    let mark = format!("{number}. ");
                    *number += 1;
                    mark
                }
                None => "- ".to_owned(),
            };
            let indent = " ".repeat(mark.len());
            whole.block(&prefixed(&item, &mark, &indent));
        }
        let list = self.finish(whole);
        if !list.is_empty() {
            self.block(&list);
        }
    }
}

fn first_number(node: &NodeRef<'_>) -> u64 {
    let start = node
        .attr("start")
        .and_then(|start| start.trim().parse::<u32>().ok());
    start.map_or(1, u64::from)
}
