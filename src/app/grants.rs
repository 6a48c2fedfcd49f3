//! From what a person typed after `--allow` to grants: the only place where a typed path becomes a canonical one.

use std::path::Path;

use crate::error::{Code, Error, Result};
use crate::manifest::image::granted_name;
use crate::permission::{
    Access, Allow, AllowValue, Capability, FileScope, GrantedMount, Grants, Kind, SubprocessScope,
};

/// Reads grants; relative paths are relative to `current`.
///
/// # Errors
/// E3004 where a text is not a grant, E3101 where a path does not exist: a grant binds to what is there.
pub fn read_grants(texts: &[String], all_requested: bool, current: &Path) -> Result<Grants> {
    let mut grants = Grants {
        all_requested,
        ..Grants::default()
    };
    for text in texts {
        let allow = Allow::parse(text).map_err(|error| {
            error
                .into_error(Code::E3004)
                .while_doing(format!("reading `--allow {text}`"))
        })?;
        if let Some(capability) = allow.capability() {
            grants.scope.insert(in_full(capability)?);
        }
        match allow.value {
            AllowValue::File { host, guest } => {
                let canonical = current.join(&host).canonicalize().map_err(|error| {
                    Error::new(
                        Code::E3101,
                        format!("reading `--allow {text}`: {host} cannot be granted"),
                    )
                    .caused_by(error)
                    .hint("Only files and folders that exist can be granted; create it first.")
                })?;
                if !canonical.is_dir() && !canonical.is_file() {
                    return Err(Error::new(
                        Code::E3004,
                        format!("reading `--allow {text}`: {host} is a pipe, a socket or a device"),
                    )
                    .hint("Only files and folders can be granted."));
                }
                let access = if allow.kind == Kind::FileWrite {
                    Access::Write
                } else {
                    Access::Read
                };
                let scope = FileScope::under(&canonical, access)
                    .map_err(|error| error.into_error(Code::E3004))?;
                grants.scope.insert(match access {
                    Access::Read => Capability::FileRead(scope),
                    Access::Write => Capability::FileWrite(scope),
                });
                grants.mounts.push(GrantedMount {
                    host: canonical,
                    guest,
                    typed: host,
                });
            }
            AllowValue::Env {
                name,
                value: Some(value),
            } => {
                grants.environment.insert(name, value);
            }
            AllowValue::Env { value: None, .. } | AllowValue::Scope(_) => {}
        }
    }
    Ok(grants)
}

/// An image under its full name, as manifests and commands name it: people type the short one.
fn in_full(capability: Capability) -> Result<Capability> {
    let Capability::Subprocess(scope) = &capability else {
        return Ok(capability);
    };
    let image = scope.image().map(granted_name);
    SubprocessScope::new(image.as_deref(), scope.command())
        .map(Capability::Subprocess)
        .map_err(|error| error.into_error(Code::E3004))
}
