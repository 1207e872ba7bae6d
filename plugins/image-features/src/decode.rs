//! Files to small upright pictures.

use std::io::Cursor;

use image::{DynamicImage, ImageBuffer, ImageDecoder, ImageFormat, ImageReader, Pixel, Rgba};
use quarry_extractor::Reject;

use crate::picture::{Picture, Size, area_average};

/// Features are taken from a picture with a long side of at most this.
pub(crate) const WORKING_PX: u32 = 256;
/// Bytes a pixel takes in memory at most: four channels of 16 bits.
const PIXEL_BYTES_MAX: u64 = 8;
/// What a decoder may need beside the pixels.
const DECODER_BYTES: u64 = 16 << 20;

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub max_pixels: u64,
    /// The long side of the thumbnail, 0 for none.
    pub thumbnail_px: u32,
}

#[derive(Clone, Debug)]
pub struct Decoded {
    /// As displayed, after the orientation.
    pub width: u32,
    pub height: u32,
    pub format: &'static str,
    pub orientation: u8,
    /// Upright, at most 256 pixels on the long side, on white where the image is transparent.
    pub picture: Picture,
    pub thumbnail: Option<Picture>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    TooLarge(String),
    Undecodable(String),
}

impl From<Failure> for Reject {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::TooLarge(message) => Self::new("too_large", message),
            Failure::Undecodable(message) => Self::new("undecodable", message),
        }
    }
}

/// Decodes the first frame. The dimensions are checked before any pixel memory is taken.
pub fn decode(file: &[u8], limits: Limits) -> Result<Decoded, Failure> {
    let undecodable = |reason: String| Failure::Undecodable(reason);
    let format = image::guess_format(file)
        .map_err(|_| undecodable("the file is no PNG, JPEG, WebP or GIF".to_owned()))?;
    let name = match format {
        ImageFormat::Png => "png",
        ImageFormat::Jpeg => "jpeg",
        ImageFormat::WebP => "webp",
        ImageFormat::Gif => "gif",
        other => return Err(undecodable(format!("{other:?} files are not supported"))),
    };
    let mut reader = ImageReader::with_format(Cursor::new(file), format);
    let mut allocation = image::Limits::default();
    allocation.max_alloc = Some(limits.max_pixels * PIXEL_BYTES_MAX + DECODER_BYTES);
    reader.limits(allocation);
    let mut decoder = reader.into_decoder().map_err(failure)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > limits.max_pixels {
        let limit = limits.max_pixels;
        let message = format!("the image has {width} x {height} pixels, the limit is {limit}");
        return Err(Failure::TooLarge(message));
    }
    if pixels == 0 {
        return Err(undecodable(format!("the image has {width} x {height} pixels")));
    }
    // The JPEG decoder fills up what is missing with grey.
    if format == ImageFormat::Jpeg && !jpeg_is_complete(file) {
        return Err(undecodable("the JPEG file ends before its image does".to_owned()));
    }
    let orientation = decoder.orientation().map_or(1, |orientation| orientation.to_exif());
    let image = DynamicImage::from_decoder(decoder).map_err(failure)?;
    let shrunk = |px: u32| shrink(&image, px).map(|picture| picture.upright(orientation));
    let picture = shrunk(WORKING_PX)?;
    let thumbnail = if limits.thumbnail_px > 0 { Some(shrunk(limits.thumbnail_px)?) } else { None };
    let (width, height) = if orientation >= 5 { (height, width) } else { (width, height) };
    Ok(Decoded { width, height, format: name, orientation, picture, thumbnail })
}

fn failure(error: image::ImageError) -> Failure {
    match error {
        image::ImageError::Limits(error) => Failure::TooLarge(error.to_string()),
        error => Failure::Undecodable(error.to_string()),
    }
}

fn shrink(image: &DynamicImage, px: u32) -> Result<Picture, Failure> {
    let narrow = |value: u8| u16::from(value) * 257;
    Ok(match image {
        DynamicImage::ImageLuma8(buffer) => shrink_buffer(buffer, px, narrow),
        DynamicImage::ImageLumaA8(buffer) => shrink_buffer(buffer, px, narrow),
        DynamicImage::ImageRgb8(buffer) => shrink_buffer(buffer, px, narrow),
        DynamicImage::ImageRgba8(buffer) => shrink_buffer(buffer, px, narrow),
        DynamicImage::ImageLuma16(buffer) => shrink_buffer(buffer, px, |value| value),
        DynamicImage::ImageLumaA16(buffer) => shrink_buffer(buffer, px, |value| value),
        DynamicImage::ImageRgb16(buffer) => shrink_buffer(buffer, px, |value| value),
        DynamicImage::ImageRgba16(buffer) => shrink_buffer(buffer, px, |value| value),
        // None of the four formats decodes to floats; the enum is open.
        other => return Err(Failure::Undecodable(format!("{:?} pixels", other.color()))),
    })
}

fn shrink_buffer<P: Pixel>(
    buffer: &ImageBuffer<P, Vec<P::Subpixel>>,
    px: u32,
    widen: impl Fn(P::Subpixel) -> u16,
) -> Picture {
    let from = Size { width: buffer.width(), height: buffer.height() };
    let mut rows = buffer.rows();
    area_average(from, from.fit(px), |_, line| {
        let row = rows.next().into_iter().flatten();
        for (to, pixel) in line.iter_mut().zip(row) {
            let Rgba([r, g, b, alpha]) = pixel.to_rgba();
            let alpha = u32::from(widen(alpha));
            *to = [r, g, b].map(|value| on_white(u32::from(widen(value)), alpha));
        }
    })
}

/// 16-bit values; the products stay below 2^32.
fn on_white(value: u32, alpha: u32) -> u16 {
    let opaque = u32::from(u16::MAX);
    if alpha == opaque {
        return value as u16;
    }
    let sum = u64::from(value) * u64::from(alpha) + u64::from(opaque) * u64::from(opaque - alpha);
    ((sum + u64::from(opaque / 2)) / u64::from(opaque)) as u16
}

/// Whether there is an end marker behind the start of the scan. Inside a scan every `FF` of the
/// data is followed by `00`, so `FF D9` can be nothing else; thumbnails lie in segments before it.
fn jpeg_is_complete(file: &[u8]) -> bool {
    let mut at = 2;
    while let Some(&[0xFF, marker, high, low]) = file.get(at..at + 4) {
        match marker {
            0xDA => return file[at..].windows(2).any(|pair| pair == [0xFF, 0xD9]),
            // Fill bytes, and markers without a segment.
            0xFF => at += 1,
            0x01 | 0xD0..=0xD8 => at += 2,
            _ => at += 2 + usize::from(u16::from_be_bytes([high, low])),
        }
    }
    // Not as written in the standard: let the decoder judge.
    file[2..].windows(2).any(|pair| pair == [0xFF, 0xD9])
}
