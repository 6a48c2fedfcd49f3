//! `archive`: what is in zip and tar archives, read with distrust.
//!
//! An archive is opened and told apart (`open`); `zip` and `tape` (tar, and single packed files) show its entries one after
//! the other (`entry`), whose names become paths only here (`name`), and whose contents are read under caps (`caps`). What an
//! archive says of itself is never relied on: neither sizes nor counts nor names.

mod caps;
mod entry;
mod extract;
mod list;
mod name;
mod open;
mod place;
mod read;
mod tape;
#[cfg(test)]
mod testing;
mod zip;

toolhatch_plugin::plugin!(list::list, read::read, extract::extract);
