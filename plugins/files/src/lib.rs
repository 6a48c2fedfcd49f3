//! `files`: lists, reads, searches, writes and edits files, in the folders that were granted and nowhere else.
//!
//! One tool a file. None of them knows what is granted: the host decides at every open, and its no becomes
//! `not-permitted`.

mod diff;
mod edit;
mod list;
mod open;
mod read;
mod search;
#[cfg(test)]
mod testing;
mod time;
mod write;

use guest::Tool;

/// The tools of this plugin.
pub static TOOLS: &[Tool] = &[
    Tool {
        name: "list",
        description: "Lists the files and folders in a granted folder, with type, size and time of the last change; \
                      recursively and filtered by a glob where asked for.",
        input_schema: include_str!("schema/list.input.json"),
        output_schema: include_str!("schema/list.output.json"),
        run: |arguments| guest::run(arguments, list::list),
    },
    Tool {
        name: "read",
        description: "Reads a file, or a range of its lines or bytes: text as it is, anything else as base64.",
        input_schema: include_str!("schema/read.input.json"),
        output_schema: include_str!("schema/read.output.json"),
        run: |arguments| guest::run(arguments, read::read),
    },
    Tool {
        name: "search",
        description: "Searches the lines of a file, or of all text files below a folder, for a regular expression or a \
                      literal text; returns matching lines with their place and some lines around them.",
        input_schema: include_str!("schema/search.input.json"),
        output_schema: include_str!("schema/search.output.json"),
        run: |arguments| guest::run(arguments, search::search),
    },
    Tool {
        name: "write",
        description: "Writes a whole file. An existing file is left alone unless told to overwrite or append.",
        input_schema: include_str!("schema/write.input.json"),
        output_schema: include_str!("schema/write.output.json"),
        run: |arguments| guest::run(arguments, write::write),
    },
    Tool {
        name: "edit",
        description: "Replaces exact pieces of text in a file, each as often as expected and else not at all, and returns \
                      the change as a unified diff.",
        input_schema: include_str!("schema/edit.input.json"),
        output_schema: include_str!("schema/edit.output.json"),
        run: |arguments| guest::run(arguments, edit::edit),
    },
];

guest::export!(TOOLS);
