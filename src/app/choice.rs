//! Which tool of a source is meant.

use std::sync::Arc;

use crate::error::{Code, Error, Result};
use crate::registry::{Source, Tool};

/// The tool of a source that is meant, or the prompt or another part of it: the named one, or else the only tool.
///
/// # Errors
/// E3101 where there is none of that name, or no name and several tools.
pub fn choose_tool(source: &Source, name: Option<&str>) -> Result<Arc<Tool>> {
    let names: Vec<&str> = source.tools.iter().map(|tool| tool.id.tool()).collect();
    if let Some(name) = name {
        // `plugin.tool` is how people write it everywhere else.
        let short = name
            .strip_prefix(&format!("{}.", source.name))
            .unwrap_or(name);
        return source
            .callable(short)
            .or_else(|| source.callable(name))
            .cloned()
            .ok_or_else(|| unknown_tool(source, name, &names));
    }
    match source.tools.as_slice() {
        [only] => Ok(Arc::clone(only)),
        [] => Err(without_tools(source)),
        _ => Err(Error::new(
            Code::E3101,
            format!("{} has several tools, and none was named", source.name),
        )
        .hint(format!("Name one of: {}.", names.join(", ")))),
    }
}

fn without_tools(source: &Source) -> Error {
    Error::new(Code::E3101, format!("{} has no tools", source.name))
        .hint("`toolhatch plugin inspect` shows what it exports.")
}

fn unknown_tool(source: &Source, name: &str, names: &[&str]) -> Error {
    if names.is_empty() {
        return without_tools(source);
    }
    let error = Error::new(Code::E3101, format!("{} has no tool {name:?}", source.name));
    let near = names
        .iter()
        .map(|other| (strsim::jaro_winkler(other, name), other))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    match near {
        Some((_, near)) => error.hint(format!("Did you mean `{near}`?")),
        None => error.hint(format!("It has: {}.", names.join(", "))),
    }
}
