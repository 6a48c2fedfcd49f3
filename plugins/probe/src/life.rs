//! What outlives a call, and calls of other tools: through `toolhatch:plugin/state` and `toolhatch:plugin/invoke`, and in the
//! memory of an instance.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{Read as _, Seek as _};

use crate::Component;
use crate::tools::exports::probe::tools::life::Guest;
use crate::wasi::toolhatch::plugin::invoke;
use crate::wasi::toolhatch::plugin::state::{self, Failure};
use crate::wasi::toolhatch::plugin::types::Content;

thread_local! {
    static CALLS: Cell<u32> = const { Cell::new(0) };
    static HELD: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    static OPEN: RefCell<Option<File>> = const { RefCell::new(None) };
}

/// The kind of failure, and what was said.
fn told(failure: Failure) -> String {
    match failure {
        Failure::NotPermitted(why) => format!("not-permitted: {why}"),
        Failure::Full(why) => format!("full: {why}"),
        Failure::Invalid(why) => format!("invalid: {why}"),
        Failure::Unavailable(why) => format!("unavailable: {why}"),
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

fn call(tool: &str, arguments: &str) -> Result<String, String> {
    let output = invoke::call(tool, arguments).map_err(|failure| match failure {
        invoke::Failure::NotPermitted(why) => format!("not-permitted: {why}"),
        invoke::Failure::NotFound(why) => format!("not-found: {why}"),
        invoke::Failure::InvalidArguments(why) => format!("invalid-arguments: {why}"),
        invoke::Failure::Failed(why) => format!("failed: {why}"),
        invoke::Failure::Retryable(advice) => {
            format!("retryable: {} after {:?}", advice.message, advice.after_ms)
        }
        invoke::Failure::Unavailable(why) => format!("unavailable: {why}"),
    })?;
    if let Some(structured) = output.structured {
        return Ok(structured);
    }
    match output.content.into_iter().next() {
        Some(Content::Text(content)) => Ok(content.text),
        _ => Ok(String::new()),
    }
}

impl Guest for Component {
    fn state_get(key: String) -> Result<Option<String>, String> {
        Ok(state::get(&key).map_err(told)?.map(text))
    }

    fn state_set(key: String, value: String) -> Result<(), String> {
        state::set(&key, value.as_bytes()).map_err(told)
    }

    fn state_fill(key: String, bytes: u64) -> Result<(), String> {
        state::set(&key, &vec![b'x'; crate::load::length(bytes)]).map_err(told)
    }

    fn state_many(values: u32) -> Result<u32, String> {
        for number in 0..values {
            match state::set(&number.to_string(), &[b'x'; 16]) {
                Ok(()) => {}
                Err(Failure::Full(_)) => return Ok(number),
                Err(failure) => return Err(told(failure)),
            }
        }
        Ok(values)
    }

    fn state_delete(key: String) -> Result<bool, String> {
        state::delete(&key).map_err(told)
    }

    fn state_keys(prefix: String) -> Result<Vec<String>, String> {
        state::list_keys(&prefix).map_err(told)
    }

    fn state_replace(
        key: String,
        expected: Option<String>,
        value: Option<String>,
    ) -> Result<bool, String> {
        let expected = expected.as_ref().map(String::as_bytes);
        state::replace(&key, expected, value.as_ref().map(String::as_bytes)).map_err(told)
    }

    fn state_count(key: String, times: u32) -> Result<u32, String> {
        let mut count = 0;
        for _ in 0..times {
            loop {
                let before = state::get(&key).map_err(told)?;
                let number = before.clone().map(text);
                count = number.and_then(|it| it.parse().ok()).unwrap_or(0) + 1;
                let next = count.to_string();
                if state::replace(&key, before.as_deref(), Some(next.as_bytes())).map_err(told)? {
                    break;
                }
            }
        }
        Ok(count)
    }

    fn call_tool(tool: String, arguments: String) -> Result<String, String> {
        call(&tool, &arguments)
    }

    fn call_often(tool: String, arguments: String, times: u32) -> (u32, String) {
        let mut worked = 0;
        let mut failed = String::new();
        for _ in 0..times {
            match call(&tool, &arguments) {
                Ok(_) => worked += 1,
                Err(why) => failed = why,
            }
        }
        (worked, failed)
    }

    fn count() -> u32 {
        CALLS.set(CALLS.get() + 1);
        CALLS.get()
    }

    fn hold_memory(mebibytes: u32) -> u32 {
        HELD.with_borrow_mut(|held| {
            held.extend((0..mebibytes).map(|_| vec![1; 1 << 20]));
            held.len().try_into().unwrap_or(u32::MAX)
        })
    }

    fn open_file(path: String) -> Result<(), String> {
        let file = File::open(path).map_err(|error| format!("{:?}: {error}", error.kind()))?;
        OPEN.set(Some(file));
        Ok(())
    }

    fn read_open_file() -> Result<String, String> {
        OPEN.with_borrow_mut(|open| {
            let file = open.as_mut().ok_or("nothing is open")?;
            let mut text = String::new();
            file.rewind()
                .and_then(|()| file.read_to_string(&mut text))
                .map_err(|error| format!("{:?}: {error}", error.kind()))?;
            Ok(text)
        })
    }
}
