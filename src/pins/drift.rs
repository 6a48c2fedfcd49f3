//! How what a server says differs from what is pinned of it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::descriptor::ToolDescriptor;
use super::identity::{ServerIdentity, ServerRecord};
use super::server::{PinnedServer, SeenServer, State};

/// What of a server is different.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServerField {
    /// It is reached in another way: a process, a container, HTTP.
    Transport,
    /// Its command or its arguments.
    Command,
    /// The file of its program.
    Program,
    /// Its image.
    Image,
    /// Its URL.
    Url,
    /// Its name.
    Name,
    /// Its title.
    Title,
    /// Its instructions to models.
    Instructions,
}

impl ServerField {
    /// The words for it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Transport => "transport",
            Self::Command => "command",
            Self::Program => "program",
            Self::Image => "image",
            Self::Url => "URL",
            Self::Name => "name",
            Self::Title => "title",
            Self::Instructions => "instructions",
        }
    }

    /// What differs between two identities, in the order of the fields.
    #[must_use]
    pub fn of_identities(pinned: &ServerIdentity, seen: &ServerIdentity) -> Vec<Self> {
        use ServerIdentity as Identity;
        let differing: &[(Self, bool)] = match (pinned, seen) {
            (
                Identity::Stdio {
                    command,
                    arguments,
                    program,
                },
                Identity::Stdio {
                    command: seen_command,
                    arguments: seen_arguments,
                    program: seen_program,
                },
            ) => &[
                (
                    Self::Command,
                    (command, arguments) != (seen_command, seen_arguments),
                ),
                (Self::Program, program != seen_program),
            ],
            (
                Identity::Container {
                    image,
                    command,
                    arguments,
                },
                Identity::Container {
                    image: seen_image,
                    command: seen_command,
                    arguments: seen_arguments,
                },
            ) => &[
                (
                    Self::Command,
                    (command, arguments) != (seen_command, seen_arguments),
                ),
                (Self::Image, image != seen_image),
            ],
            (Identity::Http { url }, Identity::Http { url: seen_url }) => {
                &[(Self::Url, url != seen_url)]
            }
            _ => &[(Self::Transport, true)],
        };
        let differing = differing.iter().filter(|(_, differs)| *differs);
        differing.map(|(field, _)| *field).collect()
    }

    /// What differs between two records, in the order of the fields. The version does not count.
    #[must_use]
    pub fn of_records(pinned: &ServerRecord, seen: &ServerRecord) -> Vec<Self> {
        let mut fields = Self::of_identities(&pinned.identity, &seen.identity);
        let (old, new) = (&pinned.info, &seen.info);
        for (field, differs) in [
            (Self::Name, old.name != new.name),
            (Self::Title, old.title != new.title),
            (Self::Instructions, old.instructions != new.instructions),
        ] {
            if differs {
                fields.push(field);
            }
        }
        fields
    }
}

/// What of a tool is different.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ToolField {
    /// `title`.
    Title,
    /// `description`.
    Description,
    /// `inputSchema`.
    InputSchema,
    /// `outputSchema`.
    OutputSchema,
    /// `annotations`.
    Annotations,
    /// `icons`.
    Icons,
    /// `_meta`.
    Meta,
    /// Any other, by its name.
    Other(String),
}

impl ToolField {
    /// The field of this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        match name {
            "title" => Self::Title,
            "description" => Self::Description,
            "inputSchema" => Self::InputSchema,
            "outputSchema" => Self::OutputSchema,
            "annotations" => Self::Annotations,
            "icons" => Self::Icons,
            "_meta" => Self::Meta,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Its name in the descriptor.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Title => "title",
            Self::Description => "description",
            Self::InputSchema => "inputSchema",
            Self::OutputSchema => "outputSchema",
            Self::Annotations => "annotations",
            Self::Icons => "icons",
            Self::Meta => "_meta",
            Self::Other(name) => name,
        }
    }

    /// What differs between two descriptors.
    #[must_use]
    pub fn of_descriptors(pinned: &ToolDescriptor, seen: &ToolDescriptor) -> Vec<Self> {
        if pinned == seen {
            return Vec::new();
        }
        let names: BTreeSet<&String> = pinned
            .fields()
            .chain(seen.fields())
            .map(|(name, _)| name)
            .collect();
        // By their canonical forms, as digests are: `1` and `1.0` are two values.
        let form = |tool: &ToolDescriptor, name: &str| tool.get(name).map(crate::schema::canonical);
        let differing = names
            .into_iter()
            .filter(|name| form(pinned, name) != form(seen, name));
        let mut fields: Vec<Self> = differing.map(|name| Self::new(name)).collect();
        fields.sort();
        fields
    }
}

/// How the server itself differs.
#[derive(Debug, Clone)]
pub enum ServerDrift {
    /// Nobody has agreed to it yet.
    New {
        /// What was seen.
        seen: Box<ServerRecord>,
    },
    /// It is not what it was.
    Changed {
        /// What differs; at least one.
        fields: Vec<ServerField>,
        /// What is pinned.
        pinned: Box<ServerRecord>,
        /// What was seen.
        seen: Box<ServerRecord>,
    },
}

impl ServerDrift {
    /// What was seen.
    #[must_use]
    pub fn seen(&self) -> &ServerRecord {
        match self {
            Self::New { seen } | Self::Changed { seen, .. } => seen,
        }
    }
}

/// A version is no difference.
impl PartialEq for ServerDrift {
    fn eq(&self, other: &Self) -> bool {
        let pinned = |drift: &Self| match drift {
            Self::New { .. } => None,
            Self::Changed { pinned, .. } => Some(pinned.digest()),
        };
        pinned(self) == pinned(other) && self.seen().digest() == other.seen().digest()
    }
}

/// How one tool differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolDrift {
    /// Nobody has agreed to it yet.
    Added {
        /// What was seen.
        seen: ToolDescriptor,
    },
    /// It is not there any more.
    Removed {
        /// What is pinned.
        pinned: ToolDescriptor,
    },
    /// It is there under another name, and the same in all else.
    Renamed {
        /// What is pinned.
        pinned: ToolDescriptor,
        /// What was seen.
        seen: ToolDescriptor,
    },
    /// It is not what it was.
    Changed {
        /// What differs; at least one.
        fields: Vec<ToolField>,
        /// What is pinned.
        pinned: ToolDescriptor,
        /// What was seen.
        seen: ToolDescriptor,
    },
}

impl ToolDrift {
    /// The name of the tool; of a renamed one, that it has now.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Removed { pinned } => pinned.name(),
            Self::Added { seen } | Self::Renamed { seen, .. } | Self::Changed { seen, .. } => {
                seen.name()
            }
        }
    }

    /// True for the drift of a tool of this name, the one it had or the one it has.
    #[must_use]
    pub fn is_of(&self, name: &str) -> bool {
        self.name() == name || matches!(self, Self::Renamed { pinned, .. } if pinned.name() == name)
    }

    /// What was seen, where it is still there.
    #[must_use]
    pub fn seen(&self) -> Option<&ToolDescriptor> {
        match self {
            Self::Removed { .. } => None,
            Self::Added { seen } | Self::Renamed { seen, .. } | Self::Changed { seen, .. } => {
                Some(seen)
            }
        }
    }

    /// What is pinned, where something is.
    #[must_use]
    pub fn pinned(&self) -> Option<&ToolDescriptor> {
        match self {
            Self::Added { .. } => None,
            Self::Removed { pinned }
            | Self::Renamed { pinned, .. }
            | Self::Changed { pinned, .. } => Some(pinned),
        }
    }

    /// The word for it: `added`, `removed`, `renamed` or `changed`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Added { .. } => "added",
            Self::Removed { .. } => "removed",
            Self::Renamed { .. } => "renamed",
            Self::Changed { .. } => "changed",
        }
    }
}

/// All that differs of a server. Two are equal where a person who agreed to one has agreed to the other.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Drift {
    /// The server itself.
    pub server: Option<ServerDrift>,
    /// Its tools, by name.
    pub tools: Vec<ToolDrift>,
}

impl Drift {
    /// True where nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.server.is_none() && self.tools.is_empty()
    }

    /// The form for programs: each with the word for it, what differs, and what was pinned and seen.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let server = self.server.as_ref().map(|drift| match drift {
            ServerDrift::New { seen } => json!({"change": "added", "seen": seen}),
            ServerDrift::Changed {
                fields,
                pinned,
                seen,
            } => json!({
                "change": "changed",
                "fields": fields.iter().map(|field| field.words()).collect::<Vec<_>>(),
                "pinned": pinned,
                "seen": seen,
            }),
        });
        let side =
            |tool: &ToolDescriptor| json!({"digest": tool.digest(), "descriptor": tool.value()});
        let tools = self.tools.iter().map(|drift| {
            let mut form = json!({"name": drift.name(), "change": drift.word()});
            let fields = match drift {
                ToolDrift::Changed { fields, .. } => {
                    let names: Vec<&str> = fields.iter().map(ToolField::name).collect();
                    Some(json!(names))
                }
                _ => None,
            };
            let from = match drift {
                ToolDrift::Renamed { pinned, .. } => Some(json!(pinned.name())),
                _ => None,
            };
            if let Some(object) = form.as_object_mut() {
                for (name, value) in [
                    ("from", from),
                    ("fields", fields),
                    ("pinned", drift.pinned().map(side)),
                    ("seen", drift.seen().map(side)),
                ] {
                    object.extend(value.map(|value| (name.to_owned(), value)));
                }
            }
            form
        });
        json!({"server": server, "tools": tools.collect::<Vec<_>>()})
    }
}

/// How what was seen differs from what is pinned.
#[must_use]
pub fn compare(pinned: &PinnedServer, seen: &SeenServer) -> Drift {
    let fields = ServerField::of_records(&pinned.record, &seen.record);
    let server = if pinned.state == State::New {
        Some(ServerDrift::New {
            seen: Box::new(seen.record.clone()),
        })
    } else if fields.is_empty() {
        None
    } else {
        Some(ServerDrift::Changed {
            fields,
            pinned: Box::new(pinned.record.clone()),
            seen: Box::new(seen.record.clone()),
        })
    };
    let agreed = |name: &str| {
        let tool = pinned.tools.get(name)?;
        (tool.state != State::New).then_some(&tool.descriptor)
    };
    let mut tools = Vec::new();
    let mut added: Vec<&ToolDescriptor> = Vec::new();
    for (name, seen) in &seen.tools {
        match agreed(name) {
            None => added.push(seen),
            Some(pinned) if pinned == seen => {}
            Some(pinned) => tools.push(ToolDrift::Changed {
                fields: ToolField::of_descriptors(pinned, seen),
                pinned: pinned.clone(),
                seen: seen.clone(),
            }),
        }
    }
    // Several tools can be the same but for their names: then they are paired in the order of these.
    let mut by_content: BTreeMap<_, Vec<&ToolDescriptor>> = BTreeMap::new();
    for tool in added.into_iter().rev() {
        let same = by_content.entry(tool.content_digest()).or_default();
        same.push(tool);
    }
    let gone = pinned
        .tools
        .keys()
        .filter(|name| !seen.tools.contains_key(*name));
    for pinned in gone.filter_map(|name| agreed(name)) {
        let now = by_content
            .get_mut(&pinned.content_digest())
            .and_then(Vec::pop);
        let pinned = pinned.clone();
        tools.push(match now.cloned() {
            Some(seen) => ToolDrift::Renamed { pinned, seen },
            None => ToolDrift::Removed { pinned },
        });
    }
    let added = by_content.into_values().flatten().cloned();
    tools.extend(added.map(|seen| ToolDrift::Added { seen }));
    tools.sort_by(|a, b| a.name().cmp(b.name()));
    Drift { server, tools }
}
