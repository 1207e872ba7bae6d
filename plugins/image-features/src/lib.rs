#![doc = include_str!("../README.md")]

mod colours;
mod decode;
mod features;
mod hash;
mod lab;
mod layout;
mod picture;
mod thumbnail;

use quarry_extractor::prelude::*;

pub use colours::Colour;
pub use decode::{Decoded, Failure, Limits, decode};
pub use features::{Features, features};
pub use hash::distance;
pub use layout::DIMENSION;
pub use picture::Picture;

/// The long side of the thumbnail at most.
pub const THUMBNAIL_PX_MAX: u32 = 512;

parameters! {
    pub struct Parameters {
        /// How many dominant colours a document has at most.
        #[schemars(range(min = 1, max = 5))]
        pub colours: u32 = 5,
        /// The long side of a JPEG thumbnail; 0 for none.
        #[schemars(range(min = 0, max = 512))]
        pub thumbnail_px: u32 = 0,
        /// An image with more pixels is rejected as `too_large`.
        #[schemars(range(min = 1, max = 200_000_000))]
        pub max_pixels: u32 = 50_000_000,
        /// An image with more bytes is rejected as `too_large`.
        #[schemars(range(min = 1, max = 268_435_456))]
        pub max_bytes: u32 = 64 << 20,
    }
}

input! {
    pub struct Input<'a> {
        /// A PNG, JPEG, WebP or GIF file; of an animation the first frame counts.
        image: Blob<'a>,
    }
}

output! {
    pub struct Output<'a> {
        /// Pixels across, the right way up.
        width: i64,
        /// Pixels down, the right way up.
        height: i64,
        /// `png`, `jpeg`, `webp` or `gif`.
        format: &'static str,
        /// The EXIF orientation of the stored pixels, 1 to 8.
        orientation: i64,
        /// [{hex, share}], the largest share first.
        dominant_colours: Json<'a, [Colour]>,
        /// 64 bits as 16 hex digits; similar images differ in few bits.
        perceptual_hash: &'a str,
        /// Colours and edges of a 4 by 4 grid, length 1.
        layout: Dense<'a>,
        /// A small JPEG, the right way up.
        thumbnail: Option<&'a [u8]>,
    }
}

/// The extractor.
pub struct ImageFeatures {
    parameters: Parameters,
}

impl Extractor for ImageFeatures {
    const NAME: &'static str = "image-features";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str = env!("CARGO_PKG_DESCRIPTION");
    type Parameters = Parameters;
    type Input<'a> = Input<'a>;
    type Output<'a> = Output<'a>;

    fn new(parameters: Parameters) -> Result<Self, String> {
        if !(1..=5).contains(&parameters.colours) {
            return Err(format!("colours is {}, not 1 to 5", parameters.colours));
        }
        if parameters.thumbnail_px > THUMBNAIL_PX_MAX {
            let wanted = parameters.thumbnail_px;
            return Err(format!("thumbnail_px is {wanted}, more than {THUMBNAIL_PX_MAX}"));
        }
        Ok(Self { parameters })
    }

    fn describe(&self, description: &mut Description) {
        let dimension = DIMENSION as u32;
        description.vector("layout", dimension, Distance::Cosine);
        // The file, its pixels as RGBA and what a decoder keeps beside them.
        let pixels = u64::from(self.parameters.max_pixels);
        description.memory_bytes((32 << 20) + u64::from(self.parameters.max_bytes) + 6 * pixels);
        if self.parameters.thumbnail_px == 0 {
            description.omit("thumbnail");
        }
    }

    fn extract(&mut self, row: Input<'_>, documents: &mut Documents<Self>) -> Result<(), Reject> {
        let bytes = row.image.len()?;
        let limit = self.parameters.max_bytes;
        if bytes > u64::from(limit) {
            let message = format!("the file has {bytes} bytes, the limit is {limit}");
            return Err(Reject::new("too_large", message));
        }
        let file = row.image.read_all(limit as usize)?;
        let limits = Limits {
            max_pixels: u64::from(self.parameters.max_pixels),
            thumbnail_px: self.parameters.thumbnail_px,
        };
        let decoded = decode(&file, limits)?;
        let features = features(&decoded.picture, self.parameters.colours as usize);
        let thumbnail = decoded.thumbnail.as_ref().map(thumbnail::jpeg);
        documents.push(Output {
            width: i64::from(decoded.width),
            height: i64::from(decoded.height),
            format: decoded.format,
            orientation: i64::from(decoded.orientation),
            dominant_colours: Json(&features.colours),
            perceptual_hash: &format!("{:016x}", features.hash),
            layout: Dense(&features.layout),
            thumbnail: thumbnail.as_deref(),
        });
        Ok(())
    }
}

quarry_extractor::export!(ImageFeatures);
