use crate::support::{assert_redacted, assert_untouched};

#[test]
fn addresses_of_mail_are_found() {
    assert_redacted(&[
        ("ada@example.org", "[email]"),
        ("Write to <ada.lovelace+notes@mail.example.co.uk>.", "Write to <[email]>."),
        ("mailto:O'Brien@example.ie?subject=x", "mailto:[email]?subject=x"),
        ("'ada@example.org', \"bob@example.org\"", "'[email]', \"[email]\""),
        ("to=ada@example.org&cc=bob_b@example.org", "to=[email]&cc=[email]"),
        ("see...ada@example.org...", "see...[email]..."),
        ("ada@example.org-", "[email]-"),
        ("ada@example.org.1", "[email].1"),
        ("ada@xn--bcher-kva.xn--p1ai", "[email]"),
        ("0170-1234567@sms.example.de", "[email]"),
    ]);
    assert_untouched(&["@", "a@", "@b.de", "a@b", "a@b.c", "a@b.12", "@ada", "a@@b.de", "a@.de"]);
}

#[test]
fn a_long_name_is_no_address() {
    let at_most = format!("{}@example.org", "a".repeat(242));
    assert_redacted(&[(&at_most, "[email]")]);
    assert_untouched(&[&format!("a{at_most}")]);
}

#[test]
fn phone_numbers_are_found() {
    assert_redacted(&[
        ("+49 170 1234567", "[phone]"),
        ("Tel.: +49 (0)30 / 901820 or +1-212-555-0123.", "Tel.: [phone] or [phone]."),
        ("+49 30 901820 / 0171 1234567", "[phone] / [phone]"),
        ("030 901820 - 12", "[phone]"),
        ("+49 (0)30 901820", "[phone]"),
        ("(+49) 30-901820", "[phone]"),
        ("00493012345678", "[phone]"),
        ("030/12345678", "[phone]"),
        ("(030) 123 456 78", "[phone]"),
        ("(0170 1234567)", "([phone])"),
        ("01 23 45 67 89, 01.23.45.67.89", "[phone], [phone]"),
        ("(212) 555-0123, 212.555.0123, 1 (212) 555-0123", "[phone], [phone], [phone]"),
        ("+49 170 1234567 (until 12)", "[phone] (until 12)"),
        ("+49 170 1234567. 12 came.", "[phone]. 12 came."),
        ("+49 170 1234567\n2024", "[phone]\n2024"),
    ]);
}

#[test]
fn other_numbers_are_no_phone_numbers() {
    assert_untouched(&[
        "01.02.2024 10:15",
        "03/04/2024 12 13",
        "2024-11-22T01:35:13",
        "0.123456789",
        "3.0123456789",
        "1234567890",
        "112 555 0123",
        "ISBN 978-0-306-40615-7",
        "550e8400-e29b-41d4-a716-446655440000",
        "0123456789abc",
        "a0123456789",
        "+12345",
        "+1 234 56x",
    ]);
}

#[test]
fn bank_accounts_are_found_if_their_checksum_is_right() {
    assert_redacted(&[
        ("DE89370400440532013000", "[iban]"),
        ("IBAN: DE89 3704 0044 0532 0130 00, BIC", "IBAN: [iban], BIC"),
        ("gb29 nwbk 6016 1331 9268 19", "[iban]"),
        ("NO9386011117947 MT84MALT011000012345MTLCAST001S", "[iban] [iban]"),
        ("FR14-2004-1010-0505-0001-3M02-606.", "[iban]."),
    ]);
    assert_untouched(&[
        "DE88370400440532013000",
        "DE8937040044053201300",
        "DE893704004405320130000",
        "XX89370400440532013000",
        "DE",
        "DE8",
        "DE89 3704",
    ]);
}

#[test]
fn cards_are_found_if_their_check_digit_is_right() {
    assert_redacted(&[
        ("4111111111111111", "[card]"),
        ("4111 1111 1111 1111, 5555-5555-5555-4444", "[card], [card]"),
        ("3782 822463 10005 (Amex)", "[card] (Amex)"),
        ("6011000990139424", "[card]"),
        ("3530 1113 3330 0000", "[card]"),
        ("4111 1111 1111 1111 123", "[card] 123"),
        ("12 4111 1111 1111 1111", "12 [card]"),
        ("4111111111111111-12", "[card]-12"),
    ]);
    assert_untouched(&[
        "4111111111111112",
        "0000 0000 0000 0000",
        "9999999999999995",
        "41111111111111111111111111",
        "x4111111111111111",
        "4111111111111111x",
        "41 11 11 11 11 11 11 11",
        "4111  1111  1111  1111",
    ]);
}

#[test]
fn addresses_of_hosts_are_found() {
    assert_redacted(&[
        ("10.0.0.1", "[ipv4]"),
        ("10.0.0.1:8080, 10.0.0.0/8. At 192.168.0.255.", "[ipv4]:8080, [ipv4]/8. At [ipv4]."),
        ("10.0.0.1-10.0.0.9", "[ipv4]-[ipv4]"),
        ("2001:db8::8a2e:370:7334", "[ipv6]"),
        ("[2001:DB8::1]:443 ::1 fe80::1%eth0", "[[ipv6]]:443 [ipv6] [ipv6]%eth0"),
        ("::ffff:192.168.0.1", "[ipv6]"),
        ("from fe80::1: up", "from [ipv6]: up"),
        ("ip:2001:db8:0:0:0:0:0:1", "ip:[ipv6]"),
    ]);
    assert_untouched(&[
        "256.0.0.1",
        "1.2.3",
        "1.2.3.4.5",
        "v1.2.3.4",
        "10.0.0.1a",
        "01.2.3.4",
        "12:30:45",
        "00:1a:2b:3c:4d:5e",
        "std::vec a::b ::",
        "x::a1::b2",
        "1:2:3",
    ]);
}
