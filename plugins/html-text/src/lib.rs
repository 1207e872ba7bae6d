#![doc = include_str!("../README.md")]

mod boilerplate;
mod decode;
mod extract;
mod flow;
mod language;
mod name;
mod page;
mod resolve;
#[cfg(test)]
mod soup;
mod token;
mod zone;

use quarry_extractor::prelude::*;

pub use extract::{Document, Heading, extract};
pub use page::Link;

parameters! {
    /// Which part of the page is its text.
    #[derive(Copy)]
    pub enum Content {
        /// The main text, without navigation, sidebars, forms and footers.
        Main,
        /// Everything a reader can see.
        All,
    }
}

parameters! {
    pub struct Parameters {
        /// Which part of the page becomes `text` and `headings`.
        pub content: Content = Content::Main,
        /// Whether documents have `links`.
        pub links: bool = true,
        /// Whether documents have `headings`.
        pub headings: bool = true,
        /// A page with more bytes is rejected as `too_large`.
        #[schemars(range(min = 1, max = 67_108_864))]
        pub max_bytes: u32 = 16 << 20,
    }
}

input! {
    pub struct Input<'a> {
        /// The page as it was served, in any encoding.
        html: Blob<'a>,
        /// Where the page was found: relative links are resolved against it.
        url: Option<&'a str>,
    }
}

output! {
    pub struct Output<'a> {
        /// The title element, else og:title, else the first heading.
        title: Option<&'a str>,
        /// The description in the head of the page.
        description: Option<&'a str>,
        /// The text; paragraphs are apart by an empty line.
        text: &'a str,
        /// [{level, text}] in page order.
        headings: Json<'a, [Heading]>,
        /// [{href, text, rel?}] in page order.
        links: Json<'a, [Link]>,
        /// A language tag such as `en` or `pt-BR`.
        language: Option<&'a str>,
        /// `attribute`, `meta` or `detected`.
        language_source: Option<&'a str>,
        /// 1 for a declared language, else how sure the detection is.
        language_confidence: Option<f64>,
        /// Words of `text`.
        words: i64,
    }
}

/// The extractor.
pub struct HtmlText {
    parameters: Parameters,
}

impl Extractor for HtmlText {
    const NAME: &'static str = "html-text";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str = env!("CARGO_PKG_DESCRIPTION");
    type Parameters = Parameters;
    type Input<'a> = Input<'a>;
    type Output<'a> = Output<'a>;

    fn new(parameters: Parameters) -> Result<Self, String> {
        Ok(Self { parameters })
    }

    fn describe(&self, description: &mut Description) {
        // The bytes, their decoded form (up to three times as long) and the text.
        let page_bytes = u64::from(self.parameters.max_bytes);
        description.memory_bytes((16 << 20) + 5 * page_bytes);
        if !self.parameters.links {
            description.omit("links");
        }
        if !self.parameters.headings {
            description.omit("headings");
        }
    }

    fn extract(&mut self, row: Input<'_>, documents: &mut Documents<Self>) -> Result<(), Reject> {
        let limit = self.parameters.max_bytes;
        let bytes = row.html.len()?;
        if bytes > u64::from(limit) {
            let message = format!("the page has {bytes} bytes, the limit is {limit}");
            return Err(Reject::new("too_large", message));
        }
        let document =
            extract(&row.html.read_all(limit as usize)?, row.url, self.parameters.content);
        let language = document.language.as_ref();
        documents.push(Output {
            title: document.title.as_deref(),
            description: document.description.as_deref(),
            text: &document.text,
            headings: Json(&document.headings),
            links: Json(&document.links),
            language: language.map(|language| &*language.tag),
            language_source: language.map(|language| language.source.as_str()),
            language_confidence: language.map(|language| language.confidence),
            words: document.words as i64,
        });
        Ok(())
    }
}

quarry_extractor::export!(HtmlText);
