//! `get`: a request, and its answer in the form that was asked for.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toolhatch_plugin::http::{self, Request, Response};
use toolhatch_plugin::{Content, EmbeddedResource, Reply, Result, ToolError, tool};

use crate::address::Base;
use crate::body::{self, Body};
use crate::charset;
use crate::html::{Form, Page};
use crate::json::pretty;
use crate::markdown::Style;
use crate::media::{Kind, Media};

/// How many redirects are followed.
const MAX_REDIRECTS: u32 = 5;
/// A larger file is not returned as a blob.
const MAX_BLOB: usize = 1 << 20;
/// Longer than this is no document of JSON for reading.
const MAX_JSON: usize = 8 << 20;
/// Headers that belong to the connection, or are set here.
const OWN_HEADERS: &[&str] = &[
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    example = serde_json::json!({"url": "https://example.com"}),
    example = serde_json::json!({"url": "https://doc.rust-lang.org/book/", "start_index": 20_000}),
    example = serde_json::json!({"url": "https://api.example.com/items", "headers": {"Accept": "application/json"}})
)]
pub struct Arguments {
    /// The address, with http:// or https://.
    #[schemars(length(min = 8, max = 8192), example = &"https://example.com")]
    url: String,
    /// What a page becomes. What is no page is returned as it is, JSON with a line for each member.
    #[serde(default)]
    format: Format,
    /// Of a page, only the main content, without navigation, banners and the like, where it can be told apart.
    #[serde(default = "yes")]
    readable: bool,
    /// How many characters to return at most.
    #[serde(default = "default_length")]
    #[schemars(range(min = 1, max = 1_000_000))]
    max_length: usize,
    /// The character to begin at: the `next_start` of the part before.
    #[serde(default)]
    #[schemars(range(max = 100_000_000))]
    start_index: usize,
    /// After how many seconds to give up.
    #[serde(default = "default_timeout")]
    #[schemars(range(min = 1, max = 60))]
    timeout: u64,
    /// How many bytes to read of what is there; what is behind them is left out.
    #[serde(default = "default_bytes")]
    #[schemars(range(min = 1, max = 20_971_520))]
    max_bytes: usize,
    /// Headers to send, such as `Accept-Language`.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 32), example = BTreeMap::from([("Accept-Language", "de")]))]
    headers: BTreeMap<String, String>,
    /// Return what is no text, such as a picture, where it has at most 1 MiB. Else only its type and size are told.
    #[serde(default)]
    binary: bool,
}

fn yes() -> bool {
    true
}

fn default_length() -> usize {
    20_000
}

fn default_timeout() -> u64 {
    20
}

fn default_bytes() -> usize {
    5 << 20
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Headings, links, lists, tables and code in Markdown.
    #[default]
    Markdown,
    /// Text without marks and addresses.
    Text,
    /// The HTML of the content, without scripts and styles.
    Html,
    /// What the server sent, whatever it is.
    Raw,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Fetched {
    /// The address that answered, after redirects.
    url: String,
    /// The status, such as 200. Pages that say that something failed are returned too.
    status: u16,
    /// The media type as the server says it; empty where it does not.
    content_type: String,
    /// What a page calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// True where `text` is the main content of a page alone.
    readable: bool,
    /// The text, from `start_index` on; empty for what is no text.
    text: String,
    /// How many characters the whole text has.
    length: usize,
    /// How many bytes were read.
    size: usize,
    /// True where there is more: behind `next_start`, or behind what was read.
    truncated: bool,
    /// Where the text goes on: the `start_index` for the next part.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_start: Option<usize>,
}

/// Gets what is at a web address. Pages become Markdown, reduced to their main content; JSON, text and code are returned as
/// they are. Long texts come in parts: go on with `start_index`.
///
/// # Errors
/// `not-permitted` where the host, or one that it redirects to, was not granted; `invalid-arguments` for what is no address;
/// `retryable` where the server is not reached in time; `failed` for an answer that cannot be read.
#[tool]
pub fn get(#[serde(flatten)] arguments: Arguments) -> Result<Reply<Fetched>> {
    let response = arguments.request()?.send()?;
    let answer = Answer {
        url: response.url().to_owned(),
        status: response.status(),
        content_type: response
            .header("content-type")
            .unwrap_or_default()
            .chars()
            .take(200)
            .collect(),
    };
    let body = arguments.read(response)?;
    let media = Media::parse(&answer.content_type);
    let kind = media.kind(&body.bytes);
    if kind == Kind::Binary && arguments.format != Format::Raw {
        return Ok(arguments.blob(answer, &media, body));
    }
    let text = charset::decode(
        &body.bytes,
        media.charset.as_deref(),
        kind == Kind::Html,
        body.is_cut,
    );
    let shown = arguments.show(text, kind, &answer.url);
    arguments.page(answer, &body, shown)
}

/// What of an answer is passed on as it is.
struct Answer {
    url: String,
    status: u16,
    content_type: String,
}

/// A text to read.
struct Shown {
    title: Option<String>,
    text: String,
    is_main: bool,
    is_cut: bool,
}

impl Arguments {
    fn request(&self) -> Result<Request> {
        if Base::parse(&self.url).is_none() {
            return Err(ToolError::invalid_arguments(format!(
                "`{}` is no web address: one begins with https:// or http://",
                self.url.chars().take(200).collect::<String>()
            )));
        }
        let mut request = http::get(&self.url)
            .timeout(Duration::from_secs(self.timeout))
            .redirects(MAX_REDIRECTS)
            .header("Accept-Encoding", body::ENCODINGS);
        for (name, value) in &self.headers {
            let is_name = !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
            let is_value = value.len() <= 8192
                && !value
                    .bytes()
                    .any(|byte| byte < b' ' && byte != b'\t' || byte == 0x7f);
            if !is_name || !is_value || OWN_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
                return Err(ToolError::invalid_arguments(format!(
                    "the header `{}` cannot be sent: {}",
                    name.chars().take(100).collect::<String>(),
                    if is_name && is_value {
                        "it belongs to the connection"
                    } else {
                        "a name is made of letters, digits and `-`, and a value is one line of at most 8192 bytes"
                    }
                )));
            }
            request = request.header(name, value);
        }
        for (name, value) in [
            (
                "Accept",
                "text/html, application/xhtml+xml, text/*;q=0.9, application/json;q=0.9, */*;q=0.5",
            ),
            (
                "User-Agent",
                concat!("toolhatch-fetch/", env!("CARGO_PKG_VERSION")),
            ),
        ] {
            if !self
                .headers
                .keys()
                .any(|given| given.eq_ignore_ascii_case(name))
            {
                request = request.header(name, value);
            }
        }
        Ok(request)
    }

    fn read(&self, response: Response) -> Result<Body> {
        if matches!(response.status(), 204 | 304) {
            return Ok(Body {
                bytes: Vec::new(),
                is_cut: false,
            });
        }
        body::read(response, self.max_bytes)
    }

    /// The text in the form that was asked for.
    fn show(&self, text: String, kind: Kind, url: &str) -> Shown {
        let plain = |text| Shown {
            title: None,
            text,
            is_main: false,
            is_cut: false,
        };
        let form = match self.format {
            Format::Raw => return plain(text),
            Format::Markdown => Form::Styled(Style::Markdown),
            Format::Text => Form::Styled(Style::Text),
            Format::Html => Form::Html,
        };
        match (kind, Base::parse(url)) {
            (Kind::Html, Some(base)) => {
                let page = Page::parse(&text, base);
                let title = page.title().map(str::to_owned);
                let rendered = page.render(form, self.readable);
                Shown {
                    title,
                    text: rendered.text,
                    is_main: rendered.is_main,
                    is_cut: rendered.is_cut,
                }
            }
            (Kind::Json, _) => plain(pretty(&text, MAX_JSON).unwrap_or(text)),
            _ => plain(text),
        }
    }

    /// The part of a text that was asked for.
    fn page(&self, answer: Answer, body: &Body, shown: Shown) -> Result<Reply<Fetched>> {
        let length = shown.text.chars().count();
        if self.start_index > 0 && self.start_index >= length {
            return Err(ToolError::invalid_arguments(format!(
                "{} has {length} characters: there is nothing at {}",
                answer.url, self.start_index
            )));
        }
        let text: String = shown
            .text
            .chars()
            .skip(self.start_index)
            .take(self.max_length)
            .collect();
        let end = self.start_index.saturating_add(self.max_length);
        let next_start = (end < length).then_some(end);
        let mut notes = Vec::new();
        if !(200..300).contains(&answer.status) {
            notes.push(format!(
                "[the server answered with status {}]",
                answer.status
            ));
        }
        if let Some(next) = next_start {
            notes.push(format!(
                "[there is more: go on with `start_index` {next} of {length}]"
            ));
        } else if body.is_cut {
            notes.push(format!(
                "[not all of it was read: `max_bytes` is {}]",
                self.max_bytes
            ));
        } else if shown.is_cut {
            notes.push(
                "[not all of it is here: the page is too large or too deeply nested]".to_owned(),
            );
        }
        let heading = match &shown.title {
            Some(title) if self.start_index == 0 => Some(format!("{title} ({})", answer.url)),
            _ => None,
        };
        let blocks = heading.into_iter().chain([text.clone()]).chain(notes);
        let fetched = Fetched {
            url: answer.url,
            status: answer.status,
            content_type: answer.content_type,
            title: shown.title,
            readable: shown.is_main,
            text,
            length,
            size: body.bytes.len(),
            truncated: next_start.is_some() || body.is_cut || shown.is_cut,
            next_start,
        };
        Ok(Reply::new(fetched).blocks(blocks.filter(|block| !block.is_empty()).map(Content::text)))
    }

    /// What is no text: as a blob where that is wanted, else only what it is.
    fn blob(&self, answer: Answer, media: &Media, body: Body) -> Reply<Fetched> {
        let size = body.bytes.len();
        let at_least = if body.is_cut { "more than " } else { "" };
        let what = match media.essence.as_str() {
            "" => "bytes of an unknown type",
            essence => &format!("bytes of {essence}"),
        };
        let is_returned = self.binary && !body.is_cut && size <= MAX_BLOB;
        let why = if is_returned {
            ""
        } else if self.binary {
            "; more than 1 MiB is not returned"
        } else {
            "; `binary` returns them where they are at most 1 MiB"
        };
        let note = format!("{}: {at_least}{size} {what}{why}", answer.url);
        let fetched = Fetched {
            url: answer.url.clone(),
            status: answer.status,
            content_type: answer.content_type,
            title: None,
            readable: false,
            text: String::new(),
            length: 0,
            size,
            truncated: body.is_cut,
            next_start: None,
        };
        let reply = Reply::new(fetched).text(note);
        if !is_returned {
            return reply;
        }
        if media.essence.starts_with("image/") {
            return reply.image(body.bytes, &media.essence);
        }
        let blob = EmbeddedResource::blob(answer.url, body.bytes);
        reply.block(match media.essence.as_str() {
            "" => blob,
            essence => blob.mime_type(essence),
        })
    }
}

#[cfg(test)]
mod tests;
