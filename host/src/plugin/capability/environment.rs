//! `environment`: values of the variables that were granted by name.

use crate::model::Ask;
use crate::plugin::log::clean;
use crate::plugin::state::{self, State};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, WasmStr};

/// A value that is longer is cut nowhere: it is not given.
const VALUE_BYTES_MAX: usize = 64 << 10;

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut environment = linker.instance("quarry:extractor/environment@0.1.0")?;
    environment.func_wrap("get", |mut store: StoreContextMut<'_, State>, (name,): (WasmStr,)| {
        store.data_mut().count_call()?;
        let name = state::text(&name, &store)?.into_owned();
        Ok((store.data_mut().variable(&name),))
    })
}

impl State {
    fn variable(&mut self, name: &str) -> Option<String> {
        let permit = self.permit.clone();
        let asked = permit.asks.contains(&Ask::Environment(name.to_string()));
        if !asked || !permit.grants.environment.contains(name) {
            permit.deny(&format!("env:{}", clean(name, 128)));
            return None;
        }
        (permit.world.variables)(name).filter(|value| value.len() <= VALUE_BYTES_MAX)
    }
}
