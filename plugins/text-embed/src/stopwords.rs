//! Words that count for nothing.

use crate::hash::fnv1a;

/// Function words of English: articles, pronouns, auxiliaries, prepositions, conjunctions.
const ENGLISH: &str = "a about above after again against all am an and any are as at be because \
    been before being below between both but by can could did do does doing down during each few \
    for from further had has have having he her here hers herself him himself his how i if in \
    into is it its itself just me more most my myself no nor not now of off on once only or other \
    our ours ourselves out over own same she should so some such than that the their theirs them \
    themselves then there these they this those through to too under until up very was we were \
    what when where which while who whom why will with would you your yours yourself yourselves";

/// The hashes of words that are left out, ascending.
#[derive(Default)]
pub(crate) struct Stopwords(Vec<u64>);

impl Stopwords {
    pub(crate) fn english() -> Self {
        let mut hashes: Vec<u64> =
            ENGLISH.split_whitespace().map(|word| fnv1a(word.bytes())).collect();
        hashes.sort_unstable();
        Self(hashes)
    }

    /// Takes the words that are left out from the tokens of a text.
    pub(crate) fn remove_from(&self, hashes: &mut Vec<u64>) {
        if !self.0.is_empty() {
            hashes.retain(|hash| self.0.binary_search(hash).is_err());
        }
    }
}
