//! Words, sentences and the index made of them.

/// What is counted of a text.
pub(crate) struct Score {
    pub(crate) words: i64,
    pub(crate) sentences: i64,
    /// Letters and digits in all words.
    characters: i64,
}

impl Score {
    pub(crate) fn of(text: &str) -> Self {
        let mut score = Self { words: 0, sentences: 0, characters: 0 };
        let mut in_word = false;
        let mut words_since_end = false;
        for byte in text.bytes() {
            let letter = byte.is_ascii_alphanumeric();
            score.characters += i64::from(letter);
            if letter && !in_word {
                score.words += 1;
                words_since_end = true;
            } else if matches!(byte, b'.' | b'!' | b'?') && words_since_end {
                score.sentences += 1;
                words_since_end = false;
            }
            in_word = letter;
        }
        if score.words > 0 {
            score.sentences = score.sentences.max(1);
        }
        score
    }

    /// The automated readability index, to four decimals; 0 when there is no word.
    pub(crate) fn ari(&self) -> f64 {
        if self.words == 0 {
            return 0.0;
        }
        let (words, sentences) = (self.words as f64, self.sentences as f64);
        let index = 4.71 * self.characters as f64 / words + 0.5 * words / sentences - 21.43;
        (index * 10_000.0).round() / 10_000.0
    }
}
