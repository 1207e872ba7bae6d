use quarry_extractor::prelude::*;

parameters! {
    pub struct Parameters {
        /// Letters of the alphabet that are counted.
        #[schemars(range(min = 1, max = 26))]
        pub letters: u32 = 26,
    }
}
input! { pub struct Input<'a> { text: &'a str } }
output! {
    pub struct Letters<'a> {
        /// How often each letter comes.
        embedding: Dense<'a>,
    }
}

pub struct LetterCount {
    counts: Vec<f32>,
}

impl LetterCount {
    fn count(&mut self, text: &str) {
        self.counts.fill(0.0);
        for byte in text.bytes().filter(u8::is_ascii_lowercase) {
            if let Some(count) = self.counts.get_mut(usize::from(byte - b'a')) {
                *count += 1.0;
            }
        }
    }
}

impl Extractor for LetterCount {
    const NAME: &'static str = "letter-count";
    const VERSION: &'static str = "1.0.0";
    const SUMMARY: &'static str = "A vector of letters";
    type Parameters = Parameters;
    type Input<'a> = Input<'a>;
    type Output<'a> = Letters<'a>;

    fn new(parameters: Parameters) -> Result<Self, String> {
        Ok(Self { counts: vec![0.0; parameters.letters as usize] })
    }

    fn describe(&self, description: &mut Description) {
        description.vector("embedding", self.counts.len() as u32, Distance::Dot).queries();
    }

    fn extract(&mut self, row: Input<'_>, documents: &mut Documents<Self>) -> Result<(), Reject> {
        self.count(row.text);
        documents.push(Letters { embedding: Dense(&self.counts) });
        Ok(())
    }

    fn embed_query(&mut self, text: &str) -> Result<Query, String> {
        self.count(text);
        Ok(Query::new().dense("embedding", &self.counts))
    }
}

#[cfg(test)]
mod tests {
    use quarry_extractor::testing::{Harness, json};

    use super::LetterCount;

    #[test]
    fn letters_are_counted_in_texts_and_queries() {
        let mut harness = Harness::<LetterCount>::new(json!({"letters": 3})).unwrap();
        let documents = harness.row(json!({"text": "abba"})).unwrap();
        assert_eq!(documents, [json!({"embedding": [2.0, 2.0, 0.0]})]);
        let query = harness.embed_query("c").unwrap();
        assert_eq!(query, json!({"embedding": [0.0, 0.0, 1.0]}));
    }
}
