use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use image_features::ImageFeatures;
use quarry_extractor::Reject;
use quarry_extractor::testing::Harness;
use serde_json::{Value, json};

/// A picture with sky, ground, a sun and stripes: no symmetry and several colours.
pub(crate) fn scene(width: u32, height: u32) -> DynamicImage {
    let image = RgbImage::from_fn(width, height, |x, y| {
        let (u, v) = (x as f32 / width as f32, y as f32 / height as f32);
        let sun = (u - 0.75) * (u - 0.75) + (v - 0.2) * (v - 0.2);
        if sun < 0.015 {
            Rgb([250, 210, 40])
        } else if v < 0.5 {
            Rgb([80, 140, 200 + (v * 100.0) as u8])
        } else if u < 0.3 && ((v * 24.0) as u32).is_multiple_of(2) {
            Rgb([150, 30, 30])
        } else {
            Rgb([40, 110 - (v * 60.0) as u8, 50])
        }
    });
    DynamicImage::ImageRgb8(image)
}

/// Nothing like `scene`.
pub(crate) fn rings(width: u32, height: u32) -> DynamicImage {
    let image = RgbImage::from_fn(width, height, |x, y| {
        let (u, v) = (x as f32 / width as f32 - 0.4, y as f32 / height as f32 - 0.6);
        let bright = (((u * u + v * v).sqrt() * 18.0) as u32).is_multiple_of(2);
        if bright { Rgb([240, 230, 220]) } else { Rgb([60, 20, 90]) }
    });
    DynamicImage::ImageRgb8(image)
}

pub(crate) fn encode(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    image.write_to(&mut file, format).expect("the format takes the pixels");
    file.into_inner()
}

pub(crate) fn row(file: &[u8], parameters: Value) -> Result<Value, Reject> {
    let mut harness = Harness::<ImageFeatures>::new(parameters).expect("parameters are valid");
    let mut documents = harness.row(json!({ "image": file }))?;
    assert_eq!(documents.len(), 1);
    Ok(documents.remove(0))
}

pub(crate) fn document(file: &[u8]) -> Value {
    row(file, json!({})).expect("the image is good")
}

pub(crate) fn rejected(file: &[u8]) -> String {
    row(file, json!({})).expect_err("the image is bad").code
}

pub(crate) fn hash(document: &Value) -> u64 {
    let digits = document["perceptual_hash"].as_str().expect("a string");
    assert_eq!(digits.len(), 16);
    u64::from_str_radix(digits, 16).expect("hex digits")
}

/// Checks that the vector is one and has length 1.
pub(crate) fn layout(document: &Value) -> Vec<f64> {
    let values = document["layout"].as_array().expect("a vector");
    let vector: Vec<f64> = values.iter().map(|v| v.as_f64().expect("a finite number")).collect();
    assert_eq!(vector.len(), image_features::DIMENSION);
    assert!((cosine(&vector, &vector) - 1.0).abs() < 1e-5);
    vector
}

pub(crate) fn cosine(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The documents show the same picture.
pub(crate) fn assert_alike(a: &Value, b: &Value, what: &str) {
    let bits = image_features::distance(hash(a), hash(b));
    assert!(bits <= 4, "{what}: {bits} bits apart");
    let similarity = cosine(&layout(a), &layout(b));
    assert!(similarity > 0.96, "{what}: {similarity}");
}
