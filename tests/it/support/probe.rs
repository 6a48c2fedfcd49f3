//! The probes: components without a manifest that try whatever a test tells them to (`plugins/probe`).

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::env::TestEnv;
use super::process::{Output, Run};
use super::source::root;

/// Which of the probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// For WASI 0.2, with everything that there is to try.
    Plain,
    /// For WASI 0.3, with files, network and clock; its functions have the names and arguments of the other's.
    Async,
}

impl Kind {
    fn file(self) -> PathBuf {
        let name = match self {
            Self::Plain => "probe.wasm",
            Self::Async => "probe-async.wasm",
        };
        root().join("tests/fixtures/guests").join(name)
    }
}

/// The plain probe.
pub fn file() -> PathBuf {
    Kind::Plain.file()
}

/// The asynchronous probe.
pub fn async_file() -> PathBuf {
    Kind::Async.file()
}

/// A machine of its own with a probe on it.
pub struct Probe {
    pub env: TestEnv,
    kind: Kind,
}

impl Probe {
    /// With the plain probe.
    pub fn new() -> Self {
        Self::of(Kind::Plain)
    }

    pub fn of(kind: Kind) -> Self {
        Self {
            env: TestEnv::new(),
            kind,
        }
    }

    /// One with each.
    pub fn both() -> [Self; 2] {
        [Kind::Plain, Kind::Async].map(Self::of)
    }

    /// A call of one of its functions, with the report as JSON.
    pub fn call(&self, function: &str, arguments: Value) -> Call<'_> {
        let file = self.kind.file();
        let file = file.to_str().expect("UTF-8");
        let words = ["call", file, function, "--json", "--args"];
        let mut words: Vec<String> = words.map(str::to_owned).into();
        words.push(arguments.to_string());
        Call {
            env: &self.env,
            words,
        }
    }

    /// Asserts that whatever happened before left the next call working.
    #[track_caller]
    pub fn still_works(&self) {
        self.call("echo-u8", json!({"value": 7})).gives(json!(7));
    }
}

/// A call that is being put together.
#[must_use = "call `gives`, `result`, `fails`, `denied` or `run`"]
pub struct Call<'a> {
    env: &'a TestEnv,
    words: Vec<String>,
}

impl Call<'_> {
    /// Grants something.
    pub fn allow(self, scope: impl Into<String>) -> Self {
        self.flag("--allow").flag(scope)
    }

    /// Adds a word to the command line.
    pub fn flag(mut self, word: impl Into<String>) -> Self {
        self.words.push(word.into());
        self
    }

    /// The run, for what the other methods do not say.
    pub fn run(self) -> Run {
        // Longer than anything takes, and still short enough for a hang to be seen as one.
        self.env.run(self.words).timeout(Duration::from_secs(50))
    }

    /// What the function returned.
    #[track_caller]
    pub fn result(self) -> Value {
        let output = self.run().ok();
        output.json()["structured"]["result"].clone()
    }

    /// Asserts what the function returned.
    #[track_caller]
    pub fn gives(self, expected: Value) {
        let output = self.run().ok();
        assert_eq!(output.json()["structured"]["result"], expected, "{output}");
    }

    /// Asserts how the call fails, and that the error says so.
    #[track_caller]
    pub fn fails(self, exit: i32, code: &str, message: &str) -> Output {
        let output = self.run().fails_with(exit, code);
        let error = &output.json()["error"];
        assert_eq!(error["code"], code, "{output}");
        let said = error["message"].as_str().unwrap_or_default();
        assert!(
            said.contains(message),
            "it should say {message:?}\n{output}"
        );
        output
    }

    /// Asserts that the function failed because something was denied: that the denial has this code, is told in one
    /// sentence with `sentence` in it, and stands in the hints. What the function said is returned.
    #[track_caller]
    pub fn denied(self, code: &str, sentence: &str) -> String {
        let output = self.run().fails_with(1, "E3401");
        let report = output.json();
        let denials = report["denials"].as_array().map_or(&[][..], Vec::as_slice);
        let told = denials.iter().find(|denial| {
            let message = denial["message"].as_str().unwrap_or_default();
            denial["code"] == code && message.contains(sentence)
        });
        let Some(told) = told else {
            panic!("it should have a denial of {code} that says {sentence:?}\n{output}");
        };
        let told = told["message"].as_str().unwrap_or_default();
        let hints = report["error"]["hints"].to_string();
        let told = serde_json::to_string(told).expect("a string");
        assert!(
            hints.contains(told.trim_matches('"')),
            "the hints should tell of it\n{output}"
        );
        let structured = &report["error"]["details"]["structured"];
        structured.as_str().unwrap_or_default().to_owned()
    }
}
