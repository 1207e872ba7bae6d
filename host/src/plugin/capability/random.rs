//! `random`: bytes that nobody can guess.

use crate::plugin::failure::contract;
use crate::plugin::state::State;
use bytes::Bytes;
use rand::RngCore;
use wasmtime::StoreContextMut;
use wasmtime::component::Linker;

/// Most bytes of one call.
const BYTES_MAX: usize = 64 << 10;

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut random = linker.instance("quarry:extractor/random@0.1.0")?;
    random.func_wrap("bytes", |mut store: StoreContextMut<'_, State>, (len,): (u32,)| {
        store.data_mut().count_call()?;
        let len = len as usize;
        if len > BYTES_MAX {
            let message = format!("asked for {len} random bytes, at most {BYTES_MAX} are given");
            return Err(contract(message).into());
        }
        let mut bytes = vec![0; len];
        rand::rng().fill_bytes(&mut bytes);
        Ok((Bytes::from(bytes),))
    })
}
