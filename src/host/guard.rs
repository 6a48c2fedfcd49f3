//! The gate inside a call: asks the effective scope about each thing a guest tries, and records what it touched and what it
//! was denied.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::error::Error;
use crate::exec::{
    Effect, EventLimits, EventSink, LogLevel, Mount, ServiceRequest, Services, Veto,
};
use crate::ids::{CallId, ToolId};
use crate::permission::{Access, Action, Denial, Kind, Scope, Sensitive};

/// How many addresses of granted names are remembered in one call.
const MAX_RESOLVED: usize = 1024;

/// What is suggested where no state was granted at all, in bytes: nobody knows yet how much it will be.
const SOME_STATE: u64 = 1 << 20;

/// How many servers an instance may have connected to whose call another one follows.
const MAX_CONNECTED: usize = 64;

/// What belongs to one call alone.
struct Present {
    events: Arc<EventSink>,
    veto: Option<Arc<dyn Veto>>,
    services: Option<Arc<dyn Services>>,
    /// Ends what the call began and did not wait for.
    over: DropGuard,
}

impl Present {
    fn new(
        events: Arc<EventSink>,
        veto: Option<Arc<dyn Veto>>,
        services: Option<Arc<dyn Services>>,
    ) -> Self {
        Self {
            events,
            veto,
            services,
            over: CancellationToken::new().drop_guard(),
        }
    }
}

/// What one call may do, and where what it does is recorded.
pub(super) struct Guard {
    scope: Arc<Scope>,
    sensitive: Arc<Sensitive>,
    /// The call that goes on now: an instance that is kept has one after the other. Between two of them there is none, and
    /// nothing is allowed: nobody could ask a policy about it, and nobody would record it.
    call: Mutex<Option<Present>>,
    /// What policy allowed an instance to connect to: it may still be open.
    connected: Mutex<Vec<Action>>,
    /// What the manifest would have appear where.
    wanted: Vec<Mount>,
    /// The granted names that each address was resolved from.
    names: Mutex<HashMap<IpAddr, Vec<String>>>,
}

impl Guard {
    pub(super) fn new(
        scope: Arc<Scope>,
        sensitive: Arc<Sensitive>,
        events: Arc<EventSink>,
        wanted: Vec<Mount>,
        veto: Option<Arc<dyn Veto>>,
        services: Option<Arc<dyn Services>>,
    ) -> Self {
        Self {
            scope,
            sensitive,
            call: Mutex::new(Some(Present::new(events, veto, services))),
            connected: Mutex::default(),
            wanted,
            names: Mutex::default(),
        }
    }

    /// Another call goes on from here, which may do the same.
    pub(super) fn begin(
        &self,
        events: Arc<EventSink>,
        veto: Option<Arc<dyn Veto>>,
        services: Option<Arc<dyn Services>>,
    ) {
        *self.present() = Some(Present::new(events, veto, services));
    }

    /// The call is over, and what it began and did not wait for with it.
    pub(super) fn end(&self) {
        *self.present() = None;
    }

    fn present(&self) -> MutexGuard<'_, Option<Present>> {
        self.call.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the call that goes on now tells what it does. Between two calls nobody listens.
    pub(super) fn events(&self) -> Arc<EventSink> {
        match &*self.present() {
            Some(present) => Arc::clone(&present.events),
            None => Arc::new(EventSink::new(EventLimits::default())),
        }
    }

    /// Cancelled when the call that goes on now is over.
    pub(super) fn over(&self) -> CancellationToken {
        let token = |present: &Present| present.over.token().clone();
        self.present().as_ref().map_or_else(
            || {
                let over = CancellationToken::new();
                over.cancel();
                over
            },
            token,
        )
    }

    /// Why another call may not have the instance with what it has open, if it may not: the policies of now are asked about
    /// all of it again, for they, or what they know of the session, may have changed.
    pub(super) async fn stays_behind(&self, veto: Option<&Arc<dyn Veto>>) -> Option<&'static str> {
        let veto = veto?;
        let connected = self.connected().clone();
        if connected.len() >= MAX_CONNECTED {
            return Some("it connected to more servers than can be asked about again");
        }
        for action in &connected {
            if veto.check(action).await.is_err() {
                return Some("a connection that it made is not one that it might make now");
            }
        }
        None
    }

    fn connected(&self) -> MutexGuard<'_, Vec<Action>> {
        self.connected
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn scope(&self) -> &Scope {
        &self.scope
    }

    fn decide(&self, action: &Action) -> Result<(), Denied> {
        if self.present().is_none() {
            tracing::warn!(?action, "denied: the call that it belongs to is over");
            return Err(Denied);
        }
        match self.scope.check(action, &self.sensitive) {
            Ok(()) => Ok(()),
            Err(denial) => {
                self.events().denied(denial);
                Err(Denied)
            }
        }
    }

    /// Policy is asked where the scope allows a connection and its address is known.
    async fn ask_veto(&self, action: &Action) -> Result<(), Denied> {
        let veto = match &*self.present() {
            Some(present) => present.veto.clone(),
            None => return Err(Denied),
        };
        if let Some(veto) = veto {
            veto.check(action).await.map_err(|why| {
                self.events().denied(Denial::policy(action, why));
                Denied
            })?;
        }
        let mut connected = self.connected();
        let is_known = connected.iter().any(|known| is_same_server(known, action));
        if connected.len() < MAX_CONNECTED && !is_known {
            connected.push(action.clone());
        }
        Ok(())
    }

    fn allows(&self, path: &Path, access: Access) -> bool {
        self.scope.check_file(path, access, &self.sensitive).is_ok()
    }

    /// Decides on running a command in a container.
    pub(super) fn command(&self, image: &str, command: &str) -> Result<(), Denied> {
        self.decide(&Action::Subprocess {
            image: image.to_owned(),
            command: command.to_owned(),
        })
    }

    /// Decides on calling another tool.
    pub(super) fn tool_invoke(&self, tool: &str) -> Result<(), Denied> {
        self.decide(&Action::ToolInvoke {
            tool_id: tool.to_owned(),
        })
    }

    /// Records that another tool may not be called where the result is to follow from the arguments alone.
    pub(super) fn invoke_in_deterministic_call(&self, tool: &str, why: &str) {
        let tool_id = tool.to_owned();
        self.events().denied(Denial::rule(
            &Action::ToolInvoke { tool_id },
            why.to_owned(),
        ));
    }

    /// Records that there is no state where the result is to follow from the arguments alone.
    pub(super) fn state_in_deterministic_call(&self, why: &str) {
        let action = Action::State { bytes: SOME_STATE };
        self.events().denied(Denial::rule(&action, why.to_owned()));
    }

    /// Records that another tool was called.
    pub(super) fn invoked(&self, tool: ToolId, call: CallId) {
        self.events().effect(Effect::Invoked { tool, call });
    }

    // === state ===

    /// Decides on keeping state at all.
    pub(super) fn any_state(&self) -> Result<(), Denied> {
        if self.scope.state_quota() > 0 {
            return Ok(());
        }
        self.decide(&Action::State { bytes: SOME_STATE })
    }

    /// Records that there would be more state than the quota.
    pub(super) fn over_quota(&self, bytes: u64) {
        if let Err(denial) = self.scope.check(&Action::State { bytes }, &self.sensitive) {
            self.events().denied(denial);
        }
    }

    /// Records that a value was read or written, or that the keys that begin so were listed.
    pub(super) fn touched_state(&self, key: &str, access: Access) {
        self.events().effect(Effect::State {
            key: key.to_owned(),
            access,
        });
    }

    /// Tells the caller why state cannot be used, and what to do about that.
    pub(super) fn state_trouble(&self, error: &Error) {
        let hints = error.hints().join(" ");
        let told = format!("the state of the plugin cannot be used: {error}. {hints}");
        self.events().log(LogLevel::Warn, told.trim_end());
    }

    // === files ===

    /// Decides on reading or writing the true path of a file or folder.
    pub(super) fn file(&self, path: &Path, access: Access) -> Result<(), Denied> {
        self.decide(&Action::File {
            path: path.to_owned(),
            access,
        })
    }

    pub(super) fn may_read(&self, path: &Path) -> bool {
        self.allows(path, Access::Read)
    }

    pub(super) fn may_write(&self, path: &Path) -> bool {
        self.allows(path, Access::Write)
    }

    /// True where something below it was granted.
    pub(super) fn leads_to_grant(&self, path: &Path) -> bool {
        self.scope.reaches_below(path)
    }

    /// Something can be seen by whoever may read it, write it, or reach something below it.
    fn may_see(&self, path: &Path) -> bool {
        self.may_read(path) || self.may_write(path) || self.leads_to_grant(path)
    }

    /// Decides on looking at the metadata of a path.
    pub(super) fn see(&self, path: &Path) -> Result<(), Denied> {
        if self.may_see(path) {
            return Ok(());
        }
        self.file(path, Access::Read)
    }

    /// Records that a path led out of the folder it started from, through a link or by its own words.
    pub(super) fn left_grant(&self, target: &Path, access: Access, by_link: bool) {
        self.events()
            .denied(Denial::left_grant(target, access, by_link));
    }

    /// Tells the caller that a listing leaves out entries whose names no guest can be told.
    pub(super) fn unnameable(&self, folder: &Path, count: usize) {
        let folder = folder.display();
        self.events().log(
            LogLevel::Warn,
            &format!("the listing of {folder} leaves out names that are not UTF-8: {count}"),
        );
    }

    /// Records that something outside every mount was asked for, by the path the guest used.
    pub(super) fn outside_mounts(&self, path: &Path, access: Access) {
        let denial = Denial::outside_mounts(path, access);
        let wanted = self
            .wanted
            .iter()
            .find(|wanted| path.starts_with(&wanted.guest));
        let denial = match wanted {
            Some(wanted) => denial
                .meaning(&wanted.host.to_string_lossy(), Some(&wanted.guest))
                .already_asked_for(),
            None => match relative_meaning(path) {
                Some(typed) => denial.meaning(&typed, None),
                None => denial,
            },
        };
        self.events().denied(denial);
    }

    /// Records that a FIFO, device or socket was asked for.
    pub(super) fn special_file(&self, path: &Path, access: Access) {
        self.events().denied(Denial::special_file(path, access));
    }

    /// Records that a file or folder was opened or changed.
    pub(super) fn touched(&self, path: &Path, access: Access) {
        self.events().effect(Effect::File {
            path: path.to_owned(),
            access,
        });
    }

    // === network ===

    /// Decides on an HTTP request, before its name is resolved.
    pub(super) fn http(&self, request: &HttpRequest<'_>) -> Result<(), Denied> {
        self.decide(&Action::Http {
            scheme: request.scheme.to_owned(),
            host: request.host.to_owned(),
            port: request.port,
            method: request.method.to_owned(),
            path: request.path.to_owned(),
        })
    }

    /// Asks to send a request to a service, which is left alone where it keeps failing; the call's log tells of that.
    ///
    /// # Errors
    /// [`LeftAlone`] where it is left alone.
    pub(super) async fn service(
        &self,
        host: &str,
        port: u16,
    ) -> Result<Option<Box<dyn ServiceRequest>>, LeftAlone> {
        let services = match &*self.present() {
            Some(present) => present.services.clone(),
            None => return Err(LeftAlone),
        };
        let Some(services) = services else {
            return Ok(None);
        };
        let begun = services.begin(&format!("{host}:{port}")).await;
        begun.map(Some).map_err(|error| {
            self.events().log(LogLevel::Warn, &error.to_string());
            LeftAlone
        })
    }

    /// Decides on an address that the host of an HTTP request resolved to.
    pub(super) async fn http_address(
        &self,
        request: &HttpRequest<'_>,
        address: IpAddr,
    ) -> Result<(), Denied> {
        let action = Action::HttpAddress {
            scheme: request.scheme.to_owned(),
            host: request.host.to_owned(),
            port: request.port,
            method: request.method.to_owned(),
            path: request.path.to_owned(),
            address,
        };
        self.decide(&action)?;
        self.ask_veto(&action).await
    }

    /// Decides on looking up a name.
    pub(super) fn lookup(&self, name: &str) -> Result<(), Denied> {
        self.decide(&Action::Lookup {
            name: name.to_owned(),
        })?;
        self.events().effect(Effect::Lookup(name.to_owned()));
        Ok(())
    }

    /// Remembers that a granted name resolved to this address.
    pub(super) fn resolved(&self, name: &str, address: IpAddr) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= MAX_RESOLVED {
            return;
        }
        let of_address = names.entry(address.to_canonical()).or_default();
        if !of_address.iter().any(|known| known == name) {
            of_address.push(name.to_owned());
        }
    }

    fn names_of(&self, address: IpAddr) -> Vec<String> {
        self.names
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&address.to_canonical())
            .cloned()
            .unwrap_or_default()
    }

    /// Decides on connecting a TCP socket, or on sending a datagram, by the scope alone: at once, as sockets that do not
    /// wait need it. [`Guard::connects`] comes after it.
    ///
    /// # Errors
    /// [`Denied`] where no grant covers it.
    pub(super) fn socket(&self, to: Socket, address: SocketAddr) -> Result<Action, Denied> {
        let (ip, port, names) = (address.ip(), address.port(), self.names_of(address.ip()));
        let action = match to {
            Socket::Tcp => Action::Tcp {
                address: ip,
                port,
                names,
            },
            Socket::Udp => Action::Udp {
                address: ip,
                port,
                names,
            },
        };
        self.decide(&action)?;
        Ok(action)
    }

    /// Asks policy about what the scope allows, and records the connection.
    pub(super) async fn connects(
        &self,
        to: Socket,
        address: SocketAddr,
        action: &Action,
    ) -> Result<(), Denied> {
        self.ask_veto(action).await?;
        self.touched_network(Effect::Connect {
            address,
            protocol: match to {
                Socket::Tcp => "tcp",
                Socket::Udp => "udp",
            },
        });
        Ok(())
    }

    /// Decides on taking a datagram that came from an address: only from where one may be sent to. What others send to an
    /// open port is dropped and is no act of the guest, so it is not recorded as a denial.
    pub(super) fn udp_from(&self, address: SocketAddr) -> Result<(), Denied> {
        let action = Action::Udp {
            address: address.ip(),
            port: address.port(),
            names: self.names_of(address.ip()),
        };
        self.scope
            .check(&action, &self.sensitive)
            .map_err(|_| Denied)
    }

    /// Decides on being a server, which no permission allows.
    pub(super) fn listen(&self, address: SocketAddr) -> Result<(), Denied> {
        self.decide(&Action::Listen {
            kind: Kind::NetworkTcp,
            address,
        })
    }

    /// Records a network effect.
    pub(super) fn touched_network(&self, effect: Effect) {
        self.events().effect(effect);
    }
}

/// True where both lead to one address under one name: what is asked for there does not make another connection.
fn is_same_server(one: &Action, other: &Action) -> bool {
    let http = |action: &Action| match action {
        Action::HttpAddress {
            host,
            port,
            address,
            ..
        } => Some((host.clone(), *port, *address)),
        _ => None,
    };
    one == other || http(one).is_some_and(|one| Some(one) == http(other))
}

/// Guests have no current folder, so that `src/a` and `/src/a` arrive as the same path. Where only the first exists here, it
/// is what was meant.
fn relative_meaning(path: &Path) -> Option<String> {
    let relative = path.strip_prefix("/").ok()?;
    let meant = !relative.as_os_str().is_empty() && !path.exists() && relative.exists();
    meant.then(|| relative.to_string_lossy().into_owned())
}

/// What kind of socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Socket {
    /// A stream.
    Tcp,
    /// Datagrams.
    Udp,
}

/// An HTTP request as the gate sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct HttpRequest<'a> {
    pub(super) scheme: &'a str,
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) method: &'a str,
    pub(super) path: &'a str,
}

/// A service keeps failing and is not asked for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LeftAlone;

/// Denied, and recorded; what the guest sees of it is up to the interface it used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Denied;

impl From<Denied> for io::Error {
    fn from(_: Denied) -> Self {
        Errno::PERM.into()
    }
}
