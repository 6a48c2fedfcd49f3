//! Results that are too long to be told whole: the beginning and the end are, and the rest can be read as a resource.
//!
//! Clients cut what is long, or refuse it, each in its own way, and what is lost so is lost without a word.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rmcp::model::{CallToolResult, ContentBlock, Resource};

use crate::ids::CallId;

/// The longest text that is told whole, in bytes: what about 25,000 tokens are, the least that common clients take.
const INLINE: usize = 100_000;
/// How much of a longer one is told from its beginning, and from its end.
const HEAD: usize = 48_000;
const TAIL: usize = 16_000;
/// How long the whole of it can be read, and how much is kept of all of them.
const HOLD: Duration = Duration::from_secs(60 * 60);
const MOST: usize = 64 << 20;
/// What the URIs begin with.
const SCHEME: &str = "toolhatch://output/";

/// Texts that were cut.
#[derive(Debug, Default)]
pub(super) struct Overflow {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    texts: VecDeque<Whole>,
    bytes: usize,
}

#[derive(Debug)]
struct Whole {
    uri: String,
    /// Nobody else can read it.
    principal: String,
    since: Instant,
    text: String,
}

impl Overflow {
    /// Cuts what is too long in a result, and keeps the whole of it.
    pub(super) fn cut(&self, result: &mut CallToolResult, call: CallId, principal: &str) {
        let mut links = Vec::new();
        for (number, block) in result.content.iter_mut().enumerate() {
            let ContentBlock::Text(content) = block else {
                continue;
            };
            if content.text.len() <= INLINE {
                continue;
            }
            let uri = format!("{SCHEME}{call}/{number}");
            let shown = shortened(&content.text, &uri);
            let text = std::mem::replace(&mut content.text, shown);
            let size = u64::try_from(text.len()).unwrap_or(u64::MAX);
            if self.keep(uri.clone(), principal, text) {
                let mut link = Resource::new(uri, format!("the whole output of call {call}"));
                link.mime_type = Some("text/plain".to_owned());
                link.size = Some(size);
                links.push(ContentBlock::ResourceLink(link));
            }
        }
        result.content.extend(links);
    }

    fn keep(&self, uri: String, principal: &str, text: String) -> bool {
        if text.len() > MOST {
            return false;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes += text.len();
        kept.texts.push_back(Whole {
            uri,
            principal: principal.to_owned(),
            since: Instant::now(),
            text,
        });
        while kept.bytes > MOST
            || kept
                .texts
                .front()
                .is_some_and(|whole| whole.since.elapsed() > HOLD)
        {
            let Some(oldest) = kept.texts.pop_front() else {
                break;
            };
            kept.bytes -= oldest.text.len();
        }
        true
    }

    /// True for the URI of something that was cut, whether or not it is still there.
    pub(super) fn is_one(uri: &str) -> bool {
        uri.starts_with(SCHEME)
    }

    /// The whole of what was cut for this principal, while it is kept.
    pub(super) fn read(&self, uri: &str, principal: &str) -> Option<String> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut texts = kept.texts.iter();
        texts
            .find(|whole| {
                whole.uri == uri && whole.principal == principal && whole.since.elapsed() <= HOLD
            })
            .map(|whole| whole.text.clone())
    }
}

/// The beginning and the end of a text, and what stands between them in words.
fn shortened(text: &str, uri: &str) -> String {
    let head = text
        .get(..text.floor_char_boundary(HEAD))
        .unwrap_or_default();
    let tail = text
        .get(text.ceil_char_boundary(text.len() - TAIL)..)
        .unwrap_or_default();
    let missing = text.len() - head.len() - tail.len();
    format!(
        "{head}\n\n[… {missing} bytes are left out; the whole text is the resource {uri} …]\n\n{tail}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(text: String) -> CallToolResult {
        CallToolResult::success(vec![ContentBlock::text("short"), ContentBlock::text(text)])
    }

    #[test]
    fn what_is_too_long_is_cut_and_can_be_read_by_whom_it_was_for() {
        let overflow = Overflow::default();
        let whole = "ä".repeat(INLINE);
        let mut cut = result(whole.clone());
        let call = CallId::generate();
        overflow.cut(&mut cut, call, "me");
        let ContentBlock::Text(text) = &cut.content[1] else {
            panic!("text");
        };
        assert!(text.text.len() < INLINE && text.text.contains("are left out"));
        let ContentBlock::ResourceLink(link) = &cut.content[2] else {
            panic!("a link");
        };
        assert_eq!(overflow.read(&link.uri, "me"), Some(whole));
        assert_eq!(overflow.read(&link.uri, "somebody else"), None);
        let mut short = result("x".repeat(INLINE));
        overflow.cut(&mut short, call, "me");
        assert_eq!(short.content.len(), 2);
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let overflow = Overflow::default();
        let uris: Vec<String> = (0..5).map(|number| format!("{SCHEME}{number}")).collect();
        for uri in &uris {
            overflow.keep(uri.clone(), "me", "x".repeat(MOST / 3));
        }
        let there = |uri: &String| overflow.read(uri, "me").is_some();
        assert!(!there(&uris[0]) && !there(&uris[1]) && there(&uris[3]) && there(&uris[4]));
        assert!(!overflow.keep("huge".to_owned(), "me", "x".repeat(MOST + 1)));
    }
}
