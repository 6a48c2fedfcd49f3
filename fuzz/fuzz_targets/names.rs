//! Short texts with a form of their own: reading them never panics, and what is valid is written back as it was meant.
#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use libfuzzer_sys::fuzz_target;
use toolhatch::audit::{Head, PublicKey};
use toolhatch::config::SyslogAddress;
use toolhatch::error::Code;
use toolhatch::ids::{CallId, Digest, PluginName, ToolId};
use toolhatch::manifest::{ByteSize, HumanDuration, ImageRef};
use toolhatch::registry::Day;
use toolhatch::web::Endpoint;

fn check<T: FromStr<Err: Display> + Display + Debug + PartialEq>(text: &str) {
    match text.parse::<T>() {
        Ok(value) => {
            let written = value.to_string();
            match written.parse::<T>() {
                Ok(again) => assert_eq!(again, value, "{written:?}"),
                Err(error) => panic!("{written:?}, written for {text:?}: {error}"),
            }
        }
        // What a person is told is put together from the text.
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fuzz_target!(|text: &str| {
    check::<ToolId>(text);
    check::<PluginName>(text);
    check::<Digest>(text);
    check::<CallId>(text);
    check::<Head>(text);
    check::<PublicKey>(text);
    check::<HumanDuration>(text);
    check::<ByteSize>(text);
    check::<ImageRef>(text);
    check::<SyslogAddress>(text);
    check::<Day>(text);
    check::<Code>(text);
    if let Ok(image) = text.parse::<ImageRef>() {
        assert_eq!(image.familiar().parse(), Ok(image));
    }
    if let Ok(endpoint) = text.parse::<Endpoint>() {
        let below = endpoint.below("embeddings");
        assert_eq!(below.origin(), endpoint.origin());
        assert_eq!(below.is_loopback(), endpoint.is_loopback());
    }
});
