//! How deep a policy text nests, found out before it is parsed.
//!
//! Cedar's parser goes down one level of the stack, of a kilobyte or two, for every bracket and every operator in a row. A
//! short text could end the process that way; no policy that a person reads comes near these limits.

/// The deepest nesting of brackets.
const BRACKETS: usize = 32;
/// The most signs of operators in one policy; an `if` counts as several.
const OPERATORS: usize = 1_000;
/// How many levels an `if` takes more than an operator.
const IF: usize = 4;

/// Where the text goes too far, in bytes, and how.
pub(super) fn too_far(text: &str) -> Option<(usize, &'static str)> {
    let (mut depth, mut operators) = (0_usize, 0_usize);
    let mut rest = text.char_indices().peekable();
    while let Some((at, character)) = rest.next() {
        match character {
            '"' => {
                while let Some((_, inner)) = rest.next() {
                    match inner {
                        '\\' => drop(rest.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '/' if rest.next_if(|(_, next)| *next == '/').is_some() => {
                while rest.next_if(|(_, next)| *next != '\n').is_some() {}
            }
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            ';' => operators = 0,
            '&' | '|' | '+' | '-' | '*' | '.' | '!' | '=' | '<' | '>' => operators += 1,
            // `if`, at the beginning of a word.
            'i' if text.get(at..).is_some_and(|from| from.starts_with("if "))
                && !text
                    .get(..at)
                    .is_some_and(|before| before.ends_with(char::is_alphanumeric)) =>
            {
                operators += IF;
            }
            _ => {}
        }
        if depth > BRACKETS {
            return Some((at, "brackets nest deeper than 32 levels"));
        }
        if operators > OPERATORS {
            return Some((at, "the policy has too many operators: make several of it"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_overflow_the_stack_is_found() {
        let policy = |condition: &str| {
            format!("@id(\"a\") permit (principal, action, resource) when {{ {condition} }};")
        };
        for deep in [
            format!("{}1{} == 1", "(".repeat(20_000), ")".repeat(20_000)),
            format!("{}{}.isEmpty()", "[".repeat(600), "]".repeat(600)),
            format!("{}1{} == 1", "{a: ".repeat(600), "}".repeat(600)),
            format!("true{}", " && true".repeat(20_000)),
            format!("1{} == 1", " + 1".repeat(20_000)),
            format!("context{} == 1", ".a".repeat(20_000)),
            format!(
                "{}true{}",
                "if true then ".repeat(4_000),
                " else true".repeat(4_000)
            ),
            format!("{}true", "!".repeat(20_000)),
            format!("{}1 == 1", "-".repeat(20_000)),
        ] {
            assert!(too_far(&policy(&deep)).is_some(), "{}", &deep[..20]);
        }
        let long = policy(
            "resource.name == \"((((((((((((((((((((((((((((((((((((((((((((\\\"((((\" // (((((((((((((((((((((((((((((\n",
        );
        assert_eq!(too_far(&long.repeat(1_000)), None);
        let many = policy("[1, 2].contains(1) && context.session.calls < 3").repeat(1_000);
        assert_eq!(too_far(&many), None);
    }
}
