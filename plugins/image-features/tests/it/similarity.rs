use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage, imageops::FilterType};

use crate::support::{assert_alike, cosine, document, encode, hash, layout, rings, scene};

#[test]
fn resized_and_recompressed_pictures_stay_alike() {
    let image = scene(640, 400);
    let original = document(&encode(&image, ImageFormat::Png));
    for (width, height) in [(1280, 800), (333, 208), (100, 63)] {
        let resized = image.resize_exact(width, height, FilterType::Triangle);
        let other = document(&encode(&resized, ImageFormat::Png));
        assert_alike(&original, &other, &format!("{width} x {height}"));
    }
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, 25).encode_image(&image).expect("encodes");
    assert_alike(&original, &document(&file), "quality 25");
}

#[test]
fn different_pictures_are_apart() {
    let a = document(&encode(&scene(200, 150), ImageFormat::Png));
    for other in [rings(200, 150), scene(200, 150).flipv(), scene(200, 150).fliph()] {
        let b = document(&encode(&other, ImageFormat::Png));
        let bits = image_features::distance(hash(&a), hash(&b));
        assert!(bits > 16, "{bits} bits");
        let similarity = cosine(&layout(&a), &layout(&b));
        assert!(similarity < 0.95, "{similarity}");
    }
}

#[test]
fn black_and_white_are_opposites() {
    let plain = |level| {
        let image = RgbImage::from_pixel(30, 30, Rgb([level; 3]));
        layout(&document(&encode(&DynamicImage::from(image), ImageFormat::Png)))
    };
    assert!(cosine(&plain(0), &plain(255)) < 0.1);
    assert!(cosine(&plain(0), &plain(20)) > 0.95);
}

#[test]
fn dominant_colours_are_those_painted() {
    let image = RgbImage::from_fn(100, 10, |x, _| match x {
        0..60 => Rgb([200, 30, 30]),
        60..90 => Rgb([20, 40, 220]),
        _ => Rgb([240, 240, 240]),
    });
    let found = document(&encode(&DynamicImage::from(image), ImageFormat::Png));
    assert_eq!(
        found["dominant_colours"],
        serde_json::json!([
            {"hex": "#c81e1e", "share": 0.6},
            {"hex": "#1428dc", "share": 0.3},
            {"hex": "#f0f0f0", "share": 0.1},
        ])
    );
}
