//! What a guest may take of memory, tables and instances, and what it did take.

use std::sync::Arc;

use wasmtime::ResourceLimiter;

use super::meter::Meter;
use crate::exec::LimitKind;

/// The limits of one store, and the use so far. wasmtime's own limiter counts each memory by itself; a component can have
/// many, so ours sums them.
#[derive(Debug)]
pub(super) struct Limiter {
    max_memory: u64,
    max_table_elements: u64,
    max_instances: u32,
    memory: u64,
    meter: Arc<Meter>,
    table_elements: u64,
    refused: Option<LimitKind>,
}

impl Limiter {
    pub(super) fn new(
        max_memory: u64,
        max_table_elements: u64,
        max_instances: u32,
        meter: Arc<Meter>,
    ) -> Self {
        Self {
            max_memory,
            max_table_elements,
            max_instances,
            memory: 0,
            meter,
            table_elements: 0,
            refused: None,
        }
    }

    /// Another call goes on with what is held already: that counts for it too.
    pub(super) fn begin(
        &mut self,
        max_memory: u64,
        max_table_elements: u64,
        max_instances: u32,
        meter: Arc<Meter>,
    ) {
        meter.memory(self.memory);
        self.max_memory = max_memory;
        self.max_table_elements = max_table_elements;
        self.max_instances = max_instances;
        self.meter = meter;
        self.refused = None;
    }

    /// The limit that was refused last. A guest that is refused memory goes on and usually traps soon after, so the reason
    /// for its end is found here and not in the trap.
    pub(super) fn refused(&self) -> Option<(LimitKind, u64)> {
        self.refused.map(|kind| match kind {
            LimitKind::Table => (kind, self.max_table_elements),
            _ => (kind, self.max_memory),
        })
    }
}

fn growth(current: usize, desired: usize) -> u64 {
    desired.saturating_sub(current) as u64
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let memory = self.memory.saturating_add(growth(current, desired));
        if memory > self.max_memory {
            self.refused = Some(LimitKind::Memory);
            return Ok(false);
        }
        // Growing past what the module itself declares is the guest's own affair.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.memory = memory;
        self.meter.memory(memory);
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        // Said yes to, but the pool's slot or the system had no more.
        self.refused = Some(LimitKind::Memory);
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let elements = self.table_elements.saturating_add(growth(current, desired));
        if elements > self.max_table_elements {
            self.refused = Some(LimitKind::Table);
            return Ok(false);
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.table_elements = elements;
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.max_instances as usize
    }

    fn tables(&self) -> usize {
        self.max_instances as usize
    }

    fn memories(&self) -> usize {
        self.max_instances as usize
    }
}
