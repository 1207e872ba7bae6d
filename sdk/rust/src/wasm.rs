//! The contract, inside a component. Not for authors: `export!` uses it.
#![allow(missing_docs)]

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::sync::Once;

use crate::blob::Cells;
use crate::runner::{self, Pulled, Runner, Source, Target};
use crate::{API_VERSION, Column, Extractor, FieldType, Reject};

/// What wit-bindgen makes of `wit/`.
#[allow(missing_docs, clippy::all, unreachable_pub)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit/since-v0.1.0",
        // What an extractor does not call is not imported by its component.
        world: "capable",
        pub_export_macro: true,
        export_macro_name: "export_component",
    });
}

use bindings::exports::quarry::extractor::extractor::{Batch, Guest, Sink};

/// The extractor of this instance, once it is configured.
pub struct State<E: Extractor>(RefCell<Option<Runner<E>>>);

impl<E: Extractor> State<E> {
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Self(RefCell::new(None))
    }
}

/// The bytes of the custom section `quarry:api`.
pub const fn api_stamp() -> [u8; API_VERSION.len()] {
    let mut stamp = [0; API_VERSION.len()];
    stamp.copy_from_slice(API_VERSION.as_bytes());
    stamp
}

/// Implemented by the type `export!` makes.
pub trait Hosted {
    type Extractor: Extractor;
    fn state<T>(with: impl FnOnce(&State<Self::Extractor>) -> T) -> T;
}

impl<H: Hosted> Guest for H {
    fn describe() -> String {
        log_panics();
        runner::describe::<H::Extractor>().to_json().to_string()
    }

    fn configure(parameters: String) -> Result<String, String> {
        log_panics();
        let runner = Runner::<H::Extractor>::new(&parameters)?;
        let description = runner.description().to_json().to_string();
        H::state(|state| state.0.replace(Some(runner)));
        Ok(description)
    }

    fn run(input: &Batch, output: &Sink) -> Result<(), String> {
        configured::<H, _>(|runner| {
            runner.run(input, &mut HostSink { sink: output, validity: Vec::new() });
            Ok(())
        })
    }

    fn embed_query(text: String) -> Result<String, String> {
        configured::<H, _>(|runner| Ok(runner.embed_query(&text)?.to_json().to_string()))
    }
}

/// Lends the runner; without `configure` the defaults hold.
fn configured<H: Hosted, T>(
    with: impl FnOnce(&mut Runner<H::Extractor>) -> Result<T, String>,
) -> Result<T, String> {
    H::state(|state| {
        let mut runner = state.0.borrow_mut();
        if runner.is_none() {
            log_panics();
            *runner = Some(Runner::new("{}")?);
        }
        with(runner.as_mut().expect("it was just set"))
    })
}

impl Source for Batch {
    fn rows(&self) -> u32 {
        self.rows()
    }

    fn tile(&self) -> u32 {
        self.tile()
    }

    fn pull(&self, column: u32, field_type: FieldType, from: u32, to: u32) -> Pulled<'_> {
        match field_type {
            FieldType::Utf8 | FieldType::Json => {
                let tile = self.varlen(column, from, to);
                Pulled {
                    validity: Cow::Owned(tile.validity),
                    offsets: Cow::Owned(tile.offsets),
                    data: Cow::Owned(tile.data),
                    ..Pulled::default()
                }
            }
            FieldType::I64 | FieldType::F64 | FieldType::Bool | FieldType::Dense => {
                let tile = self.fixed(column, from, to);
                Pulled {
                    validity: Cow::Owned(tile.validity),
                    data: Cow::Owned(tile.data),
                    stride: (tile.width * tile.lanes) as usize,
                    ..Pulled::default()
                }
            }
            FieldType::Blob | FieldType::Sparse | FieldType::Multi => Pulled::default(),
        }
    }
}

impl Cells for Batch {
    fn cell_len(&self, column: u32, row: u32) -> Result<u64, String> {
        self.cell_len(column, row)
    }

    fn cell_read(
        &self,
        column: u32,
        row: u32,
        offset: u64,
        into: &mut [u8],
    ) -> Result<usize, String> {
        let bytes = self.cell_read(column, row, offset, into.len() as u32)?;
        into[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

struct HostSink<'a> {
    sink: &'a Sink,
    validity: Vec<u8>,
}

impl Target for HostSink<'_> {
    fn documents(&mut self, row: u32, counts: &[u32]) -> u32 {
        self.sink.documents(row, counts)
    }

    fn column(&mut self, field: u32, _declared: usize, first: u32, column: &Column) {
        column.validity(&mut self.validity);
        let (validity, offsets, data) = (&self.validity, column.offsets(), column.data());
        match column.field_type() {
            FieldType::Dense => self.sink.vectors(field, first, data),
            FieldType::Sparse => self.sink.sparse(field, first, offsets, column.indices(), data),
            FieldType::I64 | FieldType::F64 | FieldType::Bool => {
                self.sink.fixed(field, first, validity, data);
            }
            FieldType::Utf8 | FieldType::Json | FieldType::Blob | FieldType::Multi => {
                self.sink.varlen(field, first, validity, offsets, data);
            }
        }
    }

    fn reject(&mut self, row: u32, reject: &Reject) {
        self.sink.reject(row, &reject.code, &reject.message);
    }
}

pub(crate) fn log(level: u32, message: fmt::Arguments<'_>) {
    match message.as_str() {
        Some(text) => bindings::quarry::extractor::log::write(level, text),
        None => bindings::quarry::extractor::log::write(level, &message.to_string()),
    }
}

/// A panic is a trap without words; its message goes to the log first.
fn log_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|panic| log(1, format_args!("{panic}"))));
    });
}
