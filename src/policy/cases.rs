//! Tests of policies, as a file of cases.
//!
//! ```toml
//! [[case]]
//! name = "no network after reading the web"
//! principal = { user = "ann", session = "s1" }
//! action = "net.connect"
//! resource = "api.github.com:443"
//! session = { tainted = true }
//! expect = "deny"
//! by = "no-egress-when-tainted"
//!
//! [[case]]
//! name = "reading is fine"
//! action = "tool.invoke"
//! resource = "files.read"
//! args = { path = "/tmp/x" }
//! expect = "allow"
//! ```
//!
//! A resource is a text, or a table with the fields a [`Question`] has for it. For a tool the text is its id; `facts`
//! replaces single facts of it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::decide::Outcome;
use super::question::{Access, Ask, Environment, Principal, Question, SessionState, Tool, Version};
use super::{Policies, vocabulary};
use crate::error::{Code, Error, Result};
use crate::ids::{Digest, ToolId};
use crate::manifest::document::Document;

/// A file of cases.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cases {
    /// The cases, in order.
    #[serde(default, rename = "case")]
    pub cases: Vec<Case>,
}

/// One question with the answer it should get.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What the case shows.
    pub name: String,
    /// Who asks; without it a user named `test`.
    #[serde(default)]
    pub principal: Option<Principal>,
    /// One of the fixed actions, such as `tool.invoke`.
    pub action: String,
    /// What it is done to.
    pub resource: Value,
    /// Facts about the tool that differ from the registry's.
    #[serde(default)]
    pub facts: Map<String, Value>,
    /// The arguments of a call.
    #[serde(default)]
    pub args: Option<Map<String, Value>>,
    /// The tool in whose call it happens, by id.
    #[serde(default)]
    pub tool: Option<ToolId>,
    /// The time in seconds since 1970; without it noon of the first Monday of 2024, UTC.
    #[serde(default)]
    pub time: Option<i64>,
    /// What surrounds the call.
    #[serde(default)]
    pub environment: Environment,
    /// What the session has seen and done so far.
    #[serde(default)]
    pub session: SessionState,
    /// The answer it should get.
    pub expect: Outcome,
    /// The policy that should be among those that make the answer.
    #[serde(default)]
    pub by: Option<String>,
}

/// How one case went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CaseResult {
    /// The name of the case.
    pub name: String,
    /// The answer was the expected one, by the expected policy.
    pub passed: bool,
    /// The answer it should get.
    pub expected: Outcome,
    /// The answer it got; none where the case makes no question.
    pub got: Option<Outcome>,
    /// The policies that made the answer.
    pub by: Vec<String>,
    /// Why the answer is what it is, or why there is none.
    pub message: String,
}

/// Noon of 2024-01-01, a Monday.
const MONDAY_NOON: i64 = 1_704_110_400;

impl Cases {
    /// Reads a file of cases; `file` is its name, for errors.
    ///
    /// # Errors
    /// E3004 with the line where the text is not valid, or where it holds no case.
    pub fn parse(file: &str, text: &str) -> Result<Self> {
        // What parses TOML for serde would go as deep as the text does.
        Document::from_toml(text).map_err(|problems| {
            problems.into_error(Code::E3004, &format!("the policy cases in {file}"))
        })?;
        let cases: Self = toml::from_str(text).map_err(|error| {
            Error::new(Code::E3004, format!("reading the policy cases in {file}")).caused_by(error)
        })?;
        if cases.cases.is_empty() {
            return Err(Error::new(
                Code::E3004,
                format!("reading the policy cases in {file}: there is no `[[case]]`"),
            ));
        }
        Ok(cases)
    }

    /// Asks the policies every case. `registry` gives the facts of an installed tool; one it does not know gets harmless
    /// facts: a component of low risk, active, not signed.
    pub fn run(
        &self,
        policies: &Policies,
        registry: &dyn Fn(&ToolId) -> Option<Tool>,
    ) -> Vec<CaseResult> {
        self.cases
            .iter()
            .map(|case| case.run(policies, registry))
            .collect()
    }
}

impl Case {
    fn run(&self, policies: &Policies, registry: &dyn Fn(&ToolId) -> Option<Tool>) -> CaseResult {
        let question = match self.question(registry) {
            Ok(question) => question,
            Err(message) => {
                return CaseResult {
                    name: self.name.clone(),
                    passed: false,
                    expected: self.expect,
                    got: None,
                    by: Vec::new(),
                    message,
                };
            }
        };
        let decision = policies.decide(&question);
        let got = decision.outcome();
        let by: Vec<String> = decision
            .determining
            .iter()
            .map(|one| one.id.clone())
            .collect();
        let right_policy = self.by.as_ref().is_none_or(|id| by.contains(id));
        let message = match &self.by {
            Some(id) if !right_policy => {
                format!(
                    "policy `{id}` is not among those that decided: {}",
                    decision.reason
                )
            }
            _ => decision.reason,
        };
        CaseResult {
            name: self.name.clone(),
            // A question that could not be answered is a no, but not the no that was meant.
            passed: got == self.expect && right_policy && decision.errors.is_empty(),
            expected: self.expect,
            got: Some(got),
            by,
            message,
        }
    }

    /// The question of the case.
    ///
    /// # Errors
    /// What about the case makes no question.
    pub fn question(
        &self,
        registry: &dyn Fn(&ToolId) -> Option<Tool>,
    ) -> std::result::Result<Question, String> {
        let mut ask = Map::new();
        ask.insert("action".to_owned(), self.action.clone().into());
        ask.insert("resource".to_owned(), self.resource(registry)?);
        if let Some(args) = &self.args {
            ask.insert("args".to_owned(), args.clone().into());
        }
        let ask: Ask = serde_json::from_value(ask.into())
            .map_err(|error| format!("the action and its resource: {error}"))?;
        let principal = self.principal.clone().unwrap_or_else(|| Principal {
            user: Some("test".to_owned()),
            ..Principal::default()
        });
        Ok(Question {
            version: Version::CURRENT,
            principal,
            ask,
            tool: self.tool.as_ref().map(|id| known_or_harmless(id, registry)),
            time: self.time.unwrap_or(MONDAY_NOON),
            environment: self.environment.clone(),
            session: self.session.clone(),
        })
    }

    fn resource(
        &self,
        registry: &dyn Fn(&ToolId) -> Option<Tool>,
    ) -> std::result::Result<Value, String> {
        if !vocabulary::ACTIONS.contains(&self.action.as_str()) {
            let known = vocabulary::ACTIONS.join(", ");
            return Err(format!("{:?} is no action; there are {known}", self.action));
        }
        let of_tool = self.action.starts_with("tool.");
        if !of_tool && !self.facts.is_empty() {
            return Err("`facts` are for tools".to_owned());
        }
        let Value::String(text) = &self.resource else {
            return Ok(self.resource.clone());
        };
        Ok(match self.action.as_str() {
            "net.connect" => {
                let (name, port) = text
                    .rsplit_once(':')
                    .ok_or_else(|| format!("{text:?} is no host with a port"))?;
                let port: u16 = port
                    .parse()
                    .map_err(|_| format!("{port:?} is no port of a host"))?;
                json!({"name": name, "port": port})
            }
            "fs.mount" => json!({"path": text, "access": Access::Read.word()}),
            "exec.container" => json!({"reference": text}),
            "secret.read" | "mcp.register" => json!({"name": text}),
            _ => {
                let id: ToolId = text.parse().map_err(|error| format!("{error}"))?;
                let mut tool = serde_json::to_value(known_or_harmless(&id, registry))
                    .map_err(|error| error.to_string())?;
                if let Some(facts) = tool.as_object_mut() {
                    facts.extend(self.facts.clone());
                }
                tool
            }
        })
    }
}

fn known_or_harmless(id: &ToolId, registry: &dyn Fn(&ToolId) -> Option<Tool>) -> Tool {
    use super::question::{Lifecycle, Origin, Risk};

    registry(id).unwrap_or_else(|| Tool {
        id: id.clone(),
        origin: Origin::Wasm,
        version: "0.0.0".to_owned(),
        digest: Digest::of(b""),
        risk: Risk::Low,
        idempotent: false,
        pure: false,
        untrusted_output: false,
        lifecycle: Lifecycle::Active,
        tags: Default::default(),
        signed: false,
    })
}
