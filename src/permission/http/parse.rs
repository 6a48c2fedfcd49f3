//! Reading the text form of HTTP scopes.

use std::collections::BTreeSet;
use std::str::FromStr;

use super::{HttpScope, Scheme, Schemes, reach_of};
use crate::permission::address::Reach;
use crate::permission::host::HostPattern;
use crate::permission::kind::Kind;
use crate::permission::parse_error::{Form, ParseError};
use crate::permission::port::{Port, split_authority};
use crate::permission::text;

const FORM: &Form = Kind::NetworkHttp.form();

impl FromStr for HttpScope {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        FORM.check_text(text)?;
        let fail = |problem: &str| FORM.error(text, problem);
        let mut parts = text.split(';');
        let target = parts.next().unwrap_or_default();
        let (scheme, rest) = split_scheme(target).map_err(|problem| FORM.error(text, problem))?;
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, ""),
        };
        let (host, port) = split_authority(authority).map_err(fail)?;
        let mut paths = BTreeSet::new();
        let mut add_path = |path: &str| -> Result<(), ParseError> {
            let glob = path.parse().map_err(|e: ParseError| fail(e.problem()))?;
            paths.insert(glob);
            Ok(())
        };
        if !path.is_empty() {
            add_path(path)?;
        }
        let (mut methods, mut reach) = (None, None);
        for option in parts {
            match option.split_once('=') {
                None if option == "private" => reach = reach.max(Some(Reach::Private)),
                None if option == "metadata" => reach = Some(Reach::Metadata),
                Some(("and", path)) => add_path(path)?,
                Some(("methods", list)) if methods.is_none() => {
                    methods = Some(parse_methods(list.split(',')).map_err(fail)?);
                }
                Some(("methods", _)) => return Err(fail("`methods` stands there twice")),
                _ => return Err(FORM.error(text, unknown_option(option))),
            }
        }
        let host = host.parse().map_err(|e: ParseError| fail(e.problem()))?;
        let port = port.map(Port::parse).transpose().map_err(fail)?;
        Self::build(host, scheme, port, methods, paths, reach).map_err(fail)
    }
}

impl HttpScope {
    /// Puts a scope together from what was written; the error is a fragment.
    pub(super) fn build(
        host: HostPattern,
        scheme: Option<Scheme>,
        port: Option<Port>,
        methods: Option<BTreeSet<String>>,
        paths: BTreeSet<crate::permission::PathGlob>,
        reach: Option<Reach>,
    ) -> Result<Self, &'static str> {
        let (least, _) =
            reach_of(&host).ok_or("nobody can connect to that address, so it cannot be granted")?;
        let port_of = |of: Scheme| {
            let is_named = scheme.is_none_or(|scheme| scheme == of);
            is_named.then(|| port.unwrap_or(Port::Exact(of.default_port())))
        };
        Self {
            schemes: Schemes {
                http: port_of(Scheme::Http),
                https: port_of(Scheme::Https),
            },
            reach: reach.unwrap_or(Reach::Public).max(least),
            host,
            methods,
            paths,
        }
        .normalised()
        .ok_or("it allows nothing")
    }
}

/// Splits `http://` or `https://` off; the error is a fragment.
fn split_scheme(target: &str) -> Result<(Option<Scheme>, &str), String> {
    let Some((scheme, rest)) = target.split_once("://") else {
        return Ok((None, target));
    };
    match scheme.to_ascii_lowercase().as_str() {
        "http" => Ok((Some(Scheme::Http), rest)),
        "https" => Ok((Some(Scheme::Https), rest)),
        other => Err(format!(
            "the scheme is http or https, not `{}`",
            text::shown(other)
        )),
    }
}

/// Reads method names into upper case; the error is a fragment.
pub(super) fn parse_methods<'a>(
    list: impl IntoIterator<Item = &'a str>,
) -> Result<BTreeSet<String>, &'static str> {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let mut methods = BTreeSet::new();
    for method in list {
        if method == "*" {
            return Err("leave the methods out to mean every method");
        }
        if method.is_empty() || !method.chars().all(is_token) {
            return Err("methods are names such as GET, with commas between them");
        }
        methods.insert(method.to_ascii_uppercase());
    }
    if methods.is_empty() {
        return Err("an empty list of methods allows nothing; leave it out to mean every method");
    }
    Ok(methods)
}

fn unknown_option(option: &str) -> String {
    let name = option.split('=').next().unwrap_or(option);
    let options = ["methods", "private", "metadata", "and"];
    let shown = text::shown(option);
    match text::nearest(name, &options) {
        Some(near) => format!("there is no option `{shown}`; did you mean `{near}`?"),
        None => format!("there is no option `{shown}`; a `;` in a path is written `%3B`"),
    }
}
