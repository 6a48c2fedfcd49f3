//! A guest of our own, run with nothing granted: whether components compile and answer here, and whether one that never
//! ends is stopped.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::error::{Code, Error, Result};
use crate::exec::{Arguments, Artifact, Ended, Entry, EventLimits, EventSink, Executor as _, Job};
use crate::host::Host;
use crate::ids::CallId;
use crate::manifest::Limits;
use crate::permission::{Scope, Sensitive};
use crate::schema::{Function, read_component};

/// The component whose text is in the tests below: `answer` gives 42, `spin` never ends.
#[rustfmt::skip]
const GUEST: [u8; 153] = [
    0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00, 0x01, 0x3a, 0x00, 0x61, 0x73, 0x6d, 0x01, 0x00,
    0x00, 0x00, 0x01, 0x08, 0x02, 0x60, 0x00, 0x01, 0x7f, 0x60, 0x00, 0x00, 0x03, 0x03, 0x02, 0x00,
    0x01, 0x07, 0x11, 0x02, 0x06, 0x61, 0x6e, 0x73, 0x77, 0x65, 0x72, 0x00, 0x00, 0x04, 0x73, 0x70,
    0x69, 0x6e, 0x00, 0x01, 0x0a, 0x0e, 0x02, 0x04, 0x00, 0x41, 0x2a, 0x0b, 0x07, 0x00, 0x03, 0x40,
    0x0c, 0x00, 0x0b, 0x0b, 0x02, 0x04, 0x01, 0x00, 0x00, 0x00, 0x07, 0x05, 0x01, 0x40, 0x00, 0x00,
    0x79, 0x06, 0x0c, 0x01, 0x00, 0x00, 0x01, 0x00, 0x06, 0x61, 0x6e, 0x73, 0x77, 0x65, 0x72, 0x08,
    0x06, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x07, 0x05, 0x01, 0x40, 0x00, 0x01, 0x00, 0x06, 0x0a,
    0x01, 0x00, 0x00, 0x01, 0x00, 0x04, 0x73, 0x70, 0x69, 0x6e, 0x08, 0x06, 0x01, 0x00, 0x00, 0x01,
    0x00, 0x01, 0x0b, 0x15, 0x02, 0x00, 0x06, 0x61, 0x6e, 0x73, 0x77, 0x65, 0x72, 0x01, 0x00, 0x00,
    0x00, 0x04, 0x73, 0x70, 0x69, 0x6e, 0x01, 0x01, 0x00,
];

/// How long the guest that never ends may run.
const SPIN: Duration = Duration::from_millis(50);

/// Runs both functions of the guest.
///
/// # Errors
/// E3405 that says what went otherwise than it should.
pub(super) async fn run(host: &Host) -> Result<()> {
    let artifact = Artifact::new(GUEST.as_slice().into());
    let functions = read_component(&artifact.bytes, None)?.functions;
    let generous = Limits::default().timeout;
    let ended = call(host, &artifact, &functions, "answer", generous).await?;
    match ended {
        Ended::Complete(output) if output.structured == Some(json!({"result": 42})) => {}
        other => return Err(failed("a guest did not give its answer", other)),
    }
    match call(host, &artifact, &functions, "spin", SPIN).await? {
        Ended::TimedOut(_) => Ok(()),
        other => Err(failed(
            "a guest that never ends was not stopped by its deadline",
            other,
        )),
    }
}

fn failed(what: &str, ended: Ended) -> Error {
    let error = Error::new(Code::E3405, what);
    match ended.into_result() {
        Ok(_) => error,
        Err(cause) => error.caused_by(cause),
    }
}

async fn call(
    host: &Host,
    artifact: &Artifact,
    functions: &[Function],
    name: &str,
    timeout: Duration,
) -> Result<Ended> {
    let function = functions
        .iter()
        .find(|function| function.name == name)
        .ok_or_else(|| Error::new(Code::E3000, format!("the guest has no function {name}")))?;
    let job = Job {
        call: CallId::generate(),
        artifact: artifact.clone(),
        entry: Entry::Function(Arc::new(function.clone())),
        arguments: Arguments::Values(Vec::new()),
        scope: Arc::new(Scope::nothing()),
        sensitive: Arc::new(Sensitive::default()),
        mounts: Vec::new(),
        wanted: Vec::new(),
        env: Vec::new(),
        config: Vec::new(),
        deterministic: false,
        limits: Limits {
            timeout,
            ..Limits::default()
        },
        cancel: CancellationToken::new(),
        events: Arc::new(EventSink::new(EventLimits::default())),
    };
    Ok(host.run(job).await.ended)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The guest in its text form.
    const TEXT: &str = r#"
        (component
          (core module
            (func (export "answer") (result i32) (i32.const 42))
            (func (export "spin") (loop (br 0))))
          (core instance (instantiate 0))
          (func (export "answer") (result u32) (canon lift (core func 0 "answer")))
          (func (export "spin") (canon lift (core func 0 "spin"))))"#;

    #[test]
    fn the_guest_is_what_its_text_says() {
        assert_eq!(wat::parse_str(TEXT).expect("valid"), GUEST);
    }
}
