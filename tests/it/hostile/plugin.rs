//! Plugins in text form: a component for the plugin world whose memory holds what it returns.

use std::fmt::Write as _;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

use crate::support::guests;
use crate::support::source::root;

/// What `list-tools` says of one tool.
pub struct Described<'a> {
    pub name: &'a str,
    pub input_schema: &'a str,
    pub output_schema: Option<&'a str>,
}

/// What `call-tool` returns.
pub enum Returned<'a> {
    /// A structured result, if any, and text.
    Complete(Option<&'a [u8]>, &'a [u8]),
    /// A question with its schema.
    NeedsInput(&'a str, &'a str),
    /// An address to open, with what it is for.
    NeedsVisit(&'a str, &'a str),
    /// The error of this number, in the order of `tool-error`, with a message.
    Error(u32, &'a str),
    /// A result of a kind that there is not.
    Nonsense,
}

/// The memory of the guest, filled from the start.
struct Memory(Vec<u8>);

impl Memory {
    fn text(&mut self, text: &[u8]) -> [u32; 2] {
        let at = self.0.len() as u32;
        self.0.extend_from_slice(text);
        [at, text.len() as u32]
    }

    fn words(&mut self, words: &[u32]) -> u32 {
        self.0.resize(self.0.len().next_multiple_of(8), 0);
        let at = self.0.len() as u32;
        self.0
            .extend(words.iter().flat_map(|word| word.to_le_bytes()));
        at
    }

    fn tools(&mut self, tools: &[Described<'_>]) -> u32 {
        let mut records = Vec::new();
        for tool in tools {
            records.extend(self.text(tool.name.as_bytes()));
            // No title.
            records.extend([0, 0, 0]);
            records.extend(self.text(b"A tool."));
            records.extend(self.text(tool.input_schema.as_bytes()));
            match tool.output_schema {
                Some(schema) => {
                    records.push(1);
                    records.extend(self.text(schema.as_bytes()));
                }
                None => records.extend([0, 0, 0]),
            }
        }
        let list = self.words(&records);
        self.words(&[list, tools.len() as u32])
    }

    fn returned(&mut self, returned: &Returned<'_>) -> u32 {
        match returned {
            Returned::Complete(structured, text) => {
                let structured = structured.map(|structured| self.text(structured));
                let [at, length] = self.text(text);
                // A text block: its tag, the text, no annotations; the largest block needs some more room.
                let mut block = [0; 32];
                (block[2], block[3]) = (at, length);
                let content = self.words(&block);
                let [at, length] = structured.unwrap_or_default();
                let is_some = u32::from(structured.is_some());
                let blocks = u32::from(!text.is_empty());
                self.words(&[0, 0, 0, is_some, at, length, content, blocks])
            }
            Returned::NeedsInput(message, other) | Returned::NeedsVisit(message, other) => {
                // No name, and a form or an address.
                let kind = u32::from(matches!(returned, Returned::NeedsVisit(..)));
                let mut request = vec![0, 0, 0, kind];
                request.extend(self.text(message.as_bytes()));
                request.extend(self.text(other.as_bytes()));
                let requests = self.words(&request);
                self.words(&[0, 0, 1, requests, 1, 0, 0, 0])
            }
            Returned::Error(number, message) => {
                let [at, length] = self.text(message.as_bytes());
                self.words(&[1, 0, *number, 0, at, length, 0, 0, 0, 0])
            }
            Returned::Nonsense => self.words(&[7; 10]),
        }
    }
}

/// A plugin that describes these tools and returns this from each, and does `on_list` and `on_call`, in WebAssembly text,
/// before that. `$log` writes a log message: its level, and where the message stands; a page of letters begins at 0.
pub fn plugin(
    tools: &[Described<'_>],
    on_list: &str,
    on_call: &str,
    returned: &Returned<'_>,
) -> Vec<u8> {
    let mut memory = Memory(vec![b'x'; 65536]);
    let tools = memory.tools(tools);
    let returned = memory.returned(returned);
    let data = memory.0.iter().fold(String::new(), |mut data, byte| {
        match byte {
            b'a'..=b'z' => data.push(char::from(*byte)),
            byte => write!(data, "\\{byte:02x}").expect("written"),
        }
        data
    });
    let end = memory.0.len().next_multiple_of(65536);
    let pages = end / 65536 + 1;
    let module = format!(
        r#"
        (module
          (import "toolhatch:plugin/log@0.1.0" "write" (func $log (param i32 i32 i32)))
          (memory (export "memory") {pages})
          (data (i32.const 0) "{data}")
          (global $next (mut i32) (i32.const {end}))
          ;; Memory is never given back, and arguments have to fit what there is.
          (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
            (global.set $next
              (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
            (global.get $next)
            (global.set $next (i32.add (global.get $next) (local.get 3))))
          (func (export "toolhatch:plugin/tools@0.1.0#list-tools") (result i32)
            {on_list}
            (i32.const {tools}))
          (func (export "toolhatch:plugin/tools@0.1.0#call-tool")
            (param i32 i32 i32 i32 i32 i32 i32 i64 i32 i32 i32 i32 i32 i32) (result i32)
            {on_call}
            (i32.const {returned})))
        "#
    );
    encode(&module)
}

/// A component of the plugin world from its core module.
fn encode(module: &str) -> Vec<u8> {
    let mut module = guests::component(module);
    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve.push_dir(root().join("wit")).expect("our own WIT");
    let world = resolve
        .select_world(&[package], Some("plugin"))
        .expect("our own world");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("embedded");
    let encoder = ComponentEncoder::default().validate(true).module(&module);
    encoder.expect("a module").encode().expect("a component")
}
