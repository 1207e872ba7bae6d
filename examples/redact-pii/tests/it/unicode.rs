use crate::support::{assert_redacted, assert_untouched, redact};

#[test]
fn letters_of_all_alphabets_are_part_of_addresses() {
    assert_redacted(&[
        ("müller@bücher.example", "[email]"),
        ("Пишите иван@пример.рф!", "Пишите [email]!"),
        ("nguyễn@example.vn", "[email]"),
        ("mu\u{308}ller@example.org", "[email]"),
    ]);
}

#[test]
fn scripts_without_spaces_may_touch_a_finding() {
    assert_redacted(&[
        ("联系user@example.com谢谢", "联系[email]谢谢"),
        ("電話は+81 3-1234-5678です", "電話は[phone]です"),
        ("卡号4111111111111111。", "卡号[card]。"),
        ("地址10.0.0.1和::1。", "地址[ipv4]和[ipv6]。"),
    ]);
}

#[test]
fn signs_around_a_finding_are_kept() {
    assert_redacted(&[
        ("„ada@example.org“", "„[email]“"),
        ("😀ada@example.org😀10.0.0.1😀", "😀[email]😀[ipv4]😀"),
        ("…0170 1234567…", "…[phone]…"),
        ("\u{202b}+972 50 123 4567\u{202c}", "\u{202b}[phone]\u{202c}"),
    ]);
}

#[test]
fn spaces_and_dashes_of_typesetters_are_separators() {
    assert_redacted(&[
        ("4111\u{a0}1111\u{202f}1111\u{2011}1111", "[card]"),
        ("DE89\u{a0}3704\u{a0}0044\u{a0}0532\u{a0}0130\u{a0}00", "[iban]"),
        ("+49\u{a0}170\u{2013}1234567", "[phone]"),
    ]);
}

#[test]
fn a_letter_with_an_accent_goes_on_with_the_word() {
    assert_untouched(&["ä4111111111111111", "10.0.0.1é", "DE89370400440532013000ß", "fe80::1ü"]);
}

#[test]
fn every_end_of_a_text_can_be_read() {
    let text = "é +49 (0)170 12–34 é@é.éé DE89\u{a0}3704 ::1\u{a0}4111 1111\u{2011}1111 1111 😀";
    for (from, _) in text.char_indices() {
        for (to, _) in text.char_indices().filter(|&(to, _)| to >= from) {
            redact(&text[from..to]);
        }
    }
}
