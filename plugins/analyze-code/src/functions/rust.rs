//! Rust's functions: `fn name<…>(…) -> … where … { … }`.

use super::{Angles, Function, HEAD_LIMIT, after_angles, split_list};
use crate::code::Code;

pub fn functions(code: &Code<'_>) -> Vec<Function> {
    let starts = (0..code.tokens.len()).filter(|index| code.is_word(*index, "fn"));
    starts.filter_map(|start| function(code, start)).collect()
}

fn function(code: &Code<'_>, start: usize) -> Option<Function> {
    // In a macro the name may be a `$name`; without a name it is the type of a function.
    let is_macro = code.is_symbol(start + 1, "$");
    let name_at = if is_macro { start + 2 } else { start + 1 };
    let name = code.word(name_at)?;
    let open = after_angles(code, name_at + 1);
    if !code.is_symbol(open, "(") {
        return None;
    }
    let body = body(code, code.after(open))?;
    let parameters = split_list(code, open, Angles::Brackets);
    let receivers = parameters
        .first()
        .filter(|first| is_receiver(code, first.start, first.end));
    Some(Function {
        name: if is_macro {
            format!("${name}")
        } else {
            name.to_owned()
        },
        start,
        body: body..code.after(body),
        parameters: parameters.len() - receivers.iter().len(),
    })
}

/// `self`, `&mut self`, `&'a self`, `mut self`, `self: Box<Self>`, `#[attribute] self`.
fn is_receiver(code: &Code<'_>, start: usize, end: usize) -> bool {
    (start..end)
        .take_while(|index| !code.is_symbol(*index, ":"))
        .any(|index| code.is_word(index, "self"))
}

/// The `{` of the body, behind the return type and the bounds; none where the head ends in `;`.
fn body(code: &Code<'_>, mut index: usize) -> Option<usize> {
    let end = (index + HEAD_LIMIT).min(code.tokens.len());
    let mut angles = 0_usize;
    while index < end {
        match code.at(index) {
            "{" if angles == 0 => return code.pair(index).map(|_| index),
            ";" | "}" | ")" | "]" => return None,
            "<" => angles += 1,
            ">" => angles = angles.saturating_sub(1),
            _ => {}
        }
        index = code.after(index);
    }
    None
}
