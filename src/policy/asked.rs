//! Who asks what of which, and what stands above each of them.
//!
//! A scope is decided by this alone. [`super::vocabulary::put`] makes Cedar's entities of it, with their attributes, where
//! a policy has to be evaluated.

use std::borrow::Cow;

use super::question::{Ask, Origin, Principal, Question, Tool};

/// Why a question cannot be put.
pub type Unfit = String;

macro_rules! kinds {
    ($($kind:ident),*) => {
        /// The type of an entity.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind { $(#[doc = concat!("`", stringify!($kind), "` in a policy.")] $kind,)* }

        impl Kind {
            /// Every type there is.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// Its name in a policy.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => stringify!($kind),)* }
            }
        }
    };
}

kinds!(
    Action, User, Agent, Session, Plugin, Server, Origin, Tool, Host, Path, Secret, Image
);

/// An entity by its type and its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uid<'a> {
    /// The type.
    pub kind: Kind,
    /// The id.
    pub id: Cow<'a, str>,
}

impl<'a> Uid<'a> {
    fn new(kind: Kind, id: &'a str) -> Self {
        let id = Cow::Borrowed(id);
        Self { kind, id }
    }
}

/// The entities of one question.
#[derive(Debug)]
pub struct Asked<'a> {
    /// Who asks: the most specific of plugin, session, agent and user.
    pub principal: Uid<'a>,
    /// What is to be done; of a call the action of that one tool.
    pub action: Uid<'a>,
    /// What it is done to.
    pub resource: Uid<'a>,
    /// The tool in whose call it is done; none where the resource is a tool itself.
    pub tool: Option<Uid<'a>>,
    kin: Kin<'a>,
}

impl<'a> Asked<'a> {
    /// The entities of a question.
    ///
    /// # Errors
    /// The question has no principal.
    pub fn of(question: &'a Question) -> Result<Self, Unfit> {
        let mut kin = Kin::default();
        let principal = principal(&question.principal, &mut kin)
            .ok_or_else(|| "the question names no user, agent, session or plugin".to_owned())?;
        let resource = resource(&question.ask, &mut kin);
        let mut action = Uid::new(Kind::Action, question.ask.action());
        if let Ask::Invoke { resource, .. } = &question.ask {
            let one = Uid::new(Kind::Action, resource.id.as_str());
            kin.link(&[one.clone(), action]);
            action = one;
        }
        let is_about_tool = matches!(
            question.ask,
            Ask::Invoke { .. } | Ask::List { .. } | Ask::Register { .. }
        );
        let tool = question.tool.as_ref().filter(|_| !is_about_tool);
        Ok(Self {
            principal,
            action,
            resource,
            tool: tool.map(|tool| kin.tool(tool)),
            kin,
        })
    }

    /// An entity, and everything that stands above it, near and far.
    #[must_use]
    pub fn line<'s>(&'s self, own: &'s Uid<'a>) -> Vec<&'s Uid<'a>> {
        let mut line = vec![own];
        let mut next = 0;
        while let Some(one) = line.get(next) {
            for parent in self.kin.parents(one) {
                if !line.contains(&parent) {
                    line.push(parent);
                }
            }
            next += 1;
        }
        line
    }

    /// Every entity with what stands right above it.
    pub fn all(&self) -> impl Iterator<Item = (&Uid<'a>, &[Uid<'a>])> {
        let all = self.kin.all.iter();
        all.map(|(own, parents)| (own, parents.as_slice()))
    }
}

/// The principal, which is the most specific there is; the others become its parents.
fn principal<'a>(principal: &'a Principal, kin: &mut Kin<'a>) -> Option<Uid<'a>> {
    let mut chain = Vec::with_capacity(4);
    if let Some(caller) = &principal.plugin {
        let own = Uid::new(Kind::Plugin, &caller.name);
        kin.link(&[own.clone(), Uid::new(Kind::Origin, caller.origin.word())]);
        chain.push(own);
    }
    for (kind, id) in [
        (Kind::Session, &principal.session),
        (Kind::Agent, &principal.agent),
        (Kind::User, &principal.user),
    ] {
        chain.extend(id.as_deref().map(|id| Uid::new(kind, id)));
    }
    kin.link(&chain);
    chain.into_iter().next()
}

/// The resource, linked with what it belongs to.
fn resource<'a>(ask: &'a Ask, kin: &mut Kin<'a>) -> Uid<'a> {
    let own = match ask {
        Ask::Invoke { resource, .. } | Ask::List { resource } => return kin.tool(resource),
        Ask::Mount { resource } => Uid::new(Kind::Path, &resource.path),
        Ask::Connect { resource } => Uid {
            kind: Kind::Host,
            id: Cow::Owned(format!("{}:{}", resource.name, resource.port)),
        },
        Ask::Container { resource } => Uid::new(Kind::Image, &resource.reference),
        Ask::Secret { resource } => Uid::new(Kind::Secret, &resource.name),
        Ask::Register { resource } => {
            let own = Uid::new(Kind::Server, &resource.name);
            kin.link(&[own.clone(), Uid::new(Kind::Origin, Origin::Mcp.word())]);
            return own;
        }
    };
    kin.link(std::slice::from_ref(&own));
    own
}

/// Who has which parents. There are a handful at most; the same entity may come up more than once, with other parents.
#[derive(Debug, Default)]
struct Kin<'a> {
    all: Vec<(Uid<'a>, Vec<Uid<'a>>)>,
}

impl<'a> Kin<'a> {
    fn parents(&self, own: &Uid<'_>) -> &[Uid<'a>] {
        let known = self.all.iter().find(|(other, _)| other == own);
        known.map_or(&[], |(_, parents)| parents)
    }

    /// Adds each entity with all that follow it as its parents.
    fn link(&mut self, chain: &[Uid<'a>]) {
        let mut rest = chain;
        while let Some((own, above)) = rest.split_first() {
            match self.all.iter_mut().find(|(other, _)| other == own) {
                Some((_, parents)) => {
                    for parent in above {
                        if !parents.contains(parent) {
                            parents.push(parent.clone());
                        }
                    }
                }
                None => self.all.push((own.clone(), above.to_vec())),
            }
            rest = above;
        }
    }

    fn tool(&mut self, tool: &'a Tool) -> Uid<'a> {
        let source = match tool.origin {
            Origin::Mcp => Kind::Server,
            Origin::Wasm | Origin::Docker | Origin::File => Kind::Plugin,
        };
        let own = Uid::new(Kind::Tool, tool.id.as_str());
        self.link(&[
            own.clone(),
            Uid::new(source, tool.id.source()),
            Uid::new(Kind::Origin, tool.origin.word()),
        ]);
        own
    }
}
