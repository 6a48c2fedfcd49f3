//! Clocks and random numbers that stand still, for deterministic calls and for asking a plugin which tools it has.

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtxBuilder};

/// 2020-01-01T00:00:00Z: late enough for programs that distrust 1970.
const FROZEN_SECONDS: u64 = 1_577_836_800;

struct Frozen;

impl HostWallClock for Frozen {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        Duration::from_secs(FROZEN_SECONDS)
    }
}

impl HostMonotonicClock for Frozen {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        0
    }
}

/// Freezes time and seeds every source of random numbers with the same number.
pub(super) fn freeze(builder: &mut WasiCtxBuilder) {
    builder
        .wall_clock(Frozen)
        .monotonic_clock(Frozen)
        .secure_random(StdRng::seed_from_u64(0))
        .insecure_random(StdRng::seed_from_u64(0))
        .insecure_random_seed(0);
}
