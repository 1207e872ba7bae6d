use serde_json::json;

use crate::support::{check, document, row};

#[test]
fn blocks_items_rows_and_lines_are_told_apart() {
    check("<p>One <b>two</b>\n three<p>Four", "One two three\n\nFour");
    check("a<br>b<br/>c<br><br>d", "a\nb\nc\n\nd");
    check("<p>Buy:<ul><li>milk<li><p>eggs</p></ul>now", "Buy:\n\n- milk\n- eggs\n\nnow");
    check("<table><tr><th>a<td>b<tr><td>c<td>d</table>e", "a\tb\nc\td\n\ne");
    check("<pre>\n  if x:\n    y\n</pre><p>z", "  if x:\n    y\n\nz");
    check("<dl><dt>term<dd>meaning</dl>", "term\n\nmeaning");
    check("x<hr>y<div>z</div>w", "x\n\ny\n\nz\n\nw");
}

#[test]
fn entities_are_decoded_once() {
    check("&lt;b&gt; &amp;amp; caf&eacute; &#8364;&#x20AC; &copy 2020", "<b> &amp; café €€ © 2020");
    check("a&nbsp;&nbsp;b&shy;c &unknown; & &#0;&#xD800;", "a bc &unknown; & \u{FFFD}\u{FFFD}");
}

#[test]
fn tag_soup_keeps_its_text() {
    for (html, expected) in [
        ("", ""),
        ("   \n ", ""),
        ("just words", "just words"),
        ("</p></div>a</b>", "a"),
        ("<b><i>a</b>b</i>c", "abc"),
        ("<p>a<div>b</p>c</div>d", "a\n\nb\n\nc\n\nd"),
        ("<a <b>c", "c"),
        ("a < b and c<d", "a < b and c"),
        ("a<!-- b --!>c<!--->d<!-- e", "acd"),
        ("<html><head><title>t</title>no body", "no body"),
        ("<body><body>twice</body></body>after", "twice\n\nafter"),
        ("<div class=a class=b =' \"x>y", "y"),
        ("a<![CDATA[b]]>c<?php echo ?>d", "acd"),
        ("<TABLE><TR><TD>x<TABLE><TR><TD>y</TABLE>z</TABLE>", "x\ny\n\nz"),
        ("<p>open <span>never <em>closed", "open never closed"),
        ("a\0b\u{1}c", "abc"),
        ("<select><option>a<input>b", "b"),
    ] {
        check(html, expected);
    }
}

#[test]
fn what_is_not_seen_is_not_read() {
    check(
        "<style>a{}</style>x<script>if (a<b) document.write('<p>y</p>')</script><template>t</template>\
         <noscript>n</noscript><svg><title>s</title><text>v</text></svg><p hidden>h</p>\
         <div style='display: none'>d<div>e</div></div><textarea>w<p></textarea><!-- c -->z",
        "x\n\nz",
    );
    check("<script><!-- <script>x</script> y --></script>z", "z");
    check("<div aria-hidden=true>x</div><button>Go</button><iframe><p>y</iframe>z", "z");
}

#[test]
fn titles_descriptions_and_headings_are_found() {
    let page = document(
        "<title> A &amp;\n B </title><meta name=Description content=' About  it '><h1>Top <i>x</i></h1>\
         <h2>Sub</h2><p>text<h3>Deep",
    );
    assert_eq!(page["title"], "A & B");
    assert_eq!(page["description"], "About it");
    assert_eq!(
        page["headings"],
        json!([{"level": 1, "text": "Top x"}, {"level": 2, "text": "Sub"}, {"level": 3, "text": "Deep"}])
    );
    assert_eq!(document("<meta property=og:title content=Social><h1>H</h1>")["title"], "Social");
    assert_eq!(document("<h1>Only a heading</h1>")["title"], "Only a heading");
    assert_eq!(document("nothing")["title"], json!(null));
    let unclosed = document("<title>Never closed<p>The text");
    assert_eq!(unclosed["text"], "Never closed\n\nThe text");
}

#[test]
fn languages_come_from_the_best_source() {
    let found = |html: &str| {
        let page = document(html);
        (page["language"].clone(), page["language_source"].clone())
    };
    assert_eq!(
        found("<html lang=de_AT><meta http-equiv=content-language content=fr>x"),
        (json!("de-AT"), json!("attribute"))
    );
    assert_eq!(
        found("<html lang=''><meta http-equiv=Content-Language content='fr, en'>x"),
        (json!("fr"), json!("meta"))
    );
    assert_eq!(
        found("<p>Questo è un breve testo scritto nella lingua italiana per la prova"),
        (json!("it"), json!("detected"))
    );
    assert_eq!(found("1234"), (json!(null), json!(null)));
}

#[test]
fn encodings_are_recognised() {
    let bytes = b"<meta charset=utf-8><p>caf\xE9 \x93quoted\x94";
    let page = row(json!({ "html": bytes.as_slice() }), json!({})).expect("any bytes are a page");
    assert_eq!(page["text"], "café “quoted”");
}

#[test]
fn outputs_can_be_left_out() {
    let input = json!({ "html": "<h1>a</h1><a href=b>c</a>" });
    let page = row(input, json!({ "links": false, "headings": false })).expect("a page");
    assert!(page.get("links").is_none() && page.get("headings").is_none());
    assert_eq!(page["words"], 2);
}
