//! How hard a text is to read, and a vector of its words. `../README.md` says what is computed.

mod keywords;
mod score;

use quarry_extractor::prelude::*;

use crate::keywords::Keywords;
use crate::score::Score;

parameters! {
    pub struct Parameters {
        /// Values of the keyword vector.
        #[schemars(range(min = 8, max = 256))]
        pub dimensions: u32 = 32,
    }
}

input! {
    pub struct Input<'a> {
        /// The text that is scored.
        text: &'a str,
    }
}

output! {
    pub struct Output<'a> {
        /// How many words the text has.
        words: i64,
        /// How many sentences it has.
        sentences: i64,
        /// The automated readability index: about the school grade it takes to read the text.
        ari: f64,
        /// Its words, hashed into a vector of length 1.
        keywords: Dense<'a>,
    }
}

/// The extractor, with the vector it writes into.
pub struct Readability {
    keywords: Keywords,
}

impl Extractor for Readability {
    const NAME: &'static str = "readability";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str = "Scores how hard a text is to read, with a vector of its words";

    type Parameters = Parameters;
    type Input<'a> = Input<'a>;
    type Output<'a> = Output<'a>;

    fn new(parameters: Parameters) -> Result<Self, String> {
        Ok(Self { keywords: Keywords::new(parameters.dimensions as usize) })
    }

    fn describe(&self, description: &mut Description) {
        let dimensions = self.keywords.vector().len() as u32;
        description.vector("keywords", dimensions, Distance::Cosine).queries();
    }

    fn extract(&mut self, row: Input<'_>, documents: &mut Documents<Self>) -> Result<(), Reject> {
        let score = Score::of(row.text);
        self.keywords.read(row.text);
        documents.push(Output {
            words: score.words,
            sentences: score.sentences,
            ari: score.ari(),
            keywords: Dense(self.keywords.vector()),
        });
        Ok(())
    }

    fn embed_query(&mut self, text: &str) -> Result<Query, String> {
        self.keywords.read(text);
        Ok(Query::new().dense("keywords", self.keywords.vector()))
    }
}

quarry_extractor::export!(Readability);

#[cfg(test)]
mod tests {
    use quarry_extractor::testing::{Harness, Value, json};

    use super::Readability;

    #[test]
    fn a_text_is_scored() {
        let mut harness = Harness::<Readability>::new(json!({})).unwrap();
        let documents = harness.row(json!({"text": "To be, or not to be?! It is..."})).unwrap();
        let [document] = &documents[..] else { panic!("{documents:?}") };
        assert_eq!(document["words"], json!(8));
        assert_eq!(document["sentences"], json!(2));
        // 17 letters: 4.71 * 17 / 8 + 0.5 * 8 / 2 - 21.43 = -9.42125.
        assert_eq!(document["ari"], json!(-9.4213));
    }

    #[test]
    fn the_fixtures_have_the_documents_that_all_languages_make() {
        for name in ["golden", "dimensions"] {
            let read = |folder: &str| {
                let root = env!("CARGO_MANIFEST_DIR");
                let text = std::fs::read_to_string(format!("{root}/../{folder}/{name}.json"));
                text.unwrap().parse::<Value>().unwrap()
            };
            let (fixture, expected) = (read("fixtures"), read("expected"));
            let mut harness = Harness::<Readability>::new(fixture["parameters"].clone()).unwrap();
            let rows = fixture["rows"].as_array().unwrap();
            assert_eq!(rows.len(), expected["documents"].as_array().unwrap().len());
            for (at, row) in rows.iter().enumerate() {
                let documents = harness.row(row.clone()).unwrap();
                assert_eq!(documents.len(), 1);
                let wanted = &expected["documents"][at]["fields"];
                for field in ["words", "sentences", "ari"] {
                    assert_eq!(documents[0][field], wanted[field], "{name}, row {at}");
                }
                check(&documents[0]["keywords"], &wanted["keywords"]);
            }
            for (at, query) in fixture["queries"].as_array().unwrap().iter().enumerate() {
                let answer = harness.embed_query(query.as_str().unwrap()).unwrap();
                check(&answer["keywords"], &expected["queries"][at]["keywords"]);
            }
        }
    }

    /// Vectors are equal when the nearest floats are.
    #[track_caller]
    fn check(found: &Value, expected: &Value) {
        let floats = |value: &Value| -> Vec<f32> {
            let values = value.as_array().unwrap().iter();
            values.map(|value| value.as_f64().unwrap() as f32).collect()
        };
        assert_eq!(floats(found), floats(expected));
    }
}
