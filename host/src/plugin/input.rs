//! The `batch` resource: Arrow columns as the guest pulls them, without a copy on the host's side.

use super::failure::{Violation, contract};
use super::meter::until_copied;
use super::state::{self, State};
use super::vectors::vector_bytes;
use super::{Cells, Input, InputColumn, Limits, Reason};
use crate::model::{self, FieldKind};
use arrow_array::{Array, ArrayRef, BinaryArray, BooleanArray, FixedSizeListArray};
use arrow_array::{Float64Array, Int64Array, StringArray};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Instant;
use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Linker, Lower, Resource, ResourceType};

/// Input of one tile: in the middle of what was measured as best (128 to 256 KiB).
const TILE_BYTES: usize = 192 << 10;
/// Most bytes of one `cell-read`.
const READ_BYTES_MAX: usize = 64 << 10;
/// What `cell-len` and `cell-read` answer for a cell that is null.
const NULL_CELL: &str = "null";

/// Marks handles of `batch`; the batch itself is in the [`State`].
pub(super) struct BatchHandle;

#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct Varlen {
    validity: Bytes,
    offsets: Arc<Vec<u32>>,
    data: Bytes,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct Fixed {
    validity: Bytes,
    width: u32,
    lanes: u32,
    data: Bytes,
}

enum Column {
    Varlen { offsets: OffsetBuffer<i32>, data: Bytes, nulls: Option<NullBuffer> },
    Fixed { width: u32, lanes: u32, data: Bytes, nulls: Option<NullBuffer> },
    Bool { values: BooleanBuffer, nulls: Option<NullBuffer> },
    Cells(Arc<dyn Cells>),
    Absent(FieldKind),
}

pub(super) struct Batch {
    rows: usize,
    tile: usize,
    columns: Vec<Column>,
    cell_bytes_max: u64,
    /// Rebased offsets of the tile that was pulled last; its memory serves the next one.
    offsets: Arc<Vec<u32>>,
    /// Column, row and length of the reference that was used last: asking may go over a network.
    length: Option<(u32, u32, u64)>,
}

/// Why a cell could not be read.
enum CellError {
    Null,
    Host(String),
    Broken(Violation),
}

impl Batch {
    /// Checks `input` against the inputs of the description.
    pub(super) fn new(
        input: &Input,
        described: &[model::Input],
        limits: &Limits,
    ) -> Result<Self, Violation> {
        if input.columns.len() != described.len() {
            let (got, wanted) = (input.columns.len(), described.len());
            return Err(unfit(format!("got {got} columns for {wanted} inputs")));
        }
        let mut bytes = 0;
        let mut columns = Vec::with_capacity(described.len());
        for (column, described) in input.columns.iter().zip(described) {
            let (column, size) = Column::new(column, described, input.rows)?;
            bytes += size;
            columns.push(column);
        }
        let offsets = Arc::new(Vec::new());
        let tile = tile(input.rows, bytes);
        let cell_bytes_max = limits.cell_bytes_max;
        Ok(Batch { rows: input.rows, tile, columns, cell_bytes_max, offsets, length: None })
    }

    fn column(&self, col: u32) -> Result<&Column, Violation> {
        column(&self.columns, col)
    }

    fn range(&self, from: u32, to: u32) -> Result<(usize, usize), Violation> {
        let (from, to) = (from as usize, to as usize);
        if from <= to && to <= self.rows {
            return Ok((from, to - from));
        }
        Err(contract(format!("pulled rows {from} to {to} of {}", self.rows)))
    }

    fn varlen(&mut self, col: u32, from: u32, to: u32) -> Result<Varlen, Violation> {
        let (from, rows) = self.range(from, to)?;
        // Ours alone again once the tile before has been lowered into the guest.
        let scratch = Arc::make_mut(&mut self.offsets);
        scratch.clear();
        let (validity, data) = match column(&self.columns, col)? {
            Column::Varlen { offsets, data, nulls } => {
                let window = &offsets[from..=from + rows];
                let (start, end) = (window[0], window[rows]);
                scratch.extend(window.iter().map(|offset| offset.wrapping_sub(start) as u32));
                (validity(nulls, from, rows), data.slice(start as usize..end as usize))
            }
            Column::Absent(FieldKind::Utf8 | FieldKind::Json | FieldKind::Blob) => {
                scratch.resize(rows + 1, 0);
                (zeros(rows.div_ceil(8)), Bytes::new())
            }
            Column::Cells(_) => {
                let message = format!("input {col} is read with cell-len and cell-read");
                return Err(contract(message));
            }
            Column::Fixed { .. } | Column::Bool { .. } | Column::Absent(_) => {
                return Err(contract(format!(
                    "pulled input {col} with varlen, it has fixed width"
                )));
            }
        };
        Ok(Varlen { validity, offsets: self.offsets.clone(), data })
    }

    fn fixed(&self, col: u32, from: u32, to: u32) -> Result<Fixed, Violation> {
        let (from, rows) = self.range(from, to)?;
        match self.column(col)? {
            Column::Fixed { width, lanes, data, nulls } => {
                let row = *width as usize * *lanes as usize;
                let data = data.slice(from * row..(from + rows) * row);
                let validity = validity(nulls, from, rows);
                Ok(Fixed { validity, width: *width, lanes: *lanes, data })
            }
            Column::Bool { values, nulls } => {
                let data = values.slice(from, rows).iter().map(u8::from).collect::<Vec<_>>();
                let validity = validity(nulls, from, rows);
                Ok(Fixed { validity, width: 1, lanes: 1, data: data.into() })
            }
            Column::Absent(FieldKind::I64 | FieldKind::F64) => Ok(absent(rows, 8)),
            Column::Absent(FieldKind::Bool) => Ok(absent(rows, 1)),
            Column::Absent(FieldKind::Dense) => Ok(absent(rows, 4)),
            Column::Varlen { .. } | Column::Cells(_) | Column::Absent(_) => {
                Err(contract(format!("pulled input {col} with fixed, its width varies")))
            }
        }
    }

    fn cell_len(&mut self, col: u32, row: u32) -> Result<u64, CellError> {
        match self.cell(col, row)? {
            Cell::Bytes(bytes) => Ok(bytes.len() as u64),
            Cell::Reference(cells) => self.reference_len(&*cells, col, row),
        }
    }

    fn cell_read(&mut self, col: u32, row: u32, from: u64, len: u32) -> Result<Bytes, CellError> {
        let len = (len as usize).min(READ_BYTES_MAX);
        match self.cell(col, row)? {
            Cell::Bytes(bytes) => {
                let start = usize::try_from(from).unwrap_or(usize::MAX).min(bytes.len());
                Ok(bytes.slice(start..bytes.len().min(start.saturating_add(len))))
            }
            Cell::Reference(cells) => {
                let size = self.reference_len(&*cells, col, row)?;
                let len = len.min(usize::try_from(size.saturating_sub(from)).unwrap_or(len));
                if len == 0 {
                    return Ok(Bytes::new());
                }
                let read = cells.read(row as usize, from, len);
                let read = read.map_err(|error| CellError::Host(error.chain()))?;
                Ok(read.slice(..len.min(read.len())))
            }
        }
    }

    fn reference_len(&mut self, cells: &dyn Cells, col: u32, row: u32) -> Result<u64, CellError> {
        if let Some((known_col, known_row, len)) = self.length
            && (known_col, known_row) == (col, row)
        {
            return Ok(len);
        }
        let len = cells.len(row as usize).map_err(|error| CellError::Host(error.chain()))?;
        let len = len.ok_or(CellError::Null)?;
        if len > self.cell_bytes_max {
            let max = self.cell_bytes_max;
            return Err(CellError::Host(format!("blob of {len} bytes, at most {max} are allowed")));
        }
        self.length = Some((col, row, len));
        Ok(len)
    }

    fn cell(&self, col: u32, row: u32) -> Result<Cell, CellError> {
        let column = self.column(col).map_err(CellError::Broken)?;
        let row = row as usize;
        if row >= self.rows {
            let message = format!("read a cell of row {row} of {}", self.rows);
            return Err(CellError::Broken(contract(message)));
        }
        match column {
            Column::Varlen { nulls: Some(nulls), .. } if nulls.is_null(row) => Err(CellError::Null),
            Column::Varlen { offsets, data, .. } => {
                let (start, end) = (offsets[row] as usize, offsets[row + 1] as usize);
                Ok(Cell::Bytes(data.slice(start..end)))
            }
            Column::Cells(cells) => Ok(Cell::Reference(cells.clone())),
            Column::Absent(_) => Err(CellError::Null),
            Column::Fixed { .. } | Column::Bool { .. } => {
                Err(CellError::Broken(contract(format!("input {col} has no cells to read"))))
            }
        }
    }
}

enum Cell {
    Bytes(Bytes),
    Reference(Arc<dyn Cells>),
}

impl Column {
    /// The column and its size in bytes, as far as it counts for the tile.
    fn new(
        column: &InputColumn,
        described: &model::Input,
        rows: usize,
    ) -> Result<(Self, usize), Violation> {
        let array = match column {
            InputColumn::Array(array) => array,
            InputColumn::Cells(cells) if described.kind == FieldKind::Blob => {
                return Ok((Column::Cells(cells.clone()), 0));
            }
            InputColumn::Cells(_) => {
                return Err(unfit(format!("input `{}` can not be a reference", described.name)));
            }
            InputColumn::Absent => return Ok((Column::Absent(described.kind), 0)),
        };
        if array.len() != rows {
            let (name, got) = (&described.name, array.len());
            return Err(unfit(format!("input `{name}` has {got} values for {rows} rows")));
        }
        let column = Column::from_array(array, described.kind).ok_or_else(|| {
            let (name, kind, got) = (&described.name, described.kind.as_str(), array.data_type());
            unfit(format!("input `{name}` is of type {kind}, got {got}"))
        })?;
        let size = column.size(rows);
        Ok((column, size))
    }

    fn from_array(array: &ArrayRef, kind: FieldKind) -> Option<Self> {
        let any = array.as_any();
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0).cloned();
        match kind {
            FieldKind::Utf8 | FieldKind::Json => {
                let array = any.downcast_ref::<StringArray>()?;
                let (offsets, data) = (array.offsets().clone(), shared(array.values().clone()));
                Some(Column::Varlen { offsets, data, nulls })
            }
            FieldKind::Blob => {
                let array = any.downcast_ref::<BinaryArray>()?;
                let (offsets, data) = (array.offsets().clone(), shared(array.values().clone()));
                Some(Column::Varlen { offsets, data, nulls })
            }
            FieldKind::I64 => {
                let values = any.downcast_ref::<Int64Array>()?.values().inner().clone();
                Some(Column::Fixed { width: 8, lanes: 1, data: shared(values), nulls })
            }
            FieldKind::F64 => {
                let values = any.downcast_ref::<Float64Array>()?.values().inner().clone();
                Some(Column::Fixed { width: 8, lanes: 1, data: shared(values), nulls })
            }
            FieldKind::Bool => {
                let values = any.downcast_ref::<BooleanArray>()?.values().clone();
                Some(Column::Bool { values, nulls })
            }
            FieldKind::Dense => {
                let array = any.downcast_ref::<FixedSizeListArray>()?;
                let lanes = u32::try_from(array.value_length()).ok()?;
                let data = shared(vector_bytes(array)?);
                Some(Column::Fixed { width: 4, lanes, data, nulls })
            }
            FieldKind::Sparse | FieldKind::Multi => None,
        }
    }

    fn size(&self, rows: usize) -> usize {
        match self {
            Column::Varlen { offsets, .. } => (offsets[rows] - offsets[0]) as usize + 4 * rows,
            Column::Fixed { width, lanes, .. } => *width as usize * *lanes as usize * rows,
            Column::Bool { .. } => rows,
            Column::Cells(_) | Column::Absent(_) => 0,
        }
    }
}

fn column(columns: &[Column], col: u32) -> Result<&Column, Violation> {
    let count = columns.len();
    let column = columns.get(col as usize);
    column.ok_or_else(|| contract(format!("pulled input {col}, the description has {count}")))
}

/// The host's own mistake or an input of the wrong shape: the guest did nothing.
fn unfit(message: String) -> Violation {
    Violation { reason: Reason::Input, message }
}

fn shared(buffer: Buffer) -> Bytes {
    Bytes::from_owner(buffer)
}

fn zeros(len: usize) -> Bytes {
    vec![0; len].into()
}

fn absent(rows: usize, width: u32) -> Fixed {
    let data = zeros(rows * width as usize);
    Fixed { validity: zeros(rows.div_ceil(8)), width, lanes: 1, data }
}

/// The bitmap of the rows [from, from + rows) from bit 0 on, the bits after the last row zero.
fn validity(nulls: &Option<NullBuffer>, from: usize, rows: usize) -> Bytes {
    let Some(nulls) = nulls.as_ref().map(|nulls| nulls.slice(from, rows)) else {
        return Bytes::new();
    };
    if nulls.null_count() == 0 {
        return Bytes::new();
    }
    let mut bits = nulls.inner().sliced().as_slice()[..rows.div_ceil(8)].to_vec();
    if let (Some(last), 1..) = (bits.last_mut(), rows % 8) {
        *last &= (1 << (rows % 8)) - 1;
    }
    bits.into()
}

/// Rows that hold about [`TILE_BYTES`]; a multiple of 8, so that bitmaps are cut at bytes.
fn tile(rows: usize, bytes: usize) -> usize {
    let fit = (TILE_BYTES * rows).checked_div(bytes).unwrap_or(rows).min(rows);
    let step = if fit >= rows || fit < 8 { 1 } else { 8 };
    (fit / step * step).max(1)
}

type Handle = Resource<BatchHandle>;
type Context<'a> = StoreContextMut<'a, State>;
type Reply<T> = wasmtime::Result<(Result<T, String>,)>;

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut input = linker.instance("quarry:extractor/input@0.1.0")?;
    input.resource("batch", ResourceType::host::<BatchHandle>(), |_, _| Ok(()))?;
    input.func_wrap("[method]batch.rows", |mut store: Context<'_>, (batch,): (Handle,)| {
        let _span = store.data().span();
        Ok((store.data_mut().batch(batch.rep())?.rows as u32,))
    })?;
    input.func_wrap("[method]batch.tile", |mut store: Context<'_>, (batch,): (Handle,)| {
        let _span = store.data().span();
        Ok((store.data_mut().batch(batch.rep())?.tile as u32,))
    })?;
    input.func_wrap(
        "[method]batch.varlen",
        |mut store: Context<'_>, (batch, col, from, to): (Handle, u32, u32, u32)| {
            let span = store.data().span();
            let tile = store.data_mut().batch(batch.rep())?.varlen(col, from, to)?;
            Ok((Varlen { data: until_copied(tile.data, span), ..tile },))
        },
    )?;
    input.func_wrap(
        "[method]batch.fixed",
        |mut store: Context<'_>, (batch, col, from, to): (Handle, u32, u32, u32)| {
            let span = store.data().span();
            let tile = store.data_mut().batch(batch.rep())?.fixed(col, from, to)?;
            Ok((Fixed { data: until_copied(tile.data, span), ..tile },))
        },
    )?;
    input.func_wrap(
        "[method]batch.cell-len",
        |mut store: Context<'_>, (batch, col, row): (Handle, u32, u32)| {
            let started = Instant::now();
            let _span = store.data().span();
            let len = store.data_mut().batch(batch.rep())?.cell_len(col, row);
            reply(&mut store, started, len)
        },
    )?;
    input.func_wrap(
        "[method]batch.cell-read",
        |mut store: Context<'_>, (batch, col, row, from, len): (Handle, u32, u32, u64, u32)| {
            let started = Instant::now();
            let span = store.data().span();
            let bytes = store.data_mut().batch(batch.rep())?.cell_read(col, row, from, len);
            reply(&mut store, started, bytes.map(|bytes| until_copied(bytes, span)))
        },
    )
}

/// Tells the guest how its read went; remembers for a failure what the host could not read.
fn reply<T>(store: &mut Context<'_>, started: Instant, read: Result<T, CellError>) -> Reply<T> {
    state::excuse(store, started)?;
    let read = match read {
        Ok(value) => Ok(value),
        Err(CellError::Null) => Err(NULL_CELL.to_string()),
        Err(CellError::Host(message)) => {
            store.data_mut().read_error = Some(message.clone());
            Err(message)
        }
        Err(CellError::Broken(violation)) => return Err(violation.into()),
    };
    Ok((read,))
}
