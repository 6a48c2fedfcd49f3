//! YAML into the tree.

use serde_json::Number;

use super::{Entry, MAX_DEPTH, Node, Value, float_value, join};
use crate::manifest::problem::Problems;

pub(super) fn from_yaml_value(
    value: yaml_serde::Value,
    depth: usize,
    path: &str,
    problems: &mut Problems,
) -> Node {
    use yaml_serde::Value as Yaml;
    let value = match value {
        _ if depth > MAX_DEPTH => {
            problems.add(None, path, format!("nested deeper than {MAX_DEPTH} levels"));
            Value::Null
        }
        Yaml::Null => Value::Null,
        Yaml::Bool(value) => Value::Boolean(value),
        Yaml::Number(number) => number
            .as_i64()
            .map(Number::from)
            .or_else(|| number.as_u64().map(Number::from))
            .map_or_else(
                || float_value(number.as_f64().unwrap_or(f64::NAN)),
                Value::Number,
            ),
        Yaml::String(text) => Value::String(text),
        Yaml::Sequence(items) => Value::Array(
            items
                .into_iter()
                .enumerate()
                .map(|(index, item)| {
                    from_yaml_value(item, depth + 1, &format!("{path}[{index}]"), problems)
                })
                .collect(),
        ),
        Yaml::Mapping(entries) => {
            let mut table = Vec::new();
            for (key, value) in entries {
                let Yaml::String(key) = key else {
                    problems.add(None, path, "a key is not a string; put it in quotes");
                    continue;
                };
                let node = from_yaml_value(value, depth + 1, &join(path, &key), problems);
                table.push(Entry {
                    key,
                    at: None,
                    node,
                });
            }
            Value::Table(table)
        }
        Yaml::Tagged(tagged) => {
            problems.add(
                None,
                path,
                format!("the tag {} is not supported", tagged.tag),
            );
            Value::Null
        }
    };
    Node { at: None, value }
}
