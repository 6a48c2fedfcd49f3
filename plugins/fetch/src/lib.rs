//! `fetch`: what is at a web address, in a form that agents read.
//!
//! A request (`get`), its body with a cap (`body`), what kind of thing it is (`media`) and in which encoding (`charset`); then
//! a page becomes a tree (`html`), and the tree Markdown or text (`markdown`).

mod address;
mod body;
mod charset;
mod get;
mod html;
mod json;
mod markdown;
mod media;

toolhatch_plugin::plugin!(get::get);
