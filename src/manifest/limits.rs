//! How much one call may use: what a manifest asks for, the defaults, and the ceiling above both.

use std::time::Duration;

/// The limits of one call, all decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// From the start of the call to the moment it is stopped.
    pub timeout: Duration,
    /// Bytes of linear memory, summed over all memories of the guest.
    pub memory: u64,
    /// Bytes of the result as JSON.
    pub output: u64,
    /// Bytes of each of stdout and stderr that are kept.
    pub stdio: u64,
    /// Bytes of HTTP bodies, each direction summed over the call.
    pub http_bytes: u64,
    /// Elements, summed over all tables of the guest.
    pub table_elements: u64,
    /// Core instances of the guest.
    pub instances: u32,
    /// Calls from the guest into the host.
    pub host_calls: u64,
    /// Fuel units; counted in deterministic calls only.
    pub fuel: u64,
}

/// Limits somebody asked for; what is absent is left to somebody else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LimitRequest {
    /// See [`Limits::timeout`].
    pub timeout: Option<Duration>,
    /// See [`Limits::memory`].
    pub memory: Option<u64>,
    /// See [`Limits::output`].
    pub output: Option<u64>,
    /// See [`Limits::stdio`].
    pub stdio: Option<u64>,
    /// See [`Limits::http_bytes`].
    pub http_bytes: Option<u64>,
    /// See [`Limits::table_elements`].
    pub table_elements: Option<u64>,
    /// See [`Limits::instances`].
    pub instances: Option<u32>,
    /// See [`Limits::host_calls`].
    pub host_calls: Option<u64>,
    /// See [`Limits::fuel`].
    pub fuel: Option<u64>,
}

impl Default for Limits {
    /// What a call gets when nobody says anything.
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            memory: 128 << 20,
            output: 10 << 20,
            stdio: 1 << 20,
            http_bytes: 64 << 20,
            table_elements: 20_000,
            instances: 100,
            host_calls: 10_000_000,
            fuel: 10_000_000_000,
        }
    }
}

impl Limits {
    /// The most a call can be given where no operator sets a ceiling.
    #[must_use]
    pub fn most() -> Self {
        Self {
            timeout: Duration::from_secs(24 * 3600),
            memory: 4 << 30,
            output: 1 << 30,
            stdio: 64 << 20,
            http_bytes: 16 << 30,
            table_elements: 10_000_000,
            instances: 10_000,
            host_calls: 1_000_000_000,
            fuel: u64::MAX,
        }
    }

    /// What `request` asks for, `defaults` where it is silent, and of each no more than `ceiling`.
    ///
    /// Asking for more than the ceiling is not an error: the call runs with what the ceiling leaves.
    #[must_use]
    pub fn resolve(defaults: &Self, request: &LimitRequest, ceiling: &Self) -> Self {
        request.over(defaults).within(ceiling)
    }

    /// The lesser of the two, limit by limit.
    #[must_use]
    pub fn within(&self, ceiling: &Self) -> Self {
        Self {
            timeout: self.timeout.min(ceiling.timeout),
            memory: self.memory.min(ceiling.memory),
            output: self.output.min(ceiling.output),
            stdio: self.stdio.min(ceiling.stdio),
            http_bytes: self.http_bytes.min(ceiling.http_bytes),
            table_elements: self.table_elements.min(ceiling.table_elements),
            instances: self.instances.min(ceiling.instances),
            host_calls: self.host_calls.min(ceiling.host_calls),
            fuel: self.fuel.min(ceiling.fuel),
        }
    }
}

impl LimitRequest {
    /// These limits, and `defaults` where they are silent.
    #[must_use]
    pub fn over(&self, defaults: &Limits) -> Limits {
        Limits {
            timeout: self.timeout.unwrap_or(defaults.timeout),
            memory: self.memory.unwrap_or(defaults.memory),
            output: self.output.unwrap_or(defaults.output),
            stdio: self.stdio.unwrap_or(defaults.stdio),
            http_bytes: self.http_bytes.unwrap_or(defaults.http_bytes),
            table_elements: self.table_elements.unwrap_or(defaults.table_elements),
            instances: self.instances.unwrap_or(defaults.instances),
            host_calls: self.host_calls.unwrap_or(defaults.host_calls),
            fuel: self.fuel.unwrap_or(defaults.fuel),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limits() -> impl Strategy<Value = Limits> {
        let amounts = proptest::array::uniform8(0_u64..1000);
        (amounts, 0_u32..1000).prop_map(|([a, b, c, d, e, f, g, h], instances)| Limits {
            timeout: Duration::from_millis(a),
            memory: b,
            output: c,
            stdio: d,
            http_bytes: e,
            table_elements: f,
            instances,
            host_calls: g,
            fuel: h,
        })
    }

    #[test]
    fn a_request_replaces_defaults_and_stops_at_the_ceiling() {
        let request = LimitRequest {
            timeout: Some(Duration::from_secs(60)),
            memory: Some(1 << 30),
            ..LimitRequest::default()
        };
        let ceiling = Limits {
            memory: 256 << 20,
            stdio: 1000,
            ..Limits::most()
        };
        let resolved = Limits::resolve(&Limits::default(), &request, &ceiling);
        assert_eq!(
            resolved,
            Limits {
                timeout: Duration::from_secs(60),
                memory: 256 << 20,
                stdio: 1000,
                ..Limits::default()
            }
        );
    }

    proptest! {
        #[test]
        fn nothing_gets_past_the_ceiling(defaults in limits(), ceiling in limits(), memory in 0_u64..2000) {
            let request = LimitRequest { memory: Some(memory), ..LimitRequest::default() };
            let resolved = Limits::resolve(&defaults, &request, &ceiling);
            prop_assert_eq!(resolved.within(&ceiling), resolved.clone());
            prop_assert_eq!(resolved.memory, memory.min(ceiling.memory));
        }
    }
}
