//! What was recorded of a client's own calls, as resources: the list of the newest, and each by its id, which results carry
//! as `toolhatch/call`.
//!
//! It is what the audit log has, as far as this process wrote it: arguments and results are in it only where the log has them.

use rmcp::ErrorData;
use rmcp::model::{
    ReadResourceResponse, ReadResourceResult, Resource, ResourceContents, ResourceTemplate,
    ResultType,
};
use serde_json::{Map, Value, json};

use super::Server;
use crate::audit::{EventType, Record, RecordedCall};

/// The list.
const LIST: &str = "toolhatch://calls";
/// What the URI of a call begins with.
const EACH: &str = "toolhatch://calls/";
const TEMPLATE: &str = "toolhatch://calls/{call}";
const JSON: &str = "application/json";
/// How many calls are listed.
const LISTED: usize = 100;

/// True for the URI of a record of calls, whether or not there is one.
pub(super) fn is_one(uri: &str) -> bool {
    uri == LIST || uri.starts_with(EACH)
}

impl Server {
    /// The list, where calls are recorded.
    pub(super) fn recorded_list(&self) -> Option<Resource> {
        self.core.recent.as_ref()?;
        let mut resource = Resource::new(LIST, "calls");
        resource.title = Some("Recorded calls".to_owned());
        resource.description = Some(
            "The newest of this client's own calls since the server was started, as the audit log has them.".to_owned(),
        );
        resource.mime_type = Some(JSON.to_owned());
        Some(resource)
    }

    /// The pattern of the single calls, where calls are recorded.
    pub(super) fn recorded_template(&self) -> Option<ResourceTemplate> {
        self.core.recent.as_ref()?;
        let mut template = ResourceTemplate::new(TEMPLATE, "call");
        template.title = Some("Recorded call".to_owned());
        template.description = Some(
            "What was decided about one call of this client, what it touched and how it ended. The id of a call is in the \
             _meta of its result, as toolhatch/call."
                .to_owned(),
        );
        template.mime_type = Some(JSON.to_owned());
        Some(template)
    }

    /// The list or a call, as this client may see it.
    pub(super) fn read_recorded(&self, uri: &str) -> Result<ReadResourceResponse, ErrorData> {
        let told = self.core.recent.as_ref().and_then(|recent| {
            let principal = &self.caller.principal;
            match uri.strip_prefix(EACH) {
                Some(call) => recent.find(principal, call).map(|call| whole(&call)),
                None => {
                    let (calls, more) = recent.newest(principal, LISTED);
                    let calls: Vec<Value> = calls.iter().map(line).collect();
                    Some(json!({"calls": calls, "more": more}))
                }
            }
        });
        let Some(told) = told else {
            let uri: String = uri.chars().take(200).collect();
            let message = "no such call of this client is known to this server any more; `toolhatch calls show` has all of them";
            return Err(ErrorData::resource_not_found(
                message,
                Some(json!({"uri": uri})),
            ));
        };
        let contents = ResourceContents::text(told.to_string(), uri).with_mime_type(JSON);
        let mut result = ReadResourceResult::new(vec![contents]);
        result.result_type = Some(ResultType::COMPLETE);
        Ok(result.into())
    }
}

/// A call in the list.
fn line(call: &RecordedCall) -> Value {
    let whole = whole(call);
    let mut line = Map::new();
    line.insert("uri".to_owned(), format!("{EACH}{}", call.call).into());
    for key in ["call", "tool", "began", "outcome", "code", "duration_ms"] {
        if let Some(value) = whole.get(key) {
            line.insert(key.to_owned(), value.clone());
        }
    }
    Value::Object(line)
}

/// All that is told of a call.
fn whole(call: &RecordedCall) -> Value {
    let start = last(call, EventType::ExecutionStart);
    let end = last(call, EventType::ExecutionEnd);
    let decided = last(call, EventType::PermissionDecided);
    let output = last(call, EventType::OutputCaptured);
    let error = last(call, EventType::ErrorOccurred);
    let began = start.as_ref().or(decided.as_ref());
    let began = began.map(|of| of.time.as_str());
    let first =
        |of: fn(&Record) -> Option<&String>| call.records.iter().find_map(of).map(String::as_str);
    let of_start = |path: &str| start.as_ref().and_then(|of| of.data.pointer(path));
    let of_end = |path: &str| end.as_ref().and_then(|of| of.data.pointer(path));
    let of_decided = |path: &str| decided.as_ref().and_then(|of| of.data.pointer(path));
    let is_refused = of_start("/refused").is_some_and(|it| *it == true);
    let tool = first(|record| record.subject.as_ref());
    let ended = end.as_ref().map(|of| of.time.as_str());
    let told = json!({
        "call": call.call,
        "tool": tool.map(Value::from).or(of_start("/tool").cloned()),
        "plugin": first(|record| record.plugin.as_ref()),
        "digest": first(|record| record.digest.as_ref()),
        "agent": first(|record| record.agent.as_ref()),
        "session": first(|record| record.session.as_ref()),
        "parent": of_start("/parent"),
        "began": began,
        "ended": ended,
        "duration_ms": of_end("/duration_ms"),
        "decision": start.as_ref().map(|_| if is_refused { "refused" } else { "allowed" }),
        "policy": of_decided("/policy/outcome"),
        "granted": of_decided("/effective"),
        "granted_for_good": of_decided("/granted_for_good"),
        "denied": all(call, EventType::PermissionDenied, &["permission", "code", "message"]),
        "approvals": all(call, EventType::ApprovalDecided, &["approval", "decision"]),
        "files": all(call, EventType::FileTouched, &[]),
        "network": all(call, EventType::NetworkTouched, &[]),
        "state": all(call, EventType::StateTouched, &[]),
        "tools": all(call, EventType::ToolInvoked, &[]),
        "commands": all(call, EventType::CommandExecuted, &[]),
        "arguments": some(json!({
            "sha256": of_start("/arguments_sha256"),
            "text": of_start("/arguments"),
        })),
        "result": output.map(|of| of.data),
        "outcome": of_end("/outcome").cloned().unwrap_or_else(|| "running".into()),
        "code": of_end("/code"),
        "error": error.map(|of| of.data),
        "usage": of_end("/usage"),
        "repeated": of_end("/repeated"),
        "left_out": Some(call.left_out).filter(|count| *count > 0),
    });
    some(told)
}

/// A record, with its data read.
struct Of {
    time: String,
    data: Value,
}

/// The last record of this type.
fn last(call: &RecordedCall, kind: EventType) -> Option<Of> {
    let record = call
        .records
        .iter()
        .rfind(|record| record.kind == kind.name())?;
    Some(Of {
        time: record.time.clone(),
        data: record.data_value(),
    })
}

/// The data of all records of this type, or these fields of it; nothing where there is none.
fn all(call: &RecordedCall, kind: EventType, keys: &[&str]) -> Option<Vec<Value>> {
    let records = call
        .records
        .iter()
        .filter(|record| record.kind == kind.name());
    let all = records.map(|record| {
        let mut data = record.data_value();
        if let Some(fields) = data.as_object_mut().filter(|_| !keys.is_empty()) {
            fields.retain(|key, _| keys.contains(&key.as_str()));
        }
        data
    });
    Some(all.collect()).filter(|all: &Vec<Value>| !all.is_empty())
}

/// The object without what there is no value for; null where nothing is left.
fn some(mut value: Value) -> Value {
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
        if fields.is_empty() {
            return Value::Null;
        }
    }
    value
}
