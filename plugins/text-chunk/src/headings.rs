//! The sections of a markdown text. Headings are found as CommonMark finds them at the top level:
//! ATX (`## Title`) and setext (a line of `=` or `-` under the title), not in fenced code and not
//! in a front matter. Headings within lists and quotes are left to their section.

use std::ops::Range;

/// What stands between two titles in a path.
const SEPARATOR: &str = " > ";

/// The sections of a text; used again for the next.
#[derive(Default)]
pub(crate) struct Outline {
    titles: Vec<Title>,
    sections: Vec<Section>,
}

/// A title, linked to the one it stands under.
struct Title {
    level: usize,
    range: Range<usize>,
    parent: Option<usize>,
}

/// A heading and what follows it up to the next, or what stands before the first.
pub(crate) struct Section {
    pub(crate) range: Range<usize>,
    /// Where its own text starts, after the heading.
    body: usize,
    title: Option<usize>,
}

/// What the line before belongs to.
#[derive(Clone, Copy, PartialEq)]
enum Block {
    None,
    /// A paragraph from this byte on: a line of `=` under it makes it a title.
    Paragraph(usize),
    /// A list, a quote or code; a line that follows at once belongs to it.
    Other,
}

impl Outline {
    /// The sections in the order of the text.
    pub(crate) fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// Writes the titles a section stands under, its own at last.
    pub(crate) fn path(&self, text: &str, section: &Section, path: &mut String) {
        path.clear();
        self.path_to(text, section.title, path);
    }

    fn path_to(&self, text: &str, title: Option<usize>, path: &mut String) {
        let Some(title) = title.map(|title| &self.titles[title]) else { return };
        self.path_to(text, title.parent, path);
        let mut separator = if path.is_empty() { "" } else { SEPARATOR };
        for word in text[title.range.clone()].split_whitespace() {
            path.push_str(separator);
            path.push_str(word);
            separator = " ";
        }
    }

    /// Finds the sections of `text`. One with a heading and nothing else is left out when the next
    /// heading is deeper: its title is in the paths below it.
    pub(crate) fn read(&mut self, text: &str) {
        self.titles.clear();
        self.sections.clear();
        self.sections.push(Section { range: 0..0, body: 0, title: None });
        let mut fence: Option<Fence> = None;
        let mut block = Block::None;
        let mut start = front_matter(text);
        for line in text[start..].split_inclusive('\n') {
            let (from, to) = (start, start + line.len());
            start = to;
            if let Some(open) = fence {
                if open.is_closed_by(line) {
                    fence = None;
                }
            } else if let Some(open) = Fence::open(line) {
                (fence, block) = (Some(open), Block::None);
            } else if let Some((level, title)) = atx(line) {
                self.begin(level, from + title.start..from + title.end, from, to);
                block = Block::None;
            } else if let (Some(level), Block::Paragraph(first)) = (underline(line), block) {
                self.begin(level, first..from, first, to);
                block = Block::None;
            } else if line.trim().is_empty() {
                block = Block::None;
            } else if block == Block::None {
                let is_paragraph = starts_paragraph(line);
                block = if is_paragraph { Block::Paragraph(from) } else { Block::Other };
            }
        }
        if let Some(last) = self.sections.last_mut() {
            last.range.end = text.len();
        }
        self.drop_empty(text);
    }

    fn begin(&mut self, level: usize, title: Range<usize>, from: usize, body: usize) {
        let last = self.sections.last_mut().expect("there is always one");
        last.range.end = from;
        let mut parent = last.title;
        while let Some(above) = parent.filter(|&above| self.titles[above].level >= level) {
            parent = self.titles[above].parent;
        }
        let number = self.titles.len();
        self.titles.push(Title { level, range: title, parent });
        self.sections.push(Section { range: from..from, body, title: Some(number) });
    }

    fn drop_empty(&mut self, text: &str) {
        let titles = &self.titles;
        let mut kept = 0;
        for number in 0..self.sections.len() {
            let section = &self.sections[number];
            let next = self.sections.get(number + 1).and_then(|next| next.title);
            let is_parent = match (section.title, next) {
                (Some(own), Some(next)) => titles[next].parent == Some(own),
                (None, _) => true,
                (Some(_), None) => false,
            };
            let is_blank =
                text[section.body.min(section.range.end)..section.range.end].trim().is_empty();
            if !(is_blank && is_parent) {
                self.sections.swap(kept, number);
                kept += 1;
            }
        }
        self.sections.truncate(kept);
    }
}

/// Bytes of a front matter: lines between two `---` at the very start.
fn front_matter(text: &str) -> usize {
    let mut end = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        end += line.len();
        match (number, line.trim_end()) {
            (0, "---") => {}
            (0, _) => return 0,
            (_, "---" | "...") => return end,
            _ => {}
        }
    }
    0
}

/// A line without the up to three spaces it may be indented by; nothing when it has more.
fn unindented(line: &str) -> Option<&str> {
    let rest = line.trim_start_matches(' ');
    (line.len() - rest.len() <= 3 && !rest.starts_with('\t')).then_some(rest)
}

#[derive(Clone, Copy)]
struct Fence {
    character: char,
    len: usize,
}

impl Fence {
    fn open(line: &str) -> Option<Self> {
        let rest = unindented(line)?;
        let character = rest.chars().next().filter(|character| matches!(character, '`' | '~'))?;
        let info = rest.trim_start_matches(character);
        let len = rest.len() - info.len();
        let is_inline = character == '`' && info.contains('`');
        (len >= 3 && !is_inline).then_some(Self { character, len })
    }

    fn is_closed_by(self, line: &str) -> bool {
        let Some(rest) = unindented(line) else { return false };
        let after = rest.trim_start_matches(self.character);
        rest.len() - after.len() >= self.len && after.trim().is_empty()
    }
}

/// Level of an ATX heading and where its title stands in the line.
fn atx(line: &str) -> Option<(usize, Range<usize>)> {
    let rest = unindented(line)?;
    let after = rest.trim_start_matches('#');
    let level = rest.len() - after.len();
    let is_heading =
        (1..=6).contains(&level) && (after.trim().is_empty() || after.starts_with([' ', '\t']));
    if !is_heading {
        return None;
    }
    let title = after.trim();
    // `## Title ##`: closing hashes, when they stand alone.
    let open = title.trim_end_matches('#');
    let title =
        if open.is_empty() || open.ends_with([' ', '\t']) { open.trim_end() } else { title };
    let start = line.len() - after.len() + (after.len() - after.trim_start().len());
    Some((level, start..start + title.len()))
}

/// Level of the heading that this line under a paragraph makes.
fn underline(line: &str) -> Option<usize> {
    let rest = unindented(line)?.trim_end();
    let is_all = |character| !rest.is_empty() && rest.chars().all(|other| other == character);
    match () {
        () if is_all('=') => Some(1),
        () if is_all('-') => Some(2),
        () => None,
    }
}

/// Whether a paragraph at the top level can begin with this line: not code, a list or a quote.
fn starts_paragraph(line: &str) -> bool {
    let Some(rest) = unindented(line) else { return false };
    let number = rest.trim_start_matches(|character: char| character.is_ascii_digit());
    let is_numbered = number.len() < rest.len() && number.starts_with(['.', ')']);
    let is_bulleted =
        ["- ", "* ", "+ ", "-\t", "*\t", "+\t"].iter().any(|&bullet| rest.starts_with(bullet));
    !(is_numbered || is_bulleted || rest.starts_with('>'))
}
