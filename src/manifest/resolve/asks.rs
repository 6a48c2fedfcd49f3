//! The entries of `[permissions]`.

use super::{Reader, schema};
use crate::manifest::document::{join, quoted};
use crate::manifest::permissions::{
    Ask, HttpAsk, InjectAsk, SecretAsk, mount_problem, path_problem,
};
use crate::permission::{Access, Capability, Kind, Scheme, SubprocessScope};

impl Reader<'_> {
    /// Reads one table of permissions; `table` is its key path.
    pub(super) fn asks(&mut self, table: &str, written: schema::Requests) -> Vec<Ask> {
        let mut asks = Vec::new();
        for (kind, access, files) in [
            (Kind::FileRead, Access::Read, written.file_read),
            (Kind::FileWrite, Access::Write, written.file_write),
        ] {
            for (key, file) in keyed(table, kind, files) {
                asks.push(self.file(&key, access, file));
            }
        }
        for (key, http) in keyed(table, Kind::NetworkHttp, written.network_http) {
            asks.extend(self.http(&key, http));
        }
        for (kind, sockets) in [
            (Kind::NetworkTcp, written.network_tcp),
            (Kind::NetworkUdp, written.network_udp),
        ] {
            for (key, socket) in keyed(table, kind, sockets) {
                let text = match socket {
                    schema::Socket::Text(text) => text,
                    schema::Socket::Table(table) if table.host.contains(':') => {
                        format!("[{}]:{}", table.host.trim_matches(['[', ']']), table.port)
                    }
                    schema::Socket::Table(table) => format!("{}:{}", table.host, table.port),
                };
                asks.extend(self.scope(&key, kind, &text));
            }
        }
        for (key, name) in keyed(table, Kind::Env, written.env) {
            asks.extend(self.scope(&key, Kind::Env, &name));
        }
        for (key, secret) in keyed(table, Kind::Secrets, written.secrets) {
            asks.extend(self.secret(&key, secret));
        }
        for (key, command) in keyed(table, Kind::Subprocess, written.subprocess) {
            asks.extend(self.subprocess(&key, command));
        }
        for (key, tool) in keyed(table, Kind::ToolInvoke, written.tool_invoke) {
            asks.extend(self.scope(&key, Kind::ToolInvoke, &tool));
        }
        if let Some(state) = written.state {
            let key = format!("{table}.state.quota");
            asks.extend(self.scope(&key, Kind::State, &state.quota));
        }
        for (key, document) in keyed(table, Kind::Documents, written.documents) {
            asks.extend(self.scope(&key, Kind::Documents, &document));
        }
        if written.checkpoint {
            let key = format!("{table}.checkpoint");
            asks.extend(self.scope(&key, Kind::Checkpoint, "on"));
        }
        asks
    }

    fn scope(&mut self, key: &str, kind: Kind, text: &str) -> Option<Ask> {
        if self.problems.is_full() {
            self.problems.add(None, key, "not looked at");
            return None;
        }
        match Capability::parse(kind, text) {
            Ok(capability) => Some(Ask::Scope(capability)),
            Err(error) => {
                self.problem(key, error.to_string());
                None
            }
        }
    }

    fn file(&mut self, key: &str, access: Access, written: schema::File) -> Ask {
        let (path, mount, path_key) = match written {
            schema::File::Path(path) => (path, None, key.to_owned()),
            schema::File::Table(table) => (table.path, table.mount, join(key, "path")),
        };
        if let Some(problem) = path_problem(&path) {
            self.problem(
                &path_key,
                format!("{} is not a valid path: {problem}", quoted(&path)),
            );
        }
        if let Some(mount) = &mount
            && let Some(problem) = mount_problem(mount)
        {
            self.problem(
                &join(key, "mount"),
                format!("{problem}, found {}", quoted(mount)),
            );
        }
        Ask::File {
            access,
            path,
            mount,
        }
    }

    fn http(&mut self, key: &str, written: schema::Http) -> Option<Ask> {
        let table = match written {
            schema::Http::Text(text) => return self.scope(key, Kind::NetworkHttp, &text),
            schema::Http::Table(table) => table,
        };
        let ask = HttpAsk {
            host: table.host,
            scheme: table.scheme.map(|scheme| match scheme {
                schema::Scheme::Https => Scheme::Https,
                schema::Scheme::Http => Scheme::Http,
            }),
            port: table.port,
            methods: table.methods,
            paths: table.paths,
            private: table.private,
        };
        match ask.capabilities() {
            Ok(_) => Some(Ask::Http(ask)),
            Err(error) => {
                self.problem(key, error.to_string());
                None
            }
        }
    }

    fn secret(&mut self, key: &str, written: schema::Secret) -> Option<Ask> {
        let table = match written {
            schema::Secret::Name(text) => return self.scope(key, Kind::Secrets, &text),
            schema::Secret::Table(table) => table,
        };
        let ask = SecretAsk {
            name: table.name,
            inject: table.inject.map(|inject| InjectAsk {
                host: inject.host,
                header: inject.header,
                format: inject.format,
            }),
            reveal: table.reveal,
        };
        match ask.capabilities() {
            Ok(_) => Some(Ask::Secret(ask)),
            Err(error) => {
                self.problem(key, error.to_string());
                None
            }
        }
    }

    fn subprocess(&mut self, key: &str, written: schema::Subprocess) -> Option<Ask> {
        let table = match written {
            schema::Subprocess::Text(text) => return self.scope(key, Kind::Subprocess, &text),
            schema::Subprocess::Table(table) => table,
        };
        if table.image.is_none() && table.command.is_none() {
            self.problem(key, "expected `image`, `command` or both");
            return None;
        }
        match SubprocessScope::new(table.image.as_deref(), table.command.as_deref()) {
            Ok(scope) => Some(Ask::Scope(Capability::Subprocess(scope))),
            Err(error) => {
                self.problem(key, error.to_string());
                None
            }
        }
    }
}

/// The items of a permission with their key paths.
fn keyed<T>(table: &str, kind: Kind, items: Vec<T>) -> impl Iterator<Item = (String, T)> {
    items
        .into_iter()
        .enumerate()
        .map(move |(index, item)| (format!("{table}.{kind}[{index}]"), item))
}
