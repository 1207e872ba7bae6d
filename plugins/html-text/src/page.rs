//! One pass over the tokens of a page. There is no tree: a bounded stack of open elements is enough
//! to know which text belongs where, and no depth of nesting can exhaust anything.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::flow::{Flow, Kind, is_invisible};
use crate::language::{self, Language, Source};
use crate::name::Name;
use crate::resolve;
use crate::token::{Raw, Tag, Token, Tokenizer};
use crate::zone::Zone;

/// Elements open at once; deeper ones are read as if they were text of the last (browsers stop at
/// 512 in the same way).
pub(crate) const DEPTH_MAX: usize = 256;
pub(crate) const LINKS_MAX: usize = 5_000;
const LINK_TEXT_BYTES_MAX: usize = 500;
const META_BYTES_MAX: usize = 2_000;

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Link {
    /// Absolute when the page's address is known.
    pub href: String,
    pub text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rel: Option<String>,
}

/// Everything read from a page, before the main text is chosen.
#[derive(Default)]
pub(crate) struct Page {
    pub title: Option<String>,
    pub description: Option<String>,
    pub language: Option<Language>,
    pub links: Vec<Link>,
    pub flow: Flow,
}

#[derive(Clone, Copy)]
struct Open {
    name: Name,
    zone: Zone,
}

#[derive(Default)]
struct Reader {
    page: Page,
    open: Vec<Open>,
    /// Elements below `DEPTH_MAX`, by name, that have not ended.
    deeper: BTreeMap<Vec<u8>, u32>,
    base: Option<String>,
    has_base_element: bool,
    social_title: Option<String>,
    social_description: Option<String>,
    /// `page.links` ends with the link that is open.
    in_link: bool,
}

/// Reads a decoded page. `url` is where it came from.
pub(crate) fn read(html: &str, url: Option<&str>) -> Page {
    let mut reader = Reader { base: url.map(resolve::clean), ..Reader::default() };
    let mut tokens = Tokenizer::new(html);
    while let Some(token) = tokens.next() {
        match token {
            Token::Text(text) => reader.text(&htmlize::unescape(text)),
            Token::Start(tag) => reader.start(&tag, &mut tokens),
            Token::End(name) => reader.end(name),
        }
    }
    reader.finish()
}

impl Reader {
    fn zone(&self) -> Zone {
        self.open.last().map_or_else(Zone::default, |open| open.zone)
    }

    fn text(&mut self, text: &str) {
        let zone = self.zone();
        if zone.unread {
            return;
        }
        let text = if zone.preformatted && text.contains('\r') {
            Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
        } else {
            Cow::Borrowed(text)
        };
        self.page.flow.push(&text, zone, self.in_link);
        if self.in_link
            && let Some(link) = self.page.links.last_mut()
            && link.text.len() < LINK_TEXT_BYTES_MAX
        {
            link.text.extend(text.chars().take(LINK_TEXT_BYTES_MAX));
        }
    }

    fn end_block(&mut self) {
        self.page.flow.end_block(self.zone());
        self.part_link_text();
    }

    fn break_line(&mut self) {
        self.page.flow.break_line(self.zone());
        self.part_link_text();
    }

    /// A link may go on over the ends of lines and blocks; words do not.
    fn part_link_text(&mut self) {
        if self.in_link
            && let Some(link) = self.page.links.last_mut()
            && link.text.len() < LINK_TEXT_BYTES_MAX
        {
            link.text.push(' ');
        }
    }

    fn start(&mut self, tag: &Tag, tokens: &mut Tokenizer) {
        let name = tag.name;
        if let Some(raw) = Raw::of(name).filter(|_| !(self.zone().foreign && tag.self_closing)) {
            let text = tokens.raw_text(name, raw);
            self.raw(tag, raw, text);
            return;
        }
        self.end_implied(name);
        if name.is_block() {
            self.end_block();
        }
        self.note(tag);
        // The frame of the page says nothing about a text, and pages pasted together have many. A
        // hidden body is one that a script shows.
        let frame = matches!(name.as_bytes(), b"html" | b"head" | b"body" | b"frameset");
        if frame || name.is_void() || (tag.self_closing && self.zone().foreign) {
            return;
        }
        if self.open.len() >= DEPTH_MAX {
            *self.deeper.entry(name.as_bytes().to_vec()).or_default() += 1;
            return;
        }
        let zone = self.zone().inside(tag);
        self.open.push(Open { name, zone });
        self.expect_kind(name);
    }

    /// The element's part in lists, tables and headings.
    fn expect_kind(&mut self, name: Name) {
        let flow = &mut self.page.flow;
        if let Some(level) = name.heading_level() {
            flow.next = Kind::Heading(level);
        } else if name.as_bytes() == b"li" {
            flow.next = Kind::Item;
        } else if name.as_bytes() == b"tr" {
            flow.start_row();
        } else if name.is_cell() {
            flow.start_cell();
        }
    }

    fn raw(&mut self, tag: &Tag, raw: Raw, text: &str) {
        let zone = self.zone();
        match tag.name.as_bytes() {
            b"title" if !zone.unread && !zone.foreign && self.page.title.is_none() => {
                self.page.title = collapse(&htmlize::unescape(text));
            }
            b"xmp" | b"plaintext" if !zone.unread => {
                let zone = Zone { preformatted: true, ..zone.inside(tag) };
                self.end_block();
                self.page.flow.push(text, zone, false);
                self.page.flow.end_block(zone);
            }
            // A control ends an unclosed list of choices, which would hide the rest of the page.
            b"textarea" if raw == Raw::Escapable => self.close(|name| name.as_bytes() == b"select"),
            _ => {}
        }
    }

    /// What a tag says about the page itself, and what it contributes without having content.
    fn note(&mut self, tag: &Tag) {
        let zone = self.zone();
        match tag.name.as_bytes() {
            b"html" | b"body" => {
                let declared = tag.attribute("lang").or_else(|| tag.attribute("xml:lang"));
                self.declare(declared, Source::Attribute);
            }
            b"base" if !self.has_base_element && !zone.unread => {
                if let Some(href) = tag.attribute("href") {
                    self.base = Some(resolve::resolve(self.base.as_deref(), &href));
                    self.has_base_element = true;
                }
            }
            b"meta" => self.meta(tag),
            b"br" if !zone.unread => self.break_line(),
            b"img" if !zone.unread => self.image(tag),
            b"a" | b"area" | b"frame" => self.link(tag),
            _ => {}
        }
    }

    fn declare(&mut self, declared: Option<Cow<str>>, source: Source) {
        let known = self.page.language.as_ref().map(|language| language.source);
        let better = known.is_none() || (source == Source::Attribute && known != Some(source));
        if let Some(tag) = declared.and_then(|d| language::normalise(&d)).filter(|_| better) {
            self.page.language = Some(Language { tag, source, confidence: 1.0 });
        }
    }

    fn meta(&mut self, tag: &Tag) {
        let key = ["name", "property", "http-equiv"].into_iter().find_map(|a| tag.attribute(a));
        let (Some(key), Some(content)) = (key, tag.attribute("content")) else { return };
        let slot = match &*key.trim().to_ascii_lowercase() {
            "content-language" | "og:locale" => return self.declare(Some(content), Source::Meta),
            "description" => &mut self.page.description,
            "og:title" => &mut self.social_title,
            "og:description" | "twitter:description" => &mut self.social_description,
            _ => return,
        };
        if slot.is_none() {
            *slot = collapse(&content);
        }
    }

    /// A picture inside a link is the link's text when it has no other.
    fn image(&mut self, tag: &Tag) {
        self.page.flow.space();
        if self.in_link
            && let Some(link) = self.page.links.last_mut().filter(|l| l.text.trim().is_empty())
            && let Some(alternative) = tag.attribute("alt")
        {
            link.text.extend(alternative.chars().take(LINK_TEXT_BYTES_MAX));
        }
    }

    fn link(&mut self, tag: &Tag) {
        self.end_link();
        // Image maps stand in `map`, which is not read as text; their links count all the same.
        let is_anchor = tag.name.as_bytes() == b"a";
        let source = if tag.name.as_bytes() == b"frame" { "src" } else { "href" };
        let Some(href) = tag.attribute(source).filter(|_| !(self.zone().unread && is_anchor))
        else {
            return;
        };
        let pushed = self.push_link(&href, tag);
        self.in_link = is_anchor && pushed;
    }

    /// False when the address leads nowhere else: a script, inline data or a place on this page.
    fn push_link(&mut self, href: &str, tag: &Tag) -> bool {
        let written = href.trim();
        let scheme = resolve::scheme(&resolve::clean(written));
        let useless = matches!(scheme.as_deref(), Some("javascript" | "data" | "blob"));
        if useless
            || written.is_empty()
            || written.starts_with('#')
            || self.page.links.len() >= LINKS_MAX
        {
            return false;
        }
        let label = ["alt", "name"].into_iter().find_map(|a| tag.attribute(a));
        let label = label.filter(|_| tag.name.is_void()).unwrap_or_default();
        self.page.links.push(Link {
            // Resolved at the end: `base` may come later.
            href: written.to_owned(),
            text: label.chars().take(LINK_TEXT_BYTES_MAX).collect(),
            rel: tag.attribute("rel").and_then(|rel| collapse(&rel)),
        });
        true
    }

    fn end_link(&mut self) {
        self.in_link = false;
    }

    /// Ends the elements that this start tag ends by being there.
    fn end_implied(&mut self, name: Name) {
        if name.closes_paragraph() {
            self.close(|open| open.as_bytes() == b"p");
        }
        if name.heading_level().is_some()
            && self.open.last().is_some_and(|open| open.name.heading_level().is_some())
        {
            self.pop_to(self.open.len() - 1);
        }
        if matches!(name.as_bytes(), b"input" | b"select" | b"keygen") {
            self.close(|open| open.as_bytes() == b"select");
        }
        if name.as_bytes() == b"button" {
            self.close(|open| open.as_bytes() == b"button");
        }
        if let Some((ended, limits)) = name.implied_end() {
            let within = self.open.iter().rposition(|open| limits.contains(&open.name.as_bytes()));
            let from = within.map_or(0, |at| at + 1);
            let found =
                self.open[from..].iter().position(|open| ended.contains(&open.name.as_bytes()));
            if let Some(at) = found {
                self.pop_to(from + at);
            }
        }
    }

    /// Ends the innermost open element that is wanted, unless a barrier hides it.
    fn close(&mut self, wanted: impl Fn(Name) -> bool) {
        for at in (0..self.open.len()).rev() {
            let name = self.open[at].name;
            if wanted(name) {
                return self.pop_to(at);
            }
            if name.is_barrier() {
                return;
            }
        }
    }

    fn end(&mut self, name: Name) {
        if let Some(count) = self.deeper.get_mut(name.as_bytes()).filter(|count| **count > 0) {
            *count -= 1;
            if name.is_block() {
                self.end_block();
            }
            return;
        }
        match name.as_bytes() {
            b"a" => self.end_link(),
            // Text after these is still text of the page.
            b"html" | b"body" | b"head" => return self.end_block(),
            b"br" => return self.break_line(),
            _ => {}
        }
        let is_block = name.is_block();
        for at in (0..self.open.len()).rev() {
            let open = self.open[at].name;
            let both_headings = open.heading_level().is_some() && name.heading_level().is_some();
            if open == name || both_headings {
                return self.pop_to(at);
            }
            let stop = match name.is_table_part() {
                true => open.as_bytes() == b"table",
                false => open.is_barrier() || (!is_block && open.is_block()),
            };
            if stop {
                break;
            }
        }
        if is_block {
            self.end_block();
        }
    }

    fn pop_to(&mut self, depth: usize) {
        if self.open[depth..].iter().any(|open| open.name.is_block()) {
            self.end_block();
            self.page.flow.next = Kind::Paragraph;
        }
        if self.open[depth..].iter().any(|open| open.name.is_table_part()) {
            self.end_link();
        }
        self.open.truncate(depth);
    }

    fn finish(mut self) -> Page {
        let zone = self.zone();
        self.page.flow.finish(zone);
        let mut page = self.page;
        page.title = page.title.or(self.social_title);
        page.description = page.description.or(self.social_description);
        for link in &mut page.links {
            link.href = resolve::resolve(self.base.as_deref(), &link.href);
            link.text = collapse(&link.text).unwrap_or_default();
        }
        page
    }
}

/// White space to single spaces; nothing if nothing is left.
fn collapse(text: &str) -> Option<String> {
    let mut collapsed = String::new();
    for word in text.split_whitespace() {
        if collapsed.len() >= META_BYTES_MAX {
            break;
        }
        if !collapsed.is_empty() {
            collapsed.push(' ');
        }
        collapsed.extend(word.chars().filter(|c| !is_invisible(*c)).take(META_BYTES_MAX));
    }
    Some(collapsed).filter(|text| !text.is_empty())
}
