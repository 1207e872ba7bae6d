//! From bytes to what a document holds.

use serde::Serialize;

use crate::Content;
use crate::boilerplate::main_blocks;
use crate::decode::decode;
use crate::flow::{Block, Kind, WordCounter};
use crate::language::{self, Language};
use crate::page::{self, Link};

pub(crate) const HEADINGS_MAX: usize = 1_000;
const HEADING_CHARS_MAX: usize = 500;

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Heading {
    /// 1 to 6.
    pub level: u8,
    pub text: String,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Document {
    pub title: Option<String>,
    pub description: Option<String>,
    pub text: String,
    pub headings: Vec<Heading>,
    pub links: Vec<Link>,
    pub language: Option<Language>,
    pub words: usize,
}

/// Any bytes make a document; bytes that are no HTML make one of their text.
pub fn extract(html: &[u8], url: Option<&str>, content: Content) -> Document {
    let page = page::read(&decode(html), url);
    let blocks = &page.flow.blocks;
    let chosen = match content {
        Content::Main => main_blocks(blocks),
        Content::All => (0..blocks.len()).collect(),
    };
    let text = page.flow.join(chosen.iter().copied());
    let heading = |block: &Block| match block.kind {
        Kind::Heading(level) => Some(Heading { level, text: one_line(page.flow.text_of(block)) }),
        Kind::Paragraph | Kind::Item | Kind::Row | Kind::Cell => None,
    };
    let headings: Vec<Heading> =
        chosen.iter().filter_map(|at| heading(&blocks[*at])).take(HEADINGS_MAX).collect();
    let first_heading = || blocks.iter().find_map(heading).map(|heading| heading.text);
    Document {
        title: page.title.or_else(first_heading),
        description: page.description,
        language: page.language.or_else(|| language::detect(&text)),
        words: WordCounter::count(&text),
        headings,
        links: page.links,
        text,
    }
}

fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(HEADING_CHARS_MAX).collect()
}
