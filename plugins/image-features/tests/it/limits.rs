use image::ImageFormat;
use image_features::ImageFeatures;
use quarry_extractor::testing::Harness;
use serde_json::json;

use crate::support::{encode, rejected, row, scene};

#[test]
fn cut_off_files_are_rejected() {
    let formats = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Gif];
    for format in formats {
        let image = scene(64, 48);
        let image = if format == ImageFormat::Gif { image.to_rgba8().into() } else { image };
        let file = encode(&image, format);
        for part in 1..8 {
            let cut = &file[..file.len() * part / 8];
            assert_eq!(rejected(cut), "undecodable", "{format:?} {part}/8");
        }
    }
}

#[test]
fn what_is_no_image_is_rejected_with_a_reason() {
    for file in [
        &b""[..],
        b"x",
        b"<html>",
        b"\x89PNG\r\n\x1A\n",
        b"\xFF\xD8",
        b"\xFF\xD8\xFF\xE0",
        b"GIF89a",
        b"RIFF\0\0\0\0WEBP",
        b"BM\0\0",
    ] {
        let reject = row(file, json!({})).expect_err("no image");
        assert_eq!(reject.code, "undecodable", "{file:?}");
        assert!(!reject.message.is_empty());
    }
}

#[test]
fn damaged_files_never_panic() {
    let mut state = 7_u64;
    let mut random = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Gif] {
        let image = scene(40, 30);
        let image = if format == ImageFormat::Gif { image.to_rgba8().into() } else { image };
        let file = encode(&image, format);
        for _ in 0..300 {
            let mut damaged = file.clone();
            for _ in 0..1 + random() % 8 {
                let at = random() % damaged.len();
                damaged[at] = random() as u8;
            }
            // Small limits: a damaged size must not cost the test machine its memory.
            match row(&damaged, json!({ "max_pixels": 100_000 })) {
                Ok(document) => assert!(document["width"].as_i64() > Some(0)),
                Err(reject) => {
                    assert!(["undecodable", "too_large"].contains(&&*reject.code), "{reject}");
                }
            }
        }
    }
}

/// A PNG with a valid header and next to no data.
fn bomb(width: u32, height: u32) -> Vec<u8> {
    let mut header = b"IHDR".to_vec();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([8, 6, 0, 0, 0]);
    let mut file = b"\x89PNG\r\n\x1A\n\0\0\0\x0D".to_vec();
    file.extend(&header);
    file.extend(checksum(&header).to_be_bytes());
    file.extend(b"\0\0\0\0IDAT");
    file.extend(checksum(b"IDAT").to_be_bytes());
    file
}

/// CRC-32 as PNG has it.
fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 }
        })
    })
}

#[test]
fn a_bomb_is_refused_by_its_header() {
    // Their pixels would need 40 GB and 16 EB: an attempt to take them ends the test.
    assert_eq!(rejected(&bomb(100_000, 100_000)), "too_large");
    assert_eq!(rejected(&bomb(i32::MAX as u32, i32::MAX as u32)), "too_large");
    let gif = [
        &b"GIF89a\xFF\xFF\xFF\xFF\x80\0\0\0\0\0\xFF\xFF\xFF"[..],
        b",\0\0\0\0\xFF\xFF\xFF\xFF\0\x02\x02D\x01\0;",
    ]
    .concat();
    assert_eq!(rejected(&gif), "too_large");
}

#[test]
fn limits_hold_on_both_sides() {
    let file = encode(&scene(40, 25), ImageFormat::Png);
    assert!(row(&file, json!({ "max_pixels": 1000 })).is_ok());
    let reject = row(&file, json!({ "max_pixels": 999 })).expect_err("a pixel too many");
    assert_eq!(reject.code, "too_large");
    assert_eq!(reject.message, "the image has 40 x 25 pixels, the limit is 999");
    assert!(row(&file, json!({ "max_bytes": file.len() })).is_ok());
    let reject = row(&file, json!({ "max_bytes": file.len() - 1 })).expect_err("a byte too many");
    assert_eq!(reject.code, "too_large");
    for wrong in [json!({"colours": 0}), json!({"colours": 6}), json!({"thumbnail_px": 513})] {
        assert!(Harness::<ImageFeatures>::new(wrong).is_err());
    }
}

#[test]
fn thumbnails_are_made_when_asked_for() {
    let file = encode(&scene(600, 300), ImageFormat::Png);
    assert!(row(&file, json!({})).expect("good").get("thumbnail").is_none());
    let document = row(&file, json!({ "thumbnail_px": 128 })).expect("good");
    let bytes = document["thumbnail"].as_array().expect("a blob").iter();
    let thumbnail: Vec<u8> = bytes.map(|byte| byte.as_u64().expect("a byte") as u8).collect();
    let image = image::load_from_memory_with_format(&thumbnail, ImageFormat::Jpeg).expect("a JPEG");
    assert_eq!((image.width(), image.height()), (128, 64));
}
