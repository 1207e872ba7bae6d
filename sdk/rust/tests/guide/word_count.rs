use quarry_extractor::prelude::*;

parameters! {
    /// How words are counted.
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
        /// Its language, when it is known.
        language: Option<&'a str>,
    }
}

output! {
    pub struct Count<'a> {
        /// How many words the text has.
        words: i64,
        /// The longest of them.
        longest: Option<&'a str>,
        /// The language, as it came in.
        language: Option<&'a str>,
    }
}

pub struct WordCount {
    letters_min: usize,
}

impl Extractor for WordCount {
    const NAME: &'static str = "word-count";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str = "Counts words";

    type Parameters = Parameters;
    type Input<'a> = Input<'a>;
    type Output<'a> = Count<'a>;

    fn new(parameters: Parameters) -> Result<Self, String> {
        Ok(Self { letters_min: parameters.letters_min as usize })
    }

    fn extract(&mut self, row: Input<'_>, documents: &mut Documents<Self>) -> Result<(), Reject> {
        if row.text.contains('\0') {
            return Err(Reject::new("binary", "the text has a NUL in it"));
        }
        let words = row.text.split_whitespace();
        let words = words.filter(|word| word.chars().count() >= self.letters_min);
        documents.push(Count {
            words: words.clone().count() as i64,
            longest: words.max_by_key(|word| word.chars().count()),
            language: row.language,
        });
        Ok(())
    }
}

quarry_extractor::export!(WordCount);

#[cfg(test)]
mod tests {
    use quarry_extractor::testing::{Harness, json};

    use super::WordCount;

    #[test]
    fn short_words_do_not_count() {
        let mut harness = Harness::<WordCount>::new(json!({"letters_min": 3})).unwrap();
        let documents = harness.row(json!({"text": "to be or not to be"})).unwrap();
        assert_eq!(documents, [json!({"words": 1, "longest": "not", "language": null})]);
    }

    #[test]
    fn binary_text_is_rejected() {
        let mut harness = Harness::<WordCount>::new(json!({})).unwrap();
        assert_eq!(harness.row(json!({"text": "\0"})).unwrap_err().code, "binary");
    }
}
