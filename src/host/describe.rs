//! Asking a plugin what it has.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::Store;

use super::bindings::exports::toolhatch::plugin::{prompts, resources};
use super::call::{Environment, store_for};
use super::component::Loaded;
use super::exports::{Exports, plugin};
use super::state::State;
use super::{DescribedTool, Description, Host, outcome};
use crate::error::{Code, Error, Result};
use crate::exec::{Ended, EventLimits, EventSink};
use crate::manifest::limits::Limits;
use crate::permission::{Scope, Sensitive};
use crate::registry::{Offers, PromptArgument, PromptInfo, ResourceInfo, TemplateInfo};

/// Limits of asking a plugin: it has nothing to do but to say what it was built with.
const DESCRIBE: Limits = Limits {
    timeout: Duration::from_secs(10),
    memory: 256 << 20,
    output: 4 << 20,
    table_elements: 100_000,
    instances: 64,
    host_calls: 100_000,
    fuel: u64::MAX,
    stdio: 64 << 10,
    http_bytes: 0,
};

/// Asks a plugin what it has: everything once, in one instance, with the clocks frozen where it is asked for what counts.
pub(super) async fn describe(host: &Host, loaded: &Loaded, frozen: bool) -> Result<Description> {
    let exports = plugin(loaded)?;
    let events = Arc::new(EventSink::new(EventLimits::default()));
    let environment = Environment {
        scope: Arc::new(Scope::nothing()),
        sensitive: Arc::new(Sensitive::default()),
        mounts: &[],
        wanted: &[],
        veto: None,
        services: None,
        commands: None,
        key_value: None,
        invoker: None,
        env: &[],
        config: &[],
        deterministic: frozen,
        limits: &DESCRIBE,
        events: &events,
    };
    let mut store = store_for(host, loaded, &environment, Arc::default())?;
    let _running = host.loader.engines().guest_running();
    let asking = ask(loaded, exports, &mut store);
    let asked = tokio::time::timeout(DESCRIBE.timeout, asking).await;
    let ended = match asked {
        Ok(Ok(description)) => return Ok(description),
        Ok(Err(error)) => outcome::of_error(&error, &store, &DESCRIBE),
        Err(_) => Ended::TimedOut(DESCRIBE.timeout),
    };
    match ended.into_result() {
        Err(error) => Err(error.while_doing("asking the plugin what it has")),
        Ok(_) => Err(Error::new(Code::E3000, "a failed call has a result")),
    }
}

async fn ask(
    loaded: &Loaded,
    exports: &Exports,
    store: &mut Store<State>,
) -> wasmtime::Result<Description> {
    let instance = loaded.pre.instantiate_async(&mut *store).await?;
    let guest = exports.tools.load(&mut *store, &instance)?;
    let tools = guest.call_list_tools(&mut *store).await?;
    let mut offers = Offers {
        completions: exports.completions.is_some(),
        ..Offers::default()
    };
    if let Some(indices) = &exports.prompts {
        let guest = indices.load(&mut *store, &instance)?;
        let prompts = guest.call_list_prompts(&mut *store).await?;
        offers.prompts = prompts.into_iter().map(prompt).collect();
    }
    if let Some(indices) = &exports.resources {
        let guest = indices.load(&mut *store, &instance)?;
        let resources = guest.call_list_resources(&mut *store).await?;
        offers.resources = resources.into_iter().map(resource).collect();
        let templates = guest.call_list_resource_templates(&mut *store).await?;
        offers.resource_templates = templates.into_iter().map(template).collect();
    }
    Ok(Description {
        tools: tools
            .into_iter()
            .map(|tool| DescribedTool {
                name: tool.name,
                title: tool.title,
                description: tool.description,
                input_schema: tool.input_schema,
                output_schema: tool.output_schema,
            })
            .collect(),
        offers,
    })
}

fn prompt(info: prompts::PromptInfo) -> PromptInfo {
    PromptInfo {
        name: info.name,
        title: info.title,
        description: info.description,
        arguments: info
            .arguments
            .into_iter()
            .map(|argument| PromptArgument {
                name: argument.name,
                description: argument.description,
                required: argument.required,
            })
            .collect(),
    }
}

fn resource(info: resources::ResourceInfo) -> ResourceInfo {
    ResourceInfo {
        uri: info.uri,
        name: info.name,
        title: info.title,
        description: info.description,
        mime_type: info.mime_type,
        size: info.size,
        annotations: outcome::annotations(info.annotations),
    }
}

fn template(info: resources::TemplateInfo) -> TemplateInfo {
    TemplateInfo {
        uri_template: info.uri_template,
        name: info.name,
        title: info.title,
        description: info.description,
        mime_type: info.mime_type,
        annotations: outcome::annotations(info.annotations),
    }
}
