//! `assets`: files that were registered together with a component, in ranges.

use crate::error::Result;
use crate::plugin::state::{self, State};
use bytes::Bytes;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, WasmStr};

/// Most bytes of one `read`.
const READ_BYTES_MAX: u32 = 64 << 10;

/// A file that belongs to a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// As the author called it.
    pub name: String,
    pub bytes: u64,
}

/// Where the files of components are.
pub trait AssetSource: Send + Sync {
    /// Those of the component with this digest, by name.
    fn list(&self, digest: &str) -> Result<Vec<Asset>>;
    /// Up to `len` bytes from `offset`; fewer only at the end. The name is one of `list`.
    fn read(&self, digest: &str, name: &str, offset: u64, len: usize) -> Result<Bytes>;
}

type Context<'a> = StoreContextMut<'a, State>;

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut assets = linker.instance("quarry:extractor/assets@0.1.0")?;
    assets.func_wrap("names", |mut store: Context<'_>, (): ()| {
        let state = store.data_mut();
        state.count_call()?;
        let names: Vec<String> = state.assets().into_iter().map(|asset| asset.name).collect();
        state::look(state)?;
        Ok((names,))
    })?;
    assets.func_wrap("size", |mut store: Context<'_>, (name,): (WasmStr,)| {
        store.data_mut().count_call()?;
        let name = state::text(&name, &store)?.into_owned();
        let size = store.data_mut().asset(&name).map(|asset| asset.bytes);
        state::look(store.data())?;
        Ok((size,))
    })?;
    assets.func_wrap("read", |mut store: Context<'_>, (name, offset, len): (WasmStr, u64, u32)| {
        store.data_mut().count_call()?;
        let name = state::text(&name, &store)?.into_owned();
        let read = store.data_mut().read_asset(&name, offset, len);
        state::look(store.data())?;
        Ok((read,))
    })
}

impl State {
    fn assets(&mut self) -> Vec<Asset> {
        let permit = &self.permit;
        let source = permit.world.assets.as_ref();
        let listed = source.map(|source| source.list(&permit.digest));
        listed.and_then(Result::ok).unwrap_or_default()
    }

    fn asset(&mut self, name: &str) -> std::result::Result<Asset, String> {
        let found = self.assets().into_iter().find(|asset| asset.name == name);
        found.ok_or_else(|| "there is no such asset".to_string())
    }

    fn read_asset(
        &mut self,
        name: &str,
        offset: u64,
        len: u32,
    ) -> std::result::Result<Bytes, String> {
        let asset = self.asset(name)?;
        let left = asset.bytes.saturating_sub(offset);
        let len = u64::from(len.min(READ_BYTES_MAX)).min(left);
        let (Ok(len), Some(source)) = (usize::try_from(len), &self.permit.world.assets) else {
            return Ok(Bytes::new());
        };
        if len == 0 {
            return Ok(Bytes::new());
        }
        let read = source.read(&self.permit.digest, name, offset, len);
        let read = read.map_err(|error| error.chain())?;
        Ok(read.slice(..len.min(read.len())))
    }
}
