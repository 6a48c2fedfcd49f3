//! Properties of pins, for servers made at random.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Value};

use super::tests::{identity, info, now};
use super::*;

/// A JSON value of a few levels.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter("a number", |float| float.is_finite())
            .prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-c]{1,2}", inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

const FIELDS: [&str; 8] = [
    "title",
    "description",
    "inputSchema",
    "outputSchema",
    "annotations",
    "icons",
    "_meta",
    "x-other",
];

/// A tool of one of a few names.
fn tool() -> impl Strategy<Value = Value> {
    let fields = prop::collection::vec((prop::sample::select(&FIELDS[..]), json()), 0..5);
    ("[a-d]", fields).prop_map(|(name, fields)| {
        let mut tool = Map::new();
        tool.insert("name".to_owned(), name.into());
        tool.extend(
            fields
                .into_iter()
                .map(|(field, value)| (field.to_owned(), value)),
        );
        Value::Object(tool)
    })
}

fn server() -> impl Strategy<Value = SeenServer> {
    let tools = prop::collection::vec(tool(), 0..5);
    (tools, "[ab]{0,1}", "[12]").prop_map(|(tools, instructions, version)| {
        let mut info = info();
        info.instructions = Some(instructions);
        info.version = version;
        let mut seen = SeenServer::new(identity(), info, tools);
        // What cannot be taken is not kept, so it is not seen again.
        seen.refused.clear();
        seen
    })
}

/// The same value with the keys of every object the other way round.
fn reversed(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().rev();
            Value::Object(
                fields
                    .map(|(name, value)| (name.clone(), reversed(value)))
                    .collect(),
            )
        }
        Value::Array(items) => items.iter().map(reversed).collect(),
        scalar => scalar.clone(),
    }
}

/// Every place below a value, as pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    let mut below = |name: &str, value: &Value| {
        let at = format!("{at}/{name}");
        found.push(at.clone());
        places(value, &at, found);
    };
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                below(&index.to_string(), item);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                below(name, field);
            }
        }
        _ => {}
    }
}

/// What a server does, and a person.
#[derive(Debug, Clone)]
enum Step {
    See(Box<SeenServer>),
    AcceptAll,
    AcceptTool(String),
    Start(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => server().prop_map(|seen| Step::See(Box::new(seen))),
        1 => Just(Step::AcceptAll),
        1 => "[a-d]".prop_map(Step::AcceptTool),
        1 => any::<bool>().prop_map(Step::Start),
    ]
}

fn take(server: &mut PinnedServer, step: &Step) {
    let shown = server.pending();
    match step {
        Step::See(seen) => drop(server.see(seen, now())),
        Step::AcceptAll => server
            .accept(&Choice::All, &shown, now())
            .expect("what was shown"),
        Step::AcceptTool(name) => {
            let choice = Choice::Some {
                server: false,
                tools: BTreeSet::from([name.clone()]),
            };
            // There may be no such tool.
            drop(server.accept(&choice, &shown, now()));
        }
        Step::Start(is_same) => {
            let other = ServerIdentity::Http {
                url: "https://x.example/".to_owned(),
            };
            let identity = if *is_same { identity() } else { other };
            server.see_identity(&identity, now());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_order_of_keys_and_white_space_do_not_matter(tool in tool()) {
        let one = ToolDescriptor::new(tool.clone()).expect("a tool");
        let other = ToolDescriptor::new(reversed(&tool)).expect("a tool");
        prop_assert_eq!(one.digest(), other.digest());
        let pretty = serde_json::to_string_pretty(&tool).expect("text");
        let read = serde_json::from_str(&pretty).expect("JSON");
        prop_assert_eq!(ToolDescriptor::new(read).expect("a tool").digest(), one.digest());
    }

    #[test]
    fn a_single_change_anywhere_is_noticed(tool in tool(), place in any::<Index>(), part in json()) {
        let mut found = Vec::new();
        places(&tool, "", &mut found);
        found.retain(|at| at != "/name");
        prop_assume!(!found.is_empty());
        let at = place.get(&found);
        let mut changed = tool.clone();
        let target = changed.pointer_mut(at).expect("there");
        prop_assume!(crate::schema::canonical(target) != crate::schema::canonical(&part));
        *target = part;
        let seen = |tool: &Value| SeenServer::new(identity(), info(), [tool.clone()]);
        let pinned = PinnedServer::pin(&seen(&tool), now());
        let drift = compare(&pinned, &seen(&changed));
        let field = at.split('/').nth(1).expect("a field");
        match drift.tools.as_slice() {
            [ToolDrift::Changed { fields, .. }] => prop_assert_eq!(fields, &[ToolField::new(field)]),
            other => prop_assert!(false, "{:?}", other),
        }
        prop_assert!(!drift.diff().is_empty());
        prop_assert!(verdicts(Some(&pinned), &seen(&changed)).values().all(|verdict| !verdict.is_usable()));
    }

    #[test]
    fn whatever_happens_the_file_reads_as_it_was_written(first in server(), agreed: bool, steps in prop::collection::vec(step(), 0..6)) {
        let mut lock = Lock::default();
        let how = if agreed { FirstSight::Pin } else { FirstSight::Wait };
        lock.see("server", &first, how, now()).expect("seen");
        let mut server = lock.server("server").expect("there").clone();
        for step in &steps {
            take(&mut server, step);
        }
        let lock = Lock::of([("server".to_owned(), server)]);
        let text = lock.to_text().expect("text");
        let again = Lock::parse(text.as_bytes()).expect("read");
        prop_assert_eq!(again.to_text().expect("text"), text);
        prop_assert_eq!(again, lock);
    }

    #[test]
    fn what_was_seen_is_known_and_accepting_it_leaves_nothing(first in server(), agreed: bool, steps in prop::collection::vec(step(), 0..6), last in server()) {
        let mut server = if agreed {
            PinnedServer::pin(&first, now())
        } else {
            PinnedServer::unknown(&first, now())
        };
        for step in &steps {
            take(&mut server, step);
        }
        let before = server.canonical();
        let drift = server.see(&last, now());
        // Seeing agrees to nothing.
        prop_assert_eq!(server.canonical(), before);
        prop_assert_eq!(server.last_seen(), last.clone());
        prop_assert_eq!(server.pending(), drift.clone());
        let mut twice = server.clone();
        twice.see(&last, now());
        prop_assert_eq!(&twice, &server);

        server.accept(&Choice::All, &drift, now()).expect("what was shown");
        prop_assert!(compare(&server, &last).is_empty());
        prop_assert!(verdicts(Some(&server), &last).values().all(Verdict::is_usable));
        let anew = PinnedServer::pin(&last, now());
        prop_assert_eq!(server.digest(), anew.digest());
    }

    #[test]
    fn a_tool_is_used_only_in_the_form_that_was_agreed_to(first in server(), steps in prop::collection::vec(step(), 0..6), last in server()) {
        let mut server = PinnedServer::pin(&first, now());
        for step in &steps {
            take(&mut server, step);
        }
        for (name, verdict) in verdicts(Some(&server), &last) {
            let agreed = server.tools.get(&name).filter(|tool| tool.state != State::New);
            let same = agreed.is_some_and(|tool| last.tools.get(&name) == Some(&tool.descriptor));
            let known = server.state != State::New && server.record.digest() == last.record.digest();
            prop_assert_eq!(verdict.is_usable(), same && known, "{}", name);
        }
    }

    #[test]
    fn no_bytes_make_reading_panic(bytes in prop::collection::vec(any::<u8>(), 0..256), text in any::<String>()) {
        prop_assert!(Lock::parse(&bytes).is_err());
        prop_assert!(Lock::parse(text.as_bytes()).is_err());
    }

    #[test]
    fn a_flipped_byte_changes_nothing_that_was_agreed_to(first in server(), at in any::<Index>(), flip in 1_u8..) {
        let mut lock = Lock::default();
        lock.see("server", &first, FirstSight::Pin, now()).expect("seen");
        let mut bytes = lock.to_text().expect("text").into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok(read) = Lock::parse(&bytes)
            && let Some(server) = read.server("server") {
                prop_assert_eq!(server.canonical(), lock.server("server").expect("there").canonical());
        }
    }

    #[test]
    fn no_text_makes_a_search_panic(text in any::<String>(), name in "\\PC{1,12}") {
        let names = BTreeSet::from([name]);
        let none = BTreeSet::new();
        let neighbours = suspicion::Neighbours { own: &none, others: &names };
        let info = ServerInfo { instructions: Some(text.clone()), ..ServerInfo::default() };
        for finding in suspicion::scan_server(&info, neighbours) {
            prop_assert!(!finding.excerpt.contains(is_hidden));
        }
        prop_assert!(!visible(&text).contains(is_hidden));
    }
}
