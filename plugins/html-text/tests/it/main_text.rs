use serde_json::json;

use crate::support::{document, row, text};

const LONG: &str = "This paragraph has quite enough words to be taken for a part of the article, \
    because long runs of text without links seldom are navigation or advertising.";

fn page(body: &str) -> String {
    format!(
        "<html><body><header><h2>Site</h2><a href=/>Home</a></header><nav><ul><li><a href=/a>Section A</a>\
         <li><a href=/b>Section B</a></ul></nav>{body}<aside>Read also: a very long teaser \
          text that \
         goes on and on and on for more than seventeen words in all, I am sure.</aside>\
         <footer>Copyright, all rights reserved</footer></body></html>"
    )
}

#[test]
fn an_article_is_read_without_the_furniture_around_it() {
    let html = page(&format!(
        "<main><h1>News</h1><p>{LONG}</p><p>Short one.</p><p>{LONG}</p>\
         <ul><li><a href=/x>Related story</a></ul></main>"
    ));
    assert_eq!(text(&html), format!("News\n\n{LONG}\n\nShort one.\n\n{LONG}"));
}

#[test]
fn without_an_article_element_density_decides() {
    let html = page(&format!(
        "<div>Login | Register</div><div id=c><h1>News</h1><div>{LONG}</div><div>Short one.</div>\
         <div>{LONG}</div><h3>More</h3></div><div><a href=/1>Link one</a> \
          <a href=/2>Link two</a></div>\
         <div>Terms</div>"
    ));
    let document = document(&html);
    assert_eq!(document["text"], format!("News\n\n{LONG}\n\nShort one.\n\n{LONG}"));
    assert_eq!(document["headings"], json!([{"level": 1, "text": "News"}]));
    assert_eq!(document["links"].as_array().map(Vec::len), Some(5));
}

#[test]
fn telling_class_names_and_forms_are_left_out() {
    let html = page(&format!(
        "<div class=post-content><p>{LONG}</p><p>{LONG}</p></div><div class=cookie-consent>{LONG}</div>\
         <form><p>{LONG}</form>"
    ));
    assert_eq!(text(&html), format!("{LONG}\n\n{LONG}"));
}

#[test]
fn a_page_inside_one_form_is_still_a_page() {
    let html = format!("<form id=aspnetForm><div>{LONG}</div><div>{LONG}</div></form><nav>x</nav>");
    assert_eq!(text(&html), format!("{LONG}\n\n{LONG}"));
}

#[test]
fn when_little_is_left_the_whole_page_is_the_text() {
    let html = page("<p>Soon.</p>");
    let found = text(&html);
    assert!(found.contains("Soon.") && found.contains("Section A") && found.contains("Copyright"));
}

#[test]
fn all_content_keeps_everything_that_is_seen() {
    let html = page(&format!("<main><p>{LONG}</p><p>{LONG}</p></main><p hidden>secret"));
    let all = row(json!({ "html": html }), json!({ "content": "all" })).expect("a page");
    let found = all["text"].as_str().expect("a text");
    for part in ["Site", "- Section B", LONG, "Copyright"] {
        assert!(found.contains(part), "{part}");
    }
    assert!(!found.contains("secret"));
}

#[test]
fn scripts_without_spaces_have_words_too() {
    let sentence = "これは段落の本文であり、広告やナビゲーションではなく、十分な長さの文章として扱われるべきものです。";
    let html = page(&format!("<div>{sentence}{sentence}</div>"));
    assert_eq!(text(&html), format!("{sentence}{sentence}"));
}
