//! Where the daemon is: what was configured, what Docker's own variables and contexts say, and the usual sockets.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::error;
use crate::config::{DaemonChoice, DockerHost, Environment, InvalidDockerHost, TlsFiles};
use crate::error::{Code, Error, Result};
use crate::fsx;
use crate::ids::Digest;

/// Docker's own configuration and each context is a small file.
const MOST_CONFIG: u64 = 4 << 20;

/// A daemon, before it is known whether it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Where it listens.
    pub host: DockerHost,
    /// How it and we know each other; nothing where all files are absent.
    pub tls: TlsFiles,
    /// Who says so, such as `DOCKER_HOST`.
    pub origin: String,
}

/// Finds the daemon: what was configured, `DOCKER_HOST`, a context, the default socket, then Podman's.
///
/// # Errors
/// E3004 where an address or a context cannot be read; E3405 where there is nothing at all.
pub(super) fn find(
    choice: &DaemonChoice,
    tls: &TlsFiles,
    environment: &Environment,
) -> Result<Address> {
    let of = |name: &str| {
        environment
            .get(name)
            .map(|value| value.to_string_lossy().into_owned())
    };
    let wanted = match choice {
        DaemonChoice::Host(host) => {
            return Ok(Address {
                host: host.clone(),
                tls: tls.clone(),
                origin: "docker.host".to_owned(),
            });
        }
        DaemonChoice::Context(name) => Some(name.clone()),
        DaemonChoice::Found => None,
    };
    if wanted.is_none()
        && let Some(host) = of("DOCKER_HOST")
    {
        return parse(&host, tls_of_environment(tls, &of), "DOCKER_HOST");
    }
    if let Some(folder) = folder(environment) {
        let named = match wanted.or_else(|| of("DOCKER_CONTEXT")) {
            Some(name) => Some(name),
            None => current_context(&folder)?,
        };
        if let Some(name) = named.filter(|name| name != "default") {
            return context(&folder, &name);
        }
    }
    let runtime = of("XDG_RUNTIME_DIR").map(PathBuf::from);
    let of_user = |name: &str| runtime.as_ref().map(|folder| folder.join(name));
    let usual = [
        Some(PathBuf::from("/var/run/docker.sock")),
        of_user("docker.sock"),
        of_user("podman/podman.sock"),
        Some(PathBuf::from("/run/podman/podman.sock")),
    ];
    usual
        .into_iter()
        .flatten()
        .find(|path| path.exists())
        .map(|path| Address {
            host: DockerHost::Unix(path),
            tls: TlsFiles::default(),
            origin: "the usual place".to_owned(),
        })
        .ok_or_else(|| {
            error::unavailable(
                "looking for a daemon: there is no socket in the usual places, and nobody says where else",
            )
        })
}

/// The folder of Docker's own configuration.
pub(super) fn folder(environment: &Environment) -> Option<PathBuf> {
    let of = |name: &str| environment.get(name).map(PathBuf::from);
    of("DOCKER_CONFIG").or_else(|| of("HOME").map(|home| home.join(".docker")))
}

fn tls_of_environment(configured: &TlsFiles, of: &impl Fn(&str) -> Option<String>) -> TlsFiles {
    let folder = of("DOCKER_CERT_PATH")
        .map(PathBuf::from)
        .or_else(|| of("HOME").map(|home| Path::new(&home).join(".docker")));
    match (of("DOCKER_TLS_VERIFY"), folder) {
        (Some(_), Some(folder)) if *configured == TlsFiles::default() => tls_in(&folder),
        _ => configured.clone(),
    }
}

/// The files under the names that Docker gives them.
fn tls_in(folder: &Path) -> TlsFiles {
    TlsFiles {
        ca: Some(folder.join("ca.pem")),
        cert: Some(folder.join("cert.pem")),
        key: Some(folder.join("key.pem")),
    }
}

fn parse(text: &str, tls: TlsFiles, origin: &str) -> Result<Address> {
    // What was written is not repeated: there may be a password in it.
    let host: DockerHost = text.parse().map_err(|why: InvalidDockerHost| {
        Error::new(
            Code::E3004,
            format!("reading {origin}: it is no address of a daemon"),
        )
        .caused_by(why)
    })?;
    Ok(Address {
        host,
        tls,
        origin: origin.to_owned(),
    })
}

fn read_json(path: &Path) -> Result<Value> {
    let bytes = fsx::read_capped(path, MOST_CONFIG)?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Error::new(
            Code::E3004,
            format!("reading {}: it is not JSON", path.display()),
        )
        .caused_by(error)
    })
}

/// The context that `docker context use` chose.
fn current_context(folder: &Path) -> Result<Option<String>> {
    let path = folder.join("config.json");
    if !path.exists() {
        return Ok(None);
    }
    let config = read_json(&path)?;
    let name = config.get("currentContext").and_then(Value::as_str);
    Ok(name.filter(|name| !name.is_empty()).map(ToOwned::to_owned))
}

/// A context is a folder named after the SHA-256 of its name.
fn context(folder: &Path, name: &str) -> Result<Address> {
    let id = Digest::of(name.as_bytes()).hex();
    let origin = format!("the Docker context {name:?}");
    let meta = folder.join("contexts/meta").join(&id).join("meta.json");
    if !meta.exists() {
        return Err(
            Error::new(Code::E3004, format!("looking up {origin}: there is none"))
                .hint("`docker context ls` lists those there are."),
        );
    }
    let meta = read_json(&meta)?;
    let host = meta
        .pointer("/Endpoints/docker/Host")
        .and_then(Value::as_str)
        .ok_or_else(|| {
            Error::new(
                Code::E3004,
                format!("looking up {origin}: it names no daemon"),
            )
        })?;
    let files = folder.join("contexts/tls").join(&id).join("docker");
    let tls = if files.join("ca.pem").exists() {
        tls_in(&files)
    } else {
        TlsFiles::default()
    };
    parse(host, tls, &origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().copied().collect()
    }

    fn found(choice: &DaemonChoice, pairs: &[(&str, &str)]) -> String {
        match find(choice, &TlsFiles::default(), &environment(pairs)) {
            Ok(address) => format!("{} ({})", address.host, address.origin),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_is_configured_comes_before_what_docker_says() {
        let pairs = [("DOCKER_HOST", "tcp://127.0.0.1:2375")];
        let of_docker = found(&DaemonChoice::Found, &pairs);
        assert_eq!(of_docker, "tcp://127.0.0.1:2375 (DOCKER_HOST)");
        let own = DaemonChoice::Host(DockerHost::Unix("/x/y.sock".into()));
        assert_eq!(found(&own, &pairs), "unix:///x/y.sock (docker.host)");
    }

    #[test]
    fn what_is_no_address_is_refused_and_not_repeated() {
        for host in [
            "tcp://me:secret@example.org:1",
            "ftp://secret",
            "ssh://-oProxyCommand=secret",
        ] {
            let told = found(&DaemonChoice::Found, &[("DOCKER_HOST", host)]);
            assert_eq!(told, "reading DOCKER_HOST: it is no address of a daemon");
        }
    }

    #[test]
    fn the_current_context_is_followed() {
        let folder = tempfile::tempdir().expect("a folder");
        let id = Digest::of(b"far").hex();
        let meta = folder.path().join("contexts/meta").join(id);
        std::fs::create_dir_all(&meta).expect("created");
        let write = |path: &Path, text: &str| {
            fsx::write_atomic(path, text.as_bytes(), 0o600).expect("written");
        };
        write(
            &meta.join("meta.json"),
            r#"{"Name":"far","Endpoints":{"docker":{"Host":"tcp://10.0.0.1:2375"}}}"#,
        );
        let config = folder.path().join("config.json");
        write(&config, r#"{"currentContext":"far"}"#);
        let place = folder.path().to_str().expect("UTF-8");
        let pairs = [("DOCKER_CONFIG", place)];
        let expected = "tcp://10.0.0.1:2375 (the Docker context \"far\")";
        assert_eq!(found(&DaemonChoice::Found, &pairs), expected);
        write(&config, r#"{"currentContext":"gone"}"#);
        assert!(found(&DaemonChoice::Found, &pairs).contains("there is none"));
        write(&config, "not json");
        assert!(found(&DaemonChoice::Found, &pairs).contains("not JSON"));
    }
}
