//! What the one call of a process is going to need, made ready side by side instead of one after the other.
//!
//! Nothing here fails: whoever needs what could not be made ready gets the error then.

use std::sync::Arc;

use super::App;
use crate::policy::Policies;
use crate::registry::{Source, Tool};
use crate::schema;

impl App {
    /// Begins to open what every recorded call writes to, and to make what the first policies and the first schema would
    /// wait for. Must run inside a runtime.
    pub fn warm_up(self: &Arc<Self>) {
        tokio::task::spawn_blocking(|| {
            schema::warm_up();
            Policies::warm_up();
        });
        if !self.config.audit.enabled {
            return;
        }
        let app = Arc::clone(self);
        tokio::task::spawn_blocking(move || drop(app.audit()));
        let app = Arc::clone(self);
        // Where the log has come is kept there in the end.
        tokio::spawn(async move { drop(app.registry().await) });
    }

    /// Begins to read the policies, to compile the schemas and to load the component, as a call that is `deterministic` or
    /// not needs it. Must run inside a runtime.
    pub fn warm_up_for(
        self: &Arc<Self>,
        source: &Arc<Source>,
        tool: &Arc<Tool>,
        deterministic: bool,
    ) {
        let manifest = source.manifest.as_ref();
        let deterministic =
            deterministic || manifest.is_some_and(|manifest| manifest.permissions.deterministic);
        let (app, of) = (Arc::clone(self), Arc::clone(source));
        tokio::spawn(async move { drop(app.policies(&of).await) });
        let tool = Arc::clone(tool);
        tokio::task::spawn_blocking(move || tool.compile_schemas());
        let (app, of) = (Arc::clone(self), Arc::clone(source));
        tokio::spawn(async move {
            if let Ok(host) = app.host() {
                drop(host.prepare(&of.artifact, deterministic).await);
            }
        });
    }
}
