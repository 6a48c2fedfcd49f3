//! `toolhatch audit why`: the whole story of one call.

use serde_json::{Value, json};

use super::query;
use crate::app::{App, RecordFilter};
use crate::audit::{EventType, Record};
use crate::cli::history::history;
use crate::cli::output::{CommandOutput, Printer};
use crate::cli::text::{field, section};
use crate::error::{Code, Error, Result};

/// Tells what ran, who asked for it, who allowed it, under which rule, what it touched and how it ended.
pub(super) fn tell(app: &App, printer: &Printer, call: &str) -> Result<CommandOutput> {
    let of_call = RecordFilter {
        call: Some(call.to_owned()),
        limit: usize::MAX,
        ..RecordFilter::default()
    };
    let of_grants = RecordFilter {
        kind: Some(EventType::GrantGiven.name().to_owned()),
        limit: usize::MAX,
        ..RecordFilter::default()
    };
    let (records, mut grants) = history(app, printer, async |history| {
        let records = history.query(&of_call).await?;
        Ok((records, history.query(&of_grants).await?))
    })?;
    let Some(first) = records.first() else {
        return Err(
            Error::new(Code::E3101, format!("the audit log has no call {call}"))
                .hint("`toolhatch calls list` shows the calls there are."),
        );
    };
    grants.retain(|grant| grant.seq < first.seq);
    let of = |kind: EventType| records.iter().find(move |it| it.kind == kind.name());
    let data = |kind: EventType| of(kind).map(Record::data_value).unwrap_or_default();
    let (start, decided, end) = (
        data(EventType::ExecutionStart),
        data(EventType::PermissionDecided),
        data(EventType::ExecutionEnd),
    );
    let digest = records.iter().find_map(|it| it.digest.clone());
    let mut what = vec![
        format!(
            "tool       {}",
            records
                .iter()
                .find_map(|it| it.subject.clone())
                .unwrap_or_else(|| plain(field(&start, "tool")))
        ),
        format!(
            "artifact   {}",
            digest.clone().unwrap_or_else(|| "not found".to_owned())
        ),
        format!("began      {}", first.time),
        format!("asked by   {}", by(first)),
    ];
    if let Some(parent) = field(&start, "parent").as_str() {
        what.push(format!("inside     the call {parent}"));
    }
    if let Some(arguments) = field(&start, "arguments").as_str() {
        what.push(format!("arguments  {arguments}"));
    } else if let Some(sha256) = field(&start, "arguments_sha256").as_str() {
        what.push(format!("arguments  sha256 {sha256}"));
    }
    let mut allowed: Vec<String> = list(field(&decided, "effective"))
        .into_iter()
        .map(|scope| format!("- {scope}"))
        .collect();
    if allowed.is_empty() {
        allowed.push("nothing".to_owned());
    }
    let mut rules = Vec::new();
    if let Some(outcome) = field(field(&decided, "policy"), "outcome").as_str() {
        rules.push(format!(
            "policy said {outcome}, by {}",
            list(field(field(&decided, "policy"), "by")).join(", ")
        ));
    }
    // The grant that held is the last one that was given to these bytes before.
    let grant = grants
        .iter()
        .rev()
        .find(|grant| digest.is_some() && grant.digest == digest);
    if *field(&decided, "granted_for_good") == true
        && let Some(grant) = grant
    {
        let data = grant.data_value();
        rules.push(format!(
            "granted for good at {} by {} ({}), grant {}",
            grant.time,
            plain(field(&data, "by")),
            plain(field(&data, "how")),
            plain(field(&data, "grant"))
        ));
    } else if !list(field(&decided, "effective")).is_empty() {
        rules.push("allowed for this call by whoever made it".to_owned());
    }
    for record in records.iter().filter(|it| {
        it.kind == EventType::ApprovalDecided.name()
            || it.kind == EventType::ApprovalRequested.name()
    }) {
        rules.push(query::line(record));
    }
    let lines = |kinds: &[EventType]| -> Vec<String> {
        records
            .iter()
            .filter(|it| kinds.iter().any(|kind| kind.name() == it.kind))
            .map(|record| format!("- {}", query::line(record)))
            .collect()
    };
    let mut text = format!("Call {call}\n");
    text.push_str(&section("What", &what));
    text.push_str(&section("It was allowed", &allowed));
    text.push_str(&section("Because", &rules));
    text.push_str(&section(
        "It touched",
        &lines(&[
            EventType::FileTouched,
            EventType::NetworkTouched,
            EventType::StateTouched,
            EventType::ToolInvoked,
            EventType::CommandExecuted,
            EventType::CredentialAccess,
        ]),
    ));
    text.push_str(&section(
        "It was denied",
        &lines(&[EventType::PermissionDenied, EventType::PolicyError]),
    ));
    let mut ending = vec![match (
        field(&end, "outcome").as_str(),
        field(&end, "code").as_str(),
    ) {
        (Some(outcome), Some(code)) => {
            format!("{outcome} {code} after {} ms", *field(&end, "duration_ms"))
        }
        (Some(outcome), None) => format!("{outcome} after {} ms", *field(&end, "duration_ms")),
        (None, _) => "no end is recorded: it runs, or its process was killed".to_owned(),
    }];
    ending.extend(lines(&[
        EventType::ErrorOccurred,
        EventType::OutputCaptured,
    ]));
    text.push_str(&section("It ended", &ending));
    let all: Value = records.iter().map(query::to_json).collect();
    let json = json!({
        "call": call,
        "grant": grant.map(query::to_json),
        "outcome": *field(&end, "outcome"),
        "records": all,
    });
    Ok(CommandOutput::new(text, json))
}

fn by(record: &Record) -> String {
    let mut by = record.principal.clone().unwrap_or_default();
    if let Some(agent) = &record.agent {
        by.push_str(&format!(", agent {agent}"));
    }
    if let Some(session) = &record.session {
        by.push_str(&format!(", session {session}"));
    }
    by
}

fn plain(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn list(value: &Value) -> Vec<String> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}
