//! First-party extractors compiled into this process, behind the trait the components are behind:
//! what the sandbox costs is the difference.

use arrow_array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use quarry::error::{Error, Result};
use quarry::model::{Description, Field, FieldKind, Vector};
use quarry::plugin::{
    Extractor, Failure, Input, InputColumn, Instance, Output, OutputColumn, Reason, Reject,
};
use quarry_extractor::native::{NativeColumn, NativeExtractor, NativeOutput};
use serde_json::Value;
use std::marker::PhantomData;

/// An extractor type of the SDK as an extractor of the engine.
pub(crate) struct Native<E> {
    description: Description,
    digest: String,
    extractor: PhantomData<fn() -> E>,
}

impl<E: quarry_extractor::Extractor + 'static> Native<E> {
    pub(crate) fn new() -> Result<Native<E>> {
        let description = convert(&quarry_extractor::native::describe::<E>())?;
        let digest = format!("native-{}-{}", description.name, description.version);
        Ok(Native { description, digest, extractor: PhantomData })
    }
}

impl<E: quarry_extractor::Extractor + Send + 'static> Extractor for Native<E> {
    fn description(&self) -> &Description {
        &self.description
    }

    fn digest(&self) -> &str {
        &self.digest
    }

    fn instantiate(&self, parameters: &Value) -> Result<Box<dyn Instance>> {
        let extractor = NativeExtractor::<E>::new(parameters).map_err(Error::invalid)?;
        let description = convert(extractor.description())?;
        Ok(Box::new(NativeInstance { extractor, description, output: NativeOutput::default() }))
    }
}

struct NativeInstance<E: quarry_extractor::Extractor> {
    extractor: NativeExtractor<E>,
    description: Description,
    /// Reused, as a component reuses its memory.
    output: NativeOutput,
}

fn convert(description: &impl serde::Serialize) -> Result<Description> {
    serde_json::to_value(description)
        .and_then(serde_json::from_value)
        .map_err(|error| Error::internal("a native description does not fit").source(error))
}

fn wrong(message: impl std::fmt::Display) -> Failure {
    Failure { reason: Reason::Contract, message: message.to_string(), log: Vec::new() }
}

impl<E: quarry_extractor::Extractor + Send> Instance for NativeInstance<E> {
    fn description(&self) -> &Description {
        &self.description
    }

    fn run(&mut self, input: &Input) -> std::result::Result<Output, Failure> {
        let columns: Vec<NativeColumn<'_>> =
            input.columns.iter().map(text).collect::<std::result::Result<_, _>>()?;
        self.extractor.run(&columns, input.rows as u32, &mut self.output);
        let output = &self.output;
        let columns = self.description.outputs.iter().map(|field| column(field, output));
        Ok(Output {
            counts: output.counts.clone(),
            documents: output.documents(),
            columns: columns.collect::<std::result::Result<_, _>>()?,
            rejects: output
                .rejects
                .iter()
                .map(|(row, reject)| Reject {
                    row: *row as usize,
                    code: reject.code.to_string(),
                    message: reject.message.to_string(),
                })
                .collect(),
            log: Vec::new(),
        })
    }

    fn embed_query(&mut self, _: &str) -> Result<Vec<(String, Vector)>> {
        Err(Error::internal("the benchmark does not search"))
    }
}

/// The two extractors of the benchmark read one text column.
fn text(column: &InputColumn) -> std::result::Result<NativeColumn<'_>, Failure> {
    let InputColumn::Array(array) = column else { return Err(wrong("not an array")) };
    let texts = array.as_any().downcast_ref::<StringArray>().ok_or_else(|| wrong("not text"))?;
    let offsets: &[u32] = texts.offsets().inner().inner().typed_data();
    // SAFETY: the data buffer of a StringArray is valid UTF-8 as a whole: its cells are, and there
    // is nothing between them in arrays that the engine makes.
    let data = unsafe { std::str::from_utf8_unchecked(texts.value_data()) };
    Ok(NativeColumn::utf8(offsets, data))
}

fn column(field: &Field, output: &NativeOutput) -> std::result::Result<OutputColumn, Failure> {
    let made = output.column(&field.name).ok_or_else(|| wrong("a column is missing"))?;
    let nulls = (!made.nulls().is_empty()).then(|| {
        let mut bitmap = Vec::new();
        made.validity(&mut bitmap);
        NullBuffer::new(BooleanBuffer::new(Buffer::from_vec(bitmap), 0, made.len()))
    });
    let data = || Buffer::from_slice_ref(made.data());
    let offsets = || {
        let offsets: Vec<i32> = made.offsets().iter().map(|offset| *offset as i32).collect();
        OffsetBuffer::new(ScalarBuffer::from(offsets))
    };
    let scalar = |array: ArrayRef| Ok(OutputColumn::Scalar(array));
    match field.kind {
        FieldKind::Utf8 | FieldKind::Json => {
            let array = StringArray::try_new(offsets(), data(), nulls).map_err(wrong)?;
            scalar(std::sync::Arc::new(array))
        }
        FieldKind::I64 => {
            scalar(std::sync::Arc::new(Int64Array::new(ScalarBuffer::from(data()), nulls)))
        }
        FieldKind::F64 => {
            scalar(std::sync::Arc::new(Float64Array::new(ScalarBuffer::from(data()), nulls)))
        }
        FieldKind::Bool => {
            let flags = made.data().iter().map(|byte| *byte != 0).collect();
            scalar(std::sync::Arc::new(BooleanArray::new(flags, nulls)))
        }
        FieldKind::Dense => {
            let floats = made.data().chunks_exact(4);
            let finite = floats.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]).is_finite());
            if !finite.fold(true, |all, one| all & one) {
                return Err(wrong("a vector is not finite"));
            }
            Ok(OutputColumn::Dense(quarry::plugin::vectors(made.dimension() as u32, data())))
        }
        FieldKind::Blob | FieldKind::Sparse | FieldKind::Multi => {
            Err(wrong("the benchmark's extractors make no such column"))
        }
    }
}
