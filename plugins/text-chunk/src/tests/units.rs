use quarry_extractor::testing::json;

use super::texts;

#[test]
fn sentences_end_where_unicode_says_but_not_at_a_lone_line_break() {
    let one = |text| texts(json!({"by": "sentences", "size": 1}), text);
    assert_eq!(one("Dr. No came. He left! Why?"), ["Dr.", "No came.", "He left!", "Why?"]);
    assert_eq!(one("It costs 3.50 today. Good."), ["It costs 3.50 today.", "Good."]);
    assert_eq!(
        one("A line that\nwas wrapped. Next\none."),
        ["A line that\nwas wrapped.", "Next\none."]
    );
    assert_eq!(one("A title\n\nA sentence."), ["A title", "A sentence."]);
    assert_eq!(one("Er kam.\nSie ging."), ["Er kam.", "Sie ging."]);
    assert_eq!(one("今日は。明日は。"), ["今日は。", "明日は。"]);
}

#[test]
fn sentences_overlap_as_asked() {
    assert_eq!(
        texts(json!({"by": "sentences", "size": 3, "overlap": 2}), "A. B. C. D. E."),
        ["A. B. C.", "B. C. D.", "C. D. E."]
    );
    assert_eq!(
        texts(json!({"by": "sentences", "size": 2, "overlap": 1}), "A. B."),
        ["A. B."],
        "nothing is left that the first chunk does not have"
    );
}

#[test]
fn paragraphs_stand_between_blank_lines() {
    let text = "\n\nfirst\nstill first\n \t\n\nsecond\r\n\r\nthird";
    let one = texts(json!({"by": "paragraphs", "size": 1}), text);
    assert_eq!(one, ["first\nstill first", "second", "third"]);
    let two = texts(json!({"by": "paragraphs", "size": 2, "join": "space"}), text);
    assert_eq!(two, ["first still first second", "third"]);
}
