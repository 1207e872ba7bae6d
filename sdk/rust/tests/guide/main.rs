//! The extractors of the README, with their tests.
#![allow(clippy::unwrap_used, unreachable_pub)]

mod letter_count;
mod png;
mod word_count;

#[test]
fn the_guide_shows_exactly_what_is_tested() {
    let guide = include_str!("../../README.md");
    for (name, source) in [
        ("word_count", include_str!("word_count.rs")),
        ("letter_count", include_str!("letter_count.rs")),
        ("png", include_str!("png.rs")),
    ] {
        assert!(guide.contains(&format!("```rust\n{source}```")), "README.md and {name}.rs differ");
    }
}
