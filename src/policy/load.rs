//! Reading and checking policy files.

mod annotations;
mod depth;
mod problems;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::str::FromStr as _;
use std::sync::{Arc, LazyLock};

use cedar_policy::{
    ActionConstraint, Authorizer, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator,
};
use serde_json::Value;

use super::condition::Condition;
use super::decide::PolicyRef;
use super::mention::Mentions;
use super::shape::{Seen, Shape};
use super::slices::Slices;
use super::{About, DEFAULT_FILE, DEFAULT_POLICIES, Policies, ToolShape, no_policies, vocabulary};
use crate::error::{Code, Error, Result};
use crate::ids::Digest;
use problems::{Problems, did_you_mean};

pub(super) fn load(
    sources: &[(&str, &str)],
    tools: &[ToolShape],
    is_checked: bool,
) -> Result<Policies> {
    let shapes = shapes(tools)?;
    let mut problems = Problems::new(sources.iter().copied());
    let mut all = PolicySet::new();
    let mut about = HashMap::new();
    let mut slices = Slices::default();
    for (file, text) in sources {
        for read in policies_of(file, text, &mut problems) {
            add(read, file, &mut all, &mut about, &mut slices, &mut problems);
        }
    }
    problems.into_result("reading the policies")?;
    if about.is_empty() {
        return Err(no_policies());
    }

    let policies = Policies {
        sources: sources
            .iter()
            .map(|(file, text)| ((*file).to_owned(), (*text).to_owned()))
            .collect(),
        all,
        about,
        slices,
        shapes,
        authorizer: Authorizer::new(),
    };
    if !is_checked {
        policies.check_types(&policies.shapes)?;
    }
    Ok(policies)
}

pub(super) fn check(policies: &Policies, tools: &[ToolShape]) -> Result<()> {
    policies.check_types(&shapes(tools)?)
}

pub(super) fn schema_text(tools: &[ToolShape]) -> Result<String> {
    let shapes: BTreeMap<String, Shape> = shapes(tools)?.into_iter().collect();
    Ok(vocabulary::schema(
        shapes.iter().map(|(id, shape)| (id.as_str(), shape)),
    ))
}

/// The types of the arguments of each tool, by its id.
fn shapes(tools: &[ToolShape]) -> Result<HashMap<String, Shape>> {
    let mut shapes = HashMap::with_capacity(tools.len());
    for tool in tools {
        let id = tool.id.to_string();
        if vocabulary::ACTIONS.contains(&id.as_str()) {
            return Err(Error::new(
                Code::E3004,
                format!("making the policy schema: no tool may be called {id}, which is an action"),
            )
            .hint("Rename or remove the plugin or server."));
        }
        shapes.insert(id, Shape::of_input(&tool.input_schema));
    }
    Ok(shapes)
}

pub(super) fn fingerprint(sources: &[(&str, &str)], tools: &[ToolShape]) -> Digest {
    let mut parts: Vec<String> = vec![
        cedar_policy::get_sdk_version().to_string(),
        env!("CARGO_PKG_VERSION").to_owned(),
        vocabulary::schema(std::iter::empty()),
    ];
    for (file, text) in sources {
        parts.extend(["file".to_owned(), (*file).to_owned(), (*text).to_owned()]);
    }
    let mut tools: Vec<(String, String)> = tools
        .iter()
        .map(|tool| (tool.id.to_string(), tool.input_schema.to_string()))
        .collect();
    tools.sort();
    for (id, schema) in tools {
        parts.extend(["tool".to_owned(), id, schema]);
    }
    let mut bytes = Vec::new();
    for part in parts {
        // With its length in front, no part can pass for the end of another.
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    Digest::of(&bytes)
}

/// A policy as it was read, before it is known which others there are.
#[derive(Clone)]
struct Read {
    policy: Policy,
    about: About,
    condition: Condition,
    /// Where it begins.
    at: Option<usize>,
}

/// The policies that ship with Toolhatch: the same text in every process, read once.
static SHIPPED: LazyLock<Vec<Read>> = LazyLock::new(|| {
    let mut problems = Problems::new([(DEFAULT_FILE, DEFAULT_POLICIES)].into_iter());
    read_file(DEFAULT_FILE, DEFAULT_POLICIES, &mut problems)
});

/// Reads the policies that ship with Toolhatch, so that whoever loads policies next need not.
pub(super) fn warm_up() {
    LazyLock::force(&SHIPPED);
}

/// The policies of one file, from memory where it is the one that ships with Toolhatch.
fn policies_of(file: &str, text: &str, problems: &mut Problems<'_>) -> Vec<Read> {
    if (file, text) == (DEFAULT_FILE, DEFAULT_POLICIES) && !SHIPPED.is_empty() {
        return SHIPPED.clone();
    }
    read_file(file, text, problems)
}

/// Adds a policy to the others, unless one of them has its id.
fn add(
    read: Read,
    file: &str,
    all: &mut PolicySet,
    about: &mut HashMap<PolicyId, About>,
    slices: &mut Slices,
    problems: &mut Problems<'_>,
) {
    let own = read.about;
    let id = own.reference.id.as_str();
    if let Some(other) = about.get(read.policy.id()) {
        let other = &other.reference.file;
        let message = format!("there is another policy `{id}`, in {other}");
        return problems.add(file, read.at, Some(id), message);
    }
    if let Err(error) = all.add(read.policy.clone()) {
        return problems.add(file, read.at, Some(id), error.to_string());
    }
    let seen = Seen {
        whole: own.mentions.whole_arguments(),
        names: own.mentions.arguments().cloned().collect(),
    };
    about.insert(read.policy.id().clone(), own);
    slices.add(read.policy, read.condition, seen);
}

/// The policies of one file, each by itself; what is wrong with them goes to the problems.
fn read_file(file: &str, text: &str, problems: &mut Problems<'_>) -> Vec<Read> {
    let mut read = Vec::new();
    if let Some((at, why)) = depth::too_far(text) {
        problems.add(file, Some(at), None, why);
        return read;
    }
    let parsed = match PolicySet::from_str(text) {
        Ok(parsed) => parsed,
        Err(error) => {
            problems.add_cedar(file, None, (&error).into());
            return read;
        }
    };
    for template in parsed.templates() {
        let at = template.as_ref().loc().map(|place| place.start());
        problems.add(file, at, None, "a template with slots cannot be used here");
    }
    for policy in parsed.policies() {
        let at = policy.as_ref().loc().map(|place| place.start());
        let mut wrong = |message: String| problems.add(file, at, policy.annotation("id"), message);
        let Some(id) = policy.annotation("id").filter(|id| !id.trim().is_empty()) else {
            wrong("the policy has no `@id(\"…\")`; records and answers name it by that".to_owned());
            continue;
        };
        let obligations = match annotations::read(policy) {
            Ok(obligations) => obligations,
            Err(faults) => {
                faults.into_iter().for_each(wrong);
                continue;
            }
        };
        let json = match policy.to_json() {
            Ok(json) => json,
            Err(error) => {
                wrong(format!("the policy has no JSON form: {error}"));
                continue;
            }
        };
        let mut mentions = Mentions::default();
        mentions.add_policy(&json);
        foreign_words(&mentions).into_iter().for_each(&mut wrong);
        let reference = PolicyRef {
            id: id.to_owned(),
            file: file.to_owned(),
            annotations: policy
                .annotations()
                .filter(|(name, _)| *name != "id")
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        };
        read.push(Read {
            policy: policy.new_id(PolicyId::new(id)),
            about: About {
                reference: Arc::new(reference),
                obligations,
                mentions,
            },
            condition: Condition::of(&json),
            at,
        });
    }
    read
}

/// Comparisons with a word the attribute never has: the types agree, and the policy would silently never apply.
fn foreign_words(mentions: &Mentions) -> Vec<String> {
    let mut faults = Vec::new();
    for (path, literals) in mentions.iter() {
        let Some(words) = vocabulary::closed_words(path) else {
            continue;
        };
        for literal in literals.iter().filter_map(Value::as_str) {
            if !words.contains(&literal) {
                let meant = did_you_mean(literal, words.iter().copied());
                faults.push(format!(
                    "`{}` is never {literal:?}: it is one of {}{meant}",
                    path.join("."),
                    words.join(", ")
                ));
            }
        }
    }
    faults
}

impl Policies {
    /// Checks every policy against the schema for these tools; strictly, and with warnings as errors.
    fn check_types(&self, shapes: &HashMap<String, Shape>) -> Result<()> {
        let needed = self.tools_to_check(shapes);
        let text = vocabulary::schema(
            needed
                .iter()
                .filter_map(|id| shapes.get_key_value(*id))
                .map(|(id, shape)| (id.as_str(), shape)),
        );
        let (schema, _) = Schema::from_cedarschema_str(&text).map_err(|error| {
            Error::new(
                Code::E3000,
                format!("making the policy schema: it is not valid: {error}"),
            )
        })?;
        let result = Validator::new(schema).validate(&self.all, ValidationMode::Strict);
        let sources = self
            .sources
            .iter()
            .map(|(file, text)| (file.as_str(), text.as_str()));
        let mut problems = Problems::new(sources);
        let file_of = |id: &PolicyId| {
            self.about
                .get(id)
                .map_or("", |about| about.reference.file.as_str())
        };
        for error in result.validation_errors() {
            let id = error.policy_id();
            let mut detail = cedar_policy::ffi::DetailedError::from(error);
            if let cedar_policy::ValidationError::UnrecognizedActionId(_) = error {
                detail.help = self.unknown_action(id, shapes);
            }
            problems.add_cedar(file_of(id), Some(id.to_string()), detail);
        }
        for warning in result.validation_warnings() {
            let id = warning.policy_id();
            // A policy with a wrong type never applies either; the type is what to tell.
            if problems.names(id.as_ref()) {
                continue;
            }
            problems.add_cedar(file_of(id), Some(id.to_string()), warning.into());
        }
        problems.into_result("checking the policies")
    }

    /// The tools whose arguments can matter to any policy: those that are named, and all where some policy looks at
    /// arguments without saying of which tool. For the others `tool.invoke` stands, which has the same types.
    fn tools_to_check<'a>(&self, shapes: &'a HashMap<String, Shape>) -> BTreeSet<&'a str> {
        let any = self.all.policies().any(|policy| {
            let looks = self.about.get(policy.id()).is_some_and(|about| {
                about.mentions.whole_arguments() || about.mentions.arguments().next().is_some()
            });
            looks && !names_only_tools(policy, shapes)
        });
        if any {
            return shapes.keys().map(String::as_str).collect();
        }
        let mut named = BTreeSet::new();
        for policy in self.all.policies() {
            for uid in policy.entity_literals() {
                if uid.type_name().basename() == "Action"
                    && let Some((id, _)) = shapes.get_key_value(uid.id().unescaped())
                {
                    named.insert(id.as_str());
                }
            }
        }
        named
    }

    /// Help for a policy that names an action there is not.
    fn unknown_action(&self, id: &PolicyId, shapes: &HashMap<String, Shape>) -> Option<String> {
        let known = || {
            let tools = shapes.keys().map(String::as_str);
            tools.chain(vocabulary::ACTIONS.iter().copied())
        };
        let literals = self.all.policy(id)?.entity_literals();
        let unknown = literals
            .iter()
            .filter(|uid| uid.type_name().basename() == "Action")
            .map(|uid| uid.id().unescaped())
            .find(|name| !known().any(|other| other == *name))?;
        let meant = did_you_mean(unknown, known());
        Some(format!(
            "no tool {unknown} is installed, and it is no action{meant}"
        ))
    }
}

/// True where the scope of a policy names particular tools, and nothing else.
fn names_only_tools(policy: &Policy, shapes: &HashMap<String, Shape>) -> bool {
    match policy.action_constraint() {
        ActionConstraint::Any => false,
        ActionConstraint::Eq(uid) => shapes.contains_key(uid.id().unescaped()),
        ActionConstraint::In(uids) => uids
            .iter()
            .all(|uid| shapes.contains_key(uid.id().unescaped())),
    }
}
