//! Names of tools: the function's, with as much of its interface in front as tells it from the others.

use std::collections::{HashMap, HashSet};

use crate::schema::wit::Function;

/// Gives every function a name of its own, with respect to case too.
///
/// `add`; where two interfaces have one, `ops.add`; where two packages have such an interface, `math.ops.add`; then with
/// the namespace, and last with the version.
pub(super) fn assign(functions: &mut [Function]) {
    let candidates: Vec<Vec<String>> = functions.iter().map(candidates).collect();
    // A name that only one function may claim at the level it stands at stays; the others move on.
    let mut levels = vec![0_usize; functions.len()];
    loop {
        let mut claims: HashMap<String, Vec<usize>> = HashMap::new();
        for (position, (names, level)) in candidates.iter().zip(&levels).enumerate() {
            let name = at(names, *level).to_lowercase();
            claims.entry(name).or_default().push(position);
        }
        let mut moved = false;
        for position in claims
            .into_values()
            .filter(|claim| claim.len() > 1)
            .flatten()
        {
            if let (Some(level), Some(names)) = (levels.get_mut(position), candidates.get(position))
                && *level + 1 < names.len()
            {
                *level += 1;
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    let mut taken = HashSet::new();
    for ((function, names), level) in functions.iter_mut().zip(&candidates).zip(levels) {
        let name = at(names, level);
        let mut unique = name.to_owned();
        let mut number = 2;
        while !taken.insert(unique.to_lowercase()) {
            unique = format!("{name}-{number}");
            number += 1;
        }
        function.name = unique;
    }
}

fn at(names: &[String], level: usize) -> &str {
    names.get(level).map_or("", String::as_str)
}

/// The names a function may get, shortest first.
fn candidates(function: &Function) -> Vec<String> {
    let (scope, name) = match function.export.as_slice() {
        [instance, name] => (instance.as_str(), name),
        [name] => return vec![name.clone()],
        _ => return vec![function.name.clone()],
    };
    // `namespace:package/interface@version`, or the plain name of an interface.
    let (path, version) = scope.split_once('@').unwrap_or((scope, ""));
    let Some((package, interface)) = path.split_once('/') else {
        return vec![name.clone(), format!("{path}.{name}")];
    };
    let (namespace, package) = package.rsplit_once(':').unwrap_or(("", package));
    let interface = interface.replace('/', ".");
    let mut names = vec![
        name.clone(),
        format!("{interface}.{name}"),
        format!("{package}.{interface}.{name}"),
        format!("{namespace}.{package}.{interface}.{name}"),
    ];
    if !version.is_empty() {
        let version = version.replace('+', "-");
        names.push(format!(
            "{namespace}.{package}.{interface}.{version}.{name}"
        ));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(exports: &[&[&str]]) -> Vec<String> {
        let mut functions: Vec<Function> = exports
            .iter()
            .map(|export| Function {
                export: export.iter().map(|part| (*part).to_owned()).collect(),
                name: String::new(),
                docs: None,
                params: Vec::new(),
                result: None,
                is_async: false,
            })
            .collect();
        assign(&mut functions);
        functions
            .into_iter()
            .map(|function| function.name)
            .collect()
    }

    #[test]
    fn a_name_is_as_short_as_it_can_be() {
        assert_eq!(
            names(&[&["add"], &["demo:math/ops@1.0.0", "sub"]]),
            ["add", "sub"]
        );
        assert_eq!(
            names(&[
                &["a:x/ops", "add"],
                &["a:x/more", "add"],
                &["a:x/more", "sub"]
            ]),
            ["ops.add", "more.add", "sub"]
        );
        assert_eq!(names(&[&["add"], &["a:x/ops", "add"]]), ["add", "ops.add"]);
    }

    #[test]
    fn packages_namespaces_and_versions_tell_apart_what_interfaces_do_not() {
        assert_eq!(
            names(&[&["a:x/ops", "add"], &["a:y/ops", "add"]]),
            ["x.ops.add", "y.ops.add"]
        );
        assert_eq!(
            names(&[&["a:x/ops", "add"], &["b:x/ops", "add"]]),
            ["a.x.ops.add", "b.x.ops.add"]
        );
        assert_eq!(
            names(&[&["a:x/ops@1.0.0", "add"], &["a:x/ops@2.0.0", "add"]]),
            ["a.x.ops.1.0.0.add", "a.x.ops.2.0.0.add"]
        );
    }

    #[test]
    fn names_differ_by_more_than_case_and_always_differ() {
        assert_eq!(
            names(&[&["a:x/p", "Get"], &["a:x/q", "get"]]),
            ["p.Get", "q.get"]
        );
        assert_eq!(
            names(&[
                &["ops", "add"],
                &["a:x/ops@1.0.0+b", "add"],
                &["a:x/ops@1.0.0-b", "add"]
            ]),
            ["ops.add", "a.x.ops.1.0.0-b.add", "a.x.ops.1.0.0-b.add-2"]
        );
    }
}
