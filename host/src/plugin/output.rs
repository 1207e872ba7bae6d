//! The `sink` resource: what a guest pushes is checked and copied once, into the buffers that
//! become the output's Arrow arrays.

use super::column::{Column, Pushed};
use super::failure::{Violation, contract, too_much};
use super::log::clean;
use super::state::{self, State};
use super::{Limits, Output, OutputColumn, Reject};
use crate::model::Description;
use arrow_array::{Array, Int64Array};
use std::sync::Arc;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceType, WasmList, WasmStr};

/// A reject's code is cut here.
const CODE_BYTES_MAX: usize = 64;
/// The code of a reject that has none.
const CODE_UNNAMED: &str = "rejected";
/// A reject's message is cut here.
const MESSAGE_BYTES_MAX: usize = 4 << 10;
/// What a document or a reject costs of `output_bytes_max` besides its values.
const RECORD_BYTES: usize = 16;

/// Marks handles of `sink`; the sink itself is in the [`State`].
pub(super) struct SinkHandle;

pub(super) struct Sink {
    rows: usize,
    limits: Arc<Limits>,
    counts: Vec<u32>,
    documents: usize,
    bytes: usize,
    /// Bytes a document costs whatever its values are.
    document_bytes: usize,
    columns: Vec<Column>,
    /// Column with the position of a document within its row.
    position: Option<usize>,
    rejects: Vec<Reject>,
}

impl Sink {
    /// `expected`: bytes each column is likely to get, from an earlier call.
    pub(super) fn new(
        rows: usize,
        description: &Description,
        limits: Arc<Limits>,
        expected: &[usize],
    ) -> Self {
        let expected = expected.iter().copied().chain(std::iter::repeat(0));
        let fields = description.outputs.iter();
        let columns: Vec<_> = fields.zip(expected).map(|(f, n)| Column::new(f, n)).collect();
        let position = description.position.as_ref();
        let position =
            position.and_then(|name| description.outputs.iter().position(|f| f.name == *name));
        let fixed: usize = columns.iter().map(Column::document_bytes).sum();
        Sink {
            rows,
            limits,
            counts: Vec::with_capacity(rows),
            documents: 0,
            bytes: 0,
            document_bytes: RECORD_BYTES + fixed,
            columns,
            position,
            rejects: Vec::new(),
        }
    }

    fn charge(&mut self, bytes: usize) -> Result<(), Violation> {
        self.bytes = self.bytes.saturating_add(bytes);
        let max = self.limits.output_bytes_max;
        if self.bytes > max {
            return Err(too_much(format!("made more than {max} bytes of output")));
        }
        Ok(())
    }

    fn documents(&mut self, row: u32, counts: &[u32]) -> Result<u32, Violation> {
        let next = self.counts.len();
        if row as usize != next {
            let message =
                format!("announced row {row}, the next one is {next}: each row once, in order");
            return Err(contract(message));
        }
        if counts.len() > self.rows - next {
            let (to, rows) = (next + counts.len(), self.rows);
            return Err(contract(format!("announced rows up to {to}, the batch has {rows}")));
        }
        let max = self.limits.documents_per_row_max;
        if let Some(at) = counts.iter().position(|count| u32::from_le(*count) > max) {
            let (count, row) = (u32::from_le(counts[at]), next + at);
            return Err(too_much(format!("{count} documents from row {row}, at most {max}")));
        }
        let made = counts.iter().map(|count| u32::from_le(*count) as usize).sum::<usize>();
        self.charge(made.saturating_mul(self.document_bytes))?;
        let first = self.documents;
        let all = first + made;
        let max = self.limits.documents_max.min(i32::MAX as u32);
        if all > max as usize {
            return Err(too_much(format!("{all} documents of one call, at most {max}")));
        }
        self.counts.extend(counts.iter().map(|count| u32::from_le(*count)));
        self.documents = all;
        Ok(first as u32)
    }

    /// Appends values to a column, from document `first` on.
    fn push(&mut self, field: u32, first: u32, values: Pushed<'_>) -> Result<(), Violation> {
        self.charge(values.extra_bytes())?;
        let documents = self.documents;
        let count = self.columns.len();
        let Some(column) = self.columns.get_mut(field as usize) else {
            return Err(contract(format!("pushed output {field}, the description has {count}")));
        };
        column.push(first as usize, documents, values, &self.limits)
    }

    fn reject(&mut self, row: u32, code: &str, message: &str) -> Result<(), Violation> {
        let row = row as usize;
        if self.counts.get(row) != Some(&0) {
            let message = format!("rejected row {row}, which was not announced with 0 documents");
            return Err(contract(message));
        }
        // Cut, not refused: a row's message is no reason to fail the rows beside it.
        let code = clean(&code[..code.floor_char_boundary(CODE_BYTES_MAX)], CODE_BYTES_MAX);
        let code = if code.is_empty() { CODE_UNNAMED.to_string() } else { code };
        let message = clean(message, MESSAGE_BYTES_MAX);
        self.charge(RECORD_BYTES + code.len() + message.len())?;
        self.rejects.push(Reject { row, code, message });
        Ok(())
    }

    /// Bytes each column got.
    pub(super) fn sizes(&self) -> Vec<usize> {
        self.columns.iter().map(Column::bytes).collect()
    }

    /// The checks that need the whole output, and the output.
    pub(super) fn finish(mut self, log: Vec<String>) -> Result<Output, Violation> {
        let (announced, rows) = (self.counts.len(), self.rows);
        if announced != rows {
            return Err(contract(format!("announced {announced} of {rows} rows")));
        }
        self.rejects.sort_by_key(|reject| reject.row);
        if let Some(twice) = self.rejects.windows(2).find(|pair| pair[0].row == pair[1].row) {
            return Err(contract(format!("rejected row {} twice", twice[0].row)));
        }
        let columns = std::mem::take(&mut self.columns);
        let columns = columns.into_iter().map(|column| column.finish(self.documents));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        if let Some(OutputColumn::Scalar(array)) = self.position.map(|at| &columns[at]) {
            check_positions(array, &self.counts)?;
        }
        let Sink { counts, documents, rejects, .. } = self;
        Ok(Output { counts, documents, columns, rejects, log })
    }
}

/// Positions are there and unique within each row.
fn check_positions(array: &dyn Array, counts: &[u32]) -> Result<(), Violation> {
    let array = array.as_any().downcast_ref::<Int64Array>();
    let array = array.ok_or_else(|| contract("the position is not an i64 output"))?;
    if array.null_count() > 0 {
        return Err(contract("a document has no position"));
    }
    let mut rest: &[i64] = array.values();
    for (row, count) in counts.iter().enumerate() {
        let (positions, after) = rest.split_at(*count as usize);
        rest = after;
        if positions.is_sorted_by(|a, b| a < b) {
            continue;
        }
        let mut sorted = positions.to_vec();
        sorted.sort_unstable();
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            let message = format!("row {row} has two documents at position {}", pair[0]);
            return Err(contract(message));
        }
    }
    Ok(())
}

type Handle = Resource<SinkHandle>;
type Context<'a> = StoreContextMut<'a, State>;
type Bytes = WasmList<u8>;
type Numbers = WasmList<u32>;

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut output = linker.instance("quarry:extractor/output@0.1.0")?;
    output.resource("sink", ResourceType::host::<SinkHandle>(), |_, _| Ok(()))?;
    output.func_wrap(
        "[method]sink.documents",
        |mut store: Context<'_>, (sink, row, counts): (Handle, u32, Numbers)| {
            let first = with(&mut store, &sink, |sink, store| {
                sink.documents(row, counts.as_le_slice(store))
            })?;
            Ok((first,))
        },
    )?;
    output.func_wrap(
        "[method]sink.vectors",
        |mut store: Context<'_>, (sink, field, first, data): (Handle, u32, u32, Bytes)| {
            with(&mut store, &sink, |sink, store| {
                sink.push(field, first, Pushed::Vectors { data: data.as_le_slice(store) })
            })
        },
    )?;
    output.func_wrap(
        "[method]sink.sparse",
        |mut store: Context<'_>,
         (sink, field, first, offsets, indices, values): (
            Handle,
            u32,
            u32,
            Numbers,
            Numbers,
            Bytes,
        )| {
            with(&mut store, &sink, |sink, store| {
                let offsets = offsets.as_le_slice(store);
                let indices = indices.as_le_slice(store);
                let values = values.as_le_slice(store);
                sink.push(field, first, Pushed::Sparse { offsets, indices, values })
            })
        },
    )?;
    link_scalars(&mut output)
}

fn link_scalars(
    output: &mut wasmtime::component::LinkerInstance<'_, State>,
) -> wasmtime::Result<()> {
    output.func_wrap(
        "[method]sink.fixed",
        |mut store: Context<'_>,
         (sink, field, first, validity, data): (Handle, u32, u32, Bytes, Bytes)| {
            with(&mut store, &sink, |sink, store| {
                let validity = validity.as_le_slice(store);
                let data = data.as_le_slice(store);
                sink.push(field, first, Pushed::Fixed { validity, data })
            })
        },
    )?;
    output.func_wrap(
        "[method]sink.varlen",
        |mut store: Context<'_>,
         (sink, field, first, validity, offsets, data): (
            Handle,
            u32,
            u32,
            Bytes,
            Numbers,
            Bytes,
        )| {
            with(&mut store, &sink, |sink, store| {
                let validity = validity.as_le_slice(store);
                let offsets = offsets.as_le_slice(store);
                let data = data.as_le_slice(store);
                sink.push(field, first, Pushed::Varlen { validity, offsets, data })
            })
        },
    )?;
    output.func_wrap(
        "[method]sink.reject",
        |mut store: Context<'_>, (sink, row, code, message): (Handle, u32, WasmStr, WasmStr)| {
            with(&mut store, &sink, |sink, store| {
                let (code, message) = (state::text(&code, store)?, state::text(&message, store)?);
                sink.reject(row, &code, &message)
            })
        },
    )
}

/// Runs `work` with the sink out of the store, so that it can read the guest's memory in place.
fn with<T>(
    store: &mut Context<'_>,
    handle: &Handle,
    work: impl FnOnce(&mut Sink, &Context<'_>) -> Result<T, Violation>,
) -> wasmtime::Result<T> {
    let state = store.data_mut();
    state.count_call()?;
    let _span = state.span();
    let current = state.call == handle.rep();
    let Some(mut sink) = state.sink.take().filter(|_| current) else {
        return Err(contract("used a sink outside of its call").into());
    };
    let result = work(&mut sink, store);
    store.data_mut().sink = Some(sink);
    Ok(result?)
}
