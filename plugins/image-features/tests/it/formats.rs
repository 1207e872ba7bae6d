use image::codecs::gif::GifEncoder;
use image::{DynamicImage, Frame, GrayAlphaImage, ImageFormat, LumaA, Rgba, RgbaImage};
use serde_json::Value;

use crate::support::{assert_alike, document, encode, rings, scene};

fn check(file: &[u8], format: &str, size: (i64, i64), orientation: i64) -> Value {
    let found = document(file);
    assert_eq!(found["format"], format);
    assert_eq!((&found["width"], &found["height"]), (&size.0.into(), &size.1.into()));
    assert_eq!(found["orientation"], orientation);
    found
}

#[test]
fn all_formats_of_a_picture_have_the_same_features() {
    let image = scene(320, 200);
    let png = check(&encode(&image, ImageFormat::Png), "png", (320, 200), 1);
    for (format, name) in
        [(ImageFormat::Jpeg, "jpeg"), (ImageFormat::WebP, "webp"), (ImageFormat::Gif, "gif")]
    {
        let image =
            if name == "gif" { DynamicImage::from(image.to_rgba8()) } else { image.clone() };
        let other = check(&encode(&image, format), name, (320, 200), 1);
        assert_alike(&png, &other, name);
        let (a, b) = (&png["dominant_colours"][0], &other["dominant_colours"][0]);
        let difference =
            a["share"].as_f64().expect("a share") - b["share"].as_f64().expect("a share");
        assert!(difference.abs() < 0.05, "{name}: {a} and {b}");
    }
}

/// An EXIF block that says nothing but the orientation.
fn exif(orientation: u8) -> Vec<u8> {
    let mut block = b"MM\0\x2A\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    block.extend([orientation, 0, 0, 0, 0, 0, 0]);
    block
}

fn jpeg_with(orientation: u8, image: &DynamicImage) -> Vec<u8> {
    let file = encode(image, ImageFormat::Jpeg);
    let mut segment = b"Exif\0\0".to_vec();
    segment.extend(exif(orientation));
    let mut with = file[..2].to_vec();
    with.extend([0xFF, 0xE1]);
    with.extend((segment.len() as u16 + 2).to_be_bytes());
    with.extend(segment);
    with.extend(&file[2..]);
    with
}

/// The pixels as a camera held that way stores them.
fn stored(image: &DynamicImage, orientation: u8) -> DynamicImage {
    match orientation {
        2 => image.fliph(),
        3 => image.rotate180(),
        4 => image.flipv(),
        5 => image.rotate90().fliph(),
        6 => image.rotate270(),
        7 => image.rotate270().fliph(),
        8 => image.rotate90(),
        _ => image.clone(),
    }
}

#[test]
fn all_orientations_of_a_photo_have_the_same_features() {
    let image = scene(300, 180);
    let upright = document(&encode(&image, ImageFormat::Jpeg));
    for orientation in 1..=8 {
        let file = jpeg_with(orientation, &stored(&image, orientation));
        let turned = check(&file, "jpeg", (300, 180), orientation.into());
        assert_alike(&upright, &turned, &format!("orientation {orientation}"));
    }
    let nonsense = check(&jpeg_with(9, &image), "jpeg", (300, 180), 1);
    assert_alike(&upright, &nonsense, "an orientation that does not exist");
}

#[test]
fn of_an_animation_the_first_frame_counts() {
    let mut file = Vec::new();
    let mut encoder = GifEncoder::new(&mut file);
    for image in [scene(120, 80), rings(120, 80)] {
        encoder.encode_frame(Frame::new(image.to_rgba8())).expect("a frame");
    }
    drop(encoder);
    let first = document(&encode(&DynamicImage::from(scene(120, 80).to_rgba8()), ImageFormat::Gif));
    assert_eq!(check(&file, "gif", (120, 80), 1), first);
}

#[test]
fn all_pixel_types_are_read() {
    let image = scene(90, 60);
    let colour = document(&encode(&image, ImageFormat::Png));
    for (what, other) in [
        ("16 bit", DynamicImage::from(image.to_rgb16())),
        ("alpha", DynamicImage::from(image.to_rgba8())),
        ("16 bit alpha", DynamicImage::from(image.to_rgba16())),
    ] {
        assert_alike(&colour, &document(&encode(&other, ImageFormat::Png)), what);
    }
    let grey = document(&encode(&DynamicImage::from(image.to_luma8()), ImageFormat::Png));
    let grey_alpha = DynamicImage::from(image.to_luma_alpha16());
    assert_alike(&grey, &document(&encode(&grey_alpha, ImageFormat::Png)), "grey and alpha");
}

#[test]
fn transparent_parts_are_white() {
    let clear = RgbaImage::from_pixel(20, 20, Rgba([255, 0, 0, 0]));
    let found = document(&encode(&DynamicImage::from(clear), ImageFormat::Png));
    assert_eq!(found["dominant_colours"], serde_json::json!([{"hex": "#ffffff", "share": 1.0}]));
    let half = GrayAlphaImage::from_pixel(9, 9, LumaA([0, 128]));
    let found = document(&encode(&DynamicImage::from(half), ImageFormat::Png));
    assert_eq!(found["dominant_colours"][0]["hex"], "#7f7f7f");
}

#[test]
fn one_pixel_is_a_picture() {
    let image = DynamicImage::from(RgbaImage::from_pixel(1, 1, Rgba([119, 119, 119, 255])));
    let found = check(&encode(&image, ImageFormat::Png), "png", (1, 1), 1);
    assert_eq!(found["perceptual_hash"], "0000000000000000");
    assert_eq!(found["dominant_colours"][0]["hex"], "#777777");
    crate::support::layout(&found);
}
