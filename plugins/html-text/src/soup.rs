//! The tokenizer against html5ever's on random tag soup.

use std::cell::RefCell;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{
    BufferQueue, Tag as JudgeTag, TagKind, Token as JudgeToken, TokenSink, TokenSinkResult,
    Tokenizer as JudgeTokenizer, TokenizerOpts,
};

use crate::Content;
use crate::token::{Raw, Token, Tokenizer};

/// A small deterministic generator (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

const PIECES: &[&str] = &[
    "<",
    ">",
    "/",
    "=",
    "\"",
    "'",
    " ",
    "\n",
    "!",
    "-",
    "--",
    "?",
    "&",
    ";",
    "#",
    "a",
    "B",
    "é",
    "日",
    "<p",
    "<div",
    "</div",
    "</p>",
    "<a href=",
    "<td>",
    "<b>",
    "</b>",
    "<br/>",
    "<!--",
    "-->",
    "--!>",
    "<!DOCTYPE html>",
    "<![CDATA[",
    "]]>",
    "<script>",
    "</script>",
    "<script",
    "</script",
    "<style>",
    "</style>",
    "<title>",
    "</title>",
    "<textarea>",
    "</textarea>",
    "<xmp>",
    "</xmp>",
    "&amp;",
    "&lt",
    "&notit;",
    "&#x41;",
    "&#65",
    "&#0;",
    "class=x",
    "ID='y'",
    "x=1",
    "</",
    "<h1>",
    "plain text",
];

fn soup(random: &mut Random) -> String {
    let pieces = 1 + random.below(40);
    let mut html: String = (0..pieces).map(|_| PIECES[random.below(PIECES.len())]).collect();
    // Where nothing closes them, this tokenizer differs on purpose.
    html.push_str("\">--></script></style></title></textarea></xmp>.");
    html
}

/// Tokens as lines; adjacent text is one line, and attributes are decoded.
fn ours(html: &str) -> Vec<String> {
    let mut lines = Lines::default();
    let mut tokens = Tokenizer::new(html);
    while let Some(token) = tokens.next() {
        match token {
            Token::Text(text) => lines.text(&htmlize::unescape(text)),
            Token::Start(tag) => {
                let mut line = format!("<{}", String::from_utf8_lossy(tag.name.as_bytes()));
                for (name, value) in tag.attributes() {
                    line.push_str(&format!(" {}={value:?}", name.to_ascii_lowercase()));
                }
                lines.mark(line);
                if let Some(raw) = Raw::of(tag.name) {
                    let text = tokens.raw_text(tag.name, raw);
                    match raw {
                        Raw::Escapable => lines.text(&htmlize::unescape(text)),
                        Raw::Text | Raw::Script | Raw::Plain => lines.text(text),
                    }
                }
            }
            Token::End(name) => {
                lines.mark(format!("</{}", String::from_utf8_lossy(name.as_bytes())))
            }
        }
    }
    lines.0
}

#[derive(Default)]
struct Lines(Vec<String>);

impl Lines {
    fn mark(&mut self, line: String) {
        self.0.push(line);
    }

    fn text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        match self.0.last_mut().filter(|line| line.starts_with("text ")) {
            Some(line) => line.push_str(text),
            None => self.0.push(format!("text {text}")),
        }
    }
}

#[derive(Default)]
struct Judge(RefCell<Lines>);

impl Judge {
    fn tag(&self, tag: &JudgeTag) -> TokenSinkResult<()> {
        let mut lines = self.0.borrow_mut();
        let cut: Vec<u8> = tag.name.bytes().take(15).collect();
        let name = String::from_utf8_lossy(&cut);
        if tag.kind == TagKind::EndTag {
            lines.mark(format!("</{name}"));
            return TokenSinkResult::Continue;
        }
        let mut line = format!("<{name}");
        for attribute in &tag.attrs {
            line.push_str(&format!(" {}={:?}", attribute.name.local, &*attribute.value));
        }
        lines.mark(line);
        match &*tag.name {
            "title" | "textarea" => TokenSinkResult::RawData(RawKind::Rcdata),
            "style" | "xmp" | "iframe" | "noembed" => TokenSinkResult::RawData(RawKind::Rawtext),
            "script" => TokenSinkResult::RawData(RawKind::ScriptData),
            "plaintext" => TokenSinkResult::Plaintext,
            _ => TokenSinkResult::Continue,
        }
    }
}

impl TokenSink for Judge {
    type Handle = ();

    fn process_token(&self, token: JudgeToken, _: u64) -> TokenSinkResult<()> {
        match token {
            JudgeToken::TagToken(tag) => return self.tag(&tag),
            JudgeToken::CharacterTokens(text) => self.0.borrow_mut().text(&text),
            JudgeToken::NullCharacterToken
            | JudgeToken::DoctypeToken(_)
            | JudgeToken::CommentToken(_)
            | JudgeToken::EOFToken
            | JudgeToken::ParseError(_) => {}
        }
        TokenSinkResult::Continue
    }
}

fn theirs(html: &str) -> Vec<String> {
    let judge = JudgeTokenizer::new(Judge::default(), TokenizerOpts::default());
    let input = BufferQueue::default();
    input.push_back(StrTendril::from(html));
    let _ = judge.feed(&input);
    judge.end();
    judge.sink.0.into_inner().0
}

#[test]
fn tokens_of_tag_soup_are_those_of_html5ever() {
    let mut random = Random(1);
    for round in 0..20_000 {
        let html = soup(&mut random);
        assert_eq!(ours(&html), theirs(&html), "round {round}: {html:?}");
    }
}

#[test]
fn random_bytes_always_make_a_document() {
    let mut random = Random(2);
    for _ in 0..3_000 {
        let mut bytes: Vec<u8> = (0..random.below(400)).map(|_| random.next() as u8).collect();
        for _ in 0..random.below(30) {
            let at = random.below(bytes.len() + 1);
            let piece = PIECES[random.below(PIECES.len())].as_bytes();
            bytes.splice(at..at, piece.iter().copied());
        }
        for content in [Content::Main, Content::All] {
            let document = crate::extract(&bytes, Some("http://a/b"), content);
            assert!(!document.text.contains('\0'));
        }
    }
}
