use quarry_extractor::testing::{Value, json};

use super::{cut, sample_texts, texts};

const WHITE: [char; 6] = [' ', '\t', '\n', '\x0b', '\x0c', '\r'];

/// ASCII words, cut the simple way.
fn naive(text: &str, size: usize, overlap: usize, space: bool) -> Vec<Value> {
    let tokens: Vec<(usize, &str)> = text
        .split(WHITE)
        .filter(|token| !token.is_empty())
        .map(|token| (token.as_ptr() as usize - text.as_ptr() as usize, token))
        .collect();
    let chars = |byte: usize| text[..byte].chars().count();
    let mut chunks = Vec::new();
    let mut first = 0;
    while first < tokens.len() {
        let window = &tokens[first..tokens.len().min(first + size)];
        let (start, _) = window[0];
        let (last, token) = window[window.len() - 1];
        let end = last + token.len();
        let words: Vec<&str> = window.iter().map(|(_, token)| *token).collect();
        chunks.push(json!({
            "text": if space { words.join(" ") } else { text[start..end].to_owned() },
            "chunk_index": chunks.len(),
            "start_byte": start,
            "end_byte": end,
            "start_char": chars(start),
            "end_char": chars(end),
        }));
        first += size - overlap;
        if first + overlap >= tokens.len() {
            break;
        }
    }
    chunks
}

#[test]
fn ascii_words_are_cut_as_the_simple_way_cuts_them() {
    for text in sample_texts() {
        for (size, overlap) in [(1, 0), (2, 0), (5, 0), (64, 0), (70, 0), (2, 1), (7, 3)] {
            for (join, space) in [("space", true), ("source", false)] {
                let parameters =
                    json!({"words": "ascii", "size": size, "overlap": overlap, "join": join});
                assert_eq!(
                    cut(parameters, &text),
                    naive(&text, size, overlap, space),
                    "size {size}, overlap {overlap}, {join}: {text:?}"
                );
            }
        }
    }
}

#[test]
fn text_without_words_makes_no_chunk() {
    for text in ["", " ", "\n\t \r\n", "\x0b\x0c"] {
        for by in ["words", "sentences", "paragraphs", "headings"] {
            for words in ["ascii", "unicode"] {
                assert!(cut(json!({"by": by, "words": words}), text).is_empty(), "{by} {text:?}");
            }
        }
    }
    assert!(cut(json!({}), "-- ... --").is_empty());
    assert_eq!(texts(json!({"words": "ascii"}), "-- --"), ["-- --"]);
}

#[test]
fn a_huge_word_is_one_chunk() {
    let huge = "ä".repeat(300_000);
    for words in ["ascii", "unicode"] {
        let chunks = cut(json!({"words": words, "size": 1}), &huge);
        assert_eq!(chunks.len(), 1);
        assert_eq!(chunks[0]["end_byte"], 600_000);
        assert_eq!(chunks[0]["end_char"], 300_000);
    }
}

#[test]
fn unicode_words_keep_their_punctuation() {
    let two = |text| texts(json!({"size": 2}), text);
    assert_eq!(two("Hello, world! (It can't wait.)"), ["Hello, world!", "(It can't", "wait.)"]);
    assert_eq!(two("\"Quoted\" text — and more"), ["\"Quoted\" text", "— and more"]);
    assert_eq!(two("東京都 に行く"), ["東京", "都 に", "行く"]);
}

#[test]
fn white_space_is_one_space_when_asked_for() {
    let text = "one,\n\n two\tthree  four";
    assert_eq!(texts(json!({"join": "space", "size": 3}), text), ["one, two three", "four"]);
    assert_eq!(texts(json!({"join": "source", "size": 3}), text), ["one,\n\n two\tthree", "four"]);
}
