//! `files`: lists, reads, searches, writes and edits files, in the folders that were granted and nowhere else.
//!
//! One tool a file. None of them knows what is granted: the host decides at every open, and its no becomes
//! `not-permitted`.

mod edit;
mod list;
mod open;
mod read;
mod search;
#[cfg(test)]
mod testing;
mod write;

toolhatch_plugin::plugin!(
    list::list,
    read::read,
    search::search,
    write::write,
    edit::edit
);
