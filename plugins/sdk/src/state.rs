//! A small store of the plugin's own, which outlives its calls: values by their keys. Nobody else sees it.
//!
//! How much it may hold is the permission `state`. A key has 1 to 512 bytes and no control characters, a value at most
//! 16 MiB. What is written is written for good when the function returns.
//!
//! ```
//! use toolhatch_plugin::{Result, state};
//!
//! fn count_visit() -> Result<u64> {
//!     // Nobody gets in between: no visit is missed.
//!     Ok(state::update("visits", |visits: Option<u64>| visits.unwrap_or(0) + 1)?)
//! }
//! # assert_eq!(count_visit().unwrap(), 1);
//! # assert_eq!(count_visit().unwrap(), 2);
//! ```
//!
//! Outside of a host it is kept in memory, apart for each thread, so that each test begins with an empty one.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ToolError;

/// How often [`update`] begins again before it gives up.
const ATTEMPTS: u32 = 1_000;

/// Reads a value, where there is one.
///
/// # Errors
/// See [`Error`].
pub fn get(key: &str) -> Result<Option<Vec<u8>>, Error> {
    store::get(key)
}

/// Writes a value, in the place of the one that was there.
///
/// # Errors
/// See [`Error`].
pub fn set(key: &str, value: &[u8]) -> Result<(), Error> {
    store::set(key, value)
}

/// Removes a value. Says whether there was one.
///
/// # Errors
/// See [`Error`].
pub fn delete(key: &str) -> Result<bool, Error> {
    store::delete(key)
}

/// The keys that begin with this, sorted by their bytes; all of them where it is empty. At most 10000 are listed.
///
/// # Errors
/// See [`Error`]; [`Error::Invalid`] where there are more.
pub fn keys(prefix: &str) -> Result<Vec<String>, Error> {
    store::list_keys(prefix)
}

/// Writes a value, or removes it where it is `None`, but only where the present one is still `expected`. Says whether it
/// did. [`update`] does that as often as it takes.
///
/// # Errors
/// See [`Error`].
pub fn replace(key: &str, expected: Option<&[u8]>, value: Option<&[u8]>) -> Result<bool, Error> {
    store::replace(key, expected, value)
}

/// Reads a value that was written with [`set_json`], where there is one.
///
/// # Errors
/// See [`Error`]; [`Error::Invalid`] where it does not fit the type.
pub fn get_json<T: DeserializeOwned>(key: &str) -> Result<Option<T>, Error> {
    get(key)?.map(|value| read(key, &value)).transpose()
}

/// Writes a value as JSON.
///
/// # Errors
/// See [`Error`].
pub fn set_json<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<(), Error> {
    set(key, &write(key, value)?)
}

/// Changes a value that is kept as JSON, and returns the new one. `change` gets the present value, and is called again where
/// another call of the plugin was faster.
///
/// # Errors
/// See [`Error`]; [`Error::Unavailable`] where others were faster for too long.
pub fn update<T: Serialize + DeserializeOwned>(
    key: &str,
    mut change: impl FnMut(Option<T>) -> T,
) -> Result<T, Error> {
    for _ in 0..ATTEMPTS {
        let present = get(key)?;
        let old = present
            .as_deref()
            .map(|value| read(key, value))
            .transpose()?;
        let new = change(old);
        if replace(key, present.as_deref(), Some(&write(key, &new)?))? {
            return Ok(new);
        }
    }
    Err(Error::Unavailable(format!(
        "cannot change `{key}`: other calls change it all the time"
    )))
}

fn read<T: DeserializeOwned>(key: &str, value: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(value).map_err(|error| {
        Error::Invalid(format!(
            "the value of `{key}` is not what was expected: {error}"
        ))
    })
}

fn write<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|error| {
        Error::Invalid(format!(
            "the value of `{key}` cannot be written as JSON: {error}"
        ))
    })
}

/// Why something was not read or not written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// No state was granted to the call, or the call is a deterministic one.
    NotPermitted(String),
    /// The value does not fit into the quota that was granted: keys and values count.
    Full(String),
    /// The key or the value can be none.
    Invalid(String),
    /// The store cannot be used now. It may work later.
    Unavailable(String),
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::NotPermitted(why)
        | Self::Full(why)
        | Self::Invalid(why)
        | Self::Unavailable(why)) = self;
        formatter.write_str(why)
    }
}

impl std::error::Error for Error {}

impl Error {
    pub(crate) fn to_tool_error(&self) -> ToolError {
        match self {
            Self::NotPermitted(why) => ToolError::not_permitted(why),
            Self::Full(why) | Self::Invalid(why) => ToolError::failed(why),
            Self::Unavailable(why) => ToolError::retryable(why, None),
        }
    }
}

#[cfg(target_arch = "wasm32")]
mod store {
    use super::Error;
    use crate::bindings::toolhatch::plugin::state as host;

    impl From<host::Failure> for Error {
        fn from(failure: host::Failure) -> Self {
            match failure {
                host::Failure::NotPermitted(why) => Self::NotPermitted(why),
                host::Failure::Full(why) => Self::Full(why),
                host::Failure::Invalid(why) => Self::Invalid(why),
                host::Failure::Unavailable(why) => Self::Unavailable(why),
            }
        }
    }

    pub fn get(key: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(host::get(key)?)
    }

    pub fn set(key: &str, value: &[u8]) -> Result<(), Error> {
        Ok(host::set(key, value)?)
    }

    pub fn delete(key: &str) -> Result<bool, Error> {
        Ok(host::delete(key)?)
    }

    pub fn list_keys(prefix: &str) -> Result<Vec<String>, Error> {
        Ok(host::list_keys(prefix)?)
    }

    pub fn replace(
        key: &str,
        expected: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<bool, Error> {
        Ok(host::replace(key, expected, value)?)
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod store {
    use super::Error;
    use crate::testing::with;

    const MAX_KEY: usize = 512;
    const MAX_VALUE: usize = 16 << 20;
    const MAX_LISTED: usize = 10_000;

    fn check(key: &str) -> Result<(), Error> {
        if key.is_empty() || key.len() > MAX_KEY || key.contains(char::is_control) {
            return Err(Error::Invalid(format!(
                "a key has 1 to {MAX_KEY} bytes and no control characters"
            )));
        }
        Ok(())
    }

    pub fn get(key: &str) -> Result<Option<Vec<u8>>, Error> {
        check(key)?;
        with(|double| Ok(double.state.get(key).cloned()))
    }

    pub fn set(key: &str, value: &[u8]) -> Result<(), Error> {
        check(key)?;
        if value.len() > MAX_VALUE {
            return Err(Error::Invalid("a value has at most 16 MiB".to_owned()));
        }
        with(|double| double.state.insert(key.to_owned(), value.to_owned()));
        Ok(())
    }

    pub fn delete(key: &str) -> Result<bool, Error> {
        check(key)?;
        Ok(with(|double| double.state.remove(key)).is_some())
    }

    pub fn list_keys(prefix: &str) -> Result<Vec<String>, Error> {
        let keys: Vec<String> = with(|double| {
            let keys = double.state.keys();
            keys.filter(|key| key.starts_with(prefix))
                .cloned()
                .collect()
        });
        if keys.len() > MAX_LISTED {
            return Err(Error::Invalid(format!(
                "more than {MAX_LISTED} keys begin with `{prefix}`"
            )));
        }
        Ok(keys)
    }

    pub fn replace(
        key: &str,
        expected: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<bool, Error> {
        if get(key)?.as_deref() != expected {
            return Ok(false);
        }
        match value {
            Some(value) => set(key, value)?,
            None => {
                delete(key)?;
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
