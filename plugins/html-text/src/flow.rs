//! The text of a page as a sequence of blocks, built while the tags go by.

use crate::zone::Zone;

/// Beyond this a page is not split further, so that blocks take bounded memory.
pub(crate) const BLOCKS_MAX: usize = 200_000;

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    #[default]
    Paragraph,
    Heading(u8),
    /// The first block of a list item.
    Item,
    /// The first block of a table row.
    Row,
    /// The first block of a further cell of the row.
    Cell,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    start: usize,
    end: usize,
    pub words: u32,
    pub linked_words: u32,
    pub kind: Kind,
    pub zone: Zone,
}

impl Block {
    pub(crate) fn link_density(&self) -> f32 {
        if self.words == 0 { 0.0 } else { self.linked_words as f32 / self.words as f32 }
    }
}

#[derive(Default)]
pub(crate) struct Flow {
    text: String,
    pub blocks: Vec<Block>,
    start: usize,
    words: u32,
    linked_words: u32,
    counter: WordCounter,
    space_pending: bool,
    /// What the next block with text is.
    pub next: Kind,
    row_has_cell: bool,
}

impl Flow {
    pub(crate) fn text_of(&self, block: &Block) -> &str {
        &self.text[block.start..block.end]
    }

    fn is_empty(&self) -> bool {
        self.text.len() == self.start
    }

    /// Appends decoded text to the current block.
    pub(crate) fn push(&mut self, text: &str, zone: Zone, linked: bool) {
        for c in text.chars() {
            if self.counter.starts_word(c) {
                self.words += 1;
                self.linked_words += u32::from(linked);
            }
            if is_invisible(c) {
                continue;
            }
            if zone.preformatted {
                if !(self.is_empty() && c == '\n') {
                    self.text.push(c);
                }
            } else if c.is_whitespace() {
                self.space_pending = true;
            } else {
                if std::mem::take(&mut self.space_pending)
                    && !self.is_empty()
                    && !self.text.ends_with('\n')
                {
                    self.text.push(' ');
                }
                self.text.push(c);
            }
        }
    }

    /// `br`: a line end, and a second one in a row ends the paragraph.
    pub(crate) fn break_line(&mut self, zone: Zone) {
        self.counter = WordCounter::default();
        if zone.preformatted {
            self.text.push('\n');
        } else if self.text.len() > self.start && self.text.ends_with('\n') {
            self.end_block(zone);
        } else if !self.is_empty() {
            self.space_pending = false;
            self.text.push('\n');
        }
    }

    /// A word of an element with no text of its own ends here (an image, a cell).
    pub(crate) fn space(&mut self) {
        self.space_pending = true;
        self.counter = WordCounter::default();
    }

    pub(crate) fn end_block(&mut self, zone: Zone) {
        self.space();
        if self.blocks.len() + 1 >= BLOCKS_MAX {
            if !self.is_empty() && !self.text.ends_with('\n') {
                self.text.push('\n');
            }
            return;
        }
        self.finish(zone);
    }

    /// As `end_block`, but also at the limit: for the end of the page.
    pub(crate) fn finish(&mut self, zone: Zone) {
        self.space_pending = false;
        let end = self.start + self.text[self.start..].trim_end().len();
        self.text.truncate(end);
        if !self.is_empty() {
            let kind = std::mem::take(&mut self.next);
            self.row_has_cell |= matches!(kind, Kind::Row | Kind::Cell);
            self.blocks.push(Block {
                start: self.start,
                end,
                words: self.words,
                linked_words: self.linked_words,
                kind,
                zone,
            });
        }
        self.start = end;
        (self.words, self.linked_words) = (0, 0);
    }

    pub(crate) fn start_row(&mut self) {
        self.row_has_cell = false;
    }

    pub(crate) fn start_cell(&mut self) {
        self.next = if self.row_has_cell { Kind::Cell } else { Kind::Row };
    }

    /// Writes the chosen blocks: paragraphs apart by an empty line, items and rows by a line end,
    /// cells by a tab.
    pub(crate) fn join(&self, chosen: impl Iterator<Item = usize>) -> String {
        let mut text = String::new();
        let mut before: Option<(usize, Kind)> = None;
        for at in chosen {
            let block = &self.blocks[at];
            text.push_str(match (before, block.kind) {
                (None, _) => "",
                (Some((previous, _)), Kind::Cell) if previous + 1 == at => "\t",
                (Some((_, Kind::Item)), Kind::Item) => "\n",
                (Some((_, Kind::Row | Kind::Cell)), Kind::Row | Kind::Cell) => "\n",
                _ => "\n\n",
            });
            if block.kind == Kind::Item {
                text.push_str("- ");
            }
            text.push_str(self.text_of(block));
            before = Some((at, block.kind));
        }
        text
    }
}

/// Characters without a glyph and without a meaning in extracted text.
pub(crate) fn is_invisible(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t' | '\x0C'))
        || matches!(c, '\u{AD}' | '\u{200B}' | '\u{2060}' | '\u{FEFF}')
}

/// Counts words as a reader would: runs of letters and digits, and one for every two characters in
/// scripts that write no spaces (Han, kana, Thai, Lao, Khmer, Burmese).
#[derive(Default)]
pub(crate) struct WordCounter {
    in_word: bool,
    unspaced: u32,
}

impl WordCounter {
    /// Whether `c` begins a new word.
    pub(crate) fn starts_word(&mut self, c: char) -> bool {
        if is_unspaced(c) {
            self.in_word = false;
            self.unspaced += 1;
            return self.unspaced % 2 == 1;
        }
        let before = self.in_word;
        // An apostrophe inside a word does not end it; a mark or a hyphen neither.
        self.in_word = c.is_alphanumeric()
            || (before && (matches!(c, '\'' | '’' | '-' | '_') || is_invisible(c)));
        if !self.in_word {
            self.unspaced = 0;
        }
        self.in_word && !before
    }

    pub(crate) fn count(text: &str) -> usize {
        let mut counter = Self::default();
        text.chars().filter(|c| counter.starts_word(*c)).count()
    }
}

fn is_unspaced(c: char) -> bool {
    matches!(u32::from(c),
        0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17FF | 0x3040..=0x30FF | 0x3400..=0x4DBF
        | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x3FFFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted_in_spaced_and_unspaced_scripts() {
        for (text, expected) in [
            ("", 0),
            ("one, two  three", 3),
            ("don't re-read 3.5", 4),
            ("日本語の文章", 3),
            ("東京 2020", 2),
            ("— … !", 0),
        ] {
            assert_eq!(WordCounter::count(text), expected, "{text}");
        }
    }

    #[test]
    fn white_space_collapses_except_in_preformatted_text() {
        let mut flow = Flow::default();
        flow.push("  a \n\t b\u{A0}", Zone::default(), false);
        flow.push("c\u{AD}d", Zone::default(), true);
        flow.end_block(Zone::default());
        let code = Zone { preformatted: true, ..Zone::default() };
        flow.push("\n  x\n    y  \n", code, false);
        flow.end_block(code);
        assert_eq!(flow.join(0..2), "a b cd\n\n  x\n    y");
        assert_eq!((flow.blocks[0].words, flow.blocks[0].linked_words), (3, 1));
    }
}
