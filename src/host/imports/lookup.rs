//! `wasi:sockets/ip-name-lookup`, by name.
//!
//! wasmtime-wasi can only allow all names or none, and a lookup of any name is a way out for data. Which granted name an
//! address came from is remembered, because guests connect to addresses.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use wasmtime::component::{Accessor, HasData, Linker, Resource};
use wasmtime_wasi::p2::bindings::sockets::ip_name_lookup as p2;
use wasmtime_wasi::p2::bindings::sockets::network::{self, ErrorCode, IpAddress, Network};
use wasmtime_wasi::p2::{DynPollable, SocketError};
use wasmtime_wasi::p3::bindings::sockets::ip_name_lookup as p3;
use wasmtime_wasi::p3::bindings::sockets::types as p3_types;
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsCtxView};

use crate::host::guard::Guard;
use crate::host::state::State;

/// The lookups under way: which name each stream of addresses is for.
#[derive(Debug, Default)]
pub(in crate::host) struct Lookups(HashMap<u32, String>);

/// What the import borrows from the store.
pub(in crate::host) struct LookupView<'a> {
    pub(in crate::host) guard: &'a Arc<Guard>,
    pub(in crate::host) lookups: &'a mut Lookups,
    pub(in crate::host) sockets: WasiSocketsCtxView<'a>,
}

/// Names [`LookupView`] to wasmtime.
pub(in crate::host) struct GuardedLookup;

impl HasData for GuardedLookup {
    type Data<'a> = LookupView<'a>;
}

/// Adds the 0.2 interface in place of wasmtime-wasi's.
pub(in crate::host) fn add_p2_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    p2::add_to_linker::<State, GuardedLookup>(linker, State::lookup)
}

/// Adds the 0.3 interface in place of wasmtime-wasi's.
pub(in crate::host) fn add_p3_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    p3::add_to_linker::<State, GuardedLookup>(linker, State::lookup)
}

impl network::Host for LookupView<'_> {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<ErrorCode> {
        network::Host::convert_error_code(&mut self.sockets, error)
    }

    fn network_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        network::Host::network_error_code(&mut self.sockets, error)
    }
}

impl network::HostNetwork for LookupView<'_> {
    fn drop(&mut self, network: Resource<Network>) -> wasmtime::Result<()> {
        network::HostNetwork::drop(&mut self.sockets, network)
    }
}

impl p2::Host for LookupView<'_> {
    fn resolve_addresses(
        &mut self,
        network: Resource<Network>,
        name: String,
    ) -> Result<Resource<p2::ResolveAddressStream>, SocketError> {
        if self.guard.lookup(&name).is_err() {
            return Err(ErrorCode::AccessDenied.into());
        }
        let stream = p2::Host::resolve_addresses(&mut self.sockets, network, name.clone())?;
        self.lookups.0.insert(stream.rep(), name);
        Ok(stream)
    }
}

impl p2::HostResolveAddressStream for LookupView<'_> {
    fn resolve_next_address(
        &mut self,
        stream: Resource<p2::ResolveAddressStream>,
    ) -> Result<Option<IpAddress>, SocketError> {
        let name = self.lookups.0.get(&stream.rep()).cloned();
        let address =
            p2::HostResolveAddressStream::resolve_next_address(&mut self.sockets, stream)?;
        if let (Some(name), Some(address)) = (name, address) {
            self.guard.resolved(&name, p2_address(address));
        }
        Ok(address)
    }

    fn subscribe(
        &mut self,
        stream: Resource<p2::ResolveAddressStream>,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        p2::HostResolveAddressStream::subscribe(&mut self.sockets, stream)
    }

    fn drop(&mut self, stream: Resource<p2::ResolveAddressStream>) -> wasmtime::Result<()> {
        self.lookups.0.remove(&stream.rep());
        p2::HostResolveAddressStream::drop(&mut self.sockets, stream)
    }
}

fn p2_address(address: IpAddress) -> IpAddr {
    match address {
        IpAddress::Ipv4((a, b, c, d)) => Ipv4Addr::new(a, b, c, d).into(),
        IpAddress::Ipv6((a, b, c, d, e, f, g, h)) => Ipv6Addr::new(a, b, c, d, e, f, g, h).into(),
    }
}

fn p3_address(address: &p3_types::IpAddress) -> IpAddr {
    match *address {
        p3_types::IpAddress::Ipv4((a, b, c, d)) => Ipv4Addr::new(a, b, c, d).into(),
        p3_types::IpAddress::Ipv6((a, b, c, d, e, f, g, h)) => {
            Ipv6Addr::new(a, b, c, d, e, f, g, h).into()
        }
    }
}

impl p3::Host for LookupView<'_> {}

impl p3::HostWithStore<State> for GuardedLookup {
    async fn resolve_addresses(
        store: &Accessor<State, Self>,
        name: String,
    ) -> wasmtime::Result<Result<Vec<p3_types::IpAddress>, p3::ErrorCode>> {
        let guard = store.with(|mut store| Arc::clone(store.get().guard));
        if guard.lookup(&name).is_err() {
            return Ok(Err(p3::ErrorCode::AccessDenied));
        }
        let plain = store.with_getter::<WasiSockets>(State::plain_sockets);
        let found =
            <WasiSockets as p3::HostWithStore<State>>::resolve_addresses(&plain, name.clone())
                .await?;
        for address in found.iter().flatten() {
            guard.resolved(&name, p3_address(address));
        }
        Ok(found)
    }
}
