use serde_json::{Value, json};

use crate::support::row;

fn links(html: &str, url: Option<&str>) -> Value {
    row(json!({ "html": html, "url": url }), json!({})).expect("no page is rejected")["links"]
        .take()
}

#[test]
fn links_are_resolved_against_the_page_and_its_base() {
    let html = "<a href='../x?a=1&amp;b=2'>X <b>y</b></a><a href=//cdn/z rel=' nofollow  me'><img alt=Pic></a>";
    assert_eq!(
        links(html, Some("https://e.org/a/b/c.html")),
        json!([
            {"href": "https://e.org/a/x?a=1&b=2", "text": "X y"},
            {"href": "https://cdn/z", "text": "Pic", "rel": "nofollow me"},
        ])
    );
    // A base may come late, may be relative itself, and only the first one counts.
    let html = "<a href=p>q</a><base href=/root/><base href=/other/>";
    assert_eq!(
        links(html, Some("http://e.org/a")),
        json!([{"href": "http://e.org/root/p", "text": "q"}])
    );
    assert_eq!(links("<a href=p>q</a>", None), json!([{"href": "p", "text": "q"}]));
    assert_eq!(
        links("<base href=http://b.org/><a href=p>q", None),
        json!([{"href": "http://b.org/p", "text": "q"}])
    );
}

#[test]
fn links_that_lead_nowhere_are_left_out() {
    let html = "<a href='#top'>a</a><a href=' JavaScript:void(0)'>b</a><a name=c>c</a><a href=''>d</a>\
        <a href='java\nscript:x'>e</a><a href=data:,x>f</a><div hidden><a href=g>g</a></div>\
        <a href=mailto:h@i>h</a>";
    assert_eq!(links(html, Some("http://e.org/")), json!([{"href": "mailto:h@i", "text": "h"}]));
}

#[test]
fn unclosed_links_end_at_the_next_one_and_at_the_table() {
    let html = "<table><tr><td><a href=/a>one<a href=/b>two<td>three</table>four";
    assert_eq!(
        links(html, Some("http://e.org/")),
        json!([{"href": "http://e.org/a", "text": "one"}, {"href": "http://e.org/b", "text": "two"}])
    );
}

#[test]
fn the_text_of_a_link_keeps_words_apart_over_blocks() {
    let html = "<a href=/x><h3>Title</h3><p>first<br>second</p></a>";
    assert_eq!(links(html, None), json!([{"href": "/x", "text": "Title first second"}]));
}

#[test]
fn frames_and_image_maps_are_links() {
    let html = "<frameset cols=20%,*><frame src=menu.html name=menu><frame src=main.html>\
        <noframes>Your browser has no frames</noframes></frameset>";
    let page = row(json!({ "html": html, "url": "http://e.org/" }), json!({})).expect("a page");
    assert_eq!(page["text"], "Your browser has no frames");
    assert_eq!(
        page["links"],
        json!([{"href": "http://e.org/menu.html", "text": "menu"}, {"href": "http://e.org/main.html", "text": ""}])
    );
    assert_eq!(
        links("<map><area href=/x alt=Here></map>", None),
        json!([{"href": "/x", "text": "Here"}])
    );
}
