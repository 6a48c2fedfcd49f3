//! Policies as people write them, many of them.

use std::fmt::Write as _;

use serde_json::json;
use toolhatch::ids::Digest;
use toolhatch::policy::{Question, ToolShape};

/// Code that one of [`hundred`] forbids to be analysed.
pub(super) const FORBIDDEN: &str = "const KEY: &str = \"secret 7 of ours\";";
/// How many plugins [`thousand`] is about, and how many tools each of them has.
const PLUGINS: usize = 20;
const EACH: usize = 5;
const INVOKE: &str = "action in Action::\"tool.invoke\"";

/// Three files with 95 rules, which make a hundred with those that ship: 30 about the arguments of the tool that is called, 25
/// about those of installed tools, 20 about single people, 20 about every call. None of them can be answered from memory.
pub(super) fn hundred() -> [(&'static str, String); 3] {
    let of_code = (0..30).map(|number| {
        format!(
            "@id(\"code-{number}\")\n\
             forbid (principal, action == Action::\"analyze-code.analyze-code\", resource)\n\
             when {{ context.args has code && context.args.code like \"*secret {number} of*\" }};\n"
        )
    });
    let of_files = (0..25).map(|number| {
        format!(
            "@id(\"files-{number}\")\n\
             forbid (principal, action == Action::\"files.write\", resource)\n\
             when {{ context.args.path like \"/srv/{number}/*\" }};\n"
        )
    });
    let of_people = (0..40).map(|number| {
        let (who, what) = if number < 20 {
            (
                format!("principal in User::\"uid {}\"", 1000 + number),
                "resource.risk == \"high\"".to_owned(),
            )
        } else {
            (
                "principal".to_owned(),
                format!("resource.tags.contains(\"team-{number}\") && context.session.calls > 100"),
            )
        };
        format!(
            "@id(\"people-{number}\")\nforbid ({who}, {INVOKE}, resource)\nwhen {{ {what} }};\n"
        )
    });
    [
        ("code.cedar", of_code.collect()),
        ("files.cedar", of_files.collect()),
        ("people.cedar", of_people.collect()),
    ]
}

/// A thousand rules: half about the arguments of one tool each, 200 about single people, 200 about one plugin each, 100 about
/// every call.
pub(super) fn thousand() -> String {
    let mut text = String::new();
    for number in 0..1000 {
        let (plugin, tool) = (number % PLUGINS, number / PLUGINS % EACH);
        let any =
            |condition: String| format!("principal, {INVOKE}, resource) when {{ {condition} }}");
        let of_tool = |condition: String| {
            format!(
                "principal, action == Action::\"plugin-{plugin}.tool-{tool}\", resource) when {{ {condition} }}"
            )
        };
        let rule = match number / (PLUGINS * EACH) {
            0 | 1 => of_tool(format!("context.args.path like \"/srv/{number}/*\"")),
            2 | 3 => of_tool(format!(
                "context.args.mode == \"write\" && context.time.hour < {}",
                number % 6
            )),
            4 => of_tool(format!(
                "context.args has depth && context.args.depth > {number}"
            )),
            5 | 6 => format!(
                "principal in User::\"user-{number}\", {INVOKE}, resource) when {{ context.time.weekday == \"sunday\" }}"
            ),
            7 => any(format!(
                "resource.plugin == \"plugin-{plugin}\" && context.session.calls > {number}"
            )),
            8 => format!(
                "principal, {INVOKE}, resource in Plugin::\"plugin-{plugin}\") when {{ resource.tags.contains(\"team-{number}\") }}"
            ),
            _ => any(format!(
                "resource.tags.contains(\"team-{number}\") && context.session.calls > 100"
            )),
        };
        writeln!(text, "@id(\"rule-{number}\") forbid ({rule};").expect("written");
    }
    text
}

/// The tools that [`thousand`] is about.
pub(super) fn tools() -> Vec<ToolShape> {
    let schema = json!({
        "type": "object",
        "properties": {
            "path": {"type": "string"},
            "mode": {"enum": ["read", "write"]},
            "depth": {"type": "integer"},
        },
        "required": ["path", "mode"],
    });
    (0..PLUGINS * EACH)
        .map(|number| ToolShape {
            id: tool_id(number).parse().expect("an id"),
            input_schema: schema.clone(),
        })
        .collect()
}

fn tool_id(number: usize) -> String {
    format!(
        "plugin-{}.tool-{}",
        number % PLUGINS,
        number / PLUGINS % EACH
    )
}

/// A question to [`thousand`]; each asks something else.
pub(super) fn question(number: usize) -> Question {
    let id = tool_id(number);
    serde_json::from_value(json!({
        "version": 1,
        "principal": {
            "user": format!("user-{}", 500 + number % 200),
            "agent": "coder",
            "session": format!("session-{}", number / 50),
        },
        "ask": {
            "action": "tool.invoke",
            "resource": {
                "id": id,
                "origin": "wasm",
                "version": "1.0.0",
                "digest": Digest::of(id.as_bytes()).to_string(),
                "risk": "low",
                "tags": [format!("team-{}", number % 1000), "ours"],
            },
            "args": {"path": format!("/home/me/{number}/notes.txt"), "mode": "write", "depth": number % 40},
        },
        "time": 1_790_000_000 + number * 60,
        "environment": {"interactive": false, "headless": true},
        "session": {"tainted": false, "labels": [], "calls": number % 50, "egress": false},
    }))
    .expect("a question")
}
