//! What plugins have besides tools, for clients: prompts, resources, patterns of resources, completions. To the pipeline each
//! is a call.

use rmcp::model::{
    CompleteRequestParams, CompleteResult, CompletionInfo, GetPromptRequestParams,
    GetPromptResponse, GetPromptResult, ReadResourceRequestParams, ReadResourceResponse,
    ReadResourceResult, Reference, ResultType,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde_json::{Map, Value, json};

use super::Server;
use super::answer::protocol_error;
use super::call::{CallEnd, Called};
use super::overflow::Overflow;
use super::recorded;
use crate::error::{Code, Error};
use crate::invoke::Report;
use crate::registry::{COMPLETION, PROMPT, RESOURCE};

impl Server {
    pub(super) async fn prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let shelf = self.shelf().await?;
        let Some((page, own)) = shelf.prompt(&request.name) else {
            let message = format!("there is no prompt {:?}", cut(&request.name));
            return Err(ErrorData::invalid_params(message, None));
        };
        let called = Called {
            reference: page.reference(&format!("{PROMPT}{own}")),
            name: request.name.clone(),
            arguments: Value::Object(request.arguments.unwrap_or_default()),
            responses: request.input_responses,
            handle: request.request_state,
        };
        let report = match self.run(called, &context, None).await? {
            CallEnd::Report(report) => report,
            CallEnd::Asked(asked) => return Ok(asked.into()),
            CallEnd::Unrecorded(error) => return Err(protocol_error(&error)),
        };
        let output = output(&report)?;
        let mut result: GetPromptResult = typed(output.to_json())?;
        result.result_type = Some(ResultType::COMPLETE);
        Ok(result.into())
    }

    pub(super) async fn read(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        if Overflow::is_one(&request.uri) {
            return self.read_whole(&request.uri);
        }
        if recorded::is_one(&request.uri) {
            return self.read_recorded(&request.uri);
        }
        let shelf = self.shelf().await?;
        let not_found = || {
            let data = json!({"uri": cut(&request.uri)});
            ErrorData::resource_not_found("there is no such resource", Some(data))
        };
        let Some(page) = shelf.page_of(&request.uri) else {
            return Err(not_found());
        };
        let called = Called {
            reference: page.reference(RESOURCE),
            name: request.uri.clone(),
            arguments: json!({"uri": request.uri}),
            responses: request.input_responses.clone(),
            handle: request.request_state.clone(),
        };
        let report = match self.run(called, &context, None).await? {
            CallEnd::Report(report) => report,
            CallEnd::Asked(asked) => return Ok(asked.into()),
            CallEnd::Unrecorded(error) => return Err(protocol_error(&error)),
        };
        if report.error().map(Error::code) == Some(Code::E3101) {
            return Err(not_found());
        }
        let contents: Vec<Value> = output(&report)?
            .content
            .iter()
            .filter_map(|block| block.to_json().get_mut("resource").map(Value::take))
            .collect();
        let mut result: ReadResourceResult = typed(json!({"contents": contents}))?;
        result.result_type = Some(ResultType::COMPLETE);
        Ok(result.into())
    }

    /// The whole of a result that was cut.
    fn read_whole(&self, uri: &str) -> Result<ReadResourceResponse, ErrorData> {
        let whole = self.core.overflow.read(uri, &self.caller.principal);
        let Some(text) = whole else {
            let data = json!({"uri": cut(uri)});
            let message = "there is no such output any more; make the call again";
            return Err(ErrorData::resource_not_found(message, Some(data)));
        };
        let contents = json!({"contents": [{"uri": uri, "mimeType": "text/plain", "text": text}]});
        let mut result: ReadResourceResult = typed(contents)?;
        result.result_type = Some(ResultType::COMPLETE);
        Ok(result.into())
    }

    pub(super) async fn completion(
        &self,
        request: CompleteRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let shelf = self.shelf().await?;
        let mut of = match serde_json::to_value(&request.r#ref) {
            Ok(Value::Object(of)) => of,
            _ => Map::new(),
        };
        let page = match &request.r#ref {
            Reference::Prompt(prompt) => match shelf.prompt(&prompt.name) {
                Some((page, own)) => {
                    of.insert("name".to_owned(), own.into());
                    Some(page)
                }
                None => None,
            },
            Reference::Resource(resource) => shelf.page_of_template(&resource.uri),
            _ => None,
        };
        // What nobody proposes anything for has no completions; that is no error.
        let Some(page) = page.filter(|page| page.offers.completions) else {
            return Ok(CompleteResult::default());
        };
        let argument = &request.argument;
        let known = request.context.and_then(|context| context.arguments);
        let arguments = json!({
            "ref": of,
            "argument": {"name": argument.name, "value": argument.value},
            "context": {"arguments": known.unwrap_or_default()},
        });
        let called = Called {
            reference: page.reference(COMPLETION),
            name: COMPLETION.to_owned(),
            arguments,
            responses: None,
            handle: None,
        };
        let report = match self.run(called, &context, None).await? {
            CallEnd::Report(report) => report,
            CallEnd::Asked(_) => return Ok(CompleteResult::default()),
            CallEnd::Unrecorded(error) => return Err(protocol_error(&error)),
        };
        let completion = output(&report)?.structured.clone().unwrap_or_default();
        let completion: CompletionInfo = typed(completion)?;
        Ok(CompleteResult::new(completion))
    }
}

/// The output, or the error as the protocol has it: of these there is no result with an error in it.
fn output(report: &Report) -> Result<&crate::exec::Output, ErrorData> {
    match &report.result {
        Ok(output) => Ok(output),
        Err(error) => {
            let mut told = match error.code() {
                Code::E3301 | Code::E3101 => ErrorData::invalid_params(error.to_string(), None),
                _ => protocol_error(error),
            };
            let data = json!({"code": error.code().name(), "call": report.call.to_string(), "hints": error.hints()});
            told.data = Some(data);
            Err(told)
        }
    }
}

fn typed<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, ErrorData> {
    serde_json::from_value(value).map_err(|error| {
        let message = format!("the plugin gave what the protocol has no form for: {error}");
        ErrorData::internal_error(message, None)
    })
}

fn cut(text: &str) -> String {
    text.chars().take(200).collect()
}
