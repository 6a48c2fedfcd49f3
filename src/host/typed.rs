//! Calls whose bytes go in or out as a whole.
//!
//! wasmtime's dynamic values spend forty bytes on each byte of a `list<u8>` and copy it without a chance to interrupt. The
//! signatures that carry bytes in practice are called with static types instead.

use wasmtime::Store;
use wasmtime::component::{ComponentNamedList, Func, Lift, Lower};

use super::state::State;
use crate::schema::{Function, Ty, Value};

/// Calls `callee` with static types where its signature is one of those; gives nothing where it is not.
pub(super) async fn call(
    callee: &Func,
    store: &mut Store<State>,
    function: &Function,
    arguments: &[Value],
) -> Option<wasmtime::Result<Option<Value>>> {
    let result = function.result.as_ref();
    let carries_bytes =
        result == Some(&Ty::Bytes) || function.params.iter().any(|(_, ty)| *ty == Ty::Bytes);
    if !carries_bytes {
        return None;
    }
    match arguments {
        [] => returning(callee, store, result, ()).await,
        [Value::String(text)] => returning(callee, store, result, (text.as_str(),)).await,
        [Value::Bytes(bytes)] => returning(callee, store, result, (bytes.as_slice(),)).await,
        _ => None,
    }
}

async fn returning<P>(
    callee: &Func,
    store: &mut Store<State>,
    result: Option<&Ty>,
    params: P,
) -> Option<wasmtime::Result<Option<Value>>>
where
    P: ComponentNamedList + Lower + Send + Sync,
{
    Some(match result {
        None => typed::<P, ()>(callee, store, params).await.map(|()| None),
        Some(Ty::Bytes) => typed::<P, (Vec<u8>,)>(callee, store, params)
            .await
            .map(|(bytes,)| Some(Value::Bytes(bytes))),
        Some(Ty::String) => typed::<P, (String,)>(callee, store, params)
            .await
            .map(|(text,)| Some(Value::String(text))),
        Some(_) => return None,
    })
}

async fn typed<P, R>(callee: &Func, store: &mut Store<State>, params: P) -> wasmtime::Result<R>
where
    P: ComponentNamedList + Lower + Send + Sync,
    R: ComponentNamedList + Lift + Send + Sync + 'static,
{
    let callee = callee.typed::<P, R>(&mut *store)?;
    callee.call_async(store, params).await
}
