//! An extractor with every type of field.

use quarry_extractor::prelude::*;
use quarry_extractor::testing::Value;

parameters! {
    pub struct Parameters {
        /// Leaves the vectors out.
        pub scalars_only: bool = false,
        /// Of the vectors; 0 forgets to declare it.
        pub dimension: u32 = 2,
        /// Refuses to start.
        pub refuse: bool = false,
    }
}

input! {
    pub struct Input<'a> {
        /// Comes
        /// out again.
        pub name: &'a str,
        pub copies: i64,
        pub fail: bool,
        pub file: Blob<'a>,
        pub score: Option<f64>,
        pub extra: Option<JsonText<'a>>,
        pub vector: Option<Vector<'a>>,
        pub note: Option<&'a str>,
    }
}

output! {
    pub struct Output<'a> {
        pub name: String,
        pub copy: i64,
        pub bytes: &'a [u8],
        pub score: Option<f64>,
        pub extra: Option<JsonText<'a>>,
        pub list: Json<'a, [i64]>,
        pub note: Option<&'a str>,
        pub even: bool,
        pub dense: Dense<'a>,
        pub sparse: Sparse<'a>,
        pub multi: Multi<'a>,
    }
}

pub(crate) struct Everything(Parameters);

impl Extractor for Everything {
    const NAME: &'static str = "everything";
    const VERSION: &'static str = "0.0.1";
    const SUMMARY: &'static str = "Has every type of field";
    type Parameters = Parameters;
    type Input<'a> = Input<'a>;
    type Output<'a> = Output<'a>;

    fn new(parameters: Parameters) -> Result<Self, String> {
        if parameters.refuse {
            return Err("parameter `refuse`: is set".to_owned());
        }
        Ok(Self(parameters))
    }

    fn describe(&self, description: &mut Description) {
        description.position("copy").varies();
        if self.0.scalars_only {
            description.omit("dense").omit("sparse").omit("multi");
        } else if self.0.dimension > 0 {
            description.vector("dense", self.0.dimension, Distance::Cosine);
            description.vector("multi", self.0.dimension, Distance::Dot);
        }
    }

    fn extract(&mut self, row: Input<'_>, documents: &mut Documents<Self>) -> Result<(), Reject> {
        let bytes = row.file.read_all(1 << 20)?;
        let vector: Vec<f32> = row.vector.map_or(vec![0.5, 1.5], |vector| vector.iter().collect());
        if let Some(extra) = row.extra {
            extra.parse::<Value>().map_err(|error| Reject::new("bad_json", error.to_string()))?;
        }
        for copy in 0..row.copies {
            documents.push(Output {
                name: row.name.to_owned(),
                copy,
                bytes: &bytes,
                score: row.score,
                extra: row.extra,
                list: Json(&[copy, copy + 1]),
                note: row.note,
                even: copy % 2 == 0,
                dense: Dense(&vector),
                sparse: Sparse { indices: &[1, 9], values: &[copy as f32, 2.0] },
                multi: Multi(&[1.0, 2.0, 3.0, 4.0]),
            });
        }
        if row.fail {
            return Err(Reject::new("asked_to", format!("{} failed", row.name)));
        }
        Ok(())
    }
}
