//! The tokenizer of the WHATWG HTML standard (section 13.2.5) without its error reports, comments
//! and doctypes. It cannot fail and takes time linear in the input.
//!
//! Rejected: html5ever. Its tree builder looks through all open elements at many start tags and its
//! tokenizer through all attributes at each new one, so hostile input costs quadratic time; and an
//! unclosed formatting element is copied into every later paragraph, as the standard wants it. Text
//! extraction needs none of that. The tests compare this tokenizer with html5ever's on tag soup.

use std::borrow::Cow;

use crate::name::Name;

/// Attributes of a tag beyond this are read over.
pub(crate) const ATTRIBUTES_MAX: usize = 64;

#[derive(Debug)]
pub(crate) enum Token<'a> {
    /// Text with its character references still in it.
    Text(&'a str),
    Start(Tag<'a>),
    End(Name),
}

#[derive(Debug)]
pub(crate) struct Tag<'a> {
    pub name: Name,
    attributes: Vec<(&'a str, &'a str)>,
    pub self_closing: bool,
}

impl<'a> Tag<'a> {
    /// The decoded value of an attribute; `name` is lower case.
    pub(crate) fn attribute(&self, name: &str) -> Option<Cow<'a, str>> {
        let (_, value) = self.attributes.iter().find(|(n, _)| n.eq_ignore_ascii_case(name))?;
        Some(htmlize::unescape_attribute(*value))
    }

    #[cfg(test)]
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> {
        self.attributes.iter().map(|(name, value)| (*name, htmlize::unescape_attribute(*value)))
    }
}

/// What an element's content is when it is not markup.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Raw {
    /// Text with character references up to the end tag.
    Escapable,
    /// Text up to the end tag.
    Text,
    /// As `Text`, but a script inside a comment hides its own end tag.
    Script,
    /// Text up to the end of the document.
    Plain,
}

impl Raw {
    pub(crate) fn of(name: Name) -> Option<Self> {
        Some(match name.as_bytes() {
            b"title" | b"textarea" => Self::Escapable,
            b"style" | b"xmp" | b"iframe" | b"noembed" => Self::Text,
            b"script" => Self::Script,
            b"plaintext" => Self::Plain,
            _ => return None,
        })
    }
}

pub(crate) struct Tokenizer<'a> {
    input: &'a str,
    at: usize,
    /// Raw elements known to have no end tag in the rest: they are not searched again.
    endless: Vec<Name>,
}

impl<'a> Tokenizer<'a> {
    pub(crate) fn new(input: &'a str) -> Self {
        Self { input, at: 0, endless: Vec::new() }
    }

    fn rest(&self) -> &'a [u8] {
        &self.input.as_bytes()[self.at..]
    }

    /// The text up to `at + len`; the callers stop at ASCII bytes, which are character boundaries.
    fn take(&mut self, len: usize) -> &'a str {
        let text = &self.input[self.at..self.at + len];
        self.at += len;
        text
    }

    fn skip_past(&mut self, len: Option<usize>) {
        self.at = len.map_or(self.input.len(), |len| self.at + len);
    }

    /// The content of a raw element whose start tag was the last token. The end tag comes as the
    /// next token. An escapable element without an end tag is taken to be empty: a page whose
    /// title is not closed still has a text, though browsers show none.
    pub(crate) fn raw_text(&mut self, name: Name, raw: Raw) -> &'a str {
        let end = match raw {
            Raw::Plain => None,
            _ if self.endless.contains(&name) => None,
            Raw::Script => script_end(self.rest()),
            Raw::Text | Raw::Escapable => find_end_tag(self.rest(), name.as_bytes()),
        };
        match end {
            Some(len) => self.take(len),
            None => {
                if !self.endless.contains(&name) {
                    self.endless.push(name);
                }
                self.take(if raw == Raw::Escapable { 0 } else { self.rest().len() })
            }
        }
    }

    /// Reads what follows a `<` at the start of the rest; `None` when it is plain text or nothing
    /// that is handed out.
    fn markup(&mut self) -> Markup<'a> {
        let rest = self.rest();
        match rest.get(1) {
            Some(b) if b.is_ascii_alphabetic() => {
                self.at += 1;
                self.tag().map_or(Markup::Dropped, |tag| Markup::Token(Token::Start(tag)))
            }
            Some(b'/') => match rest.get(2) {
                Some(b) if b.is_ascii_alphabetic() => {
                    self.at += 2;
                    self.tag().map_or(Markup::Dropped, |tag| Markup::Token(Token::End(tag.name)))
                }
                Some(_) => {
                    self.skip_past(find(rest, b">").map(|at| at + 1));
                    Markup::Dropped
                }
                None => Markup::Text,
            },
            Some(b'!') if rest.starts_with(b"<!--") => {
                self.skip_past(comment_len(rest));
                Markup::Dropped
            }
            Some(b'!' | b'?') => {
                self.skip_past(find(rest, b">").map(|at| at + 1));
                Markup::Dropped
            }
            _ => Markup::Text,
        }
    }

    /// Reads a tag from its name on; `None` when the input ends inside it.
    fn tag(&mut self) -> Option<Tag<'a>> {
        let source = self.take_until(|b| is_space(b) || b == b'/' || b == b'>');
        let mut tag =
            Tag { name: Name::new(source.as_bytes()), attributes: Vec::new(), self_closing: false };
        loop {
            self.take_until(|b| !is_space(b));
            match *self.rest().first()? {
                b'>' => {
                    self.at += 1;
                    return Some(tag);
                }
                b'/' => {
                    self.at += 1;
                    tag.self_closing = self.rest().first() == Some(&b'>');
                }
                _ => self.attribute(&mut tag.attributes)?,
            }
        }
    }

    fn attribute(&mut self, attributes: &mut Vec<(&'a str, &'a str)>) -> Option<()> {
        let start = self.at;
        // A `=` in the first place belongs to the name.
        if self.rest().first() == Some(&b'=') {
            self.at += 1;
        }
        self.take_until(|b| is_space(b) || matches!(b, b'/' | b'>' | b'='));
        let name = &self.input[start..self.at];
        self.take_until(|b| !is_space(b));
        let mut value = "";
        if self.rest().first() == Some(&b'=') {
            self.at += 1;
            self.take_until(|b| !is_space(b));
            value = match *self.rest().first()? {
                quote @ (b'"' | b'\'') => {
                    self.at += 1;
                    let value = self.take_until(|b| b == quote);
                    self.rest().first()?;
                    self.at += 1;
                    value
                }
                b'>' => "",
                _ => self.take_until(|b| is_space(b) || b == b'>'),
            };
        }
        let known = attributes.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
        if !known && attributes.len() < ATTRIBUTES_MAX {
            attributes.push((name, value));
        }
        Some(())
    }

    fn take_until(&mut self, stop: impl Fn(u8) -> bool) -> &'a str {
        let rest = self.rest();
        self.take(rest.iter().position(|b| stop(*b)).unwrap_or(rest.len()))
    }
}

enum Markup<'a> {
    Token(Token<'a>),
    Dropped,
    Text,
}

impl<'a> Iterator for Tokenizer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let rest = self.rest();
            let first = *rest.first()?;
            if first == b'<' {
                match self.markup() {
                    Markup::Token(token) => return Some(token),
                    Markup::Dropped => continue,
                    Markup::Text => {}
                }
            }
            let len = rest[1..].iter().position(|b| *b == b'<').map_or(rest.len(), |at| at + 1);
            return Some(Token::Text(self.take(len)));
        }
    }
}

pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'\x0C')
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let (first, tail) = needle.split_first()?;
    let mut from = 0;
    while let Some(at) = haystack[from..].iter().position(|b| b == first) {
        from += at + 1;
        if haystack[from..].starts_with(tail) {
            return Some(from - 1);
        }
    }
    None
}

/// Bytes of a comment that starts with `<!--`; `None` when it never ends.
fn comment_len(rest: &[u8]) -> Option<usize> {
    let body = &rest[4..];
    if body.starts_with(b">") {
        return Some(5);
    }
    if body.starts_with(b"->") {
        return Some(6);
    }
    let mut from = 0;
    while let Some(at) = find(&body[from..], b"--") {
        let after = from + at + 2;
        match &body[after..] {
            [b'>', ..] => return Some(4 + after + 1),
            [b'!', b'>', ..] => return Some(4 + after + 2),
            _ => from += at + 1,
        }
    }
    None
}

/// Whether `rest` (which starts with `<`) is the start or end tag `name`, by its first bytes.
fn opens(rest: &[u8], prefix: &[u8], name: &[u8]) -> bool {
    let len = prefix.len() + name.len();
    rest.starts_with(prefix)
        && rest.get(prefix.len()..len).is_some_and(|n| n.eq_ignore_ascii_case(name))
        && rest.get(len).is_some_and(|b| is_space(*b) || matches!(b, b'/' | b'>'))
}

fn find_end_tag(rest: &[u8], name: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = find(&rest[from..], b"</") {
        from += at;
        if opens(&rest[from..], b"</", name) {
            return Some(from);
        }
        from += 2;
    }
    None
}

/// The "script data escaped" states: in `<!-- <script> </script> -->` the inner end tag is text.
fn script_end(rest: &[u8]) -> Option<usize> {
    #[derive(PartialEq)]
    enum State {
        Code,
        Comment,
        ScriptInComment,
    }
    let mut state = State::Code;
    let mut at = 0;
    while at < rest.len() {
        let here = &rest[at..];
        match here[0] {
            b'<' if here.starts_with(b"<!--") && state == State::Code => {
                state = State::Comment;
                at += 2; // the dashes may belong to the end as well: `<!-->`
                continue;
            }
            b'<' if opens(here, b"</", b"script") => match state {
                State::Code | State::Comment => return Some(at),
                State::ScriptInComment => state = State::Comment,
            },
            b'<' if state == State::Comment && opens(here, b"<", b"script") => {
                state = State::ScriptInComment;
            }
            b'-' if state != State::Code && here.starts_with(b"-->") => state = State::Code,
            _ => {}
        }
        at += 1;
    }
    None
}
