//! How far a call has come, for callers that show it.

/// Reports that `done` of `total` steps are behind us, with a word on the current one; `None` where the total is not
/// known. `done` may not go down within a call. Reports that come faster than they can be shown are merged.
///
/// ```
/// # let files = ["a", "b"];
/// for (done, file) in files.iter().enumerate() {
///     toolhatch_plugin::progress::report(done, files.len(), file);
/// }
/// ```
///
/// Outside of a host nobody listens.
pub fn report<N: Amount>(done: N, total: impl Into<Option<N>>, message: impl AsRef<str>) {
    let (done, total) = (done.amount(), total.into().map(Amount::amount));
    send(done, total, message.as_ref());
}

#[cfg(target_arch = "wasm32")]
fn send(done: f64, total: Option<f64>, message: &str) {
    let message = (!message.is_empty()).then_some(message);
    crate::bindings::toolhatch::plugin::progress::report(done, total, message);
}

#[cfg(not(target_arch = "wasm32"))]
fn send(_done: f64, _total: Option<f64>, _message: &str) {}

/// Says whether the caller asked for progress. A report that costs something to make can be left out where nobody did.
pub fn wanted() -> bool {
    #[cfg(target_arch = "wasm32")]
    return crate::bindings::toolhatch::plugin::progress::wanted();
    #[cfg(not(target_arch = "wasm32"))]
    false
}

/// A number of steps or bytes.
pub trait Amount: sealed::Sealed + Copy {
    #[doc(hidden)]
    fn amount(self) -> f64;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! amounts {
    ($($number:ty),+) => {
        $(
            impl sealed::Sealed for $number {}

            impl Amount for $number {
                fn amount(self) -> f64 {
                    self as f64
                }
            }
        )+
    };
}

amounts!(u8, u16, u32, u64, usize, i32, i64, f32, f64);
