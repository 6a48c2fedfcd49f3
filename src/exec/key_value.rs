//! The state that a plugin keeps between its calls: a trait and plain data.

use std::fmt;
use std::sync::Arc;

use super::BoxFuture;
use crate::error::Error;

/// The longest key, in bytes.
pub const MAX_KEY: usize = 512;
/// The longest value, in bytes.
pub const MAX_VALUE: usize = 16 << 20;
/// How many keys are listed at once.
pub const MAX_KEYS: usize = 10_000;

/// The store of one plugin, as one call may use it. Keys were checked with [`check_key`] and values with [`check_value`].
pub trait KeyValue: Send + Sync + fmt::Debug {
    /// Reads a value.
    ///
    /// # Errors
    /// [`KeyValueFailure::Unavailable`].
    fn get(&self, key: String) -> BoxFuture<'_, Result<Option<Vec<u8>>, KeyValueFailure>>;

    /// Writes values that are held to a quota; nothing in place of a value removes the one that is there. What is written is on
    /// the disk when this returns, and dropping the future leaves either all of it or nothing.
    ///
    /// # Errors
    /// [`KeyValueFailure::Full`], [`KeyValueFailure::Unavailable`].
    fn write(&self, write: KeyWrite) -> BoxFuture<'_, Result<Written, KeyValueFailure>>;

    /// The keys that begin so, sorted by their bytes.
    ///
    /// # Errors
    /// [`KeyValueFailure::Invalid`] where there are more than [`MAX_KEYS`]; [`KeyValueFailure::Unavailable`].
    fn list_keys(&self, prefix: String) -> BoxFuture<'_, Result<Vec<String>, KeyValueFailure>>;
}

/// A change of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyWrite {
    /// The key.
    pub key: String,
    /// What is there afterwards.
    pub value: Option<Vec<u8>>,
    /// What has to be there before, where that matters: itself nothing where nothing may be there.
    pub expected: Option<Option<Vec<u8>>>,
}

/// What became of a change that is held to a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateWritten {
    /// It was not too large.
    Done(Written),
    /// It would be so many bytes in all, which is more than the quota. Nothing was changed.
    Full {
        /// In bytes.
        needed: u64,
    },
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It was made.
    Made {
        /// There was a value before.
        was_there: bool,
    },
    /// Something else was there than what was expected: nothing was changed.
    Other,
}

/// Why state was not read or not written. The guest is told texts that have nothing of the host in them.
#[derive(Debug, Clone)]
pub enum KeyValueFailure {
    /// It would be so many bytes in all, which is more than the quota.
    Full {
        /// In bytes.
        needed: u64,
    },
    /// The key or the value can be none.
    Invalid(String),
    /// The store cannot be used now.
    Unavailable {
        /// Why, for the guest.
        told: String,
        /// Why, for people: this names the file.
        cause: Arc<Error>,
    },
}

/// Checks a key: 1 to [`MAX_KEY`] bytes without control characters.
///
/// # Errors
/// [`KeyValueFailure::Invalid`].
pub fn check_key(key: &str) -> Result<(), KeyValueFailure> {
    let why = if key.is_empty() {
        "a key has at least one character".to_owned()
    } else if key.len() > MAX_KEY {
        format!(
            "a key has at most {MAX_KEY} bytes; this one has {}",
            key.len()
        )
    } else if key.chars().any(char::is_control) {
        "a key has no control characters".to_owned()
    } else {
        return Ok(());
    };
    Err(KeyValueFailure::Invalid(why))
}

/// Checks the size of a value.
///
/// # Errors
/// [`KeyValueFailure::Invalid`].
pub fn check_value(value: &[u8]) -> Result<(), KeyValueFailure> {
    if value.len() <= MAX_VALUE {
        return Ok(());
    }
    Err(KeyValueFailure::Invalid(format!(
        "a value has at most {MAX_VALUE} bytes; this one has {}",
        value.len()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_short_texts_of_one_line() {
        for good in ["a", "ü", "a key/with.all:sorts", &"k".repeat(MAX_KEY)] {
            assert!(check_key(good).is_ok(), "{good}");
        }
        for bad in ["", "a\nb", "\u{0}", "\u{85}", &"k".repeat(MAX_KEY + 1)] {
            assert!(check_key(bad).is_err(), "{bad:?}");
        }
    }
}
