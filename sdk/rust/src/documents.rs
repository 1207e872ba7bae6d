//! The documents of a tile, written column by column.

use std::marker::PhantomData;

use crate::{Column, Extractor, OutputRow};

/// Takes the documents of a row. Each is written into the columns at once; nothing is kept of it.
pub struct Documents<E: Extractor> {
    pub(crate) columns: Vec<Column>,
    pub(crate) count: usize,
    extractor: PhantomData<fn() -> E>,
}

impl<E: Extractor> Documents<E> {
    pub(crate) fn new(columns: Vec<Column>) -> Self {
        Self { columns, count: 0, extractor: PhantomData }
    }

    /// Adds a document.
    ///
    /// # Panics
    /// When a vector does not have the length its field declares: a mistake in the extractor.
    #[inline]
    pub fn push(&mut self, document: E::Output<'_>) {
        document.write(&mut self.columns);
        self.count += 1;
    }

    /// Bytes that wait in the columns.
    pub(crate) fn bytes(&self) -> usize {
        self.columns.iter().map(Column::bytes).sum()
    }

    pub(crate) fn clear(&mut self) {
        self.columns.iter_mut().for_each(Column::clear);
        self.count = 0;
    }

    pub(crate) fn truncate(&mut self, count: usize) {
        for column in self.columns.iter_mut().filter(|column| column.enabled()) {
            column.truncate(count);
        }
        self.count = count;
    }
}
