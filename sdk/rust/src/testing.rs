//! Rows and documents as JSON, for the tests of an extractor.

use serde_json::Map;
pub use serde_json::{Value, json};

use crate::native::{NativeColumn, NativeExtractor, NativeOutput};
use crate::query::floats;
use crate::{Column, Description, Extractor, FieldType, InputRow, InputSpec, Reject};

/// Rows of a tile in tests: small, so that a few rows cross a border.
const TILE_ROWS: u32 = 3;

/// Runs an extractor on JSON rows, through the same tile loop as in the host.
pub struct Harness<E: Extractor> {
    extractor: NativeExtractor<E>,
}

impl<E: Extractor> Harness<E> {
    /// Configures the extractor.
    pub fn new(parameters: Value) -> Result<Self, String> {
        let extractor = NativeExtractor::new(&parameters)?.with_tile(TILE_ROWS);
        Ok(Self { extractor })
    }

    /// What the extractor is with these parameters.
    pub fn description(&self) -> &Description {
        self.extractor.description()
    }

    /// The documents of one row, as JSON objects: vectors are arrays of numbers, sparse vectors
    /// `{"indices": […], "values": […]}`, multi-vectors arrays of arrays, blobs arrays of bytes.
    /// In the row a blob is a string or an array of bytes, a dense vector an array of numbers.
    ///
    /// # Panics
    /// When the row does not fit the `input!`, or the extractor breaks a rule of the contract.
    pub fn row(&mut self, row: Value) -> Result<Vec<Value>, Reject> {
        self.rows(&[row]).pop().expect("one answer a row")
    }

    /// Several rows in one batch.
    pub fn rows(&mut self, rows: &[Value]) -> Vec<Result<Vec<Value>, Reject>> {
        let specs = <E::Input<'static> as InputRow>::FIELDS;
        for row in rows {
            check_names(row, specs);
        }
        let cells: Vec<Cells> = specs.iter().map(|spec| Cells::new(spec, rows)).collect();
        let columns: Vec<NativeColumn<'_>> = cells.iter().map(Cells::column).collect();
        let mut output = NativeOutput::default();
        self.extractor.run(&columns, rows.len() as u32, &mut output);

        let mut rejects = std::mem::take(&mut output.rejects).into_iter().peekable();
        let mut next = 0;
        let mut answers = Vec::new();
        for (&count, row) in output.counts.iter().zip(0..) {
            if let Some((_, reject)) = rejects.next_if(|(rejected, _)| *rejected == row) {
                assert!(count == 0, "row {row} is rejected and has documents");
                answers.push(Err(reject));
                continue;
            }
            let numbers = next..next + count as usize;
            next = numbers.end;
            answers.push(Ok(numbers.map(|number| document(&output.columns, number)).collect()));
        }
        answers
    }

    /// The vectors for a search text, as the contract's JSON.
    pub fn embed_query(&mut self, text: &str) -> Result<Value, String> {
        Ok(self.extractor.embed_query(text)?.to_json())
    }
}

fn check_names(row: &Value, specs: &[InputSpec]) {
    let row = row.as_object().expect("a row is a JSON object");
    for name in row.keys() {
        assert!(specs.iter().any(|spec| spec.name == name), "`{name}` is not an input");
    }
}

/// An input column that owns its cells.
struct Cells {
    field_type: FieldType,
    validity: Vec<u8>,
    offsets: Vec<u32>,
    data: Vec<u8>,
    stride: usize,
}

impl Cells {
    fn new(spec: &InputSpec, rows: &[Value]) -> Self {
        let mut cells = Self {
            field_type: spec.field_type,
            validity: vec![0; rows.len().div_ceil(8)],
            offsets: vec![0],
            data: Vec::new(),
            stride: stride(spec, rows),
        };
        for (number, row) in rows.iter().enumerate() {
            match &row[spec.name] {
                Value::Null => {
                    assert!(!spec.required, "row {number} has no `{}`", spec.name);
                    cells.data.resize(cells.data.len() + cells.stride, 0);
                }
                value => {
                    cells.validity[number / 8] |= 1 << (number % 8);
                    put(&mut cells.data, spec, value);
                }
            }
            cells.offsets.push(cells.data.len() as u32);
        }
        cells
    }

    fn column(&self) -> NativeColumn<'_> {
        let text = || std::str::from_utf8(&self.data).expect("made of strings");
        let column = match self.field_type {
            FieldType::Utf8 => NativeColumn::utf8(&self.offsets, text()),
            FieldType::Json => NativeColumn::json(&self.offsets, text()),
            FieldType::Blob => NativeColumn::blob(&self.offsets, &self.data),
            fixed => NativeColumn::fixed(fixed, self.stride, &self.data),
        };
        column.with_validity(&self.validity)
    }
}

fn stride(spec: &InputSpec, rows: &[Value]) -> usize {
    match spec.field_type {
        FieldType::Bool => 1,
        FieldType::I64 | FieldType::F64 => 8,
        FieldType::Dense => {
            rows.iter().find_map(|row| row[spec.name].as_array()).map_or(0, |array| array.len() * 4)
        }
        _ => 0,
    }
}

fn put(data: &mut Vec<u8>, spec: &InputSpec, value: &Value) {
    let wrong = format!("`{}` is not a {:?}: {value}", spec.name, spec.field_type);
    match spec.field_type {
        FieldType::Json => data.extend_from_slice(value.to_string().as_bytes()),
        FieldType::Utf8 => data.extend_from_slice(value.as_str().expect(&wrong).as_bytes()),
        FieldType::I64 => data.extend(value.as_i64().expect(&wrong).to_le_bytes()),
        FieldType::F64 => data.extend(value.as_f64().expect(&wrong).to_le_bytes()),
        FieldType::Bool => data.push(u8::from(value.as_bool().expect(&wrong))),
        FieldType::Blob => match value {
            Value::String(text) => data.extend_from_slice(text.as_bytes()),
            Value::Array(bytes) => {
                data.extend(bytes.iter().map(|byte| byte.as_u64().expect(&wrong) as u8));
            }
            _ => panic!("{wrong}"),
        },
        FieldType::Dense => {
            for number in value.as_array().expect(&wrong) {
                data.extend((number.as_f64().expect(&wrong) as f32).to_le_bytes());
            }
        }
        FieldType::Sparse | FieldType::Multi => panic!("{wrong}"),
    }
}

fn document(columns: &[Column], number: usize) -> Value {
    let fields = columns.iter().filter(|column| column.enabled());
    Value::Object(Map::from_iter(
        fields.map(|column| (column.name().to_owned(), value(column, number))),
    ))
}

fn value(column: &Column, number: usize) -> Value {
    if column.nulls().contains(&(number as u32)) {
        return Value::Null;
    }
    let range = || column.offsets()[number] as usize..column.offsets()[number + 1] as usize;
    let text = || std::str::from_utf8(&column.data()[range()]).expect("text is valid UTF-8");
    let fixed = || column.data()[number * 8..][..8].try_into().expect("8 bytes");
    match column.field_type() {
        FieldType::Utf8 => text().into(),
        FieldType::Json => serde_json::from_str(text()).expect("a json output is JSON"),
        FieldType::I64 => i64::from_le_bytes(fixed()).into(),
        FieldType::F64 => f64::from_le_bytes(fixed()).into(),
        FieldType::Bool => (column.data()[number] != 0).into(),
        FieldType::Blob => column.data()[range()].to_vec().into(),
        FieldType::Dense => {
            let bytes = column.dimension() * 4;
            floats(&decode(&column.data()[number * bytes..][..bytes]))
        }
        FieldType::Multi => {
            let vectors = column.data()[range()].chunks(column.dimension() * 4);
            vectors.map(|vector| floats(&decode(vector))).collect()
        }
        FieldType::Sparse => {
            let indices = &column.indices()[range()];
            assert!(indices.is_sorted_by(|a, b| a < b), "`{}`: indices ascend", column.name());
            let values = &column.data()[range().start * 4..range().end * 4];
            json!({ "indices": indices, "values": floats(&decode(values)) })
        }
    }
}

fn decode(bytes: &[u8]) -> Vec<f32> {
    let quads = bytes.chunks_exact(4);
    quads.map(|quad| f32::from_le_bytes([quad[0], quad[1], quad[2], quad[3]])).collect()
}
