//! `toolhatch:plugin/state`: what a plugin keeps between its calls. Where it is kept is not known here.

use std::sync::Arc;

use wasmtime::component::HasData;

use crate::exec::{KeyValue, KeyValueFailure, KeyWrite, MAX_KEY, Written, check_key, check_value};
use crate::host::bindings::toolhatch::plugin::state::{Failure, Host};
use crate::host::guard::Guard;
use crate::permission::Access;

/// What the import borrows from the store.
pub(in crate::host) struct StateView<'a> {
    pub(in crate::host) key_value: Option<&'a Arc<dyn KeyValue>>,
    pub(in crate::host) guard: &'a Arc<Guard>,
    /// The result may follow from the arguments alone.
    pub(in crate::host) is_deterministic: bool,
}

/// Names [`StateView`] to wasmtime.
pub(in crate::host) struct HasState;

impl HasData for HasState {
    type Data<'a> = StateView<'a>;
}

impl StateView<'_> {
    /// Where state is kept, for a call that may have any.
    fn open(&self) -> Result<&Arc<dyn KeyValue>, Failure> {
        if self.guard.any_state().is_err() {
            return Err(Failure::NotPermitted("no state is granted".to_owned()));
        }
        if self.is_deterministic {
            let why = "the call is deterministic: what was kept before may not count";
            self.guard.state_in_deterministic_call(why);
            return Err(Failure::NotPermitted(why.to_owned()));
        }
        self.key_value.ok_or_else(|| {
            Failure::Unavailable("there is nothing here that keeps state".to_owned())
        })
    }

    /// What the guest is told of a failure, and what is written down of it.
    fn failed(&self, failure: KeyValueFailure) -> Failure {
        match &failure {
            KeyValueFailure::Full { needed } => self.guard.over_quota(*needed),
            KeyValueFailure::Unavailable { cause, .. } => self.guard.state_trouble(cause),
            KeyValueFailure::Invalid(_) => {}
        }
        failure.into()
    }

    async fn write(&self, write: KeyWrite) -> Result<Written, Failure> {
        let store = self.open()?;
        check_key(&write.key)?;
        if let Some(value) = &write.value {
            check_value(value)?;
        }
        let key = write.key.clone();
        match store.write(write).await {
            Ok(written) => {
                let access = match written {
                    Written::Made { .. } => Access::Write,
                    Written::Other => Access::Read,
                };
                self.guard.touched_state(&key, access);
                Ok(written)
            }
            Err(failure) => Err(self.failed(failure)),
        }
    }
}

impl Host for StateView<'_> {
    async fn get(&mut self, key: String) -> Result<Option<Vec<u8>>, Failure> {
        let store = self.open()?;
        check_key(&key)?;
        let value = store.get(key.clone()).await;
        let value = value.map_err(|failure| self.failed(failure))?;
        self.guard.touched_state(&key, Access::Read);
        Ok(value)
    }

    async fn set(&mut self, key: String, value: Vec<u8>) -> Result<(), Failure> {
        let write = KeyWrite {
            key,
            value: Some(value),
            expected: None,
        };
        self.write(write).await.map(drop)
    }

    async fn delete(&mut self, key: String) -> Result<bool, Failure> {
        let write = KeyWrite {
            key,
            value: None,
            expected: None,
        };
        let written = self.write(write).await?;
        Ok(written == Written::Made { was_there: true })
    }

    async fn list_keys(&mut self, prefix: String) -> Result<Vec<String>, Failure> {
        let store = self.open()?;
        // No key begins so.
        if prefix.len() > MAX_KEY {
            return Ok(Vec::new());
        }
        let keys = store.list_keys(prefix.clone()).await;
        let keys = keys.map_err(|failure| self.failed(failure))?;
        // A result that follows from which keys there are does not follow from the arguments alone.
        self.guard.touched_state(&prefix, Access::Read);
        Ok(keys)
    }

    async fn replace(
        &mut self,
        key: String,
        expected: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
    ) -> Result<bool, Failure> {
        let write = KeyWrite {
            key,
            value,
            expected: Some(expected),
        };
        let written = self.write(write).await?;
        Ok(matches!(written, Written::Made { .. }))
    }
}

impl From<KeyValueFailure> for Failure {
    fn from(failure: KeyValueFailure) -> Self {
        match failure {
            KeyValueFailure::Full { needed } => {
                Self::Full(format!("it would be {needed} bytes of state in all"))
            }
            KeyValueFailure::Invalid(why) => Self::Invalid(why),
            KeyValueFailure::Unavailable { told, cause: _ } => Self::Unavailable(told),
        }
    }
}
