//! `clock`: what time it is.

use crate::plugin::state::State;
use wasmtime::StoreContextMut;
use wasmtime::component::Linker;

type Context<'a> = StoreContextMut<'a, State>;

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut clock = linker.instance("quarry:extractor/clock@0.1.0")?;
    clock.func_wrap("now", |mut store: Context<'_>, (): ()| {
        let state = store.data_mut();
        state.count_call()?;
        let now = state.permit.world.env.now().timestamp_nanos_opt().unwrap_or_default();
        Ok((u64::try_from(now).unwrap_or_default(),))
    })?;
    clock.func_wrap("monotonic", |mut store: Context<'_>, (): ()| {
        let state = store.data_mut();
        state.count_call()?;
        let uptime = state.permit.world.env.uptime().as_nanos();
        Ok((u64::try_from(uptime).unwrap_or(u64::MAX),))
    })
}
