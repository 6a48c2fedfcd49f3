//! What is pinned of a bridged MCP server: who it is, and every word that its tools say of themselves.
//!
//! A server can change what it says at any time, and what it says goes to a model. So a person agrees to it once, and it is
//! written down whole ([`Lock`]). Whatever a server says later is compared with that ([`compare`]); what differs is put
//! aside until a person accepts the difference ([`PinnedServer::accept`]). A difference in a tool puts aside that tool, one
//! in the server itself puts aside all of them.
//!
//! What is pinned of a tool is the object that the server lists, with every field there is: one that means nothing today may
//! mean something to the client of tomorrow. What is pinned of a server is how it is started or reached, its name, its
//! title and its instructions. Its version may change, and is kept as it was told last. Nothing else that a server says of
//! itself is pinned, so nothing else of it may be shown to a model.
//!
//! What one sees for the first time can be bad as well: [`suspicion`] looks through the texts. It knows well-worn ways only,
//! so what it does not find is no promise.

mod descriptor;
mod drift;
mod identity;
mod lock;
mod server;
mod show;
pub mod suspicion;
mod trust;
mod visible;
mod wire;

pub use descriptor::{MAX_DEPTH, MAX_DESCRIPTOR, ToolDescriptor};
pub use drift::{Drift, ServerDrift, ServerField, ToolDrift, ToolField, compare};
pub use identity::{MAX_INSTRUCTIONS, ServerIdentity, ServerInfo, ServerRecord};
pub use lock::{FILE, FirstSight, Lock, MAX_FILE};
pub use server::{
    Choice, MAX_SERVER, MAX_TOOLS, PinnedServer, PinnedTool, Refused, SeenServer, Sighting, State,
};
pub use trust::{Reason, Verdict, verdicts};
pub use visible::{is_hidden, visible};

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;
