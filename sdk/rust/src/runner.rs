//! The tile loop: the same code inside WebAssembly and natively.

use std::borrow::Cow;

use crate::blob::Cells;
use crate::{
    Column, Description, Documents, Extractor, FieldType, InputRow, OutputRow, Query, Reject,
    TileColumn, parameters,
};

/// Output that waits in the guest before it is handed over, even within a tile.
const FLUSH_BYTES: usize = 1 << 20;

/// Where rows come from: the host's batch, or slices.
pub(crate) trait Source: Cells + Sized {
    fn rows(&self) -> u32;
    /// Rows to pull at once.
    fn tile(&self) -> u32;
    /// Rows [from, to) of a column.
    fn pull(&self, column: u32, field_type: FieldType, from: u32, to: u32) -> Pulled<'_>;
}

/// A tile of a column. Empty for blobs, which are read by cell.
#[derive(Default)]
pub(crate) struct Pulled<'a> {
    pub(crate) validity: Cow<'a, [u8]>,
    /// Bit of the first row in `validity`.
    pub(crate) validity_from: usize,
    pub(crate) offsets: Cow<'a, [u32]>,
    pub(crate) data: Cow<'a, [u8]>,
    /// Bytes of a row of a fixed column.
    pub(crate) stride: usize,
}

/// Where documents go: the host's sink, or buffers. Calls come in the contract's order.
pub(crate) trait Target {
    fn documents(&mut self, row: u32, counts: &[u32]) -> u32;
    /// The values of a column from document `first` on. `field` counts the description's outputs,
    /// `declared` those of `output!`.
    fn column(&mut self, field: u32, declared: usize, first: u32, column: &Column);
    fn reject(&mut self, row: u32, reject: &Reject);
}

/// A configured extractor with its buffers.
pub(crate) struct Runner<E: Extractor> {
    extractor: E,
    description: Description,
    /// For each column of `output!` its number in the description.
    fields: Vec<Option<u32>>,
    documents: Documents<E>,
    /// Documents of each row since the last flush.
    counts: Vec<u32>,
    rejects: Vec<(u32, Reject)>,
}

/// The description with default parameters; without what the extractor itself would add when it
/// does not start with those.
pub(crate) fn describe<E: Extractor>() -> Description {
    match Runner::<E>::new("{}") {
        Ok(runner) => runner.description,
        Err(_) => Description::of::<E>(),
    }
}

impl<E: Extractor> Runner<E> {
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        let extractor = E::new(parameters::parse(text)?)?;
        let mut description = Description::of::<E>();
        extractor.describe(&mut description);
        description.check()?;
        let mut fields = Vec::new();
        let mut columns = Vec::new();
        for spec in <E::Output<'static> as OutputRow>::FIELDS {
            let mut column = Column::new(spec.name, spec.field_type);
            let field = description.outputs.iter().position(|output| output.name == spec.name);
            if let Some(field) = field {
                column.enable(description.outputs[field].dimension);
            }
            columns.push(column);
            fields.push(field.map(|field| field as u32));
        }
        Ok(Self {
            extractor,
            description,
            fields,
            documents: Documents::new(columns),
            counts: Vec::new(),
            rejects: Vec::new(),
        })
    }

    pub(crate) fn description(&self) -> &Description {
        &self.description
    }

    pub(crate) fn columns(&self) -> &[Column] {
        &self.documents.columns
    }

    pub(crate) fn embed_query(&mut self, text: &str) -> Result<Query, String> {
        self.extractor.embed_query(text)
    }

    pub(crate) fn run(&mut self, source: &impl Source, target: &mut impl Target) {
        self.clear();
        let rows = source.rows();
        let tile = source.tile().max(1);
        let mut from = 0;
        while from < rows {
            let to = rows.min(from.saturating_add(tile));
            self.tile(source, target, from, to);
            from = to;
        }
    }

    fn tile(&mut self, source: &impl Source, target: &mut impl Target, from: u32, to: u32) {
        let specs = <E::Input<'static> as InputRow>::FIELDS.iter().zip(0..);
        let pulled: Vec<Pulled<'_>> =
            specs.map(|(spec, column)| source.pull(column, spec.field_type, from, to)).collect();
        let columns: Vec<TileColumn<'_>> = pulled
            .iter()
            .zip(0..)
            .map(|(pulled, column)| TileColumn {
                validity: &pulled.validity,
                validity_from: pulled.validity_from,
                offsets: &pulled.offsets,
                data: &pulled.data,
                stride: pulled.stride,
                cells: source,
                column,
                from,
            })
            .collect();

        let mut flushed = from;
        for row in from..to {
            let input = E::Input::read(&columns, (row - from) as usize);
            let before = self.documents.count;
            if let Err(reject) = self.extractor.extract(input, &mut self.documents) {
                self.documents.truncate(before);
                self.rejects.push((row, reject));
            }
            self.counts.push((self.documents.count - before) as u32);
            if self.documents.bytes() > FLUSH_BYTES {
                self.flush(target, flushed);
                flushed = row + 1;
            }
        }
        self.flush(target, flushed);
    }

    /// Hands the rows from `row` on over and empties the buffers.
    fn flush(&mut self, target: &mut impl Target, row: u32) {
        if !self.counts.is_empty() {
            let first = target.documents(row, &self.counts);
            if self.documents.count > 0 {
                let columns = self.documents.columns.iter().zip(&self.fields).enumerate();
                for (declared, (column, field)) in columns {
                    if let Some(field) = field {
                        target.column(*field, declared, first, column);
                    }
                }
            }
            for (row, reject) in &self.rejects {
                target.reject(*row, reject);
            }
        }
        self.clear();
    }

    fn clear(&mut self) {
        self.documents.clear();
        self.counts.clear();
        self.rejects.clear();
    }
}
