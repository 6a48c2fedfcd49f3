//! The words policies are written in: entity types, actions, attributes and context, and a question put into them.
//!
//! [`schema`] writes the Cedar schema: a fixed part, and one action per tool whose context holds the tool's arguments
//! under their types. [`put`] builds the request and the few entities one question needs.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::LazyLock;

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression,
};

use super::question::{Access, Ask, Lifecycle, Origin, Principal, Question, Risk, Tool};
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

macro_rules! types {
    ($($name:ident = $text:literal),* $(,)?) => {$(
        static $name: LazyLock<Option<EntityTypeName>> = LazyLock::new(|| $text.parse().ok());
    )*};
}

types! {
    ACTION = "Action", USER = "User", AGENT = "Agent", SESSION = "Session", PLUGIN = "Plugin", SERVER = "Server",
    ORIGIN = "Origin", TOOL = "Tool", HOST = "Host", PATH = "Path", SECRET = "Secret", IMAGE = "Image",
}

/// A question in Cedar's terms.
#[derive(Debug)]
pub struct Put {
    /// Who, what, to which, and the context.
    pub request: Request,
    /// The entities of the question with their parents.
    pub entities: Entities,
}

/// Why a question cannot be put.
pub type Unfit = String;

/// The name of an action.
///
/// # Errors
/// Never in fact: the type's name is a constant.
pub fn action(name: &str) -> Result<EntityUid, Unfit> {
    uid(&ACTION, name)
}

/// Puts a question into Cedar's terms; `args` are its arguments where it has typed ones.
///
/// # Errors
/// The question has no principal, or a value Cedar cannot hold.
pub fn put(question: &Question, args: Option<RestrictedExpression>) -> Result<Put, Unfit> {
    let mut entities = Few::default();
    let who = principal(&question.principal, &mut entities)?;
    let which = resource(&question.ask, &mut entities)?;
    let mut what = action(question.ask.action())?;
    if let Ask::Invoke { resource, .. } = &question.ask {
        let one = action(&resource.id.to_string())?;
        entities.link(&[one.clone(), what]);
        what = one;
    }

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
    if let Some(tool) = &question.tool
        && !matches!(
            question.ask,
            Ask::Invoke { .. } | Ask::List { .. } | Ask::Register { .. }
        )
    {
        let own = entities.tool(tool)?;
        context.push(("tool".to_owned(), RestrictedExpression::new_entity_uid(own)));
    }
    let context = Context::from_pairs(context).map_err(|error| error.to_string())?;
    let request =
        Request::new(who, what, which, context, None).map_err(|error| error.to_string())?;
    Ok(Put {
        request,
        entities: entities.build()?,
    })
}

fn uid(name: &LazyLock<Option<EntityTypeName>>, id: &str) -> Result<EntityUid, Unfit> {
    let name = LazyLock::force(name)
        .clone()
        .ok_or_else(|| "an entity type has a name Cedar does not take".to_owned())?;
    Ok(EntityUid::from_type_name_and_id(name, EntityId::new(id)))
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

fn time(unix: i64) -> Result<RestrictedExpression, Unfit> {
    let hour = unix.rem_euclid(86_400) / 3_600;
    fields([
        ("unix", RestrictedExpression::new_long(unix)),
        ("hour", RestrictedExpression::new_long(hour)),
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

/// The principal, which is the most specific there is; the others become its parents.
fn principal(principal: &Principal, entities: &mut Few) -> Result<EntityUid, Unfit> {
    let mut chain = Vec::with_capacity(4);
    let caller = principal.plugin.as_ref();
    if let Some(caller) = caller {
        let own = uid(&PLUGIN, &caller.name)?;
        entities.link(&[own.clone(), uid(&ORIGIN, caller.origin.word())?]);
        chain.push(own);
    }
    for (name, id) in [
        (&SESSION, &principal.session),
        (&AGENT, &principal.agent),
        (&USER, &principal.user),
    ] {
        if let Some(id) = id {
            chain.push(uid(name, id)?);
        }
    }
    entities.link(&chain);
    chain
        .into_iter()
        .next()
        .ok_or_else(|| "the question names no user, agent, session or plugin".to_owned())
}

/// The resource; it and what it belongs to are added to the entities.
fn resource(ask: &Ask, entities: &mut Few) -> Result<EntityUid, Unfit> {
    let (own, attributes) = match ask {
        Ask::Invoke { resource, .. } | Ask::List { resource } => return entities.tool(resource),
        Ask::Mount { resource } => {
            let mut all = vec![
                ("path", text(&resource.path)),
                ("access", text(resource.access.word())),
            ];
            all.extend(
                resource
                    .mount
                    .as_deref()
                    .map(|mount| ("mount", text(mount))),
            );
            (uid(&PATH, &resource.path)?, all)
        }
        Ask::Connect { resource } => {
            let id = format!("{}:{}", resource.name, resource.port);
            let mut all = vec![
                ("name", text(&resource.name)),
                ("port", RestrictedExpression::new_long(resource.port.into())),
            ];
            all.extend(resource.address.map(|address| ("address", ip(address))));
            (uid(&HOST, &id)?, all)
        }
        Ask::Container { resource } => {
            let mut all = vec![("reference", text(&resource.reference))];
            all.extend(
                resource
                    .digest
                    .map(|digest| ("digest", text(&digest.to_string()))),
            );
            (uid(&IMAGE, &resource.reference)?, all)
        }
        Ask::Secret { resource } => {
            let mut all = vec![("name", text(&resource.name))];
            all.extend(resource.host.as_deref().map(|host| ("host", text(host))));
            (uid(&SECRET, &resource.name)?, all)
        }
        Ask::Register { resource } => {
            let own = uid(&SERVER, &resource.name)?;
            let origin = uid(&ORIGIN, Origin::Mcp.word())?;
            entities.link(&[own.clone(), origin]);
            entities.describe(&own, vec![("name", text(&resource.name))]);
            return Ok(own);
        }
    };
    entities.describe(&own, attributes);
    Ok(own)
}

fn ip(address: IpAddr) -> RestrictedExpression {
    RestrictedExpression::new_ip(address.to_string())
}

/// The entities of one question; the same one may come up more than once, with other parents.
#[derive(Default)]
struct Few {
    all: HashMap<EntityUid, (HashMap<String, RestrictedExpression>, HashSet<EntityUid>)>,
}

impl Few {
    /// Adds each entity with all that follow it as its parents.
    fn link(&mut self, chain: &[EntityUid]) {
        let mut rest = chain;
        while let Some((own, above)) = rest.split_first() {
            let (_, parents) = self.all.entry(own.clone()).or_default();
            parents.extend(above.iter().cloned());
            rest = above;
        }
    }

    fn describe(&mut self, own: &EntityUid, attributes: Vec<(&str, RestrictedExpression)>) {
        let (known, _) = self.all.entry(own.clone()).or_default();
        for (name, value) in attributes {
            known.insert(name.to_owned(), value);
        }
    }

    fn tool(&mut self, tool: &Tool) -> Result<EntityUid, Unfit> {
        let source = match tool.origin {
            Origin::Mcp => &SERVER,
            Origin::Wasm | Origin::Docker | Origin::File => &PLUGIN,
        };
        let own = uid(&TOOL, &tool.id.to_string())?;
        self.link(&[
            own.clone(),
            uid(source, tool.id.source())?,
            uid(&ORIGIN, tool.origin.word())?,
        ]);
        self.describe(
            &own,
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
            ],
        );
        Ok(own)
    }

    fn build(self) -> Result<Entities, Unfit> {
        let entities: Result<Vec<Entity>, Unfit> = self
            .all
            .into_iter()
            .map(|(uid, (attributes, parents))| {
                Entity::new(uid, attributes, parents).map_err(|error| error.to_string())
            })
            .collect();
        Entities::from_entities(entities?, None).map_err(|error| error.to_string())
    }
}
