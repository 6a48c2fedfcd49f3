//! An HTTP request entry as manifests have it: a table, with alternatives where the text form has one value.

use std::collections::BTreeSet;

use super::parse::parse_methods;
use super::{HttpScope, Scheme};
use crate::permission::address::Reach;
use crate::permission::kind::Kind;
use crate::permission::parse_error::{Form, ParseError};
use crate::permission::port::{Port, split_authority};

const FORM: &Form = Kind::NetworkHttp.form();

/// One entry of `network_http` in a manifest.
#[derive(Debug, Clone, Copy, Default)]
pub struct HttpEntry<'a> {
    /// A host pattern, optionally with the scheme in front and the port behind, but without a path.
    pub host: &'a str,
    /// `http` or `https`; nothing means what `host` says, or both.
    pub scheme: Option<&'a str>,
    /// A port; nothing means what `host` says, or the default of the scheme.
    pub port: Option<u16>,
    /// Methods; nothing means every method, an empty list is an error.
    pub methods: Option<&'a [String]>,
    /// Path globs, any of which may match; nothing means every path, an empty list is an error.
    pub paths: Option<&'a [String]>,
    /// Whether private, loopback and link-local addresses are asked for too.
    pub private: bool,
}

impl HttpEntry<'_> {
    /// The scopes of the entry: one for each path glob.
    ///
    /// # Errors
    /// Where a value is not valid, or says something else than another.
    pub fn scopes(&self) -> Result<Vec<HttpScope>, ParseError> {
        FORM.check_text(self.host)?;
        let fail = |problem: &str| FORM.error(self.host, problem);
        let (in_host, authority) = match self.host.split_once("://") {
            Some((scheme, rest)) => (
                Some(Scheme::named(scheme).ok_or_else(|| fail(SCHEMES))?),
                rest,
            ),
            None => (None, self.host),
        };
        if authority.contains('/') {
            return Err(fail("the host of an entry has no path; use `paths`"));
        }
        if authority.contains(';') {
            return Err(fail(
                "the host of an entry has no options; use the other keys",
            ));
        }
        let given = match self.scheme {
            Some(scheme) => Some(Scheme::named(scheme).ok_or_else(|| FORM.error(scheme, SCHEMES))?),
            None => None,
        };
        let (host, port) = split_authority(authority).map_err(fail)?;
        let port = port.map(Port::parse).transpose().map_err(fail)?;
        let host = host
            .parse::<crate::permission::HostPattern>()
            .map_err(|error| fail(error.problem()))?;
        if given.is_some() && in_host.is_some() && given != in_host {
            return Err(fail("`scheme` says something else than the host"));
        }
        if self.port == Some(0) {
            return Err(fail("a port is a number from 1 to 65535"));
        }
        let given_port = self.port.map(Port::Exact);
        if given_port.is_some() && port.is_some() && given_port != port {
            return Err(fail("`port` says something else than the host"));
        }
        let methods = match self.methods {
            Some(methods) => Some(parse_methods(methods.iter().map(String::as_str)).map_err(fail)?),
            None => None,
        };
        let reach = self.private.then_some(Reach::Private);
        let build = |paths| {
            HttpScope::build(
                host.clone(),
                given.or(in_host),
                given_port.or(port),
                methods.clone(),
                paths,
                reach,
            )
            .map_err(fail)
        };
        match self.paths {
            None => Ok(vec![build(BTreeSet::new())?]),
            Some([]) => Err(fail(
                "an empty list of paths allows nothing; leave it out to mean every path",
            )),
            Some(globs) => globs
                .iter()
                .map(|glob| build(BTreeSet::from([glob.parse()?])))
                .collect(),
        }
    }
}

const SCHEMES: &str = "the scheme is http or https";
