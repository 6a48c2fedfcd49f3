//! Go's functions and methods: `func (receiver) Name[…](…) … { … }`. Function literals belong to the function around
//! them.

use super::{Angles, Function, HEAD_LIMIT, split_list};
use crate::code::Code;

pub fn functions(code: &Code<'_>) -> Vec<Function> {
    let starts = (0..code.tokens.len()).filter(|index| code.is_word(*index, "func"));
    starts.filter_map(|start| function(code, start)).collect()
}

fn function(code: &Code<'_>, start: usize) -> Option<Function> {
    // A method has its receiver before the name; a literal or a type has no name.
    let name_at = if code.is_symbol(start + 1, "(") {
        code.after(start + 1)
    } else {
        start + 1
    };
    let name = code.word(name_at)?;
    let type_parameters = name_at + 1;
    let open = if code.is_symbol(type_parameters, "[") {
        code.after(type_parameters)
    } else {
        type_parameters
    };
    if !code.is_symbol(open, "(") {
        return None;
    }
    let body = body(code, code.after(open))?;
    Some(Function {
        name: name.to_owned(),
        start,
        body: body..code.after(body),
        parameters: split_list(code, open, Angles::Operators).len(),
    })
}

/// The `{` of the body, behind the results. The head is one line but for what its brackets hold: a function without a
/// body (one written in assembly) ends with it.
fn body(code: &Code<'_>, mut index: usize) -> Option<usize> {
    let end = (index + HEAD_LIMIT).min(code.tokens.len());
    while index < end {
        if code.line_of(index) != code.end_line_of(index - 1) {
            return None;
        }
        if code.is_symbol(index, "{") && !matches!(code.at(index - 1), "struct" | "interface") {
            return code.pair(index).map(|_| index);
        }
        index = code.after(index);
    }
    None
}
