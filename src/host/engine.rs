//! The wasmtime engines, and the clock that lets them interrupt guests.
//!
//! One engine uses the pooling allocator, one allocates on demand for components that need more than a slot; both run the
//! same compiled code. Fuel is compiled in, so deterministic calls have an engine of their own.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use wasmtime::{
    Config, Enabled, Engine, EngineWeak, InstanceAllocationStrategy, PoolingAllocationConfig,
    WasmBacktraceDetails,
};

use crate::error::{Code, Error, Result};

/// How often a running guest gives way to others. Half the 5 ms that other callers may notice (design §13, row 5) leaves
/// room for two guests that spin on two cores.
const TICK: Duration = Duration::from_millis(1);
/// Calls that can be inside the pool at once; the permits of the pipeline are fewer.
pub const POOL_SLOTS: u32 = 128;
/// The same in a process that makes one call: each slot is paid for at the start.
pub const FEW_SLOTS: u32 = 8;
/// Core instances, memories and tables for each slot: a componentize-py component has 14 core modules.
const CORES_PER_SLOT: u32 = 16;
/// The largest linear memory of a slot. Reserving 4 GiB of addresses for it costs nothing and saves the bounds checks.
pub const POOL_MEMORY: u64 = 1 << 30;
/// The largest table of a slot.
pub(super) const POOL_TABLE_ELEMENTS: u64 = 20_000;
/// The stack of a guest, in bytes.
pub const WASM_STACK: usize = 1 << 20;

/// Which engine something is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EngineKind {
    /// Slots of a pool.
    Pooling,
    /// Memory from the system for each call.
    OnDemand,
    /// Counts fuel, for deterministic calls.
    Fuel,
}

/// The engines of the process, each made when it is first needed.
pub struct Engines {
    slots: u32,
    pooling: OnceLock<Engine>,
    on_demand: OnceLock<Engine>,
    fuel: OnceLock<Engine>,
    ticker: Arc<Ticker>,
}

impl Engines {
    /// Builds the engine with a pool of this many slots, and starts the thread that interrupts guests; the thread ends with
    /// the engines.
    ///
    /// # Errors
    /// E3405 where the system cannot give what the engines need.
    pub fn new(slots: u32) -> Result<Self> {
        let ticker = Arc::new(Ticker::default());
        let ticking = Arc::clone(&ticker);
        std::thread::Builder::new()
            .name("toolhatch-epoch".into())
            .spawn(move || ticking.run())
            .map_err(|error| {
                Error::new(Code::E3405, "starting the thread that interrupts guests")
                    .caused_by(error)
            })?;
        let engines = Self {
            slots,
            pooling: OnceLock::new(),
            on_demand: OnceLock::new(),
            fuel: OnceLock::new(),
            ticker,
        };
        engines.get(EngineKind::Pooling)?;
        Ok(engines)
    }

    /// The engine of this kind.
    ///
    /// # Errors
    /// E3405 where the system cannot give what it needs.
    pub fn get(&self, kind: EngineKind) -> Result<&Engine> {
        let place = match kind {
            EngineKind::Pooling => &self.pooling,
            EngineKind::OnDemand => &self.on_demand,
            EngineKind::Fuel => &self.fuel,
        };
        if let Some(engine) = place.get() {
            return Ok(engine);
        }
        let engine = start(&with_slots(kind, self.slots))?;
        // Of two that were made at the same time the first is kept.
        Ok(place.get_or_init(|| {
            self.ticker.interrupts(engine.weak());
            engine
        }))
    }

    /// An engine that compiles for this kind, and is dropped after that: what the compiler holds ready for the next time goes
    /// with it, tens of megabytes after a large component.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn compiler(kind: EngineKind) -> Result<Engine> {
        start(&config(match kind {
            // The same code, without a pool that would have to be laid out.
            EngineKind::Pooling | EngineKind::OnDemand => EngineKind::OnDemand,
            EngineKind::Fuel => EngineKind::Fuel,
        }))
    }

    /// Keeps the interrupting thread awake while a guest may run.
    #[must_use]
    pub fn guest_running(&self) -> GuestRunning {
        self.ticker.enter();
        GuestRunning(Arc::clone(&self.ticker))
    }
}

impl Drop for Engines {
    fn drop(&mut self) {
        self.ticker.stop();
    }
}

fn start(config: &Config) -> Result<Engine> {
    Engine::new(config).map_err(|error| {
        Error::new(Code::E3405, "starting the WebAssembly engine").caused_by(error)
    })
}

/// The one configuration, but for what tells the kinds apart. `scripts/bench` measures raw wasmtime with the same.
#[must_use]
pub fn config(kind: EngineKind) -> Config {
    with_slots(kind, POOL_SLOTS)
}

fn with_slots(kind: EngineKind, slots: u32) -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .wasm_component_model_async(true)
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(2 << 20)
        .wasm_backtrace_details(WasmBacktraceDetails::Enable)
        .native_unwind_info(false)
        .memory_init_cow(true);
    match kind {
        EngineKind::OnDemand => {}
        EngineKind::Pooling => {
            config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(slots)));
        }
        EngineKind::Fuel => {
            config
                .consume_fuel(true)
                .cranelift_nan_canonicalization(true)
                .relaxed_simd_deterministic(true);
        }
    }
    config
}

fn pool(slots: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_core_instances(slots * CORES_PER_SLOT)
        .total_memories(slots * 2)
        .total_tables(slots * CORES_PER_SLOT)
        .total_stacks(slots)
        .max_core_instances_per_component(CORES_PER_SLOT * 2)
        .max_memories_per_component(4)
        .max_tables_per_component(CORES_PER_SLOT * 2)
        .table_elements(usize::try_from(POOL_TABLE_ELEMENTS).unwrap_or(usize::MAX))
        .max_memory_size(usize::try_from(POOL_MEMORY).unwrap_or(usize::MAX))
        .linear_memory_keep_resident(64 << 10)
        .table_keep_resident(16 << 10)
        .max_unused_warm_slots(8)
        .pagemap_scan(Enabled::Auto);
    pool
}

/// Keeps the epoch clock running until it is dropped.
pub struct GuestRunning(Arc<Ticker>);

impl Drop for GuestRunning {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// How many ticks without a guest end the ticking: one call that follows another need not wake the thread.
const LINGER: u32 = 50;

/// Counts running guests; ticks only while there are any, and a little longer, so that an idle process sleeps.
#[derive(Default)]
struct Ticker {
    running: AtomicUsize,
    /// The thread waits for the first guest. While it still ticks, nobody has to wake it.
    asleep: AtomicBool,
    stopped: Mutex<bool>,
    wake: Condvar,
    engines: Mutex<Vec<EngineWeak>>,
}

impl Ticker {
    fn interrupts(&self, engine: EngineWeak) {
        let mut engines = self.engines.lock().unwrap_or_else(PoisonError::into_inner);
        engines.push(engine);
    }

    fn enter(&self) {
        self.running.fetch_add(1, Ordering::SeqCst);
        if self.asleep.load(Ordering::SeqCst) {
            // Taking the lock orders this wake-up after the sleeper's check of `running`.
            drop(self.stopped.lock().unwrap_or_else(PoisonError::into_inner));
            self.wake.notify_one();
        }
    }

    fn leave(&self) {
        self.running.fetch_sub(1, Ordering::SeqCst);
    }

    fn stop(&self) {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.wake.notify_one();
    }

    fn run(&self) {
        let mut idle = LINGER;
        loop {
            {
                let mut stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
                if idle >= LINGER {
                    self.asleep.store(true, Ordering::SeqCst);
                    while !*stopped && self.running.load(Ordering::SeqCst) == 0 {
                        stopped = self
                            .wake
                            .wait(stopped)
                            .unwrap_or_else(PoisonError::into_inner);
                    }
                    self.asleep.store(false, Ordering::SeqCst);
                    idle = 0;
                }
                if *stopped {
                    return;
                }
            }
            let is_idle = self.running.load(Ordering::SeqCst) == 0;
            idle = if is_idle { idle + 1 } else { 0 };
            std::thread::sleep(TICK);
            let engines = self.engines.lock().unwrap_or_else(PoisonError::into_inner);
            for engine in &*engines {
                if let Some(engine) = engine.upgrade() {
                    engine.increment_epoch();
                }
            }
        }
    }
}
