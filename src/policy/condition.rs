//! The conditions of a policy, as far as they can be decided without Cedar.
//!
//! Cedar's evaluator costs a few microseconds a policy, and the request and entities it wants many more; an agent that is
//! under a hundred policies would wait for it in each call. Nearly all conditions people write compare an attribute with a
//! literal, and that needs no evaluator. Whatever is not understood here, or would be an error, is left to Cedar: a
//! [`Truth`] that is not [`Truth::Yes`] or [`Truth::No`] decides nothing. That both always agree is a property test and a
//! fuzz target.

mod fact;
mod pattern;

use serde_json::Value;

pub use fact::Facts;
use fact::{Attribute, Plain, Words};
use pattern::Pattern;

use super::mention::path_of;

/// What is known of the truth of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// It is true.
    Yes,
    /// It is false.
    No,
    /// It is true or false, and evaluating it is no error.
    Either,
    /// Nothing; evaluating it may be an error.
    Unknown,
}

impl From<bool> for Truth {
    fn from(flag: bool) -> Self {
        if flag { Self::Yes } else { Self::No }
    }
}

impl From<Option<bool>> for Truth {
    fn from(flag: Option<bool>) -> Self {
        flag.map_or(Self::Unknown, Self::from)
    }
}

impl std::ops::Not for Truth {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            other => other,
        }
    }
}

impl Truth {
    /// Cedar's `&&`: the right side counts, and can be an error, only where the left one is not false.
    fn and(self, right: impl FnOnce() -> Self) -> Self {
        match self {
            Self::Yes => right(),
            Self::Either => match right() {
                Self::Yes => Self::Either,
                other => other,
            },
            decided => decided,
        }
    }
}

/// The conditions of one policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition(Test);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Known(Truth),
    Flag(Attribute),
    Not(Box<Self>),
    All(Vec<Self>),
    Any(Vec<Self>),
    Compare(Operand, Comparison, Operand),
    /// An attribute is one of some literals.
    OneOf(Attribute, Vec<Literal>),
    Like(Attribute, Pattern),
    /// A part of the arguments has an attribute, which has an attribute, and so on.
    Has(Vec<String>, Vec<String>),
    Contains(Words, String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    Less,
    LessOrEqual,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Operand {
    Literal(Literal),
    Attribute(Attribute),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Literal {
    Bool(bool),
    Long(i64),
    String(String),
}

impl Condition {
    /// The conditions of a policy in Cedar's JSON form.
    #[must_use]
    pub fn of(policy: &Value) -> Self {
        let conditions = policy.get("conditions").and_then(Value::as_array);
        let tests = conditions.into_iter().flatten().map(|condition| {
            let test = condition.get("body").map(Test::of);
            match (condition.get("kind").and_then(Value::as_str), test) {
                (Some("when"), Some(test)) => test,
                (Some("unless"), Some(test)) => Test::Not(Box::new(test)),
                _ => Test::Known(Truth::Unknown),
            }
        });
        Self(Test::All(tests.collect()))
    }

    /// Whether they hold. The scope of the policy is not among them.
    #[must_use]
    pub fn holds(&self, facts: Facts<'_>) -> Truth {
        self.0.truth(facts)
    }
}

impl Test {
    fn of(expression: &Value) -> Self {
        Self::understood(expression).unwrap_or(Self::Known(Truth::Unknown))
    }

    fn understood(expression: &Value) -> Option<Self> {
        if let Some(path) = path_of(expression) {
            return Attribute::of_path(&path).map(Self::Flag);
        }
        let object = expression.as_object().filter(|object| object.len() == 1)?;
        let (operator, operands) = object.iter().next()?;
        let side = |name: &str| operands.get(name);
        let both = || Some((side("left")?, side("right")?));
        Some(match operator.as_str() {
            "Value" => Self::Known(operands.as_bool()?.into()),
            "!" => Self::Not(Box::new(Self::of(side("arg")?))),
            "&&" => Self::All(Self::chain(expression, "&&")),
            "||" => Self::Any(Self::chain(expression, "||")),
            "==" => Self::compare(both()?, Comparison::Equal)?,
            "!=" => Self::Not(Box::new(Self::compare(both()?, Comparison::Equal)?)),
            "<" => Self::compare(both()?, Comparison::Less)?,
            "<=" => Self::compare(both()?, Comparison::LessOrEqual)?,
            // `a > b` is an error exactly where `b < a` is one.
            ">" => Self::compare((side("right")?, side("left")?), Comparison::Less)?,
            ">=" => Self::compare((side("right")?, side("left")?), Comparison::LessOrEqual)?,
            "like" => {
                let attribute = Attribute::of_path(&path_of(side("left")?)?)?;
                Self::Like(attribute, Pattern::of(side("pattern")?)?)
            }
            "has" => {
                let path = path_of(side("left")?)?;
                let [root, args, of @ ..] = path.as_slice() else {
                    return None;
                };
                if root != "context" || args != "args" {
                    return None;
                }
                let names: Option<Vec<String>> = match side("attr")? {
                    Value::Array(names) => names
                        .iter()
                        .map(|name| name.as_str().map(str::to_owned))
                        .collect(),
                    name => Some(vec![name.as_str()?.to_owned()]),
                };
                Self::Has(of.to_vec(), names?)
            }
            "contains" => Self::contains(both()?)?,
            // Where principal and resource stand is never an error; only their uid can be asked about here.
            "in" if is_entity(side("left")?) && is_entity_literal(side("right")?) => {
                Self::Known(Truth::Either)
            }
            "is" if is_entity(side("left")?) && side("in").is_none_or(is_entity_literal) => {
                Self::Known(Truth::Either)
            }
            _ => return None,
        })
    }

    /// The operands of one operator that is applied again and again, from the left.
    fn chain(expression: &Value, operator: &str) -> Vec<Self> {
        let mut right_to_left = Vec::new();
        let mut left = expression;
        while let Some(operands) = left.get(operator)
            && let Some(next) = operands.get("left")
        {
            let right = operands.get("right");
            right_to_left.push(right.map_or(Self::Known(Truth::Unknown), Self::of));
            left = next;
        }
        right_to_left.push(Self::of(left));
        right_to_left.reverse();
        right_to_left
    }

    fn compare((left, right): (&Value, &Value), comparison: Comparison) -> Option<Self> {
        let (left, right) = (Operand::of(left)?, Operand::of(right)?);
        Some(Self::Compare(left, comparison, right))
    }

    fn contains((set, member): (&Value, &Value)) -> Option<Self> {
        if let Some(words) = path_of(set).and_then(|path| Words::of_path(&path)) {
            let word = member.get("Value")?.as_str()?;
            return Some(Self::Contains(words, word.to_owned()));
        }
        let items = set.get("Set")?.as_array()?;
        let literals: Option<Vec<Literal>> = items.iter().map(Literal::of).collect();
        let attribute = Attribute::of_path(&path_of(member)?)?;
        Some(Self::OneOf(attribute, literals?))
    }

    fn truth(&self, facts: Facts<'_>) -> Truth {
        match self {
            Self::Known(truth) => *truth,
            Self::Flag(attribute) => match attribute.of(facts) {
                Some(Plain::Bool(flag)) => flag.into(),
                _ => Truth::Unknown,
            },
            Self::Not(test) => !test.truth(facts),
            Self::All(tests) => tests
                .iter()
                .fold(Truth::Yes, |so_far, test| so_far.and(|| test.truth(facts))),
            // a || b is !(!a && !b), errors and all.
            Self::Any(tests) => !tests
                .iter()
                .fold(Truth::Yes, |so_far, test| so_far.and(|| !test.truth(facts))),
            Self::Compare(left, comparison, right) => {
                comparison.of(left.value(facts), right.value(facts)).into()
            }
            Self::OneOf(attribute, literals) => {
                let value = attribute.of(facts);
                let is_among = |value| literals.iter().any(|literal| literal.plain() == value);
                value.map(is_among).into()
            }
            Self::Like(attribute, pattern) => match attribute.of(facts) {
                Some(Plain::String(text)) => pattern.matches(text).into(),
                _ => Truth::Unknown,
            },
            Self::Has(of, names) => fact::has(facts, of, names).into(),
            Self::Contains(words, word) => words.contain(facts, word).into(),
        }
    }
}

impl Comparison {
    /// `None` where a side is not known, or the comparison would be an error.
    fn of(self, left: Option<Plain<'_>>, right: Option<Plain<'_>>) -> Option<bool> {
        match (self, left?, right?) {
            // Values of different types are not equal, which is no error.
            (Self::Equal, left, right) => Some(left == right),
            (Self::Less, Plain::Long(left), Plain::Long(right)) => Some(left < right),
            (Self::LessOrEqual, Plain::Long(left), Plain::Long(right)) => Some(left <= right),
            _ => None,
        }
    }
}

impl Operand {
    fn of(expression: &Value) -> Option<Self> {
        match path_of(expression) {
            Some(path) => Attribute::of_path(&path).map(Self::Attribute),
            None => Literal::of(expression).map(Self::Literal),
        }
    }

    fn value<'a>(&'a self, facts: Facts<'a>) -> Option<Plain<'a>> {
        match self {
            Self::Literal(literal) => Some(literal.plain()),
            Self::Attribute(attribute) => attribute.of(facts),
        }
    }
}

impl Literal {
    fn of(expression: &Value) -> Option<Self> {
        match expression.get("Value")? {
            Value::Bool(flag) => Some(Self::Bool(*flag)),
            Value::Number(number) => number.as_i64().map(Self::Long),
            Value::String(text) => Some(Self::String(text.clone())),
            _ => None,
        }
    }

    fn plain(&self) -> Plain<'_> {
        match self {
            Self::Bool(flag) => Plain::Bool(*flag),
            Self::Long(number) => Plain::Long(*number),
            Self::String(text) => Plain::String(text),
        }
    }
}

fn is_entity(expression: &Value) -> bool {
    let name = expression.get("Var").and_then(Value::as_str);
    matches!(name, Some("principal" | "resource" | "action"))
}

fn is_entity_literal(expression: &Value) -> bool {
    let value = expression.get("Value");
    value.is_some_and(|value| value.get("__entity").is_some())
}

#[cfg(test)]
mod tests;
