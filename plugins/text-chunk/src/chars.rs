//! From byte offsets to character offsets.

/// Knows how many characters stand before a byte. Cheap when asked about places near each other.
pub(crate) struct Chars<'a> {
    text: &'a str,
    byte: usize,
    char: usize,
}

impl<'a> Chars<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, byte: 0, char: 0 }
    }

    /// Characters before `byte`, which is the start of one.
    pub(crate) fn before(&mut self, byte: usize) -> usize {
        if byte >= self.byte {
            self.char += self.text[self.byte..byte].chars().count();
        } else {
            self.char -= self.text[byte..self.byte].chars().count();
        }
        self.byte = byte;
        self.char
    }
}
