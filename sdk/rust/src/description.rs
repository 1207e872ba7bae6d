//! What an extractor is, takes and makes, as `wit/description.schema.json` defines it.

use serde::Serialize;
use serde_json::Value;

use crate::{API_VERSION, Extractor, InputRow, OutputRow};

/// Guest memory an extractor is expected to need when it says nothing else.
const MEMORY_BYTES_DEFAULT: u64 = 16 << 20;

/// What vector databases take.
const DIMENSION_MAX: u32 = 65_536;

/// The type of a field in the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldType {
    /// Text.
    Utf8,
    /// A JSON value as text.
    Json,
    /// A signed 64-bit integer.
    I64,
    /// A double.
    F64,
    /// True or false.
    Bool,
    /// Bytes.
    Blob,
    /// A vector of `dimension` f32.
    Dense,
    /// Ascending u32 indices with f32 values.
    Sparse,
    /// Any number of vectors of `dimension` f32.
    Multi,
}

/// How two dense vectors are compared in search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Distance {
    /// The angle; a vector of zeros has none and is refused by the host.
    Cosine,
    /// The dot product; what normalised vectors and vectors that may be all zero use.
    Dot,
    /// The straight line.
    Euclid,
    /// The sum of the differences.
    Manhattan,
}

/// An input column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InputField {
    /// The name a collection maps a source field to.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub field_type: FieldType,
    /// Whether rows without it are kept from the extractor.
    pub required: bool,
    /// The doc comment.
    pub description: String,
}

/// An output column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OutputField {
    /// The name in the document.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub field_type: FieldType,
    /// Of a dense or multi field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dimension: Option<u32>,
    /// Of a dense or multi field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distance: Option<Distance>,
    /// The doc comment.
    pub description: String,
}

/// What `describe` and `configure` answer. Most of it follows from the types; an extractor adds
/// the rest in [`Extractor::describe`]. The methods panic when they are given a field that is not
/// in the `output!` of the extractor: that is a mistake in the extractor, found by its first test.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Description {
    pub(crate) api: &'static str,
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) inputs: Vec<InputField>,
    pub(crate) outputs: Vec<OutputField>,
    pub(crate) position: Option<String>,
    pub(crate) parameters: Value,
    pub(crate) capabilities: Vec<String>,
    pub(crate) deterministic: bool,
    pub(crate) memory_bytes: u64,
    pub(crate) queries: bool,
}

impl Description {
    pub(crate) fn of<E: Extractor>() -> Self {
        let inputs = <E::Input<'static> as InputRow>::FIELDS.iter().map(|spec| InputField {
            name: spec.name.to_owned(),
            field_type: spec.field_type,
            required: spec.required,
            description: tidy(spec.doc),
        });
        let outputs = <E::Output<'static> as OutputRow>::FIELDS.iter().map(|spec| OutputField {
            name: spec.name.to_owned(),
            field_type: spec.field_type,
            dimension: None,
            distance: None,
            description: tidy(spec.doc),
        });
        Self {
            api: API_VERSION,
            name: E::NAME,
            version: E::VERSION,
            summary: E::SUMMARY,
            inputs: inputs.collect(),
            outputs: outputs.collect(),
            position: None,
            parameters: schemars::schema_for!(E::Parameters).to_value(),
            capabilities: Vec::new(),
            deterministic: true,
            memory_bytes: MEMORY_BYTES_DEFAULT,
            queries: false,
        }
    }

    /// Sets dimension and distance of a [`Dense`](crate::Dense) or [`Multi`](crate::Multi) field.
    /// Every such field needs them.
    pub fn vector(&mut self, field: &str, dimension: u32, distance: Distance) -> &mut Self {
        let index = self.index(field);
        let output = &mut self.outputs[index];
        assert!(
            matches!(output.field_type, FieldType::Dense | FieldType::Multi),
            "output `{field}` is not a dense or multi vector"
        );
        output.dimension = Some(dimension);
        output.distance = Some(distance);
        self
    }

    /// Leaves an output out under the current parameters: it vanishes from the description, and
    /// what `extract` writes to it is dropped at once.
    pub fn omit(&mut self, field: &str) -> &mut Self {
        let index = self.index(field);
        self.outputs.remove(index);
        self
    }

    /// Names the integer output that is a document's position among the documents of its row. Ids
    /// are made of it, so it must be unique within a row. Without it the position is the ordinal.
    pub fn position(&mut self, field: &str) -> &mut Self {
        let output = &self.outputs[self.index(field)];
        assert!(output.field_type == FieldType::I64, "position `{field}` is not an i64 output");
        self.position = Some(field.to_owned());
        self
    }

    /// How many bytes of memory one instance needs, tile buffers included; 16 MiB when this is not
    /// called. A hint for scheduling that neither reserves nor limits anything. The host refuses a
    /// description that asks for more than an instance may have, 512 MiB.
    pub fn memory_bytes(&mut self, bytes: u64) -> &mut Self {
        self.memory_bytes = bytes;
        self
    }

    /// Says that [`Extractor::embed_query`] works.
    pub fn queries(&mut self) -> &mut Self {
        self.queries = true;
        self
    }

    /// Asks for a capability: `http`, `http:https://api.example.com`, `clock`, `random`, `env:NAME`
    /// or `assets`. It is given only when the operator grants it.
    pub fn capability(&mut self, name: &str) -> &mut Self {
        self.capabilities.push(name.to_owned());
        self
    }

    /// Says that the same row under the same parameters may give other documents the next time: its
    /// documents are made anew in every batch, never taken from an earlier one.
    pub fn varies(&mut self) -> &mut Self {
        self.deterministic = false;
        self
    }

    /// The outputs in the order of the contract.
    pub fn outputs(&self) -> &[OutputField] {
        &self.outputs
    }

    /// The inputs in the order of the contract.
    pub fn inputs(&self) -> &[InputField] {
        &self.inputs
    }

    /// The description as the contract's JSON.
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).expect("a description has no map with other keys than strings")
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        for output in &self.outputs {
            let wants_dimension = matches!(output.field_type, FieldType::Dense | FieldType::Multi);
            match output.dimension {
                None | Some(0) if wants_dimension => {
                    return Err(format!(
                        "output `{}` has no dimension: set it with Description::vector",
                        output.name
                    ));
                }
                Some(dimension) if dimension > DIMENSION_MAX => {
                    return Err(format!(
                        "output `{}` has the dimension {dimension}, the limit is {DIMENSION_MAX}",
                        output.name
                    ));
                }
                _ => {}
            }
        }
        if let Some(position) = &self.position
            && !self.outputs.iter().any(|output| output.name == *position)
        {
            return Err(format!("position `{position}` is omitted from the outputs"));
        }
        Ok(())
    }

    fn index(&self, field: &str) -> usize {
        self.outputs
            .iter()
            .position(|output| output.name == field)
            .unwrap_or_else(|| panic!("`{field}` is not an output of {}", self.name))
    }
}

/// The lines of a doc comment as one paragraph.
fn tidy(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
}
