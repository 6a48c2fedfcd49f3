//! The words policies are written in: entity types, actions, attributes and context, and a question put into them.
//!
//! [`schema`] writes the Cedar schema: a fixed part, and one action per tool whose context holds the tool's arguments
//! under their types. [`put`] builds the request and the few entities one question needs.

use std::fmt::Write as _;
use std::net::IpAddr;

use std::sync::LazyLock;

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression,
};

use super::asked::{Asked, Kind, Uid, Unfit};
use super::question::{Access, Ask, Lifecycle, Question, Risk, Tool};
use super::shape::Shape;

/// The part of the schema that does not depend on the tools.
const FIXED: &str = include_str!("vocabulary.cedarschema");

/// The actions that are no single tool.
pub const ACTIONS: &[&str] = &[
    "tool.invoke",
    "tool.list",
    "fs.mount",
    "net.connect",
    "exec.container",
    "secret.read",
    "mcp.register",
];

/// The days, as `context.time.weekday` has them, from the first day of 1970 on.
const WEEKDAYS: &[&str] = &[
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "monday",
    "tuesday",
    "wednesday",
];

/// The words an attribute is limited to, where it is limited; a policy that compares it with another word is wrong.
#[must_use]
pub fn closed_words(path: &[String]) -> Option<&'static [&'static str]> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["context", "time", "weekday"] => Some(WEEKDAYS),
        ["resource", "access"] => Some(Access::WORDS),
        ["resource", "risk"] | ["context", "tool", "risk"] => Some(Risk::WORDS),
        ["resource", "lifecycle"] | ["context", "tool", "lifecycle"] => Some(Lifecycle::WORDS),
        _ => None,
    }
}

/// The Cedar schema for these tools, as text. A tool of a fixed action's name must not be among them.
#[must_use]
pub fn schema<'a>(tools: impl Iterator<Item = (&'a str, &'a Shape)>) -> String {
    let mut text = FIXED.to_owned();
    for (id, shape) in tools {
        // Writing into a String cannot fail.
        let _ = writeln!(
            text,
            "action {id:?} in [\"tool.invoke\"] appliesTo {{\n  principal: [User, Agent, Session, Plugin],\n  \
             resource: Tool,\n  context: {{ time: Time, environment: Environment, session: SessionState, args: {} }}\n}};",
            shape.to_cedar()
        );
    }
    text
}

/// A question in Cedar's terms.
#[derive(Debug)]
pub struct Put {
    /// Who, what, to which, and the context.
    pub request: Request,
    /// The entities of the question with their parents.
    pub entities: Entities,
}

/// Puts a question into Cedar's terms; `asked` are its entities, `args` its arguments where it has typed ones.
///
/// # Errors
/// A value Cedar cannot hold.
pub fn put(
    question: &Question,
    asked: &Asked<'_>,
    args: Option<RestrictedExpression>,
) -> Result<Put, Unfit> {
    let mut context = vec![
        ("time".to_owned(), time(question.time)?),
        (
            "environment".to_owned(),
            fields([
                ("interactive", flag(question.environment.interactive)),
                ("headless", flag(question.environment.headless)),
            ])?,
        ),
        ("session".to_owned(), session(question)?),
    ];
    if let Some(args) = args {
        context.push(("args".to_owned(), args));
    }
    if let Some(own) = &asked.tool {
        let own = RestrictedExpression::new_entity_uid(uid(own)?);
        context.push(("tool".to_owned(), own));
    }
    let context = Context::from_pairs(context).map_err(|error| error.to_string())?;
    let request = Request::new(
        uid(&asked.principal)?,
        uid(&asked.action)?,
        uid(&asked.resource)?,
        context,
        None,
    )
    .map_err(|error| error.to_string())?;

    let entities: Result<Vec<Entity>, Unfit> = asked
        .all()
        .map(|(own, parents)| {
            let attributes = if *own == asked.resource {
                resource(&question.ask)
            } else if asked.tool.as_ref() == Some(own) {
                question.tool.as_ref().map(tool).unwrap_or_default()
            } else {
                Vec::new()
            };
            let attributes = attributes
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value));
            let parents: Result<_, Unfit> = parents.iter().map(uid).collect();
            Entity::new(uid(own)?, attributes.collect(), parents?)
                .map_err(|error| error.to_string())
        })
        .collect();
    Ok(Put {
        request,
        entities: Entities::from_entities(entities?, None).map_err(|error| error.to_string())?,
    })
}

fn uid(own: &Uid<'_>) -> Result<EntityUid, Unfit> {
    static TYPES: LazyLock<Option<Vec<EntityTypeName>>> = LazyLock::new(|| {
        let all = Kind::ALL.iter().map(|kind| kind.name().parse().ok());
        all.collect()
    });
    let types = TYPES.as_deref().unwrap_or_default();
    let name = types
        .get(own.kind as usize)
        .ok_or_else(|| format!("Cedar does not take {} as a type", own.kind.name()))?;
    let id = EntityId::new(&own.id);
    Ok(EntityUid::from_type_name_and_id(name.clone(), id))
}

fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

fn flag(value: bool) -> RestrictedExpression {
    RestrictedExpression::new_bool(value)
}

fn words<'a>(values: impl IntoIterator<Item = &'a String>) -> RestrictedExpression {
    RestrictedExpression::new_set(values.into_iter().map(|value| text(value)))
}

fn fields<const N: usize>(
    fields: [(&str, RestrictedExpression); N],
) -> Result<RestrictedExpression, Unfit> {
    RestrictedExpression::new_record(fields.map(|(name, value)| (name.to_owned(), value)))
        .map_err(|error| error.to_string())
}

/// The day of the week in UTC, in lower case.
#[must_use]
pub fn weekday(unix: i64) -> &'static str {
    let day = usize::try_from(unix.div_euclid(86_400).rem_euclid(7)).unwrap_or_default();
    WEEKDAYS.get(day).copied().unwrap_or_default()
}

/// The hour of the day in UTC.
#[must_use]
pub const fn hour(unix: i64) -> i64 {
    unix.rem_euclid(86_400) / 3_600
}

fn time(unix: i64) -> Result<RestrictedExpression, Unfit> {
    fields([
        ("unix", RestrictedExpression::new_long(unix)),
        ("hour", RestrictedExpression::new_long(hour(unix))),
        ("weekday", text(weekday(unix))),
    ])
}

fn session(question: &Question) -> Result<RestrictedExpression, Unfit> {
    let state = &question.session;
    let mut all = vec![
        ("tainted".to_owned(), flag(state.tainted)),
        ("labels".to_owned(), words(&state.labels)),
        (
            "calls".to_owned(),
            RestrictedExpression::new_long(state.calls.into()),
        ),
        ("egress".to_owned(), flag(state.egress)),
    ];
    if let Some(id) = &question.principal.session {
        all.push(("id".to_owned(), text(id)));
    }
    RestrictedExpression::new_record(all).map_err(|error| error.to_string())
}

/// The attributes of a resource.
fn resource(ask: &Ask) -> Vec<(&'static str, RestrictedExpression)> {
    match ask {
        Ask::Invoke { resource, .. } | Ask::List { resource } => tool(resource),
        Ask::Mount { resource } => {
            let mut all = vec![
                ("path", text(&resource.path)),
                ("access", text(resource.access.word())),
            ];
            let mount = resource.mount.as_deref();
            all.extend(mount.map(|mount| ("mount", text(mount))));
            all
        }
        Ask::Connect { resource } => {
            let mut all = vec![
                ("name", text(&resource.name)),
                ("port", RestrictedExpression::new_long(resource.port.into())),
            ];
            all.extend(resource.address.map(|address| ("address", ip(address))));
            all
        }
        Ask::Container { resource } => {
            let mut all = vec![("reference", text(&resource.reference))];
            let digest = resource.digest;
            all.extend(digest.map(|digest| ("digest", text(&digest.to_string()))));
            all
        }
        Ask::Secret { resource } => {
            let mut all = vec![("name", text(&resource.name))];
            all.extend(resource.host.as_deref().map(|host| ("host", text(host))));
            all
        }
        Ask::Register { resource } => vec![("name", text(&resource.name))],
    }
}

fn ip(address: IpAddr) -> RestrictedExpression {
    RestrictedExpression::new_ip(address.to_string())
}

/// The attributes of a tool.
fn tool(tool: &Tool) -> Vec<(&'static str, RestrictedExpression)> {
    vec![
        ("name", text(tool.id.tool())),
        ("plugin", text(tool.id.source())),
        ("version", text(&tool.version)),
        ("digest", text(&tool.digest.to_string())),
        ("risk", text(tool.risk.word())),
        ("idempotent", flag(tool.idempotent)),
        ("pure", flag(tool.pure)),
        ("untrusted_output", flag(tool.untrusted_output)),
        ("lifecycle", text(tool.lifecycle.word())),
        ("tags", words(&tool.tags)),
        ("signed", flag(tool.signed)),
    ]
}
