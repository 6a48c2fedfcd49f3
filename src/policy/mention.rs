//! What a policy looks at: the attributes it names, and the literals it compares them with.
//!
//! Read from Cedar's JSON form of a policy. It serves three ends: arguments no policy looks at need not be converted,
//! comparisons with words that an attribute never has are refused, and `explain` tries the other values.

use std::collections::BTreeMap;

use serde_json::Value;

/// An attribute from its root on, such as `["context", "session", "tainted"]`.
pub type AttributePath = Vec<String>;

/// The attributes some policies name, each with the literals it is compared with.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mentions {
    paths: BTreeMap<AttributePath, Vec<Value>>,
}

impl Mentions {
    /// Adds what one policy names; `policy` is Cedar's JSON form of it.
    pub fn add_policy(&mut self, policy: &Value) {
        let conditions = policy.get("conditions").and_then(Value::as_array);
        for condition in conditions.into_iter().flatten() {
            if let Some(body) = condition.get("body") {
                self.walk(body);
            }
        }
    }

    /// Adds all of another collection.
    pub fn merge(&mut self, other: &Self) {
        for (path, literals) in &other.paths {
            for literal in literals {
                self.note(path.clone(), Some(literal));
            }
            self.note(path.clone(), None);
        }
    }

    /// Every attribute with its literals, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&AttributePath, &[Value])> {
        self.paths
            .iter()
            .map(|(path, literals)| (path, literals.as_slice()))
    }

    /// True where the context or the arguments are used as a whole, so that all of them count.
    #[must_use]
    pub fn whole_arguments(&self) -> bool {
        self.paths.keys().any(|path| {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            matches!(path.as_slice(), ["context"] | ["context", "args"])
        })
    }

    /// The names of the top-level arguments.
    pub fn arguments(&self) -> impl Iterator<Item = &String> {
        self.paths.keys().filter_map(|path| match path.as_slice() {
            [root, args, name, ..] if root == "context" && args == "args" => Some(name),
            _ => None,
        })
    }

    fn note(&mut self, path: AttributePath, literal: Option<&Value>) {
        let literals = self.paths.entry(path).or_default();
        if let Some(literal) = literal
            && !literals.contains(literal)
        {
            literals.push(literal.clone());
        }
    }

    fn walk(&mut self, expression: &Value) {
        if let Some(path) = path_of(expression) {
            self.note(path, None);
            return;
        }
        match expression {
            Value::Array(items) => items.iter().for_each(|item| self.walk(item)),
            Value::Object(operators) => {
                for (operator, operands) in operators {
                    self.operator(operator, operands);
                }
            }
            _ => {}
        }
    }

    fn operator(&mut self, operator: &str, operands: &Value) {
        // A literal is data: a record in it may have keys that look like operators.
        if operator == "Value" {
            return;
        }
        if operator == "has"
            && let Some(mut path) = operands.get("left").and_then(path_of)
        {
            match operands.get("attr") {
                Some(Value::String(name)) => path.push(name.clone()),
                Some(Value::Array(names)) => {
                    path.extend(names.iter().filter_map(Value::as_str).map(str::to_owned));
                }
                _ => {}
            }
            self.note(path, None);
            return;
        }
        // Operators have a left and a right side, functions of extensions an array.
        let sides = match operands.as_array().map(Vec::as_slice) {
            Some([left, right]) => (Some(left), Some(right)),
            _ => (operands.get("left"), operands.get("right")),
        };
        if let (Some(left), Some(right)) = sides {
            for (one, other) in [(left, right), (right, left)] {
                if let Some(path) = path_of(one) {
                    for literal in literals_of(other) {
                        self.note(path.clone(), Some(&literal));
                    }
                }
            }
        }
        match operands {
            Value::Object(named) => named.values().for_each(|operand| self.walk(operand)),
            other => self.walk(other),
        }
    }
}

/// The attribute an expression is, where it is nothing but one.
pub(super) fn path_of(expression: &Value) -> Option<AttributePath> {
    let object = expression.as_object()?;
    if object.len() != 1 {
        return None;
    }
    if let Some(Value::String(name)) = object.get("Var") {
        return Some(vec![name.clone()]);
    }
    let access = object.get(".")?;
    let mut path = path_of(access.get("left")?)?;
    path.push(access.get("attr")?.as_str()?.to_owned());
    Some(path)
}

/// The plain literals in an operand: one value, the members of a set, or a decimal by its text.
fn literals_of(expression: &Value) -> Vec<Value> {
    let Some(object) = expression.as_object() else {
        return Vec::new();
    };
    if let Some(value) = object.get("Value") {
        return match value {
            Value::Array(items) => items.clone(),
            Value::Object(_) => Vec::new(),
            plain => vec![plain.clone()],
        };
    }
    if let Some(items) = object.get("Set").and_then(Value::as_array) {
        return items.iter().flat_map(literals_of).collect();
    }
    if let Some([text]) = object
        .get("decimal")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
    {
        let number = text
            .get("Value")
            .and_then(Value::as_str)
            .and_then(|text| text.parse::<f64>().ok());
        return number.map(Value::from).into_iter().collect();
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mentions(policy: &str) -> Mentions {
        let policy: cedar_policy::Policy = policy.parse().expect("a policy");
        let mut mentions = Mentions::default();
        mentions.add_policy(&policy.to_json().expect("json"));
        mentions
    }

    fn literals(mentions: &Mentions, path: &str) -> Option<Vec<Value>> {
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        mentions
            .iter()
            .find(|(other, _)| **other == path)
            .map(|(_, literals)| literals.to_vec())
    }

    #[test]
    fn attributes_are_found_with_what_they_are_compared_with() {
        let found = mentions(
            r#"forbid (principal, action, resource) when {
                resource.risk == "high" && ["a", "b"].contains(context.args.mode)
                && (if context.session.tainted then context.args.depth > 3 else false)
                && context.args has deep.inner
            } unless { context.session.labels.contains("ok") || context.args.rate.lessThan(decimal("1.5")) };"#,
        );
        assert_eq!(literals(&found, "resource.risk"), Some(vec!["high".into()]));
        assert_eq!(
            literals(&found, "context.args.mode"),
            Some(vec!["a".into(), "b".into()])
        );
        assert_eq!(literals(&found, "context.args.depth"), Some(vec![3.into()]));
        assert_eq!(
            literals(&found, "context.args.rate"),
            Some(vec![1.5.into()])
        );
        assert_eq!(literals(&found, "context.session.tainted"), Some(vec![]));
        assert_eq!(
            literals(&found, "context.session.labels"),
            Some(vec!["ok".into()])
        );
        assert!(literals(&found, "context.args.deep.inner").is_some());
        assert!(!found.whole_arguments());
    }

    #[test]
    fn arguments_used_as_a_whole_are_noticed() {
        for whole in [
            "context.args == {\"a\": 1}",
            "context == context",
            "{\"x\": context.args} has x",
        ] {
            let policy = format!("permit (principal, action, resource) when {{ {whole} }};");
            assert!(mentions(&policy).whole_arguments(), "{whole}");
        }
    }
}
