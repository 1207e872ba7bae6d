use crate::hash::{Buckets, ascii_token, fnv1a, modulo_three_times};

#[test]
fn the_hash_is_fnv_1a() {
    // From the test vectors of the authors of FNV.
    assert_eq!(fnv1a(*b""), 0xcbf2_9ce4_8422_2325);
    assert_eq!(fnv1a(*b"a"), 0xaf63_dc4c_8601_ec8c);
    assert_eq!(fnv1a(*b"foobar"), 0x8594_4171_f739_67e8);
}

#[test]
fn a_token_hashes_alike_wherever_it_stands() {
    let word = "aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789";
    for len in 1..word.len() {
        let expected = fnv1a(word[..len].to_ascii_lowercase().bytes());
        for room in 0..10 {
            let text = format!("{}{}", &word[..len], ".".repeat(room));
            assert_eq!(ascii_token(text.as_bytes(), 0, len), expected, "{text}");
        }
    }
}

#[test]
fn a_bucket_is_the_hash_modulo_the_dimensions() {
    let mut hash = 1_u64;
    for shift in 0..=14 {
        assert!(matches!(Buckets::new(3 << shift), Buckets::ThreeTimes(found) if found == shift));
        for edge in [0, 1, 2, 3, u64::MAX, u64::MAX - 1, 1 << 63, (1 << 63) - 1, 0xffff_ffff] {
            assert_eq!(u64::from(modulo_three_times(edge, shift)), edge % (3 << shift));
        }
        for _ in 0..10_000 {
            hash = hash.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            assert_eq!(u64::from(modulo_three_times(hash, shift)), hash % (3 << shift));
        }
    }
}
