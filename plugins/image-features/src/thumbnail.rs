//! Thumbnails as JPEG files.

use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;

use crate::picture::Picture;

const QUALITY: u8 = 80;

pub(crate) fn jpeg(picture: &Picture) -> Vec<u8> {
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, QUALITY)
        .encode(
            picture.pixels.as_flattened(),
            picture.width,
            picture.height,
            ExtendedColorType::Rgb8,
        )
        .expect("a picture of at most 512 pixels a side fits a JPEG file in memory");
    file
}
