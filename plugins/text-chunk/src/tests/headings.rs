use quarry_extractor::testing::json;

use super::cut;

/// The heading path and text of every chunk.
fn sections(text: &str, size: u32) -> Vec<(String, String)> {
    let chunks = cut(json!({"by": "headings", "size": size}), text);
    let string =
        |value: &quarry_extractor::testing::Value| value.as_str().unwrap_or("-").to_owned();
    chunks.iter().map(|chunk| (string(&chunk["heading"]), string(&chunk["text"]))).collect()
}

fn check(text: &str, expected: &[(&str, &str)]) {
    let found = sections(text, 100);
    let found: Vec<(&str, &str)> =
        found.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    assert_eq!(found, expected, "{text:?}");
}

#[test]
fn a_section_carries_the_titles_it_stands_under() {
    check(
        "before\n# One\na\n### Deep *x* ###\nb\n## Two\nc\n# Three\nd\n",
        &[
            ("-", "before"),
            ("One", "# One\na"),
            ("One > Deep *x*", "### Deep *x* ###\nb"),
            ("One > Two", "## Two\nc"),
            ("Three", "# Three\nd"),
        ],
    );
}

#[test]
fn setext_titles_count_and_rules_do_not() {
    check(
        "Title\n=====\na\n\nSub\ntitle\n---\nb\n\n---\n\n- item\n---\nc\n",
        &[
            ("Title", "Title\n=====\na"),
            ("Title > Sub title", "Sub\ntitle\n---\nb\n\n---\n\n- item\n---\nc"),
        ],
    );
}

#[test]
fn code_and_front_matter_have_no_headings() {
    check(
        "# A\n```sh\n# not a title\n````\nx\n~~~\n## nor this\n```\n~~~\ny",
        &[("A", "# A\n```sh\n# not a title\n````\nx\n~~~\n## nor this\n```\n~~~\ny")],
    );
    check("---\ntitle: x\n---\n# A\nb", &[("-", "---\ntitle: x\n---"), ("A", "# A\nb")]);
    check("    # code\n\n#no title\n####### seven", &[("-", "# code\n\n#no title\n####### seven")]);
}

#[test]
fn an_empty_section_is_kept_only_when_nothing_below_names_it() {
    check(
        "# A\n## B\ntext\n## C\n# D",
        &[("A > B", "## B\ntext"), ("A > C", "## C"), ("D", "# D")],
    );
}

#[test]
fn a_long_section_is_cut_into_pieces_of_words() {
    assert_eq!(
        sections("# A\none two three four five", 3),
        [
            ("A".to_owned(), "# A\none two".to_owned()),
            ("A".to_owned(), "three four five".to_owned())
        ]
    );
}

#[test]
fn a_title_may_be_empty_or_not_ascii() {
    check("#\na\n## Über  uns\nb", &[("-", "#\na"), ("Über uns", "## Über  uns\nb")]);
}

#[test]
fn the_example_of_the_readme_is_true() {
    let text = "# Quarry\n\n## Install\nDownload it, then run the binary.\n";
    assert_eq!(
        json!(cut(json!({"by": "headings", "size": 6}), text)),
        json!([
          {"text": "## Install\nDownload it, then run the", "chunk_index": 0, "heading": "Quarry > Install",
           "start_byte": 10, "end_byte": 46, "start_char": 10, "end_char": 46},
          {"text": "binary.", "chunk_index": 1, "heading": "Quarry > Install",
           "start_byte": 47, "end_byte": 54, "start_char": 47, "end_char": 54}
        ])
    );
}
