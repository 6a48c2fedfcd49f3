//! `sql`: SQLite over a granted database, or over files of rows.
//!
//! A call opens a connection of its own (`connection`), with caps and a deadline, loads files into tables where there are some
//! (`load`), and then lets the statement do only what `gate` knows to be harmless. Values become JSON in `cell`.

mod cell;
mod connection;
mod gate;
mod load;
mod query;
mod schema;
mod source;
#[cfg(test)]
mod testing;
mod writing;

toolhatch_plugin::plugin!(query::query, schema::schema);
