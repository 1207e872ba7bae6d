use quarry_extractor::testing::{Value, json};

use super::{cut, sample_texts};

fn offset(chunk: &Value, name: &str) -> usize {
    chunk[name].as_u64().expect("an offset") as usize
}

#[test]
fn the_offsets_of_a_chunk_name_its_slice_of_the_source() {
    for text in sample_texts() {
        for parameters in [
            json!({"size": 3, "overlap": 1}),
            json!({"size": 4, "words": "ascii"}),
            json!({"by": "sentences", "size": 1}),
            json!({"by": "paragraphs", "size": 2, "overlap": 1}),
            json!({"by": "headings", "size": 5, "overlap": 2}),
        ] {
            for (index, chunk) in cut(parameters.clone(), &text).iter().enumerate() {
                let (start, end) = (offset(chunk, "start_byte"), offset(chunk, "end_byte"));
                let (from, to) = (offset(chunk, "start_char"), offset(chunk, "end_char"));
                let slice: String = text.chars().skip(from).take(to - from).collect();
                assert_eq!(chunk["text"], text[start..end], "{parameters} {text:?}");
                assert_eq!(chunk["text"], slice, "{parameters} {text:?}");
                let trimmed = slice.trim_matches([' ', '\t', '\n', '\r', '\x0b']);
                assert_eq!(chunk["text"], trimmed, "{parameters} {text:?}");
                assert_eq!(chunk["chunk_index"], index);
                assert!(start < end);
            }
        }
    }
}

#[test]
fn offsets_that_nobody_wants_are_not_put_out() {
    let names = |offsets: &str| -> Vec<String> {
        let chunks = cut(json!({"words": "ascii", "offsets": offsets}), "a b");
        chunks[0].as_object().expect("an object").keys().cloned().collect()
    };
    assert_eq!(names("none"), ["chunk_index", "text"]);
    assert_eq!(names("bytes"), ["chunk_index", "end_byte", "start_byte", "text"]);
    let all = ["chunk_index", "end_byte", "end_char", "start_byte", "start_char", "text"];
    assert_eq!(names("chars"), all);
}
