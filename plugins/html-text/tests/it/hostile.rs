use serde_json::{Value, json};

use crate::support::{document, row};

const MIB: usize = 1 << 20;

/// Each of these would take minutes or the stack if its cost were not linear.
fn check_large(html: &str) -> Value {
    document(html)
}

#[test]
fn deep_nesting_costs_nothing_special() {
    for tag in
        ["div", "span", "b", "table><tr><td", "ul><li", "svg", "blockquote", "a href=x", "x-y"]
    {
        let html =
            format!("<{tag}>").repeat(100_000) + "deep" + &"</div>".repeat(100_000) + "<p>end";
        let page = check_large(&html);
        assert!(tag == "svg" || page["text"].as_str().is_some_and(|t| t.contains("deep")), "{tag}");
    }
    let html = "<div>".repeat(50_000) + "deep" + &"</div>".repeat(50_000) + "<p>end";
    assert_eq!(check_large(&html)["text"], "deep\n\nend");
}

#[test]
fn endless_constructs_take_linear_time() {
    for piece in [
        "<",
        "</",
        "<!--",
        "<!-- --",
        "<!",
        "<?",
        "<a ",
        "<a b=",
        "<a b=\"",
        "<title>",
        "<textarea>",
        "<p>",
        "<script><!--<script>",
        "<li>",
        "<td>",
        "<tr>",
        "&",
        "&am",
        "&#",
        "<font size=1><p>",
        "<a href=>",
        "<h1>",
        "</p>",
        "<select>",
        "<button>",
        "<table>",
        "</x>",
        "<![CDATA[",
        "\0",
        "<br>",
        "<option>",
    ] {
        check_large(&piece.repeat(MIB / piece.len()));
    }
    let attributes: String = (0..200_000).map(|n| format!(" a{n}")).collect();
    assert_eq!(check_large(&format!("<p{attributes}>x"))["text"], "x");
}

#[test]
fn pages_pasted_together_are_read_to_the_end() {
    let words = "a sentence about quarries that is long enough to be a text of its own ".repeat(4);
    let html = format!(
        "<html><head><title>t</title></head><body><nav>x</nav><main><p>{words}</main></body></html>"
    );
    let page = document(&html.repeat(1_000));
    assert_eq!(page["words"], 1_000 * 15 * 4);
}

#[test]
fn links_and_headings_are_bounded() {
    let html = "<a href=/x>y</a><h2>z</h2>".repeat(20_000);
    let page = row(json!({ "html": html }), json!({ "content": "all" })).expect("a page");
    assert_eq!(page["links"].as_array().map(Vec::len), Some(5_000));
    assert_eq!(page["headings"].as_array().map(Vec::len), Some(1_000));
    let page = document(&format!("<a href=/x>{}</a>", "long ".repeat(10_000)));
    assert!(page["links"][0]["text"].as_str().is_some_and(|text| text.len() <= 1_000));
}

#[test]
fn more_blocks_than_the_limit_keep_their_text() {
    let page = row(json!({ "html": "<p>a".repeat(250_000) }), json!({ "content": "all" }))
        .expect("a page");
    assert_eq!(page["words"], 250_000);
}

#[test]
fn large_pages_are_rejected() {
    let html = "x".repeat(100);
    assert!(row(json!({ "html": html }), json!({ "max_bytes": 100 })).is_ok());
    let reject =
        row(json!({ "html": html }), json!({ "max_bytes": 99 })).expect_err("a byte too many");
    assert_eq!(reject.code, "too_large");
    assert_eq!(reject.message, "the page has 100 bytes, the limit is 99");
}
