//! What an element's tag says about the text inside it.

use crate::name::Name;
use crate::token::Tag;

/// Inherited by everything inside an element.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Zone {
    /// Never read: code, controls, fallbacks, hidden parts.
    pub unread: bool,
    /// Marked up as navigation, footer, sidebar and so on.
    pub furniture: bool,
    /// A class or id that usually names page furniture.
    pub unlikely: bool,
    pub form: bool,
    /// Inside `article` or `main`.
    pub article: bool,
    /// White space counts.
    pub preformatted: bool,
    /// SVG or MathML, where `<x/>` has no content.
    pub foreign: bool,
}

impl Zone {
    pub(crate) fn inside(self, tag: &Tag) -> Self {
        let name = tag.name;
        let mut zone = self;
        zone.unread |= name.is_unread() || is_hidden(tag);
        zone.foreign |= matches!(name.as_bytes(), b"svg" | b"math");
        zone.preformatted |= name.keeps_whitespace();
        zone.form |= name.as_bytes() == b"form";
        let role = tag.attribute("role");
        let role = role.as_deref().map(str::trim).unwrap_or_default();
        zone.article |= matches!(name.as_bytes(), b"article" | b"main") || role == "main";
        zone.furniture |= name.is_furniture()
            || is_furniture_role(role)
            || (name.as_bytes() == b"header" && !zone.article);
        zone.unlikely |= is_container(name) && is_unlikely(tag);
        zone
    }
}

fn is_hidden(tag: &Tag) -> bool {
    tag.attribute("hidden").is_some_and(|v| !v.eq_ignore_ascii_case("until-found"))
        || tag.attribute("aria-hidden").is_some_and(|v| v.eq_ignore_ascii_case("true"))
        || tag.attribute("style").is_some_and(|style| hides(&style))
}

fn hides(style: &str) -> bool {
    style.split(';').filter_map(|rule| rule.split_once(':')).any(|(property, value)| {
        let value = value.trim().to_ascii_lowercase();
        match &*property.trim().to_ascii_lowercase() {
            "display" => value.starts_with("none"),
            "visibility" => value.starts_with("hidden"),
            _ => false,
        }
    })
}

fn is_furniture_role(role: &str) -> bool {
    matches!(
        role,
        "alert"
            | "alertdialog"
            | "banner"
            | "complementary"
            | "contentinfo"
            | "dialog"
            | "menu"
            | "menubar"
            | "navigation"
            | "search"
            | "tablist"
            | "toolbar"
    )
}

fn is_container(name: Name) -> bool {
    matches!(
        name.as_bytes(),
        b"center"
            | b"dd"
            | b"div"
            | b"dl"
            | b"dt"
            | b"fieldset"
            | b"figure"
            | b"header"
            | b"li"
            | b"ol"
            | b"p"
            | b"section"
            | b"span"
            | b"table"
            | b"tbody"
            | b"td"
            | b"tr"
            | b"ul"
    )
}

/// The idea of Readability's `unlikelyCandidates`, on whole words: `shadow` holds no `ad`.
fn is_unlikely(tag: &Tag) -> bool {
    let attributes = [tag.attribute("class"), tag.attribute("id")];
    let (mut unlikely, mut likely) = (false, false);
    for word in attributes.iter().flatten().flat_map(|value| words(value)) {
        unlikely |= matches!(
            &*word,
            "ad" | "ads"
                | "advert"
                | "advertisement"
                | "banner"
                | "breadcrumb"
                | "breadcrumbs"
                | "comment"
                | "comments"
                | "consent"
                | "cookie"
                | "cookies"
                | "disqus"
                | "footer"
                | "gdpr"
                | "masthead"
                | "menu"
                | "modal"
                | "nav"
                | "navbar"
                | "navigation"
                | "newsletter"
                | "pager"
                | "pagination"
                | "popup"
                | "promo"
                | "promoted"
                | "related"
                | "share"
                | "sharing"
                | "sidebar"
                | "skip"
                | "social"
                | "sponsor"
                | "sponsored"
                | "subscribe"
                | "toolbar"
                | "widget"
        );
        likely |= matches!(
            &*word,
            "article"
                | "body"
                | "content"
                | "contents"
                | "entry"
                | "main"
                | "post"
                | "story"
                | "text"
        );
    }
    unlikely && !likely
}

/// `siteNav_top` → site, nav, top.
fn words(value: &str) -> impl Iterator<Item = String> {
    let mut chars = value.chars().peekable();
    std::iter::from_fn(move || {
        while chars.next_if(|c| !c.is_ascii_alphanumeric()).is_some() {}
        let mut word = String::from(chars.next()?.to_ascii_lowercase());
        while let Some(c) = chars.next_if(|c| c.is_ascii_lowercase() || c.is_ascii_digit()) {
            word.push(c);
        }
        // `NAV` in capitals is one word.
        if word.len() == 1 {
            while let Some(c) = chars.next_if(char::is_ascii_alphanumeric) {
                word.push(c.to_ascii_lowercase());
            }
        }
        Some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::{Token, Tokenizer};

    fn zone(tag: &str) -> Zone {
        match Tokenizer::new(tag).next() {
            Some(Token::Start(tag)) => Zone::default().inside(&tag),
            other => panic!("{tag} is {other:?}"),
        }
    }

    #[test]
    fn hidden_elements_are_unread() {
        for tag in [
            "<div hidden>",
            "<p style='color:red; DISPLAY : none!important'>",
            "<script>",
            "<span style=visibility:hidden>",
            "<i aria-hidden=true>",
            "<template>",
        ] {
            assert!(zone(tag).unread, "{tag}");
        }
        for tag in
            ["<div hidden=until-found>", "<p style='display:block'>", "<i aria-hidden=false>"]
        {
            assert!(!zone(tag).unread, "{tag}");
        }
    }

    #[test]
    fn classes_are_read_word_by_word() {
        for tag in ["<div class='site-nav'>", "<ul id=topNav_x class=a>", "<div class=NAV>"] {
            assert!(zone(tag).unlikely, "{tag}");
        }
        for tag in [
            "<div class=shadow>",
            "<div class='comment-body'>",
            "<article class=comments>",
            "<body class=menu>",
        ] {
            assert!(!zone(tag).unlikely, "{tag}");
        }
    }

    #[test]
    fn a_header_is_furniture_only_outside_the_article() {
        assert!(zone("<header>").furniture);
        let article = zone("<article>");
        let Some(Token::Start(tag)) = Tokenizer::new("<header>").next() else { unreachable!() };
        assert!(!article.inside(&tag).furniture);
        assert!(zone("<div role=navigation>").furniture);
    }
}
