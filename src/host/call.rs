//! One call: a fresh store and instance, a deadline outside of it, and one outcome.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use wasmtime::component::{Instance, ResourceTable, Val};
use wasmtime::{CallHook, Store};
use wasmtime_wasi::WasiCtx;
use wasmtime_wasi::sockets::SocketAddrUse;
use wasmtime_wasi_config::WasiConfigVariables;
use wasmtime_wasi_http::WasiHttpCtx;

use super::component::Loaded;
use super::cpu::CpuTimed;
use super::guard::{Guard, Socket};
use super::imports::filesystem::Files;
use super::imports::http::Outgoing;
use super::imports::lookup::Lookups;
use super::imports::progress::Progress;
use super::limits::Limiter;
use super::meter::Meter;
use super::outcome::{self, HostCallsExhausted};
use super::state::State;
use super::stdio::Captured;
use super::typed;
use super::values::{from_val, to_val};
use super::{Host, clocks, exports, input, session};
use crate::error::{Code, Error, Result};
use crate::exec::{
    Arguments, Commands, Ended, Entry, EventSink, Invoker, Job, KeyValue, Mount, Outcome, Services,
    Stdio, Usage, Veto,
};
use crate::manifest::limits::Limits;
use crate::permission::{Kind, Scope, Sensitive};
use crate::schema::{Function, Value};

/// Bytes one host call may copy out of the guest: results are larger than single writes, so they decide.
pub(super) const TRANSFER: usize = 128 << 20;
/// Handles a guest may hold.
pub(super) const HANDLES: usize = 10_000;
/// How many ticks of the epoch clock a guest may run before it first gives way.
const UNDISTURBED_TICKS: u64 = 4;
/// Bytes of random numbers for one call of the import.
const RANDOM: u64 = 1 << 20;
/// Runs the job to its end.
pub(super) async fn run(host: &Host, loaded: &Loaded, job: Job) -> Outcome {
    let started = Instant::now();
    let meter = Arc::new(Meter::default());
    let cpu = Arc::new(AtomicU64::new(0));
    let timeout = job.limits.timeout;
    let cancel = job.cancel.clone();
    let deterministic = job.deterministic;

    let waits = AtomicBool::new(false);
    let guest = async {
        match job.kept.clone() {
            Some(owner) => session::run(host, loaded, job, &owner, &meter, &waits).await,
            None => guest(host, loaded, job, Arc::clone(&meter)).await,
        }
    };
    let guest = CpuTimed::new(guest, Arc::clone(&cpu));
    // The deadline is outside the guest's future: dropping that stops the guest wherever it is, and frees its store.
    let ended = tokio::select! {
        biased;
        () = cancel.cancelled() => Ended::Cancelled,
        ended = tokio::time::timeout(timeout, guest) => {
            ended.unwrap_or_else(|_| {
                // What never began says nothing about the tool.
                if waits.load(Ordering::Relaxed) {
                    session::taken()
                } else {
                    Ended::TimedOut(timeout)
                }
            })
        }
    };
    Outcome {
        ended,
        usage: Usage {
            duration: started.elapsed(),
            cpu: Some(Duration::from_nanos(cpu.load(Ordering::Relaxed))),
            peak_memory: meter.peak_memory(),
            fuel: deterministic.then(|| meter.fuel()),
            host_calls: meter.host_calls(),
            bytes_in: meter.bytes_in(),
            bytes_out: meter.bytes_out(),
        },
    }
}

async fn guest(host: &Host, loaded: &Loaded, job: Job, meter: Arc<Meter>) -> Ended {
    let limits = job.limits.clone();
    let mut store = match store(host, loaded, &job, meter) {
        Ok(store) => store,
        Err(error) => return Ended::NotRun(error),
    };
    let _running = host.loader.engines().guest_running();
    let ended = match loaded.pre.instantiate_async(&mut store).await {
        Ok(instance) => enter(loaded, &instance, &mut store, job).await,
        Err(error) => outcome::of_error(&error, &store, &limits),
    };
    if loaded.kind == super::EngineKind::Fuel {
        let left = store.get_fuel().unwrap_or_default();
        let meter = &store.data().meter;
        meter.spent_fuel(limits.fuel.saturating_sub(left));
    }
    ended
}

/// Calls what the job is about, in an instance that is there.
pub(super) async fn enter(
    loaded: &Loaded,
    instance: &Instance,
    store: &mut Store<State>,
    job: Job,
) -> Ended {
    let context = input::context(&job);
    let result = match (&job.entry, job.arguments) {
        (Entry::Function(function), Arguments::Values(arguments)) => {
            custom(instance, store, function, arguments).await
        }
        (entry, Arguments::Json(arguments)) => {
            exports::call(loaded, instance, store, entry, &arguments, &context).await
        }
        _ => Err(Error::new(
            Code::E3000,
            "the arguments are of the wrong kind for the tool",
        )
        .into()),
    };
    match result {
        Ok(ended) => outcome::within_output(ended, job.limits.output),
        Err(Failure::Host(error)) => Ended::NotRun(error),
        Err(Failure::Guest(error)) => outcome::of_error(&error, store, &job.limits),
    }
}

/// Why there is no result: ours to explain, or the guest's.
pub(super) enum Failure {
    Host(Error),
    Guest(wasmtime::Error),
}

impl From<wasmtime::Error> for Failure {
    fn from(error: wasmtime::Error) -> Self {
        Self::Guest(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Host(error)
    }
}

async fn custom(
    instance: &Instance,
    store: &mut Store<State>,
    function: &Function,
    arguments: Vec<Value>,
) -> Result<Ended, Failure> {
    let callee = find(instance, store, function)?;
    if let Some(result) = typed::call(&callee, store, function, &arguments).await {
        return Ok(outcome::of_function(function, result?));
    }
    let arguments = function
        .params
        .iter()
        .zip(arguments)
        .map(|((_, ty), value)| to_val(ty, value))
        .collect::<Result<Vec<Val>, _>>()
        .map_err(internal)?;
    let mut results: Vec<Val> = function.result.iter().map(|_| Val::Bool(false)).collect();
    callee
        .call_async(&mut *store, &arguments, &mut results)
        .await?;
    drop(arguments);
    let result = match (&function.result, results.pop()) {
        (Some(ty), Some(val)) => Some(from_val(ty, val).map_err(internal)?),
        _ => None,
    };
    Ok(outcome::of_function(function, result))
}

fn find(
    instance: &Instance,
    store: &mut Store<State>,
    function: &Function,
) -> Result<wasmtime::component::Func, Failure> {
    let mut index = None;
    for name in &function.export {
        index = instance.get_export_index(&mut *store, index.as_ref(), name);
        if index.is_none() {
            break;
        }
    }
    index
        .and_then(|index| instance.get_func(&mut *store, index))
        .ok_or_else(|| {
            let name = function.export.join("#");
            Error::new(Code::E3101, format!("the component does not export {name}")).into()
        })
}

fn internal(error: impl std::error::Error + Send + Sync + 'static) -> Failure {
    Error::new(Code::E3000, "converting a value for the component")
        .caused_by(error)
        .into()
}

/// What a store is made from.
pub(super) struct Environment<'a> {
    pub(super) scope: Arc<Scope>,
    pub(super) sensitive: Arc<Sensitive>,
    pub(super) mounts: &'a [Mount],
    pub(super) wanted: &'a [Mount],
    pub(super) veto: Option<Arc<dyn Veto>>,
    pub(super) services: Option<Arc<dyn Services>>,
    pub(super) commands: Option<Arc<dyn Commands>>,
    pub(super) key_value: Option<Arc<dyn KeyValue>>,
    pub(super) invoker: Option<Arc<dyn Invoker>>,
    pub(super) env: &'a [(String, String)],
    pub(super) config: &'a [(String, String)],
    pub(super) deterministic: bool,
    pub(super) limits: &'a Limits,
    pub(super) events: &'a Arc<EventSink>,
}

/// A store for the job, with nothing in it yet.
pub(super) fn store(
    host: &Host,
    loaded: &Loaded,
    job: &Job,
    meter: Arc<Meter>,
) -> Result<Store<State>> {
    let environment = Environment {
        scope: Arc::clone(&job.scope),
        sensitive: Arc::clone(&job.sensitive),
        mounts: &job.mounts,
        wanted: &job.wanted,
        veto: job.veto.clone(),
        services: job.services.clone(),
        commands: job.commands.clone(),
        key_value: job.key_value.clone(),
        invoker: job.invoker.clone(),
        env: &job.env,
        config: &job.config,
        deterministic: job.deterministic,
        limits: &job.limits,
        events: &job.events,
    };
    store_for(host, loaded, &environment, meter)
}

pub(super) fn store_for(
    host: &Host,
    loaded: &Loaded,
    environment: &Environment<'_>,
    meter: Arc<Meter>,
) -> Result<Store<State>> {
    let limits = environment.limits;
    let guard = Arc::new(Guard::new(
        Arc::clone(&environment.scope),
        Arc::clone(&environment.sensitive),
        Arc::clone(environment.events),
        environment.wanted.to_vec(),
        environment.veto.clone(),
        environment.services.clone(),
    ));
    let files = Files::open(Arc::clone(&guard), environment.mounts).map_err(|(mount, error)| {
        Error::new(
            Code::E3405,
            format!(
                "mounting {} as {} for the tool",
                mount.host.display(),
                mount.guest
            ),
        )
        .caused_by(error)
        .hint("Check that the folder still exists and that you may read it.")
    })?;
    let mut table = ResourceTable::new();
    table.set_max_capacity(HANDLES);
    let state = State {
        table,
        wasi: wasi(environment, &guard),
        files,
        http: WasiHttpCtx::new(),
        outgoing: Outgoing::new(
            Arc::clone(&guard),
            host.tls.clone(),
            limits.http_bytes,
            Arc::clone(&meter),
        ),
        lookups: Lookups::default(),
        guard,
        commands: environment.commands.clone(),
        key_value: environment.key_value.clone(),
        invoker: environment.invoker.clone(),
        is_deterministic: environment.deterministic,
        config: environment
            .config
            .iter()
            .cloned()
            .collect::<WasiConfigVariables>(),
        events: Arc::clone(environment.events),
        progress: Progress::default(),
        limiter: Limiter::new(
            limits.memory,
            limits.table_elements,
            limits.instances,
            Arc::clone(&meter),
        ),
        meter,
        host_calls_allowed: limits.host_calls,
        in_host: false,
    };
    let mut store = Store::new(host.loader.engines().get(loaded.kind)?, state);
    store.limiter(|state| &mut state.limiter);
    undisturbed(&mut store);
    store.epoch_deadline_async_yield_and_update(1);
    store.set_hostcall_fuel(TRANSFER);
    store.set_max_component_handles(HANDLES);
    store.call_hook(|mut context, hook| {
        let state = context.data_mut();
        match hook {
            CallHook::CallingHost => {
                state.in_host = true;
                if state.meter.host_call() > state.host_calls_allowed {
                    return Err(HostCallsExhausted.into());
                }
            }
            CallHook::ReturningFromHost => state.in_host = false,
            CallHook::CallingWasm | CallHook::ReturningFromWasm => {}
        }
        Ok(())
    });
    if loaded.kind == super::EngineKind::Fuel {
        store.set_fuel(limits.fuel).map_err(|error| {
            Error::new(Code::E3000, "setting the fuel of a call").caused_by(error)
        })?;
    }
    Ok(store)
}

/// A short call is let through to its end; whoever takes longer gives way to others at every tick from then on.
pub(super) fn undisturbed(store: &mut Store<State>) {
    store.set_epoch_deadline(UNDISTURBED_TICKS);
}

fn wasi(environment: &Environment<'_>, guard: &Arc<Guard>) -> WasiCtx {
    let mut builder = WasiCtx::builder();
    builder
        .stdout(Captured::new(Arc::clone(guard), Stdio::Stdout))
        .stderr(Captured::new(Arc::clone(guard), Stdio::Stderr))
        .envs(environment.env)
        .max_random_size(RANDOM);
    let scope = guard.scope();
    let kinds = scope.kinds();
    let sockets = kinds.contains(&Kind::NetworkTcp) || kinds.contains(&Kind::NetworkUdp);
    // Sockets that are not allowed at all must still be seen to be denied, so the check answers for every one of them.
    builder
        .allow_tcp(true)
        .allow_udp(true)
        .allow_ip_name_lookup(sockets);
    let checking = Arc::clone(guard);
    builder.socket_addr_check(move |address, used_for| {
        let allowed = match used_for {
            SocketAddrUse::TcpConnect => return connects(&checking, Socket::Tcp, address),
            SocketAddrUse::UdpSend => return connects(&checking, Socket::Udp, address),
            // Binding to nothing in particular comes before connecting, and is decided on there; a fixed address would be
            // a server.
            SocketAddrUse::TcpBind | SocketAddrUse::UdpBind => {
                (address.ip().is_unspecified() && address.port() == 0)
                    || checking.listen(address).is_ok()
            }
            SocketAddrUse::UdpReceive => checking.udp_from(address).is_ok(),
            SocketAddrUse::TcpListen | SocketAddrUse::TcpAccept => checking.listen(address).is_ok(),
        };
        Box::pin(std::future::ready(allowed))
    });
    if environment.deterministic {
        clocks::freeze(&mut builder);
    }
    builder.build()
}

/// Whether a socket may connect. What the scope denies is denied at once, also to a guest that does not wait.
fn connects(
    guard: &Arc<Guard>,
    to: Socket,
    address: SocketAddr,
) -> Pin<Box<dyn Future<Output = bool> + Send + Sync>> {
    let Ok(action) = guard.socket(to, address) else {
        return Box::pin(std::future::ready(false));
    };
    let guard = Arc::clone(guard);
    let over = guard.over();
    // Policy answers with a future that cannot be shared between threads, as this one must be; a task can.
    let asked = tokio::spawn(async move {
        tokio::select! {
            biased;
            () = over.cancelled() => false,
            allowed = guard.connects(to, address, &action) => allowed.is_ok(),
        }
    });
    Box::pin(async move { asked.await.unwrap_or(false) })
}
