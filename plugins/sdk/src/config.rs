//! Values of the plugin, as texts by their names: what its manifest has under `[config]`.
//!
//! Outside of a host they are what a test has set with [`testing::config`](crate::testing::config).

use crate::Result;

/// The value of this name, where there is one.
///
/// # Errors
/// [`ToolError::Failed`](crate::ToolError::Failed) where the host cannot tell.
pub fn get(name: &str) -> Result<Option<String>> {
    #[cfg(target_arch = "wasm32")]
    return crate::bindings::wasi::config::store::get(name).map_err(failed);
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::with(|double| Ok(double.config.get(name).cloned()))
}

/// All names and values.
///
/// # Errors
/// As [`get`].
pub fn all() -> Result<Vec<(String, String)>> {
    #[cfg(target_arch = "wasm32")]
    return crate::bindings::wasi::config::store::get_all().map_err(failed);
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::with(|double| Ok(double.config.clone().into_iter().collect()))
}

#[cfg(target_arch = "wasm32")]
fn failed(error: crate::bindings::wasi::config::store::Error) -> crate::ToolError {
    use crate::bindings::wasi::config::store::Error;
    let (Error::Upstream(why) | Error::Io(why)) = error;
    crate::ToolError::failed(format!("cannot read the configuration: {why}"))
}
