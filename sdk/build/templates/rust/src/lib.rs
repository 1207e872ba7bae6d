//! Counts the words of a text, and makes a vector of its letters.

use quarry_extractor::prelude::*;

parameters! {
    pub struct Parameters {
        /// Words with fewer letters do not count.
        #[schemars(range(min = 1, max = 100))]
        pub letters_min: u32 = 1,
    }
}

input! {
    pub struct Input<'a> {
        /// The text whose words are counted.
        text: &'a str,
    }
}

output! {
    pub struct Output<'a> {
        /// How many words the text has.
        words: i64,
        /// How often each letter comes.
        letters: Dense<'a>,
    }
}

pub struct Letters {
    letters_min: usize,
    counts: [f32; 26],
}

impl Letters {
    /// Counts the letters a to z; false when there is none.
    fn count(&mut self, text: &str) -> bool {
        self.counts.fill(0.0);
        let mut any = false;
        for byte in text.bytes().filter(u8::is_ascii_alphabetic) {
            self.counts[usize::from(byte.to_ascii_lowercase() - b'a')] += 1.0;
            any = true;
        }
        any
    }
}

impl Extractor for Letters {
    const NAME: &'static str = env!("CARGO_PKG_NAME");
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str = "Counts words and letters";

    type Parameters = Parameters;
    type Input<'a> = Input<'a>;
    type Output<'a> = Output<'a>;

    fn new(parameters: Parameters) -> Result<Self, String> {
        Ok(Self { letters_min: parameters.letters_min as usize, counts: [0.0; 26] })
    }

    fn describe(&self, description: &mut Description) {
        description.vector("letters", 26, Distance::Cosine).queries();
    }

    fn extract(&mut self, row: Input<'_>, documents: &mut Documents<Self>) -> Result<(), Reject> {
        if !self.count(row.text) {
            return Err(Reject::new("no_letters", "the text has no letters"));
        }
        let words = row.text.split(|char: char| !char.is_ascii_alphanumeric());
        let words = words.filter(|word| !word.is_empty() && word.len() >= self.letters_min);
        documents.push(Output { words: words.count() as i64, letters: Dense(&self.counts) });
        Ok(())
    }

    fn embed_query(&mut self, text: &str) -> Result<Query, String> {
        if !self.count(text) {
            return Err("the query has no letters".to_owned());
        }
        Ok(Query::new().dense("letters", &self.counts))
    }
}

quarry_extractor::export!(Letters);

#[cfg(test)]
mod tests {
    use quarry_extractor::testing::{Harness, json};

    use super::Letters;

    #[test]
    fn short_words_do_not_count() {
        let mut harness = Harness::<Letters>::new(json!({"letters_min": 3})).unwrap();
        let documents = harness.row(json!({"text": "To be, or not to be!"})).unwrap();
        assert_eq!(documents[0]["words"], 1);
    }

    #[test]
    fn a_text_without_letters_is_rejected() {
        let mut harness = Harness::<Letters>::new(json!({})).unwrap();
        assert_eq!(harness.row(json!({"text": "2026"})).unwrap_err().code, "no_letters");
    }
}
